"""The table of parameters: one row each, with column, key, short name, kind, range and default.

The columns of ``## All Runs``, the bullets of ``## Configuration`` and the keys of a tool's own files are spellings of
the same parameters. All are read through a :class:`ParameterTable`: the shared rows of this module, and the rows of the
tools that the plan names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from enum import Enum
from functools import cached_property

from tunebook.core.jobs import Stage
from tunebook.core.numbers import number, point_for_comma, whole_number

__all__ = [
    "FLAG_WORDS",
    "Kind",
    "Parameter",
    "ParameterTable",
    "Value",
    "Written",
    "suggestion",
]

Value = int | float | bool | str | tuple[str, ...] | None

FLAG_WORDS = {
    **dict.fromkeys(("yes", "true", "on", "enabled", "✓", "✔", "✅", "☑"), True),
    **dict.fromkeys(("no", "false", "off", "disabled", "✗", "✘", "❌"), False),
}
"""The texts of a flag, in lower case."""


class Kind(Enum):
    """The type that a parameter's text is converted to."""

    INTEGER = "a whole number"
    NUMBER = "a number"
    FLAG = "yes or no"
    TEXT = "text"
    LITERAL = "text, taken literally"
    LIST = "a list, separated by commas"
    ALPHA = "a number, or a multiple of the rank such as `2 × rank`"
    VALIDATION = "`no`, `yes` (after every epoch) or `every N steps`"


@dataclass(frozen=True)
class Written:
    """A value together with how, and on which line, it was written."""

    value: Value
    text: str
    line: int | None = None


@dataclass(frozen=True)
class Parameter:
    """One row of the table.

    Attributes:
        key: its name in code and in the files of tools.
        column: its name in the plan.
        short: its name in directory names; empty if it cannot be a column of the runs table.
        minimum: the smallest allowed number.
        above_minimum: whether the minimum itself is excluded.
        below: the number that it must stay below.
        choices: the only allowed texts; for a list, its only allowed members.
        default: the value where the plan gives none; ``None`` is "unset".
        required: whether every fine-tuned run needs it, or, if it is for LoRA only, every run that trains adapters.
        lora_only: whether it is for runs that train adapters only.
        trains_adapters: for the row that decides it: whether a run with this value trains adapters; ``None`` where the
            value leaves that to whether there is a LoRA rank.
        aliases: other spellings in the plan, lower case.
        is_shown: whether a plan that tunebook writes states the default too.
        stage: the stage that uses it.
        units: words that may follow its number in the plan.
    """

    key: str
    column: str
    kind: Kind
    short: str = ""
    minimum: float | None = None
    above_minimum: bool = False
    below: float | None = None
    choices: tuple[str, ...] = ()
    default: Value = None
    required: bool = False
    lora_only: bool = False
    trains_adapters: Callable[[Value], bool | None] | None = None
    aliases: tuple[str, ...] = ()
    is_shown: bool = False
    stage: Stage = Stage.PREPARATION
    units: tuple[str, ...] = ()

    @property
    def allowed(self) -> str:
        """The allowed values, in words."""
        if self.choices:
            choices = ", ".join(self.choices)
            return f"one or more of {choices}" if self.kind is Kind.LIST else f"one of {choices}"
        words = self.kind.value
        if self.above_minimum:
            words += f" above {self.minimum:,.15g}"
        elif self.minimum is not None:
            words += f" of at least {self.minimum:,.15g}"
        if self.below is not None:
            words += f" and below {self.below:,.15g}"
        return words

    @property
    def default_text(self) -> str | None:
        """The default as a plan writes it; ``None`` if it is unset."""
        value = self.default
        if isinstance(value, str) and self.kind is Kind.ALPHA:
            return value.replace("*", " × ")
        if value is None or isinstance(value, str):
            return value
        if isinstance(value, bool):
            return "yes" if value else "no"
        if isinstance(value, tuple):
            return ", ".join(value)
        if self.kind is Kind.VALIDATION and value == 0:
            return "no"
        return str(value)

    def convert(self, text: str) -> Value:
        """The text as a value of this parameter's type and within its range.

        Raises:
            ValueError: it is not; the message gives the text and what is allowed.
        """
        value: Value = _CONVERTERS[self.kind](text.strip())
        if self.choices:
            value = self._chosen(value)
        if value is None or not self.accepts(value):
            allowed = f"{self.allowed}{point_for_comma(text)}"
            raise ValueError(f"{self.column or self.key} is `{text.strip()}`; it must be {allowed}")
        return value

    def _chosen(self, value: Value) -> Value:
        """The choices as they are spelled here; a list's members in the order of the choices, each once."""
        spelled = {choice.lower(): choice for choice in self.choices}
        if isinstance(value, str):
            return spelled.get(value.lower())
        if not isinstance(value, tuple) or any(member.lower() not in spelled for member in value):
            return None
        chosen = {member.lower() for member in value}
        return tuple(choice for choice in self.choices if choice.lower() in chosen)

    def accepts(self, value: Value) -> bool:
        """Whether a value of this parameter's type is within its range."""
        if self.choices:
            return set(value if isinstance(value, tuple) else (value,)) <= set(self.choices)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return True
        if self.minimum is not None and (value < self.minimum or (self.above_minimum and value == self.minimum)):
            return False
        return self.below is None or value < self.below


