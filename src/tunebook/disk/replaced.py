"""The folder of versions of the plan that were replaced a moment ago, and of those that two saves superseded.

A program that opened the plan before it was replaced still writes into the replaced version. So each is kept for some
seconds. Its name says what it was when it was replaced: the folder needs no other record, and outlives a process that
was killed between two steps. Digests identify the texts there: a copy of the folder has other inodes and times.
"""

from __future__ import annotations

import itertools
import os
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tunebook.core.paths import LAST_GOOD_PLAN, REPLACED_PLANS
from tunebook.disk.inside import place_inside
from tunebook.disk.read import read_bytes
from tunebook.disk.versions import Mark, Version, copy_attributes, digest_of, look, mark_of

__all__ = ["Entry", "ReplacedPlans"]

_NEW = "new.part"
_PRIVATE = 0o600
_SAME_OWNER = -1
_NOTHING = Mark(0, 0, 0)


@dataclass(frozen=True)
class Entry:
    """A file of the folder.

    Attributes:
        since_ns: when it was put here.
        ours: the version that tunebook wrote in its place; a mark that no file has if a person's was put back there.
        theirs: the version that was replaced.
        digest: that of the replaced version's content.
        our_digest: that of the content that tunebook wrote; the same as ``digest`` if a person's was put back.
    """

    path: Path
    since_ns: int
    ours: Mark
    theirs: Mark
    digest: str
    our_digest: str

    @property
    def age_s(self) -> float:
        """Seconds since it was put here, also where a clock has been set back."""
        return abs(time.time_ns() - self.since_ns) / 1e9

    @property
    def is_touched(self) -> bool:
        """Whether the file is neither what was replaced, nor what was to replace it and never did.

        It may have the same text even so: somebody saved without a change, or copied the experiment.
        """
        return mark_of(self.path) not in {self.ours, self.theirs, None}

    def is_known(self, version: Version) -> bool:
        """Whether a version has the text that was replaced, or the one that tunebook wrote."""
        return version.digest in {self.digest, self.our_digest}

    def has_changed_unnoticed(self) -> bool:
        """Whether it was written without a new time, as a mapped file may be."""
        version = look(self.path)
        return version is not None and version.mark == self.theirs and version.digest != self.digest


class ReplacedPlans:
    """The folder of one experiment. Its caller holds the experiment's lock ``plan``, but to ask whether it changed."""

    def __init__(self, experiment: Path) -> None:
        self._experiment = experiment
        self.folder = experiment / REPLACED_PLANS
        self.last_good = experiment / LAST_GOOD_PLAN

    def entries(self) -> Iterator[Entry]:
        """The versions that are looked after, the latest first."""
        try:
            names = sorted((path.name for path in self.folder.iterdir()), reverse=True)
        except FileNotFoundError:
            return
        for name in names:
            with suppress(ValueError):
                since, ours, theirs, digest, our_digest = name.split(".")
                marks = Mark.read(ours), Mark.read(theirs)
                yield Entry(self.folder / name, int(since), *marks, digest, our_digest)

    def new(
        self, content: bytes, replaced: Version | None, source: Path | None = None, *, mode: int = _PRIVATE
    ) -> Path:
        """Writes a version that is to replace another at ``source``, with that one's attributes, durably.

        Args:
            mode: that of the new file, until it has those attributes.

        Raises:
            PermissionError: it cannot have those attributes.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        part = self.folder / _NEW
        with suppress(FileNotFoundError):
            part.unlink()
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                if replaced is not None and source is not None:
                    copy_attributes(handle, source, replaced.status)
                os.fsync(handle)
        except BaseException:
            part.unlink()
            raise
        if replaced is None:
            return part
        return self._named(part, replaced, ours=mark_of(part) or _NOTHING, our_digest=digest_of(content))

    def watch(self, path: Path, version: Version) -> None:
        """Begins to look after a version that made room for a person's."""
        self._named(path, version, ours=_NOTHING, our_digest=version.digest)

    def watch_on(self, entry: Entry, version: Version) -> None:
        """Looks after a version as long again: it has a new time, and whoever gave it may still be writing."""
        self._named(entry.path, version, ours=entry.ours, our_digest=entry.our_digest)

    def _named(self, path: Path, replaced: Version, *, ours: Mark, our_digest: str) -> Path:
        """Gives a file of the folder the name by which the replaced version is recognized."""
        entry = self.folder / f"{time.time_ns()}.{ours}.{replaced.mark}.{replaced.digest}.{our_digest}"
        path.rename(entry)
        return entry

    def keep(self, version: Version) -> Path:
        """Keeps a copy of a person's version that a later one superseded: an editor may still hold the file."""
        kept = self._free_name()
        self._copy(version).rename(kept)
        return kept

    def keep_as_it_is(self, path: Path) -> Path:
        """Keeps something that is not a regular file."""
        kept = self._free_name()
        path.rename(kept)
        return kept

    def _free_name(self) -> Path:
        stamp = time.strftime("%Y-%m-%dT%H-%M-%S")
        names = (self.folder / f"kept-{stamp}-{number}.md" for number in itertools.count())
        return next(name for name in names if mark_of(name) is None)

    def save_good(self, version: Version) -> None:
        """Keeps a copy of a plan that is whole."""
        if self.last_good.is_file() and read_bytes(self.last_good) == version.content:
            return
        self._copy(version).rename(self.last_good)

    def _copy(self, version: Version) -> Path:
        """A new file that nobody can read who could not read the plan."""
        copy = self.new(version.content, None)
        copy.chmod(_give(copy, version.status))
        return copy

    def clock_ahead_s(self) -> float:
        """Seconds by which the file system's clock is ahead of this machine's: another machine may keep the files."""
        self.folder.mkdir(parents=True, exist_ok=True)
        probe = self.folder / _NEW
        probe.write_bytes(b"")
        ahead_s = probe.stat().st_mtime - time.time()
        probe.unlink()
        return ahead_s

    def place(self, plan: Path) -> Path:
        """Where the plan itself is; links that stay in the experiment are followed.

        Raises:
            LinkError: the plan, or the folder, is reached by a link that leads out of the experiment.
        """
        place_inside(self.folder, self._experiment)
        return Path(place_inside(plan, self._experiment))


def _give(copy: Path, status: os.stat_result) -> int:
    """Gives a copy the plan's owner and group, as far as that is allowed; returns the mode that lets nobody else in."""
    mode = stat.S_IMODE(status.st_mode)
    for owner in (status.st_uid, _SAME_OWNER):  # the plan may be another person's
        with suppress(PermissionError):
            os.chown(copy, owner, status.st_gid)
            return mode
    group = mode >> 3 & 0o007
    others = mode & group  # the plan's group is among them now
    return mode & 0o700 | others
