"""What identifies this machine's present start and its processes: numbers are used again, names of hosts are shared."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

__all__ = ["GONE", "ProcessFacts", "boot", "has_process", "process_facts", "process_space"]

GONE = (FileNotFoundError, ProcessLookupError, PermissionError)
"""Errors of reading a process that is gone, or that the system hides; after any other one it may run."""

_STATE, _START = 0, 19  # fields of /proc/PID/stat behind the program's name


@dataclass(frozen=True)
class ProcessFacts:
    """The system's facts about a process.

    Attributes:
        state: one letter, ``Z`` for a process that has ended and is not yet collected.
        start: when it started, in ticks since the machine did: a clock that is set does not change it.
    """

    state: str
    start: str


@cache
def boot() -> str:
    """An id of the time since this machine was started; empty where the system does not say."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


@cache
def process_space() -> str:
    """An id of the numbering of processes, of which a container may have its own; empty where it is not known."""
    try:
        return os.readlink("/proc/self/ns/pid")  # noqa: PTH115
    except OSError:
        return ""


def has_process(pid: int) -> bool:
    """Whether a process has this number now, also another person's."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # another person's
        pass
    return True


def process_facts(pid: int) -> ProcessFacts | None:
    """``None`` if the process is gone, or if the system hides it.

    Raises:
        OSError: the system cannot say, as where too many files are open: the process may run.
    """
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except GONE:
        return None
    fields = text.rpartition(")")[2].split()  # the program's name before them may have spaces
    return ProcessFacts(fields[_STATE], fields[_START]) if len(fields) > _START else None
