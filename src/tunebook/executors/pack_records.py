"""Reads what a pack's script recorded about its members, and records which of them it must end."""

from __future__ import annotations

import signal
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from tunebook.core.jobs import NEVER_RAN, NOT_REACHED, JobState, JobStatus
from tunebook.disk.read import read_text
from tunebook.executors.base import Submission
from tunebook.executors.packs import MEMBERS, member_id, pack_folder, split_id

__all__ = ["PackRecords"]

_CANCELLED, _DROPPED = "cancelled", "dropped"  # words of pack.sh in place of an exit code
_SIGNALLED = 128


class PackRecords:
    """The packs that an executor knows, by their ids."""

    def __init__(self) -> None:
        self._folders: dict[str, Path] = {}

    def add(self, pack_id: str, folder: Path) -> None:
        """Remembers where a pack's records are."""
        self._folders[pack_id] = folder

    def learn(self, submissions: Iterable[Submission]) -> None:
        """Remembers the packs of submissions whose ids an earlier monitor recorded."""
        for one in submissions:
            pack_id, number = split_id(one.job_id)
            if number is not None:
                self._folders[pack_id] = pack_folder(one)

    def tag(self, job_id: str) -> str:
        """Returns the tag of a member's submission; empty for an unknown pack."""
        pack_id, number = split_id(job_id)
        folder = self._folders.get(pack_id)
        return "" if folder is None or number is None else f"{folder.name}.{number}"

    def pack_tag(self, pack_id: str) -> str:
        """Returns the tag of the pack itself; empty for an unknown pack."""
        folder = self._folders.get(pack_id)
        return "" if folder is None else folder.name

    def member_tags(self, pack_id: str) -> tuple[str, ...]:
        """Returns the tags of a pack's members; none for an unknown pack."""
        folder = self._folders.get(pack_id)
        if folder is None:
            return ()
        return tuple((read_text(folder / MEMBERS) or "").split())

    def status(self, job_id: str, of_pack: JobStatus) -> JobStatus:
        """Returns a member's status.

        Args:
            of_pack: the status of its pack, as the executor knows it.
        """
        pack_id, number = split_id(job_id)
        folder = self._folders.get(pack_id)
        if folder is None or number is None:
            return of_pack
        member = _Member(folder, number)
        if member.ended:
            return _ended(member, of_pack)
        if of_pack.state.is_going:
            return _going(member, of_pack)
        if member.started:
            return _cut_short(member, of_pack)
        if of_pack.reason == NEVER_RAN or of_pack.reason.startswith("CANCELLED"):
            return replace(of_pack, started="")
        return JobStatus(JobState.FAILED, NOT_REACHED)

    def cancel(self, ids: Sequence[str]) -> set[str]:
        """Records which members must end; returns the ids of packs all of whose members have ended or must."""
        whole: set[str] = set()
        for job_id in ids:
            pack_id, number = split_id(job_id)
            folder = self._folders.get(pack_id)
            if folder is not None and number is not None:
                with suppress(FileNotFoundError):  # a folder that a person removed
                    (folder / f"{number}.cancelled").touch()
                whole.add(pack_id)
        return {pack_id for pack_id in whole if not self.has_more(pack_id)}

    def has_more(self, pack_id: str) -> bool:
        """Whether a pack has jobs that neither have ended nor must end."""
        return any(self._left(pack_id))

    def _left(self, pack_id: str) -> Iterable[str]:
        """The ids of the members that neither have ended nor must end."""
        folder = self._folders[pack_id]
        for tag in self.member_tags(pack_id):
            number = tag.rpartition(".")[2]
            if not any((folder / f"{number}.{word}").exists() for word in ("ended", "cancelled")):
                yield member_id(pack_id, int(number))


class _Member:
    """The record of one job of a pack: when it started, and how it ended; empty if it has not."""

    def __init__(self, folder: Path, number: int) -> None:
        self.ended = _first_line(folder / f"{number}.ended")
        self.started = _first_line(folder / f"{number}.started")
        self.must_end = (folder / f"{number}.cancelled").exists()


def _first_line(path: Path) -> str:
    return (read_text(path) or "").partition("\n")[0].strip()


def _ended(member: _Member, of_pack: JobStatus) -> JobStatus:
    """The status of a job whose end is recorded: an exit code and a time, or a word."""
    word, _, ended = member.ended.partition(" ")
    if word == _DROPPED:
        return JobStatus(JobState.FAILED, NEVER_RAN)
    if word == _CANCELLED:
        return JobStatus(JobState.FAILED, "CANCELLED")
    state = JobState.COMPLETED if word == "0" else JobState.FAILED
    return JobStatus(state, _why(word), of_pack.node, member.started, ended)


def _why(code: str) -> str:
    """Why a script ended that wrote no outcome: bash adds 128 to the number of the signal that killed it."""
    with suppress(ValueError):
        return f"killed by {signal.Signals(int(code) - _SIGNALLED).name}"
    return "" if code == "0" else f"exit code {code}"


def _going(member: _Member, of_pack: JobStatus) -> JobStatus:
    """The status of a job whose pack is queued or runs, and which has not ended."""
    if of_pack.state is JobState.RUNNING and member.started:
        return replace(of_pack, started=member.started)
    if member.must_end:
        return JobStatus(JobState.FAILED, "CANCELLED")
    if of_pack.state is JobState.RUNNING:
        return JobStatus(JobState.PENDING, "waits for its turn in its pack")
    return of_pack


def _cut_short(member: _Member, of_pack: JobStatus) -> JobStatus:
    """The status of a job that ran when its pack ended."""
    if of_pack.state is JobState.COMPLETED:
        return replace(of_pack, state=JobState.FAILED, reason="", started=member.started)
    return replace(of_pack, started=member.started)
