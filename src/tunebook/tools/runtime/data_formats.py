"""Reads each example of a data set as its training does: as question and answer, as a conversation, or as a text.

A format is converted if its meaning is certain; any other example is an error that says what to write.
Runs inside jobs, and needs nothing else of tunebook.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from tunebook.tools.runtime.data_files import RawExample

__all__ = ["DATASET_TYPES", "ExampleFormat", "FormatReader", "Record", "answer_of", "is_group", "question_of"]

Record = dict[str, Any]
"""``input`` and ``output``, or ``messages`` (each with ``role`` and ``content``), or ``text``."""

_ROLES = ("system", "user", "assistant")
_SPEAKERS = {"human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant", "system": "system"}
_CALLS = ("tool_calls", "function_call")
_MOST_NAMES = 20  # of fields in a message
_MOST_UNUSED = 100  # names of fields that are counted each
_LONGEST_NAME = 100
_FURTHER = "further fields"


@dataclass(frozen=True)
class ExampleFormat:
    """One way to write an example.

    Attributes:
        fields: those that every example has; ``optional`` are read too.
        joins: whether several fields become the one ``input``.
    """

    name: str
    fields: tuple[str, ...]
    convert: Callable[[Mapping[str, Any], ExampleFormat, Counter[str]], Record]
    optional: tuple[str, ...] = ()
    joins: bool = False

    @property
    def shown(self) -> str:
        """The fields in words."""
        return " and ".join(f"`{field}`" for field in self.fields)

    def fits(self, value: Mapping[str, Any]) -> bool:
        """Whether an example has all the fields."""
        return all(field in value for field in self.fields)


def _pair(value: Mapping[str, Any], form: ExampleFormat, unused: Counter[str]) -> Record:
    del unused
    question, answer = form.fields
    return {"input": _text(value, question), "output": _text(value, answer)}


def _alpaca(value: Mapping[str, Any], form: ExampleFormat, unused: Counter[str]) -> Record:
    """The instruction, and below a blank line its input if there is one."""
    del form, unused
    instruction = _text(value, "instruction")
    details = "" if value.get("input") is None else _text(value, "input")
    question = f"{instruction}\n\n{details}" if details else instruction
    return {"input": question, "output": _text(value, "output")}


def _plain_text(value: Mapping[str, Any], form: ExampleFormat, unused: Counter[str]) -> Record:
    del form, unused
    return {"text": _text(value, "text")}


def _chat(value: Mapping[str, Any], form: ExampleFormat, unused: Counter[str]) -> Record:
    (field,) = form.fields
    messages = value[field]
    if not isinstance(messages, list) or not messages:
        raise ValueError(f"`{field}` must be a list of messages, and not empty")
    read = []
    for number, message in enumerate(messages):
        try:
            read.append(_message(message, field, unused))
        except ValueError as error:
            raise ValueError(f"message {number} of `{field}`: {error}") from None
    if all(message["role"] != "assistant" for message in read):
        raise ValueError("no message is from the assistant, so there is nothing to learn")
    return {"messages": read}


def _message(message: Any, field: str, unused: Counter[str]) -> dict[str, str]:
    """A message, in the words of chats (``role``, ``content``) or of ShareGPT (``from``, ``value``)."""
    if not isinstance(message, dict):
        raise ValueError(f"a message is an object, but this is {_kind(message)}")  # noqa: TRY004  wrong data
    calls = [key for key in _CALLS if message.get(key)]
    if calls:
        raise ValueError(f"`{calls[0]}` cannot be trained: leave this conversation out, or write the call as text")
    shared = field == "conversations" and "from" in message
    who, what = ("from", "value") if shared else ("role", "content")
    role, allowed = message.get(who), tuple(_SPEAKERS) if shared else _ROLES
    if role not in allowed:
        named = "is missing" if role is None else f"is {role!r}"
        raise ValueError(f"`{who}` {named}; allowed: {', '.join(allowed)}")
    _note_unused(message, (who, what, *_CALLS), f"{field}[].", unused)
    return {"role": _SPEAKERS[role], "content": _text(message, what)}


def _text(value: Mapping[str, Any], field: str) -> str:
    """The text of a field.

    Raises:
        ValueError: it is something else; nothing is converted, since ``null`` or ``1.0`` may be a mistake.
    """
    if field not in value:
        raise ValueError(f"the field `{field}` is missing; the fields are: {', '.join(value) or 'none'}")
    text = value[field]
    if not isinstance(text, str):
        hint = "write a text, or remove the example"
        if isinstance(text, int | float):
            hint = f'write it in quotes: "{str(text).lower() if isinstance(text, bool) else text}"'
        raise ValueError(f"`{field}` is {_kind(text)}, not a text: {hint}")  # noqa: TRY004  wrong data
    if not _is_unicode(text):
        raise ValueError(f"`{field}` holds half of a character (an unpaired surrogate escape such as \\ud83d)")
    return text


def _is_unicode(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    names = {bool: "true or false", int: "a number", float: "a number", list: "a list", dict: "an object"}
    return names.get(type(value), f"of type {type(value).__name__}")


def _note_unused(value: Mapping[str, Any], used: Iterable[str], prefix: str, unused: Counter[str]) -> None:
    known = set(used)
    for key, content in value.items():
        if key not in known and content not in (None, "", [], {}):
            name = f"{prefix}{key}"
            is_shown = name in unused or (len(unused) < _MOST_UNUSED and len(name) <= _LONGEST_NAME)
            unused[name if is_shown else _FURTHER] += 1


def _names(value: Mapping[str, Any]) -> str:
    """The names of an example's fields, for a message."""
    names = [name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}…" for name in islice(value, _MOST_NAMES)]
    if len(value) > _MOST_NAMES:
        names.append(f"and {len(value) - _MOST_NAMES} more")
    return ", ".join(names) or "none"


