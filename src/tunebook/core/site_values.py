"""Reads one value of the site settings as a person wrote it: remarks, quotes, placeholders, units in other words."""

from __future__ import annotations

import re

from tunebook.core.markdown import Cell
from tunebook.core.paths import path_problem

__all__ = ["PATH_KEYS", "doubt_about", "is_placeholder", "normalized", "path_objection", "written_value"]

PATH_KEYS = ("models_dir", "output_dir_base")
_WORDS = ("account", "partition", "constraint", "qos", "mail_user", "mail_type")
_UNSET = re.compile(r"\(.*\)|(?:<[^>]*>|-|none|null|n/a|unset|not set|empty|leave empty|)(?:\s+\(.*\))?", re.IGNORECASE)
_PLACEHOLDER = re.compile(r"`*<[^>]*>`*(?:\s.*)?")
_OTHER_PLACEHOLDER = re.compile(
    r"todo\b.*|tbd|fixme|change[-_ ]?me|x{3,}|your[-_ ].*|fill[-_ ]?in\b.*|\.{3}|…|\?+|\[[\w -]+\]|\{[\w -]+\}",
    re.IGNORECASE,
)
_ANGLE_BRACKETS = re.compile(r"<[^<>/]+>")
_BEFORE_REMARK = re.compile(r"\S(?=\s+\()")
_QUOTED = re.compile(r"""(["'“‘])(?P<value>[^"'“”‘’]*)["'”’]""")
_SIZE = re.compile(r"(?P<number>\d+)\s*(?P<unit>[KMGT])(?:i?B)?", re.IGNORECASE)
_MINUTES = re.compile(r"(?P<minutes>\d{1,2}):(?P<seconds>\d\d)")
_FEWEST_MB = 1024


def written_value(cell: Cell) -> str:
    """The value, without quotes and without a remark behind it; empty for a placeholder and the words for unset."""
    raw, value = cell.raw.strip(), cell.value
    if _UNSET.fullmatch(value) or _UNSET.fullmatch(raw.strip("`")) or _PLACEHOLDER.fullmatch(raw):
        return ""
    remark = _BEFORE_REMARK.search(value) if value.endswith(")") else None
    if remark and not raw.startswith("`"):
        value = value[: remark.end()]
    quoted = _QUOTED.fullmatch(value)
    return quoted["value"].strip() if quoted else value


def is_placeholder(key: str, value: str) -> bool:
    """Whether a value looks like a text that a person should have replaced; ``[a|b]`` is a constraint."""
    if key == "constraint":
        return False
    return bool(_OTHER_PLACEHOLDER.fullmatch(value) or _ANGLE_BRACKETS.search(value))


def normalized(key: str, value: str) -> str:
    """The value as SLURM writes it, where its meaning is beyond doubt."""
    if key in _WORDS:
        first, *others = value.split(",")
        if others:
            *inner, last = others
            value = ",".join([first.rstrip(), *(word.strip() for word in inner), last.lstrip()])
        return value
    if key == "gpus":
        return value.removeprefix("gpu:")
    size = _SIZE.fullmatch(value)
    if key == "mem" and size:
        return f"{size['number']}{size['unit'].upper()}"
    return value


def path_objection(value: str, *, is_environment: bool) -> tuple[str, str]:
    """Why a setting cannot be this path, and what to do; both are empty if it can."""
    if is_environment and value.endswith("bin/activate"):
        return "names the script that activates an environment", "write the environment's directory"
    return path_problem(value)


def doubt_about(key: str, value: str) -> tuple[bool, str, str]:
    """Whether a value is an error, what SLURM makes of it, and what to write; the texts are empty if it is clear."""
    if key == "mem" and re.fullmatch(r"\d{1,9}", value, re.ASCII) and 0 < int(value) < _FEWEST_MB:
        return True, f"has no unit: SLURM reads it as {value} MB", f"write `{value}G` for gigabytes"
    short = _MINUTES.fullmatch(value)
    if key == "time" and short:
        meaning = f"{int(short['minutes'])} minutes and {int(short['seconds'])} seconds to SLURM"
        return False, f"is {meaning}", f"write `{value}:00` for hours and minutes, or `0:{value}` for this"
    return False, "", ""
