"""Packs: jobs that share one allocation. Chooses their members, writes their script, and names their files.

A pack is one submission of a script of its own, which starts the members' scripts. Each member has an id of its own,
``ID/NUMBER``, where ``ID`` is the executor's id of the whole pack. The pack's folder, ``.tunebook/packs/TAG``, has the
script and what it records about the members; :mod:`tunebook.executors.pack_records` reads that.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

from tunebook.core.jobs import Pack, Resources
from tunebook.core.packs import shared_resources
from tunebook.core.paths import PACKS
from tunebook.core.quoting import shell_word
from tunebook.core.script_header import header_lines
from tunebook.disk.atomic import write_text
from tunebook.executors.base import Batch, Need, Submission

__all__ = [
    "batch_resources",
    "into_packs",
    "member_id",
    "member_output",
    "next_pack",
    "pack_folder",
    "split_id",
    "write_pack",
]

MEMBERS = "members"
"""The file in a pack's folder with the tag of each member on a line."""
_SCRIPT = "pack.sh"


def member_id(pack_id: str, number: int) -> str:
    """Returns the id of a pack's member."""
    return f"{pack_id}/{number}"


def split_id(job_id: str) -> tuple[str, int | None]:
    """Returns the pack's id and the member's number; the id itself and ``None`` for a job without a pack."""
    pack_id, slash, number = job_id.partition("/")
    return (pack_id, int(number)) if slash and number.isdecimal() else (job_id, None)


def pack_folder(one: Submission) -> Path:
    """Returns the folder of the pack that a tagged submission is a member of."""
    return one.experiment / PACKS / one.tag.rpartition(".")[0]


def member_output(one: Submission, stem: str, number: int) -> Path:
    """Returns the file with a member's output; ``stem`` is the name of the pack's own output without its suffix."""
    return one.experiment / one.job.directory / f"{stem}-{number}.out"


@dataclass(frozen=True)
class _Likeness:
    """The properties that the members of one pack share.

    Attributes:
        resources: without those that an allocation combines.
        waits: whether the jobs wait for others. Jobs that do not wait are not held up by those that do.
    """

    pack: Pack
    resources: Resources
    waits: bool


def _likeness(one: Submission) -> _Likeness | None:
    if one.job.pack is None:
        return None
    resources = replace(one.job.resources, time="", memory="", cpus=0, gpus=min(1, one.job.resources.gpus))
    return _Likeness(one.job.pack, resources, bool(one.after))


def next_pack(waiting: Sequence[Submission]) -> Batch | None:
    """Returns the pack of the first job, with those of the others that belong to it; ``None`` if it starts alone."""
    likeness = _likeness(waiting[0])
    if likeness is None:
        return None
    members = [one for one in waiting if _likeness(one) == likeness][: likeness.pack.size]
    return _pack(members)


def _pack(members: Sequence[Submission]) -> Batch | None:
    """Returns the members as one batch; ``None`` if a single job needs no pack."""
    first = members[0]
    has_service = first.job.pack is not None and bool(first.job.pack.service)
    if len(members) == 1 and not has_service and not _waits_for_a_pack(first):
        return None
    return Batch(tuple(members), tuple(range(len(members))), is_pack=True)


def _waits_for_a_pack(one: Submission) -> bool:
    """Whether it waits for a member of a pack: a scheduler knows how the pack ended, and not how its member did."""
    return any(split_id(job_id)[1] is not None for job_id in one.after)


