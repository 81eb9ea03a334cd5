"""Finds marks of Markdown in time that grows with the text only: code spans at a start, comments, ticks at an end."""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["LeadingCode", "leading_code", "without_comments", "without_ticks"]

_BACKTICKS = re.compile("`+")
_TICKS = "✓✔✅☑"
_EMOJI = "\ufe0f"
_VERIFIED = "verified"


class LeadingCode(NamedTuple):
    """A code span at a text's start: all of it, the text between its backticks, and what follows it."""

    code: str
    inside: str
    rest: str


def leading_code(text: str) -> LeadingCode | None:
    """The code span at the start; it ends at the first run of as many backticks as it begins with."""
    opening = _BACKTICKS.match(text)
    if opening is None:
        return None
    for run in _BACKTICKS.finditer(text, opening.end()):
        if len(run[0]) == len(opening[0]):
            return LeadingCode(text[: run.end()], text[opening.end() : run.start()], text[run.end() :])
    return None


def without_comments(text: str) -> str:
    """The text without HTML comments; one that is not closed stays."""
    parts: list[str] = []
    at = 0
    while (start := text.find("<!--", at)) >= 0:
        end = text.find("-->", start + len("<!--"))
        if end < 0:
            break
        parts.append(text[at:start])
        at = end + len("-->")
    return "".join(parts) + text[at:]


def without_ticks(text: str, *, most: int | None = None) -> str:
    """The text without ticks (``✓``, ``✓ verified``) at its end and the white space before them.

    A tick alone stays: it says yes.

    Args:
        most: how many ticks are left out; ``None`` for all.
    """
    end, count = len(text), 0
    while most is None or count < most:
        start = _tick_start(text, end)
        if start is None:
            break
        end, count = start, count + 1
    return text[:end]


def _tick_start(text: str, end: int) -> int | None:
    """Where the tick before ``end`` begins, with the white space before it; ``None`` without one behind a text."""
    at = _space_start(text, end)
    if text[max(0, at - len(_VERIFIED)) : at].lower() == _VERIFIED:
        at = _space_start(text, at - len(_VERIFIED))
    if text[at - 1 : at] == _EMOJI:
        at -= 1
    if at == 0 or text[at - 1] not in _TICKS:
        return None
    at = _space_start(text, at - 1)
    return at or None


def _space_start(text: str, end: int) -> int:
    while end > 0 and text[end - 1].isspace():
        end -= 1
    return end
