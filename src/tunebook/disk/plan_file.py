"""Writes the plan, which a person may be saving at the same moment, so that neither an edit nor the plan is lost.

Before: a plan is left alone while it lacks its title or its runs table, and for two seconds after a person changed it.
The last whole plan is kept as a copy.

During: the new version and the plan's are exchanged in one step, and what came out is compared with what was read. If
somebody saved in between, what came out is newer than what was put in, and goes back; likewise if a third version came
meanwhile, until what comes out is what was put in last.

After: an editor that opened the plan before the exchange writes into the version that came out. That one is looked at
for some seconds. If it changes, it is the person's, and is put back itself, so that the editor keeps writing into the
plan. Where two saves met, the later one becomes the plan, and the earlier one is kept beside it with a warning.

Symbolic links inside the experiment are written through, those that lead out are refused. Owner, group, mode, access
list and extended attributes stay. A plan with several hard links, and one whose owner cannot be kept, is written in
place: an editor that saves within that write (microseconds) can mix its text with ours, and a power cut can tear it.

Where files cannot be exchanged (not Linux, NFS), the plan is renamed onto after a last look: a save by renaming between
that look and the rename (microseconds) is lost. The old version is held by a hard link, so that a save in place is not.
Where there are no hard links either, or ``.tunebook`` is on another file system, a save in place in that moment is lost
as well.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from tunebook.core.paths import PLAN_FILE
from tunebook.core.plan.landmarks import RUNS_TABLE, TITLE, landmarks
from tunebook.disk.atomic import named, sync_directory
from tunebook.disk.exchange import move_new
from tunebook.disk.interrupts import deferred
from tunebook.disk.read import read_text
from tunebook.disk.replaced import Entry, ReplacedPlans
from tunebook.disk.swap import swap_in, write_in_place
from tunebook.disk.versions import Version, look, mark_of

__all__ = ["PATIENCE", "Outcome", "Patience", "PlanFile"]

_CANNOT_KEEP = frozenset({errno.EPERM, errno.EACCES, errno.EINVAL, errno.EOPNOTSUPP})
_READABLE = 0o666  # less what the umask takes
_TRIES = 10
_TICK_S = 0.05


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long the plan is left alone and looked after, in seconds.

    Attributes:
        quiet_s: a plan that somebody else changed since then is not written.
        watch_s: a replaced version is looked at for so long.
        end_s: the same, before the last update is believed.
        most_s: the last update waits at most so long for a plan that somebody keeps changing.
    """

    quiet_s: float = 2.0
    watch_s: float = 10.0
    end_s: float = 0.5
    most_s: float = 15.0


PATIENCE = Patience()


class Outcome(Enum):
    """What became of an update."""

    DONE = "the plan has the new text"
    LATER = "somebody is changing the plan: try again"
    LOST = "the plan lacks a part that it had"


