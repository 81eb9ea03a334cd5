"""Reads back what was scaffolded, and has the tools compare it with the plan, unless that was proven before."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence
from functools import cache

from tunebook.errors import Problem
from tunebook.scaffold.blueprint import Built, Part
from tunebook.scaffold.reconcile import Action, Step
from tunebook.scaffold.verified import VerifiedRuns
from tunebook.tools.base import Unit

__all__ = ["verify_part"]

Read = Callable[[str], str | None]


def verify_part(verified: VerifiedRuns, part: Part, steps: Sequence[Step], read: Read) -> tuple[list[Problem], int]:
    """Every difference that the part's tool finds after its files were written, and how many runs were skipped.

    A run is skipped if the disk holds the planned texts, which ``verified`` proves to be right, and if the files that
    its jobs name exist.

    Args:
        steps: those of the part's files, as they were before writing.
        read: relative path to the text on disk now.
    """
    experiment, tool = part.context.experiment, part.tool
    changed = {step.path for step in steps if step.action is not Action.UNCHANGED}

    @cache
    def exists(path: str) -> bool:
        return os.path.isfile(os.path.join(experiment, path))  # noqa: PTH113, PTH118  a sweep has thousands

    problems: list[Problem] = []
    skipped = 0
    for built in part.built:
        unit = built.unit
        edited = any(file.path in part.context.edited for file in unit.files)
        as_planned = not edited and changed.isdisjoint(file.path for file in unit.files)
        if as_planned and verified.has(tool, unit) and all(map(exists, _other_texts(unit))):
            skipped += 1
            continue
        found, is_proof = _verify(part, built, read)
        problems += found
        if is_proof and not edited:
            verified.add(tool, unit)
        else:
            verified.forget(tool, unit)
    return problems, skipped


def _other_texts(unit: Unit) -> Collection[str]:
    """The files that the unit's jobs read and that are not its own."""
    own = {file.path for file in unit.files}
    return [path for job in unit.jobs for path in job.texts if path not in own]


def _verify(part: Part, built: Built, read: Read) -> tuple[Sequence[Problem], bool]:
    """The differences of one run, and whether the planned texts are proven to be right: none, and the disk has them."""
    planned = {file.path: file.text for file in built.unit.files}
    differing: list[str] = []

    def read_back(path: str) -> str:
        text = read(path) or ""
        if planned.get(path) != text:
            differing.append(path)
        return text

    problems = part.tool.verify(part.context, built.run, built.unit, read_back)
    return problems, not problems and not differing
