"""Reads the end of a job's output, and finds the lines that name an error."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from tunebook.run.progress import read_tail

__all__ = ["error_lines", "last_lines"]

_TAIL_BYTES = 1 << 15
_LONGEST = 300
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07]*\x07")
_ERROR = re.compile(
    r"error|exception|fatal|fail|killed|not found|no such file|denied|refused|^tunebook:", re.IGNORECASE
)
_BAR = re.compile(r"\d+%\|")


def error_lines(lines: Sequence[str]) -> tuple[str, ...]:
    """Returns the lines that name an error, or all lines if none does."""
    found = tuple(line for line in lines if _ERROR.search(line))
    return found or tuple(lines)


def last_lines(path: str) -> list[str]:
    """Returns the end of a job's output without colours, progress bars and empty lines; empty if it is unreadable."""
    if not path:
        return []
    try:
        text = read_tail(Path(path), _TAIL_BYTES)
    except OSError:
        return []
    lines = []
    for raw in text.split("\n"):
        visible = raw.rstrip("\r").rpartition("\r")[2]  # what a terminal shows of a line that was overwritten
        line = _ESCAPES.sub("", visible).strip()
        line = "".join(sign if sign.isprintable() else " " for sign in line)
        if line.strip() and not _BAR.search(line):
            lines.append(line[:_LONGEST])
    return lines
