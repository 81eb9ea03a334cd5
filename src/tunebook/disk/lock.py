"""Locks that let one tunebook at a time work on an experiment, and name their holder.

A holder writes its process and host next to the lock. Where the file system has no locks, that file is the lock.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tunebook.core.json_text import UNFIT
from tunebook.core.paths import LOCK
from tunebook.core.times import local_text
from tunebook.disk.atomic import part_path, write_text
from tunebook.disk.inside import place_inside, refuse_links
from tunebook.disk.parts import remove_parts
from tunebook.disk.read import read_json
from tunebook.disk.this_machine import boot, has_process, process_facts, process_space
from tunebook.errors import LockedError

__all__ = ["Held", "exclusive"]

_HELD = frozenset({errno.EAGAIN, errno.EACCES, errno.EWOULDBLOCK})
_NO_LOCKS = frozenset({errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL})
_STEP_S = 0.05
_UNSEEN = "alive"
_NO_HARD_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK})
_BRIEF = frozenset({"plan", "hypotheses"})
"""Purposes for which the lock is taken again and again within a command."""


@dataclass(frozen=True)
class Held:
    """A lock that this process holds.

    Attributes:
        warning: the reason why it is weaker than usual; empty otherwise.
    """

    warning: str = ""


@dataclass(frozen=True)
class _Holder:
    """The process that holds a lock.

    Attributes:
        boot: identifies the time since the host was started, and ``space`` the numbering of its processes: a container
            may have its own. Both are empty where the system does not say.
        born: when the process started, so that a later one of the same number is another one.
        is_lock: whether the file system had no locks, so that this record is the lock.
    """

    pid: int
    host: str
    since: str
    boot: str
    space: str
    born: str
    is_lock: bool

    @property
    def text(self) -> str:
        return json.dumps(vars(self)) + "\n"

    @property
    def words(self) -> str:
        return f"process {self.pid} on {self.host} since {local_text(self.since)}"

    @property
    def is_here(self) -> bool:
        return self.host == platform.node()

    @property
    def has_ended(self) -> bool:
        """Whether it is known to have ended: it ran on this host, and runs no more."""
        if not self.is_here:
            return False
        if self.boot != boot():
            return True
        return self.space == process_space() and _birth(self.pid) not in {self.born, _UNSEEN}


@contextmanager
def exclusive(experiment: Path, purpose: str, *, wait_s: float = 0.0) -> Iterator[Held]:
    """Locks the experiment for one purpose (``scaffold``, ``run``, ``plan``).

    Temporary files that ended processes have left are removed, and links that lead out of the experiment are refused.

    Args:
        experiment: the experiment's directory.
        purpose: another process can hold the lock of another purpose at the same time.
        wait_s: seconds to wait for another holder.

    Raises:
        LockedError: another process holds it; the message says which, where and since when.
        LinkError: a file that tunebook owns is a symbolic link out of the experiment.
    """
    is_brief = purpose in _BRIEF
    if not is_brief:
        refuse_links(experiment)
    lock = _Lock(experiment, purpose)
    lock.acquire(wait_s)
    try:
        if not is_brief:
            remove_parts(experiment)
        yield Held(lock.warning)
    finally:
        lock.release()


class _Lock:
    def __init__(self, experiment: Path, purpose: str) -> None:
        self._experiment = experiment
        self._purpose = purpose
        self._path = Path(place_inside(experiment / f"{LOCK}.{purpose}", experiment))
        self._record = Path(place_inside(experiment / f"{LOCK}.{purpose}.owner", experiment))
        self._handle = -1
        self.warning = ""

    def acquire(self, wait_s: float) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        deadline = time.monotonic() + wait_s
        while not self._try():
            if time.monotonic() >= deadline:
                raise self._held_by_another()
            time.sleep(_STEP_S)

    def release(self) -> None:
        with suppress(OSError):
            self._record.unlink()
        self._close()

    def _try(self) -> bool:
        self._handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._close()
            if error.errno in _HELD:
                return False
            if error.errno not in _NO_LOCKS:
                raise OSError(error.errno, error.strerror, str(self._path)) from error
            return self._try_without_locks(error)
        try:
            return self._try_record()
        except BaseException:
            self._close()
            raise

    def _close(self) -> None:
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def _try_record(self) -> bool:
        """Records this process as the holder; the lock of the file system does not bind one that had none."""
        holder = self._holder()
        if holder is not None and holder.is_lock and not holder.has_ended:
            self._close()
            return False
        write_text(self._record, _this_process(is_lock=False).text, within=self._experiment)
        return True

    def _try_without_locks(self, error: OSError) -> bool:
        """Creates the record of this process, if no other one has it."""
        self.warning = (
            f"the file system of {self._experiment} has no locks ({error.strerror}): the file {self._record} is used "
            "in their place, and a command that is killed on another host leaves it behind"
        )
        own = Path(part_path(str(self._record), self._experiment))
        own.parent.mkdir(parents=True, exist_ok=True)
        own.write_text(_this_process(is_lock=True).text)
        try:
            for _ in range(2):
                if self._link(own):
                    return True
                if not self._removed_ended():
                    return False
            return False
        finally:
            own.unlink(missing_ok=True)

    def _link(self, own: Path) -> bool:
        """Gives the record its name, which only one process can do at a time."""
        try:
            os.link(own, self._record)
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno not in _NO_HARD_LINKS:
                raise
            return self._create(own.read_text())
        return True

    def _create(self, text: str) -> bool:
        try:
            with self._record.open("x") as stream:
                stream.write(text)
        except FileExistsError:
            return False
        return True

    def _removed_ended(self) -> bool:
        """Removes the record of a holder that has ended; two processes that try this do not remove a newer one."""
        holder = self._holder()
        if holder is None or not holder.has_ended:
            return False
        aside = Path(part_path(str(self._record), self._experiment))
        try:
            self._record.rename(aside)
        except FileNotFoundError:
            return True
        removed = _read_holder(aside)
        if removed != holder:  # another process was faster, and holds the lock
            with suppress(OSError):
                os.link(aside, self._record)
        aside.unlink(missing_ok=True)
        return removed == holder

    def _holder(self) -> _Holder | None:
        return _read_holder(self._record)

    def _held_by_another(self) -> LockedError:
        message = f"another tunebook {self._purpose} works in {self._experiment}"
        holder = self._holder()
        hint = "wait for it, or end it"
        if holder is not None:
            message += f" ({holder.words})"
            if holder.is_lock and not holder.is_here:
                hint += f"; if it has ended, which cannot be seen from here, remove {self._record}"
        elif self.warning:
            message += f", or {self._record} cannot be read"
            hint += f"; if there is none, remove {self._record}"
        return LockedError(message, hint=hint)


def _this_process(*, is_lock: bool) -> _Holder:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    pid = os.getpid()
    return _Holder(pid, platform.node(), now, boot(), process_space(), _birth(pid), is_lock)


def _birth(pid: int) -> str:
    """When a process started, in the system's own unit; ``_UNSEEN`` if ``/proc`` hides it; empty without one."""
    if not has_process(pid):
        return ""
    facts = process_facts(pid)
    return _UNSEEN if facts is None else facts.start


def _read_holder(path: Path) -> _Holder | None:
    try:
        document = read_json(path)
        return _Holder(
            int(document["pid"]),
            str(document["host"]),
            str(document["since"]),
            str(document["boot"]),
            str(document["space"]),
            str(document["born"]),
            bool(document["is_lock"]),
        )
    except (OSError, *UNFIT):
        return None
