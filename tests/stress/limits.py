"""Runs the command line in a process of its own, within limits of time and memory, and says what it used."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from support.command_line import TUNEBOOK

__all__ = ["Spent", "tunebook"]

_PAGE = os.sysconf("SC_PAGE_SIZE")
_MIB = 1 << 20


@dataclass(frozen=True)
class Spent:
    """What a command used; ``stopped`` says which limit it passed."""

    code: int
    mebibytes: int
    seconds: float
    output: str
    stopped: str = ""


def tunebook(arguments: Sequence[str], cwd: Path, *, seconds: float, mebibytes: int) -> Spent:
    """Runs tunebook and kills it when it passes a limit."""
    begun = time.monotonic()
    process = subprocess.Popen(
        [TUNEBOOK, *arguments], cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL
    )
    stopped: list[str] = []
    watch = threading.Thread(target=_watch, args=(process, begun + seconds, mebibytes, stopped), daemon=True)
    watch.start()
    assert process.stdout is not None
    output = process.stdout.read().decode(errors="replace")
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    watch.join()
    took = time.monotonic() - begun
    return Spent(process.returncode, used.ru_maxrss // 1024, took, output, "".join(stopped))


def _watch(process: subprocess.Popen[bytes], end: float, mebibytes: int, stopped: list[str]) -> None:
    """Looks at the memory several times a second, since a limit of the address space would refuse the V8 of charts."""
    statm = Path(f"/proc/{process.pid}/statm")
    while process.returncode is None:
        try:
            used = int(statm.read_text().split()[1]) * _PAGE // _MIB
        except (OSError, IndexError):
            return
        if used > mebibytes or time.monotonic() > end:
            stopped.append(f"it used {used} MiB" if used > mebibytes else "it took too long")
            process.kill()
            return
        time.sleep(0.1)
