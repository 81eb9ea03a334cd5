"""The end of a job's output: the lines that tell why it failed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from tunebook.run.progress import read_tail

__all__ = ["last_lines", "telling"]

_TAIL_BYTES = 1 << 15
_LONGEST = 300
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07]*\x07")
_TELLING = re.compile(
    r"error|exception|fatal|fail|killed|not found|no such file|denied|refused|^tunebook:", re.IGNORECASE
)
_BAR = re.compile(r"\d+%\|")


def telling(lines: Sequence[str]) -> tuple[str, ...]:
    """Those that name an error, else all of them."""
    return tuple([line for line in lines if _TELLING.search(line)] or lines)


def last_lines(path: str) -> list[str]:
    """The end of a job's output without colours, progress bars and empty lines; nothing if it cannot be read."""
    if not path:
        return []
    try:
        text = read_tail(Path(path), _TAIL_BYTES)
    except OSError:
        return []
    lines = (_ESCAPES.sub("", line.rstrip("\r").rpartition("\r")[2]).strip() for line in text.split("\n"))
    printable = ("".join(sign if sign.isprintable() else " " for sign in line) for line in lines)
    return [line[:_LONGEST] for line in printable if line.strip() and not _BAR.search(line)]
