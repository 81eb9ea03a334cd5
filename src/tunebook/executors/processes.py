"""Finds and ends the processes of jobs on this machine, by what identifies them and never by a bare process number."""

from __future__ import annotations

import errno
import os
import signal
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from functools import cache
from hashlib import sha256

import psutil

from tunebook.disk.this_machine import GONE, boot, process_facts
from tunebook.executors.environment import TAG

__all__ = [
    "end",
    "environment_of",
    "is_alive",
    "leaders",
    "member_processes",
    "name_of",
    "was_ended_by_restart",
    "write_id",
]

_STEP_S = 0.05
_KILLED_S = 10.0
_ENDED = frozenset("ZXx")


@dataclass(frozen=True)
class _Process:
    """What identifies a process: a clock that is set changes neither ``start`` nor ``boot``.

    Attributes:
        start: in ticks since the machine started.
        boot: the machine's present start, in eight letters.
    """

    pid: int
    start: int
    boot: str


def write_id(pid: int) -> str:
    """Returns ``local-{pid}-{start}-{boot}``: if the system reuses the process number, the id is another one.

    Raises:
        ProcessLookupError: there is no such process.
        OSError: the system cannot say.
    """
    facts = process_facts(pid)
    if facts is None:
        raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH))
    return f"local-{pid}-{facts.start}-{_this_boot()}"


def _read_id(job_id: str) -> _Process | None:
    """Returns ``None`` for any other text."""
    head, *rest = job_id.split("-")
    if head != "local" or len(rest) != len(fields(_Process)):
        return None
    pid, start, boot = rest
    if not (pid.isdecimal() and start.isdecimal()):
        return None
    return _Process(int(pid), int(start), boot)


@cache
def _this_boot() -> str:
    return sha256(boot().encode()).hexdigest()[:8]


def is_alive(job_id: str) -> bool:
    """Whether the job's first process runs: the process that had this number when the job started.

    Raises:
        OSError: the system cannot say.
    """
    known = _read_id(job_id)
    if known is None or known.boot != _this_boot():
        return False
    facts = process_facts(known.pid)
    return facts is not None and facts.state not in _ENDED and int(facts.start) == known.start


def was_ended_by_restart(job_id: str) -> bool:
    """Whether this machine has been started again since the job was."""
    known = _read_id(job_id)
    return known is not None and known.boot != _this_boot()


def _environment(pid: int) -> dict[str, str]:
    """The environment with which the process was started; empty if it is gone or another person's.

    Raises:
        OSError: the system cannot say: a job that counts as gone would be started twice.
    """
    try:
        return dict(psutil.Process(pid).environ())
    except (psutil.Error, *GONE):
        return {}


def environment_of(job_id: str) -> dict[str, str]:
    """Returns the environment with which the job was started; empty if its first process has ended."""
    known = _read_id(job_id)
    if known is None or not is_alive(job_id):
        return {}
    return _environment(known.pid)


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
            with suppress(psutil.Error, *GONE):
                session = os.getsid(process.pid)
                found.setdefault(tag, f"local-{session}-0-{_this_boot()}")
                if session == process.pid:
                    starts.append((process.create_time(), process.pid))
        if starts:
            with suppress(*GONE):
                found[tag] = write_id(min(starts)[1])
    return found


def end(job_ids: Sequence[str], tags: Collection[str], *, grace_s: float) -> None:
    """Ends the jobs' process groups and all processes that inherited their tags.

    They get ``SIGTERM``, and ``SIGKILL`` if they have not ended after ``grace_s``; only ``SIGKILL`` without a grace.
    """
    if grace_s > 0 and _signal_all(job_ids, tags, signal.SIGTERM, wait_s=grace_s):
        return
    deadline = time.monotonic() + _KILLED_S
    while time.monotonic() < deadline:
        # Again and again: a process may have started another one while this one was looked for.
        if _signal_all(job_ids, tags, signal.SIGKILL, wait_s=_STEP_S):
            return


def _signal_all(job_ids: Sequence[str], tags: Collection[str], number: signal.Signals, *, wait_s: float) -> bool:
    """Sends a signal to all processes and waits for their end; returns whether there were none left to send it to."""
    groups = _living_groups(job_ids)
    strays: list[psutil.Process] = []
    for found in member_processes(tags).values():
        strays += found
    if not groups and not strays:
        return True
    _signal(groups, strays, number)
    deadline = time.monotonic() + wait_s
    while time.monotonic() < deadline and _any_left(job_ids, strays):
        time.sleep(_STEP_S)
    return False


def _living_groups(job_ids: Iterable[str]) -> list[int]:
    groups = []
    for job_id in job_ids:
        known = _read_id(job_id)
        if known is not None and is_alive(job_id):
            groups.append(known.pid)
    return groups


def _signal(groups: Sequence[int], strays: Sequence[psutil.Process], number: signal.Signals) -> None:
    for group in groups:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(group, number)
    for process in strays:
        with suppress(psutil.Error, *GONE):
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
