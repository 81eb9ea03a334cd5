"""One entry of a log, in a format that no value can forge."""

from __future__ import annotations

from datetime import datetime

from tunebook.core.shortened import shortened_values

__all__ = ["format_entry"]

_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def format_entry(time: datetime, action: str, description: str, **lines: str) -> str:
    """``[YYYY-MM-DD HH:MM:SS] ACTION: Description`` and further lines, ended by an empty line.

    The keywords name the lines (``details=…`` becomes ``Details: …``); empty ones are left out. Line breaks and other
    control characters in a value are escaped, and very long words are shortened.
    """
    entry = f"[{time:%Y-%m-%d %H:%M:%S}] {action}: {_one_line(description)}\n"
    for name, value in lines.items():
        if value:
            entry += f"{name.replace('_', ' ').capitalize()}: {_one_line(value)}\n"
    return entry + "\n"


def _one_line(value: str) -> str:
    value = shortened_values(value)
    return value if value.isprintable() else "".join(map(_escape, value))


def _escape(character: str) -> str:
    if character.isprintable():
        return character
    return _ESCAPES.get(character) or character.encode("unicode_escape").decode()
