"""The end of a job's output: the lines that tell why it failed."""

from __future__ import annotations

import re
from pathlib import Path

from tunebook.run.progress import read_tail

__all__ = ["out_of_memory", "telling_lines"]

_TAIL_BYTES = 1 << 15
_LINES = 2
_LONGEST = 300
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07]*\x07")
_TELLING = re.compile(
    r"error|exception|fatal|fail|killed|not found|no such file|denied|refused|^tunebook:", re.IGNORECASE
)
_BAR = re.compile(r"\d+%\|")
_OUT_OF_MEMORY = re.compile(r"CUDA out of memory|OutOfMemoryError|CUBLAS_STATUS_ALLOC_FAILED|oom.kill", re.IGNORECASE)


def telling_lines(path: str) -> tuple[str, ...]:
    """The last two lines that name an error, else the last two lines; without colours and progress bars."""
    lines = _lines(path)
    telling = [line for line in lines if _TELLING.search(line)]
    return tuple(line[:_LONGEST] for line in (telling or lines)[-_LINES:])


def out_of_memory(path: str) -> bool:
    """Whether the output's end says that a GPU's memory was not enough."""
    return any(_OUT_OF_MEMORY.search(line) for line in _lines(path))


def _lines(path: str) -> list[str]:
    if not path:
        return []
    try:
        text = read_tail(Path(path), _TAIL_BYTES)
    except OSError:
        return []
    lines = (_ESCAPES.sub("", line.rstrip("\r").rpartition("\r")[2]).strip() for line in text.split("\n"))
    printable = ("".join(sign if sign.isprintable() else " " for sign in line) for line in lines)
    return [line for line in printable if line.strip() and not _BAR.search(line)]
