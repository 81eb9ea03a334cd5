"""Kills a command, or lets one of its system calls fail, at a chosen call that changes files; strace does that."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from stress.zygote import Child, Ended

__all__ = ["Point", "calls_of", "under", "why_not"]

_CALLS = (
    *("openat", "write", "pwrite64", "fsync", "ftruncate", "rename", "renameat", "renameat2", "unlink", "unlinkat"),
    *("mkdir", "mkdirat", "rmdir", "link", "linkat", "symlink", "symlinkat", "chmod", "fchmod", "fchmodat", "flock"),
)
_WRITES = re.compile(r"O_WRONLY|O_RDWR|O_CREAT")
_CALL = re.compile(r"^(\w+)\(")
_ATTACH_S = 10.0


@dataclass(frozen=True)
class Point:
    """The n-th call of a kind (``1+``: all), and what happens there: ``signal=KILL`` or ``error=ENOSPC``."""

    call: str
    number: int | str
    event: str

    def __str__(self) -> str:
        return f"{self.event} at {self.call} {self.number}"


def why_not(folder: Path) -> str:
    """Why no process can be traced here; empty if one can."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    log = folder / "strace.txt"
    command = ["strace", "-qq", "-o", str(log), "-e", "trace=openat", "true"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return f"strace may not trace: {done.stderr.strip()[:200]}"
    return ""


def calls_of(child: Child, log: Path) -> tuple[Ended, list[tuple[str, int]]]:
    """Runs a command, and returns its calls that change files: the call, and its number among those of its name."""
    with _strace(child.pid, ["-o", str(log), "-e", f"trace={_known()}"]):
        ended = child.go()
    counts: Counter[str] = Counter()
    found = []
    for line in log.read_text(errors="replace").splitlines():
        match = _CALL.match(line)
        if match is None:
            continue
        counts[match[1]] += 1
        if match[1] != "openat" or _WRITES.search(line):
            found.append((match[1], counts[match[1]]))
    return ended, [call for call in found if call[0] != "flock"]


def under(child: Child, point: Point) -> Ended:
    """Runs a command with the fault."""
    inject = f"inject={point.call}:{point.event}:when={point.number}"
    with _strace(child.pid, ["-o", os.devnull, "-e", f"trace={point.call}", "-e", inject]):
        return child.go()


def _known() -> str:
    return ",".join(f"?{call}" for call in _CALLS)  # no machine has them all


@contextmanager
def _strace(pid: int, options: list[str]) -> Iterator[None]:
    command = ["strace", "-qq", "-p", str(pid), *options]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as tracer:
        deadline = time.monotonic() + _ATTACH_S
        while not _is_traced(pid):
            if tracer.poll() is not None or time.monotonic() > deadline:
                tracer.kill()
                raise RuntimeError(f"strace did not attach: {tracer.communicate()[1]}")
            time.sleep(0.001)
        yield
        tracer.wait(timeout=_ATTACH_S)


def _is_traced(pid: int) -> bool:
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
    found = re.search(r"^TracerPid:\s*(\d+)", text, re.MULTILINE)
    return found is not None and found[1] != "0"
