"""Reads the end of a job's output and finds the lines that name an error."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from tunebook.artifacts.text_files import newest_first, read_tail

__all__ = ["error_lines", "job_outputs", "last_lines"]

_TAIL_BYTES = 1 << 15
_LONGEST_LINE = 300
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)")
_ERROR = re.compile(
    r"error|exception|fatal|fail|killed|not found|no such file|denied|refused|^tunebook:", re.IGNORECASE
)
_PROGRESS_BAR = re.compile(r"\d%\|")


def job_outputs(directory: Path) -> list[Path]:
    """Returns the outputs of scripts that were submitted by hand from this directory, the newest first."""
    return newest_first(directory.glob("slurm-*.out"))


def error_lines(lines: Sequence[str]) -> tuple[str, ...]:
    """Returns the lines that name an error, or all lines if none does."""
    return tuple([line for line in lines if _ERROR.search(line)] or lines)


def last_lines(path: str) -> list[str]:
    """Returns the end of a job's output without colours, progress bars and empty lines; empty if it cannot be read."""
    if not path:
        return []
    try:
        text = read_tail(Path(path), _TAIL_BYTES)
    except OSError:
        return []
    lines = []
    for line in text.split("\n"):
        printable = _printable(line)
        if printable.strip() and not _PROGRESS_BAR.search(printable):
            lines.append(printable[:_LONGEST_LINE])
    return lines


def _printable(line: str) -> str:
    """The line as a terminal shows it in the end: what a carriage return wrote over is gone."""
    shown = line.rstrip("\r").rpartition("\r")[2]
    plain = _ESCAPES.sub("", shown).strip()
    return "".join(sign if sign.isprintable() else " " for sign in plain)
