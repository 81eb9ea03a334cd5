"""Processes of this machine that belong to a job: found by what identifies them, never by a bare number."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress

import psutil
from psutil import Error, Process

__all__ = [
    "TAG",
    "Error",
    "Process",
    "end",
    "environment",
    "environment_of",
    "is_alive",
    "leaders",
    "member_processes",
    "read_id",
    "write_id",
]

TAG = "TUNEBOOK_TAG"
"""The variable that a job's processes inherit."""
_TOLERANCE_S = 2.0
_STEP_S = 0.05


def write_id(pid: int) -> str:
    """``local-{pid}-{start in ms}``: a number that is given out again later is then another id.

    Raises:
        psutil.NoSuchProcess: there is no such process.
    """
    return f"local-{pid}-{round(psutil.Process(pid).create_time() * 1000)}"


def read_id(job_id: str) -> tuple[int, float] | None:
    """Process number and start in seconds since the epoch; ``None`` if it is not an id of ours."""
    head, _, rest = job_id.partition("-")
    pid, _, start = rest.partition("-")
    if head != "local" or not (pid.isdecimal() and start.isdecimal()):
        return None
    return int(pid), int(start) / 1000


def is_alive(job_id: str, tag: str = "") -> bool:
    """Whether the job's first process runs: one with this number, and its start or its tag.

    The start is compared with some tolerance: it is counted from the boot, and the clock may have been set since.
    """
    known = read_id(job_id)
    if known is None:
        return False
    pid, start = known
    try:
        process = psutil.Process(pid)
        if process.status() in {psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD}:
            return False
        same_start = abs(process.create_time() - start) <= _TOLERANCE_S
    except psutil.Error:
        return False
    return same_start or (bool(tag) and environment(pid).get(TAG) == tag)


def environment(pid: int) -> dict[str, str]:
    """The environment that the process was started with; empty if it is gone or another person's."""
    try:
        return dict(psutil.Process(pid).environ())
    except (psutil.Error, OSError):
        return {}


def environment_of(job_id: str) -> dict[str, str]:
    """The environment that the job began with; empty if its first process has ended."""
    known = read_id(job_id)
    return environment(known[0]) if known and is_alive(job_id) else {}


def _ours() -> Iterator[psutil.Process]:
    me = os.getuid()
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.uids().real == me and process.status() != psutil.STATUS_ZOMBIE and process.pid != os.getpid():
                yield process


def member_processes(tags: Collection[str]) -> dict[str, list[psutil.Process]]:
    """Tag to the living processes that inherited it."""
    members: dict[str, list[psutil.Process]] = {}
    unreadable = _sort_in(_ours(), tags, members) if tags else []
    if unreadable:
        time.sleep(_STEP_S)  # a process has no environment for a moment while it starts another program
        _sort_in(unreadable, tags, members)
    return members


def _sort_in(
    processes: Iterable[psutil.Process], tags: Collection[str], members: dict[str, list[psutil.Process]]
) -> list[psutil.Process]:
    """Adds to ``members``; returns those whose environment is empty."""
    unreadable = []
    for process in processes:
        env = environment(process.pid)
        if not env:
            unreadable.append(process)
        elif env.get(TAG) in tags:
            members.setdefault(env[TAG], []).append(process)
    return unreadable


def leaders(tags: Collection[str]) -> dict[str, str]:
    """Tag to the id of the process that the job began with: the oldest that leads a session.

    Where that one has ended and others of the job have not, the id is one that is not alive.
    """
    found: dict[str, str] = {}
    for tag, processes in member_processes(tags).items():
        starts: list[tuple[float, int]] = []
        for process in processes:
            with suppress(psutil.Error, OSError):
                session = os.getsid(process.pid)
                found.setdefault(tag, f"local-{session}-0")
                if session == process.pid:
                    starts.append((process.create_time(), process.pid))
        if starts:
            with suppress(psutil.Error):
                found[tag] = write_id(min(starts)[1])
    return found


def end(job_ids: Sequence[str], tags: Collection[str], *, grace_s: float) -> None:
    """Ends the jobs' process groups and all that inherited their tags: ``SIGTERM`` first, ``SIGKILL`` after a while."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        groups = [known[0] for job_id in job_ids if is_alive(job_id) and (known := read_id(job_id))]
        strays = [process for found in member_processes(tags).values() for process in found]
        if not groups and not strays:
            return
        _signal(groups, strays, number)
        deadline = time.monotonic() + grace_s
        while time.monotonic() < deadline and _any_left(job_ids, strays):
            time.sleep(_STEP_S)


def _signal(groups: Sequence[int], strays: Sequence[psutil.Process], number: signal.Signals) -> None:
    for group in groups:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(group, number)
    for process in strays:
        with suppress(psutil.Error, OSError):
            if os.getpgid(process.pid) not in groups:
                process.send_signal(number)


def _any_left(job_ids: Sequence[str], strays: Sequence[psutil.Process]) -> bool:
    if any(is_alive(job_id) for job_id in job_ids):
        return True
    for process in strays:
        with suppress(psutil.Error):
            if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                return True
    return False