def into_packs(waiting: Sequence[Submission], *, alone: Collection[str]) -> tuple[list[Batch], list[Submission]]:
    """Returns the packs, and the jobs that are submitted in other ways.

    A job that waits for a member of a pack goes into a pack too, which looks how that member ended; if it is one of
    ``alone``, it is left out until that member has ended.

    Args:
        alone: the names of jobs that are submitted one by one, since a person edited their scripts' headers.
    """
    groups: dict[_Likeness, list[Submission]] = {}
    packs: list[Batch] = []
    others: list[Submission] = []
    for one in waiting:
        likeness = _likeness(one)
        if one.job.name in alone or likeness is None:
            pack = None if one.job.name in alone else _pack([one])
            if pack is not None:
                packs.append(pack)
            elif not _waits_for_a_pack(one):
                others.append(one)
        else:
            groups.setdefault(likeness, []).append(one)
    for likeness, group in groups.items():
        size = likeness.pack.size or len(group)
        for start in range(0, len(group), size):
            pack = _pack(group[start : start + size])
            if pack is None:
                others.append(group[start])
            else:
                packs.append(pack)
    return packs, others


def batch_resources(batch: Batch) -> Resources:
    """Returns what the allocation of a batch asks for: of one job, or of a pack's jobs together."""
    first = batch.members[0].job
    if not batch.is_pack:
        return first.resources
    return shared_resources(first.pack or Pack(first.name), [one.job.resources for one in batch.members])


@lru_cache
def _body() -> str:
    return (files("tunebook.executors") / "pack.sh").read_text(encoding="utf-8")


def write_pack(batch: Batch) -> Path:
    """Writes the script of a tagged batch into the pack's folder and returns its path.

    Raises:
        OSError: it cannot be written.
    """
    folder, experiment = pack_folder(batch.members[0]), batch.members[0].experiment
    tags = [one.tag for one in batch.members]
    write_text(folder / MEMBERS, "".join(f"{tag}\n" for tag in tags), within=experiment, durable=True)
    write_text(folder / _SCRIPT, _script(batch, folder), within=experiment, durable=True)
    return folder / _SCRIPT


def _script(batch: Batch, folder: Path) -> str:
    values = {
        "pack_tag": shell_word(folder.name),
        "folder": shell_word(str(folder)),
        **_settings(batch.members[0]),
        **_members(batch),
        **_needs(batch),
    }
    lines = ["#!/usr/bin/env bash", *header_lines(batch_resources(batch))]
    lines += [f"{name}={value}" for name, value in values.items()]
    return "\n".join(lines) + "\n" + _body()


def _settings(first: Submission) -> dict[str, str]:
    """The variables that hold for the whole pack."""
    pack = first.job.pack or Pack(first.job.name)
    at_once, mps, service = "", "", ""
    if pack.at_once is not None:
        at_once = str(pack.at_once)
    if pack.mps:
        mps = "1"
    if pack.service:
        service = str(first.experiment / pack.service)
    return {"at_once": shell_word(at_once), "mps": shell_word(mps), "service": shell_word(service)}


def _members(batch: Batch) -> dict[str, str]:
    """The arrays with a value of each member, at its number."""
    members = batch.members
    return {
        "numbers": _array([str(number) for number in batch.indices]),
        "tags": _numbered(batch, [one.tag for one in members]),
        "directories": _numbered(batch, [str(one.experiment / one.job.directory) for one in members]),
        "scripts": _numbered(batch, [str(one.experiment / one.job.script) for one in members]),
        "resumes": _numbered(batch, ["1" if one.resume else "" for one in members]),
    }


def _needs(batch: Batch) -> dict[str, str]:
    """The arrays with a value of each need of a member."""
    needs: list[tuple[str, Need]] = []
    for number, one in zip(batch.indices, batch.members, strict=True):
        needs += [(str(number), need) for need in one.needs]
    return {
        "need_members": _array([number for number, _ in needs]),
        "need_outcomes": _array([need.outcome for _, need in needs]),
        "need_tags": _array([need.tag for _, need in needs]),
    }


def _array(values: Sequence[str]) -> str:
    return "(" + " ".join(shell_word(value) for value in values) + ")"


def _numbered(batch: Batch, values: Sequence[str]) -> str:
    pairs = zip(batch.indices, values, strict=True)
    return "(" + " ".join(f"[{number}]={shell_word(value)}" for number, value in pairs) + ")"
