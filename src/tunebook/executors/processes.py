"""Finds and ends the processes of jobs on this machine, by what identifies them and never by a bare process number."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress

import psutil

from tunebook.executors.environment import TAG

__all__ = [
    "end",
    "environment_of",
    "is_alive",
    "leaders",
    "member_processes",
    "name_of",
    "read_id",
    "write_id",
]

_TOLERANCE_S = 2.0
_STEP_S = 0.05


def write_id(pid: int) -> str:
    """Returns ``local-{pid}-{start in ms}``: if the system reuses the process number, the id is another one.

    Raises:
        psutil.NoSuchProcess: there is no such process.
    """
    return f"local-{pid}-{round(psutil.Process(pid).create_time() * 1000)}"


def read_id(job_id: str) -> tuple[int, float] | None:
    """Returns the process number and its start in seconds since the epoch; ``None`` for any other text."""
    head, _, rest = job_id.partition("-")
    pid, _, start = rest.partition("-")
    if head != "local" or not (pid.isdecimal() and start.isdecimal()):
        return None
    return int(pid), int(start) / 1000


def is_alive(job_id: str, tag: str = "") -> bool:
    """Whether the job's first process runs: a process with its number, and with its start or its tag."""
    known = read_id(job_id)
    if known is None:
        return False
    pid, start = known
    try:
        process = psutil.Process(pid)
        if process.status() in {psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD}:
            return False
        # The system counts a start from its boot, and the clock may have been set since: hence the tolerance.
        same_start = abs(process.create_time() - start) <= _TOLERANCE_S
    except psutil.Error:
        return False
    return same_start or (bool(tag) and _environment(pid).get(TAG) == tag)


def _environment(pid: int) -> dict[str, str]:
    """The environment with which the process was started; empty if it is gone or another person's."""
    try:
        return dict(psutil.Process(pid).environ())
    except (psutil.Error, OSError):
        return {}


def environment_of(job_id: str) -> dict[str, str]:
    """Returns the environment with which the job was started; empty if its first process has ended."""
    known = read_id(job_id)
    if known is None or not is_alive(job_id):
        return {}
    return _environment(known[0])


def name_of(process: psutil.Process) -> str:
    """Returns the name of the program that a process runs; empty if the process is gone."""
    try:
        return process.name()
    except psutil.Error:
        return ""


def _own_processes() -> Iterator[psutil.Process]:
    me = os.getuid()
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.uids().real == me and process.status() != psutil.STATUS_ZOMBIE and process.pid != os.getpid():
                yield process


def member_processes(tags: Collection[str]) -> dict[str, list[psutil.Process]]:
    """Returns the living processes that inherited each tag; tags without processes are left out."""
    members: dict[str, list[psutil.Process]] = {}
    if not tags:
        return members
    unreadable = _sort_in(_own_processes(), tags, members)
    if unreadable:
        time.sleep(_STEP_S)  # a process has no environment for a moment while it starts another program
        _sort_in(unreadable, tags, members)
    return members


def _sort_in(
    processes: Iterable[psutil.Process], tags: Collection[str], members: dict[str, list[psutil.Process]]
) -> list[psutil.Process]:
    """Adds processes to ``members``, and returns those whose environment is empty."""
    unreadable = []
    for process in processes:
        env = _environment(process.pid)
        if not env:
            unreadable.append(process)
        elif env.get(TAG) in tags:
            members.setdefault(env[TAG], []).append(process)
    return unreadable


def leaders(tags: Collection[str]) -> dict[str, str]:
    """Returns the id of each tag's first process: the oldest that leads a session.

    If that process has ended while others of the job have not, the id is one that is not alive.
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
    """Ends the jobs' process groups and all processes that inherited their tags.

    They get ``SIGTERM``, and ``SIGKILL`` if they have not ended after ``grace_s``.
    """
    for number in (signal.SIGTERM, signal.SIGKILL):
        groups = _living_groups(job_ids)
        strays: list[psutil.Process] = []
        for found in member_processes(tags).values():
            strays += found
        if not groups and not strays:
            return
        _signal(groups, strays, number)
        deadline = time.monotonic() + grace_s
        while time.monotonic() < deadline and _any_left(job_ids, strays):
            time.sleep(_STEP_S)


def _living_groups(job_ids: Iterable[str]) -> list[int]:
    groups = []
    for job_id in job_ids:
        known = read_id(job_id)
        if known is not None and is_alive(job_id):
            groups.append(known[0])
    return groups


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