@dataclass(frozen=True)
class ParameterTable:
    """The parameters that a plan may give, in the order in which they appear in directory names.

    Attributes:
        is_complete: whether a name that is not in the table is a mistake. If the plan names a tool that is not
            installed, the name may be a parameter of that tool.
    """

    rows: tuple[Parameter, ...]
    is_complete: bool = True

    def __iter__(self) -> Iterator[Parameter]:
        return iter(self.rows)

    @cached_property
    def _keys(self) -> Mapping[str, Parameter]:
        return {parameter.key: parameter for parameter in self.rows}

    @cached_property
    def _columns(self) -> Mapping[str, Parameter]:
        columns: dict[str, Parameter] = {}
        for parameter in self.rows:
            columns |= dict.fromkeys((parameter.column.lower(), *parameter.aliases), parameter)
        return columns

    @cached_property
    def _shorts(self) -> Mapping[str, Parameter]:
        return {parameter.short: parameter for parameter in self.rows if parameter.short}

    @cached_property
    def _deciding(self) -> tuple[tuple[Parameter, Callable[[Value], bool | None]], ...]:
        pairs = [(parameter, parameter.trains_adapters) for parameter in self.rows]
        return tuple((parameter, decide) for parameter, decide in pairs if decide is not None)

    def get(self, key: str) -> Parameter | None:
        """The parameter with this key, if there is one."""
        return self._keys.get(key)

    def by_key(self, key: str) -> Parameter:
        """The parameter with this key, which must be in the table."""
        return self._keys[key]

    def by_column(self, name: str) -> Parameter | None:
        """The parameter that a column or a bullet names, without regard to case, hyphens and underscores."""
        name = _ABBREVIATION.sub("", " ".join(name.lower().split()))
        spellings = (name, name.replace("-", " "), name.replace("_", " "))
        return next((self._columns[spelling] for spelling in spellings if spelling in self._columns), None)

    def by_name(self, name: str) -> Parameter | None:
        """The parameter with this key, column or short name, without regard to case."""
        name = name.strip().lower()
        return self._keys.get(name) or self.by_column(name) or self._shorts.get(name)

    def of_stage(self, stage: Stage) -> tuple[Parameter, ...]:
        """The parameters of one stage."""
        return tuple(parameter for parameter in self.rows if parameter.stage is stage)

    @property
    def varying(self) -> tuple[Parameter, ...]:
        """The parameters that can be a column of the runs table."""
        return tuple(self._shorts.values())

    def suggest(self, name: str, *others: str, varying: bool = False) -> str:
        """``did you mean `X`?`` for the nearest column (one that can vary) or other name; otherwise the list of all."""
        rows = self.varying if varying else self.rows
        return suggestion(name, (*others, *(parameter.column for parameter in rows)))

    def trains_adapters(self, values: Mapping[str, Value]) -> bool | None:
        """Whether these values train adapters; ``None`` where they leave it to whether there is a LoRA rank."""
        for parameter, decide in self._deciding:
            decision = decide(values.get(parameter.key, parameter.default))
            if decision is not None:
                return decision
        return None

    def with_rows(self, rows: Iterable[Parameter]) -> ParameterTable:
        """This table with a tool's rows: a row with the same key replaces the one here, the others are appended."""
        own = {parameter.key: parameter for parameter in rows}
        kept = [own.pop(parameter.key, parameter) for parameter in self.rows]
        return replace(self, rows=(*kept, *own.values()))