_ALPACA = ExampleFormat("Alpaca", ("instruction", "output"), _alpaca, optional=("input",), joins=True)
_PAIR = ExampleFormat("input/output", ("input", "output"), _pair)
_COMPLETION = ExampleFormat("prompt/completion", ("prompt", "completion"), _pair)
_MESSAGES = ExampleFormat("chat", ("messages",), _chat)
_SHARE_GPT = ExampleFormat("ShareGPT", ("conversations",), _chat)
_TEXT = ExampleFormat("text", ("text",), _plain_text)

DATASET_TYPES: Mapping[str, tuple[ExampleFormat, ...]] = {
    "instruct": (_ALPACA, _PAIR, _COMPLETION),
    "chat": (_MESSAGES, _SHARE_GPT),
    "text_completion": (_TEXT,),
}


class FormatReader:
    """Reads the examples of one data set; the first one decides their format.

    Attributes:
        form: the format; ``None`` before the first example.
        unused: a field that nothing reads to the number of examples (or messages) that have it.
    """

    def __init__(self, dataset_type: str) -> None:
        self._type = dataset_type
        self.form: ExampleFormat | None = None
        self.unused: Counter[str] = Counter()

    def read(self, example: RawExample) -> Record:
        """The example as it is trained on.

        Raises:
            ValueError: it cannot be trained on; the message names it and says what to write.
        """
        try:
            return self._read(example.value)
        except ValueError as error:
            raise ValueError(f"{example}: {error}") from None

    def _read(self, value: Any) -> Record:
        if not isinstance(value, dict):
            raise ValueError(f"an example is an object, but this is {_kind(value)}")  # noqa: TRY004  wrong data
        if self.form is None:
            self.form = self._form_of(value)
        elif self.form in (_PAIR, _COMPLETION) and _ALPACA.fits(value):
            raise ValueError(f"it has an `instruction`, which the examples before it ({self.form.name}) do not have")
        form = self.form
        if not form.fits(value):
            raise ValueError(self._lacking(form, value))
        record = form.convert(value, form, self.unused)
        _note_unused(value, (*form.fields, *form.optional), "", self.unused)
        return record

    def _form_of(self, value: Mapping[str, Any]) -> ExampleFormat:
        """The one format that the fields can mean."""
        forms = DATASET_TYPES[self._type]
        fitting = [form for form in forms if form.fits(value)]
        if _ALPACA in fitting and _PAIR in fitting:
            fitting.remove(_PAIR)  # Alpaca's `input` belongs to its instruction
        if len(fitting) > 1:
            both = ", and also ".join(form.shown for form in fitting)
            raise ValueError(f"it has {both}: remove the fields that should not be trained on")
        if fitting:
            return fitting[0]
        begun = [form for form in forms if any(field in value for field in form.fields)]
        if begun:
            raise ValueError(self._lacking(begun[0], value))
        raise ValueError(self._no_form(value))

    def _lacking(self, form: ExampleFormat, value: Mapping[str, Any]) -> str:
        missing = next(field for field in form.fields if field not in value)
        return f"the field `{missing}` is missing; the fields are: {_names(value)}"

    def _no_form(self, value: Mapping[str, Any]) -> str:
        allowed = "; ".join(form.shown for form in DATASET_TYPES[self._type])
        message = f"Dataset Type {self._type} needs {allowed}; the fields are: {_names(value)}"
        for name, forms in DATASET_TYPES.items():
            if any(form.fits(value) for form in forms):
                return f"{message}; for these write `- **Dataset Type:** {name}`"
        return message


def question_of(record: Record) -> str:
    """The text that identifies what is asked: in a chat all before the last answer; empty for plain text."""
    if "messages" in record:
        messages = record["messages"]
        last = max(index for index, message in enumerate(messages) if message["role"] == "assistant")
        return "\x1f".join(f"{message['role']}\x1e{message['content']}" for message in messages[:last])
    return str(record.get("input", ""))


def answer_of(record: Record) -> str:
    """The text that is learnt: the last answer of a chat, or a whole plain text."""
    if "messages" in record:
        answers = [message["content"] for message in record["messages"] if message["role"] == "assistant"]
        return str(answers[-1])
    return str(record.get("output", record.get("text", "")))


def is_group(value: Any) -> bool:
    """Whether a value of a column says which group an example is in: a missing one may be a blank text or no number."""
    if isinstance(value, str):
        return bool(value.strip())
    return isinstance(value, int | float) and math.isfinite(value)