class PlanFile:
    """The plan of one experiment. The caller of every method holds the experiment's lock ``plan``."""

    def __init__(self, experiment: Path, warn: Callable[[str], None], patience: Patience | None = None) -> None:
        self.patience = patience or PATIENCE
        self.lost: tuple[str, ...] = ()
        self._path = experiment / PLAN_FILE
        self._replaced = ReplacedPlans(experiment)
        self._warn = warn
        self._known: Version | None = None
        self._parts: frozenset[str] | None = None
        self._watch: _Watch | None = None

    def update(self, change: Callable[[str], str]) -> Outcome:
        """Writes the text that ``change`` makes of the plan's, unless the plan must be left alone.

        Raises:
            LinkError: the plan leads out of the experiment.
            OSError: it is missing, or cannot be written.
            UnicodeDecodeError: the plan is not text.
        """
        target = self._replaced.place(self._path)
        self._look_after(target)
        seen = look(target)
        if not self._is_quiet(seen):
            return Outcome.LATER
        if seen is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(target))
        text = seen.content.decode()
        if not seen.is_same(self._known):
            self.lost = self._missing(text)
            if self.lost:
                return Outcome.LOST
            self._replaced.save_good(seen)
        new = change(text)
        if new == text:
            self._known = seen
            return Outcome.DONE
        return self._replace(target, seen, new.encode())

    def put(self, text: str, *, before: str | None) -> bool:
        """Writes a text if the plan still has the text ``before``, or is still missing; waits while it is being saved.

        Raises:
            LinkError: the plan leads out of the experiment.
            OSError: it cannot be written.
        """
        if before is None:
            return self._create(text)
        begun = time.monotonic()
        while time.monotonic() - begun <= self.patience.most_s:
            if read_text(self._path) != before:
                return False  # at once, though an update would find it too
            outcome = self.update(lambda found: text if found == before else found)
            if outcome is not Outcome.LATER:
                return outcome is Outcome.DONE and read_text(self._path) == text
            time.sleep(_TICK_S)
        return False

    def _create(self, text: str) -> bool:
        """Writes a plan; returns whether there was none."""
        self._replaced.place(self._path)
        content = text.encode("utf-8", "surrogateescape")
        part = self._replaced.new(content, None, mode=_READABLE)
        try:
            _move_or_write_new(part, self._path, content)
        except FileExistsError:
            return False
        finally:
            part.unlink(missing_ok=True)
        sync_directory(os.fspath(self._path.parent))
        return True

    def is_settled(self) -> bool:
        """Whether the plan is as it was left, and no replaced version awaits a look; needs no lock."""
        if self._known is None or mark_of(Path(os.path.realpath(self._path))) != self._known.mark:
            return False
        return not any(entry.is_touched or entry.age_s > self.patience.watch_s for entry in self._replaced.entries())

    def is_watched(self) -> bool:
        """Whether a version was replaced a moment ago, so that an editor may still write into it."""
        return any(entry.age_s < self.patience.end_s for entry in self._replaced.entries())

    # --- before ----------------------------------------------------------------------------------------------------

    def _is_quiet(self, seen: Version | None) -> bool:
        """Whether nobody else changed the plan for a while: by its time, and as far as it was watched."""
        if seen is not None and (seen.is_same(self._known) or self._is_of_tunebook(seen)):
            return True
        if self._watch is None:
            ahead_s = self._replaced.clock_ahead_s()
            self._watch = _Watch(seen, time.monotonic(), ahead_s, is_first=True)
        elif not _is_same(seen, self._watch.seen):
            self._watch = _Watch(seen, time.monotonic(), self._watch.ahead_s, is_first=False)
        return self._watch.is_quiet(self.patience.quiet_s)

    def _is_of_tunebook(self, version: Version) -> bool:
        """Whether a tunebook wrote it a moment ago, this one or another: then nobody is saving it."""
        return any(entry.ours == version.mark for entry in self._replaced.entries())

    def _missing(self, text: str) -> tuple[str, ...]:
        """The parts that the plan had, in the last good copy or when it was read first, and no longer has."""
        found = landmarks(text)
        if self._parts is None:
            good = read_text(self._replaced.last_good)
            self._parts = found if good is None else found | landmarks(good)
        self._parts |= found
        return tuple(part for part in (TITLE, RUNS_TABLE) if part in self._parts - found)

    # --- during ----------------------------------------------------------------------------------------------------

    def _replace(self, target: Path, seen: Version, content: bytes) -> Outcome:
        entry = self._new(target, seen, content)
        if entry is None:
            is_written = write_in_place(target, seen, content)
            if is_written:
                self._known = look(target)
            return Outcome.DONE if is_written else Outcome.LATER
        ours = look(entry)
        if not swap_in(entry, target, seen):
            return Outcome.LATER  # an editor may have opened even a version that was the plan for a moment
        self._known = ours
        return Outcome.DONE

    def _new(self, target: Path, seen: Version, content: bytes) -> Path | None:
        """The new version with the old one's attributes; ``None`` if only a write in place keeps them."""
        if seen.status.st_nlink > 1:
            return None
        try:
            return self._replaced.new(content, seen, target)
        except OSError as error:
            if error.errno in _CANNOT_KEEP:
                return None
            raise

    # --- after -----------------------------------------------------------------------------------------------------

    def _look_after(self, target: Path) -> None:
        """Puts back what a person wrote into a replaced version, and removes those that nobody writes any more."""
        for entry in list(self._replaced.entries()):
            is_old = entry.age_s > self.patience.watch_s
            if entry.is_touched or (is_old and entry.has_changed_unnoticed()):
                self._put_back(entry, target)
            elif is_old:
                entry.path.unlink(missing_ok=True)

    def _put_back(self, entry: Entry, target: Path) -> None:
        """Makes a version that changed after it was replaced the plan again, unless a person saved a later one."""
        for _ in range(_TRIES):
            try:
                written = look(entry.path)
            except OSError:
                kept = self._replaced.keep_as_it_is(entry.path)
                self._warn(f"something that is not a file was {PLAN_FILE} for a moment: it is now {kept}")
                return
            there = look(target)
            if written is None:
                return
            if entry.is_known(written):
                self._replaced.watch_on(entry, written)
                return
            if there is None:
                if entry.age_s > self.patience.watch_s:
                    with suppress(FileExistsError):
                        move_new(entry.path, target)
                return  # an editor may be between removing the plan and writing it
            is_ours = self._is_of_tunebook(there)
            if not is_ours and there.mark.mtime_ns >= written.mark.mtime_ns:
                self._put_aside(entry.path, written, is_ours=False)
                return
            with deferred():  # the entry's name must not belong to what it held before
                if swap_in(entry.path, target, there):
                    self._known = None
                    self._put_aside(entry.path, there, is_ours=is_ours)
                    return

    def _put_aside(self, path: Path, version: Version, *, is_ours: bool) -> None:
        """Goes on watching a version that is not the plan, and keeps a copy if it is a person's."""
        if mark_of(path) is not None:
            self._replaced.watch(path, version)
        if not is_ours and version.content:
            kept = self._replaced.keep(version)
            self._warn(f"two programs saved {PLAN_FILE} at once: the later text is in it, and the other in {kept}")


def _move_or_write_new(part: Path, target: Path, content: bytes) -> None:
    """Puts a new file at a path where nothing is; its folder may be on another file system, or have no hard links.

    Raises:
        FileExistsError: something has that path.
        OSError: it cannot be written; nothing is left there.
    """
    try:
        move_new(part, target)
    except FileExistsError:
        raise
    except OSError:
        with deferred():
            _write_new(target, content)


def _write_new(target: Path, content: bytes) -> None:
    with target.open("xb") as file:
        try:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        except OSError as error:
            target.unlink(missing_ok=True)
            raise named(error, str(target)) from error


@dataclass(frozen=True)
class _Watch:
    """A version that somebody else wrote, and since when it has been seen."""

    seen: Version | None
    since: float
    ahead_s: float
    is_first: bool

    def is_quiet(self, quiet_s: float) -> bool:
        """The file's own time counts only where nothing was watched yet, and one in the future does not block."""
        if time.monotonic() - self.since >= quiet_s:
            return True
        if self.seen is None or not self.is_first:
            return False
        return time.time() + self.ahead_s - self.seen.mark.mtime_ns / 1e9 >= quiet_s


def _is_same(one: Version | None, other: Version | None) -> bool:
    if one is None or other is None:
        return one is other
    return one.is_same(other)
