"""Renders one example as the model sees it in training, each part marked as learnt or not.

Runs inside jobs, and needs nothing else of tunebook.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tunebook.tools.runtime.chat import answer_text, instruct_messages, render_prompt
from tunebook.tools.runtime.data_formats import Record

__all__ = ["Part", "cut_message", "example_parts", "joint_tokens", "plain_encoder"]

Part = tuple[str, bool]
"""A text, and whether it is learnt."""

_SHOWN = 30  # characters on either side of a border


def example_parts(tokenizer: Any, record: Record, *, system_prompt: str, prompt: str) -> list[Part]:
    """The parts of an example in their order; a plain text gets the tokens that begin and end a text in addition.

    Args:
        tokenizer: has ``chat_template``, ``eos_token``, ``all_special_tokens`` and ``apply_chat_template``.

    Raises:
        ValueError: the model's chat template cannot render this conversation as it is.
    """
    if "text" in record:
        return [(record["text"], True)]
    if "messages" in record:
        return _conversation(tokenizer, record["messages"], system_prompt)
    messages = instruct_messages(system_prompt, prompt, record["input"])
    return [(render_prompt(tokenizer, messages), False), (answer_text(tokenizer, messages, record["output"]), True)]


def plain_encoder(tokenizer: Any) -> Callable[[str], list[int]]:
    """Encodes texts with a tokenizer of Transformers, without special tokens that they do not contain."""

    def encode(text: str) -> list[int]:
        return list(tokenizer.encode(text, add_special_tokens=False))

    return encode


def joint_tokens(encode: Callable[[str], list[int]], parts: Sequence[Part]) -> list[tuple[list[int], bool]]:
    """The tokens of each part within the whole text, each with whether they are learnt.

    Generation starts from the tokens of the prompt alone, and an answer is what follows them. So the tokens of the text
    up to each part's end must begin with those up to its start. An answer by itself may have other tokens: some
    tokenizers put a space before every text.

    Args:
        encode: the tokens of a text, without special tokens that the text does not contain.

    Raises:
        ValueError: the end of a part and the beginning of the next one become common tokens.
    """
    text = ""
    before: list[int] = []
    found = []
    for part, learnt in parts:
        tokens = encode(text + part)
        if tokens[: len(before)] != before:
            raise ValueError(_border(text, part, learnt=learnt))
        found.append((tokens[len(before) :], learnt))
        text += part
        before = tokens
    return found


def _border(before: str, part: str, *, learnt: bool) -> str:
    what = "answer" if learnt else "message after an answer"
    return (
        f"the {what} {part[:_SHOWN]!r} changes the tokens of the text before it, {before[-_SHOWN:]!r}, from which "
        f"generation starts: begin the {what} with another character"
    )


def cut_message(count: int, total: int, *, limit: int, longest: int) -> str:
    """The message about examples that a maximum sequence length cuts at their end, where the answer is."""
    examples = "1 example loses its end" if count == 1 else f"{count} examples lose their ends"
    hint = f"raise Max Sequence Length to {longest}, or remove the longer examples"
    return f"{examples} of {total} at a maximum sequence length of {limit} tokens; the longest has {longest}: {hint}"


def _conversation(tokenizer: Any, messages: Sequence[Mapping[str, str]], system_prompt: str) -> list[Part]:
    """Every turn of the assistant is learnt, each after the conversation so far as the template renders it."""
    if system_prompt and messages[0]["role"] == "system":
        raise ValueError("it has a system message of its own, but the plan gives a System Prompt too")
    if system_prompt:
        messages = [{"role": "system", "content": system_prompt}, *messages]
    text = ""
    parts: list[Part] = []
    for index, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        asked = render_prompt(tokenizer, messages[:index])
        if not asked.startswith(text):
            raise ValueError("the chat template renders earlier turns differently from what the model was trained on")
        answer = answer_text(tokenizer, messages[:index], message["content"])
        parts += [(asked[len(text) :], False), (answer, True)]
        text = asked + answer
    return parts
