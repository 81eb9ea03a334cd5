"""One entry of a log: the seed's format, which no value can forge."""

from __future__ import annotations

from datetime import datetime

__all__ = ["format_entry"]


def format_entry(time: datetime, action: str, description: str, **lines: str) -> str:
    """``[YYYY-MM-DD HH:MM:SS] ACTION: Description`` and its lines, ended by an empty line.

    The lines are named by the keywords (``details=…`` becomes ``Details: …``); empty ones are left out. Line breaks and
    other control characters in a value are escaped.
    """
    head = f"[{time:%Y-%m-%d %H:%M:%S}] {action}: {_one_line(description)}"
    rest = [f"{name.replace('_', ' ').capitalize()}: {_one_line(value)}" for name, value in lines.items() if value]
    return "\n".join([head, *rest]) + "\n\n"


def _one_line(value: str) -> str:
    return "".join(character if _is_harmless(character) else _escape(character) for character in value)


def _is_harmless(character: str) -> bool:
    return character.isprintable()


def _escape(character: str) -> str:
    return {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(character) or character.encode("unicode_escape").decode()