# `LoRA rank (r)`, `Max sequence length (tokens)`
_ABBREVIATION = re.compile(r"(?<!\s)\s*\((?:lr|r|α|wd|bs|tokens|steps)\)$")


def _flag(text: str) -> bool | None:
    return FLAG_WORDS.get(text.lower().removesuffix("\ufe0f"))


_AUTOMATIC = re.compile(r"(?:auto\w*|automatic\w*|always|set|[-=\s]|to(?=\s))*", re.IGNORECASE)


def _alpha(text: str) -> Value:
    """A number, or ``F*rank``: the plan may say ``Auto-set to 2 × rank``, with the numbers in parentheses."""
    text = _AUTOMATIC.sub("", text, count=1)
    text = re.sub(r"(?<=rank)\s*\([\d\s,./=:→-]*\)$", "", text, flags=re.IGNORECASE)
    factor = re.fullmatch(r"(\d+(?:\.\d+)?)\s*[×x*]\s*(?:the\s+)?(?:lora[ _]?)?rank", text, re.IGNORECASE)
    if factor:
        return f"{factor[1]}*rank"
    if re.fullmatch(r"(?:same as|equal to)?\s*(?:the\s+)?(?:lora[ _]?)?rank", text, re.IGNORECASE):
        return "1*rank"
    return number(text)


def _list(text: str) -> tuple[str, ...] | None:
    """The members in brackets or without them, separated by commas, plus signs or blanks."""
    members = [member.strip("`'\"") for member in re.split(r"[\s,+]+", text.strip("[]"))]
    return tuple(member for member in members if member) or None


def _validation(text: str) -> Value:
    """0 for no validation, ``epoch`` for one per epoch, otherwise the number of steps between two validations."""
    flag = _flag(text)
    if flag is False or text.lower() in {"none", "never", "null", "0"}:
        return 0
    if flag is True or re.fullmatch(
        r"(?:(?:after |at the end of )?(?:each|every) |once per )?epoch", text, re.IGNORECASE
    ):
        return "epoch"
    steps = re.fullmatch(r"(?:every\s+)?(\d{1,9})(?:\s+steps?)?", text, re.IGNORECASE)
    return int(steps[1]) if steps else None


_CONVERTERS: dict[Kind, Callable[[str], Value]] = {
    Kind.INTEGER: whole_number,
    Kind.NUMBER: number,
    Kind.FLAG: _flag,
    Kind.TEXT: lambda text: text or None,
    Kind.LITERAL: lambda text: text,
    Kind.LIST: _list,
    Kind.ALPHA: _alpha,
    Kind.VALIDATION: _validation,
}


def suggestion(name: str, known: Iterable[str]) -> str:
    """``did you mean `X`?`` for the nearest known name; otherwise the list of all; empty if none is known."""
    names = list(known)
    if not names:
        return ""
    lowered = {candidate.lower(): candidate for candidate in names}
    near = get_close_matches(name.lower(), lowered, n=1, cutoff=0.6)
    if near:
        return f"did you mean `{lowered[near[0]]}`?"
    return "known: " + ", ".join(names)
