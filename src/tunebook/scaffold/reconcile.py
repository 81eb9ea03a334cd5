"""Compares three texts of every file: the generated one, the one on disk, and the one that the plan asks for."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from tunebook.disk.manifest import is_edited
from tunebook.errors import Problem
from tunebook.tools.base import PlannedFile

__all__ = ["Action", "Step", "digests_after", "orphans", "reconcile", "split_differences"]


class Action(Enum):
    """What happens to a file."""

    CREATE = "created"
    UNCHANGED = "unchanged"
    UPDATE = "updated"
    CONFLICT = "conflict"
    OVERWRITE = "overwritten"
    ORPHAN = "orphaned"


_WRITING = (Action.CREATE, Action.UPDATE, Action.OVERWRITE)  # found by identity: hashing an Action takes longer


@dataclass(frozen=True, slots=True)
class Step:
    """The action for one file.

    Attributes:
        before: the text on disk; ``None`` for a missing file, and for an unchanged one, whose text is ``after``.
        planned: the file that the plan asks for; ``None`` for one that has left the plan.
    """

    path: str
    action: Action
    before: str | None
    planned: PlannedFile | None

    @property
    def after(self) -> str | None:
        """The text that the plan asks for; ``None`` for a file that has left the plan."""
        return None if self.planned is None else self.planned.text

    @property
    def executable(self) -> bool:
        """Whether the file becomes a program."""
        return self.planned is not None and self.planned.executable

    @property
    def writes(self) -> bool:
        """Whether the step changes the disk."""
        return self.action in _WRITING

    @property
    def stays(self) -> bool:
        """Whether the file is as the plan asks for."""
        return self.action is Action.UNCHANGED

    def diff(self) -> str:
        """A unified diff from ``before`` to ``after``; empty if nothing changes."""
        if self.action in {Action.UNCHANGED, Action.ORPHAN}:
            return ""
        before = (self.before or "").splitlines(keepends=True)
        after = (self.after or "").splitlines(keepends=True)
        source = "/dev/null" if self.before is None else f"a/{self.path}"
        return "".join(difflib.unified_diff(before, after, source, f"b/{self.path}"))


def reconcile(
    files: Iterable[PlannedFile],
    read: Callable[[str], str | None],
    generated: Mapping[str, tuple[str, ...]],
    *,
    overwrite: bool,
) -> tuple[Step, ...]:
    """One step per file.

    Args:
        read: path to the text on disk, ``None`` for a missing file.
        generated: path to the digests of the texts generated last time (two if that run was interrupted).
        overwrite: whether to replace files that a person edited.
    """
    steps = []
    for file in files:
        before = read(file.path)
        if before is None:
            action = Action.CREATE
        elif before == file.text:
            action, before = Action.UNCHANGED, None
        elif not is_edited(before, generated.get(file.path, ())):
            action = Action.UPDATE
        elif overwrite:
            action = Action.OVERWRITE
        else:
            action = Action.CONFLICT
        steps.append(Step(file.path, action, before, file))
    return tuple(steps)


def orphans(paths: Iterable[str], read: Callable[[str], str | None]) -> tuple[Step, ...]:
    """The steps of files that are no longer in the plan, as far as they still exist."""
    steps = []
    for path in paths:
        text = read(path)
        if text is not None:
            steps.append(Step(path, Action.ORPHAN, text, None))
    return tuple(steps)


def digests_after(generated: Mapping[str, tuple[str, ...]], steps: Iterable[Step]) -> dict[str, tuple[str, ...]]:
    """Path to digests of the generated texts, once these steps are done."""
    digests = dict(generated)
    for step in steps:
        if step.action is not Action.CONFLICT and step.planned is not None:
            digests[step.path] = (step.planned.digest,)
    return digests


def split_differences(
    problems: Iterable[Problem], steps: Sequence[Step]
) -> tuple[tuple[Problem, ...], tuple[Problem, ...]]:
    """Differences in files that a person edited, which are warnings, and all others, which are failures."""
    edited = {step.path for step in steps if step.action is Action.CONFLICT}
    warnings: list[Problem] = []
    mismatches: list[Problem] = []
    for problem in problems:
        if problem.file in edited:
            warnings.append(problem)
        else:
            mismatches.append(problem)
    return tuple(warnings), tuple(mismatches)
