"""Three things compared for every file: what was generated last time, what is there now, what the plan asks for."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

from tunebook.disk.manifest import is_edited
from tunebook.tools.base import PlannedFile

__all__ = ["Action", "Step", "orphans", "reconcile"]


class Action(Enum):
    """What happens to a file."""

    CREATE = "created"
    UNCHANGED = "unchanged"
    UPDATE = "updated"
    CONFLICT = "conflict"
    OVERWRITE = "overwritten"
    ORPHAN = "orphaned"


@dataclass(frozen=True)
class Step:
    """One file: what is to be done, what is there (``None``: nothing) and what is asked for (``None``: nothing)."""

    path: str
    action: Action
    before: str | None
    after: str | None
    executable: bool = False

    @property
    def writes(self) -> bool:
        """Whether the step changes the disk."""
        return self.action in {Action.CREATE, Action.UPDATE, Action.OVERWRITE}

    def diff(self) -> str:
        """A unified diff from what is there to what is asked for; empty if nothing changes."""
        if self.action in {Action.UNCHANGED, Action.ORPHAN}:
            return ""
        before = (self.before or "").splitlines(keepends=True)
        after = (self.after or "").splitlines(keepends=True)
        source = "/dev/null" if self.before is None else f"a/{self.path}"
        return "".join(difflib.unified_diff(before, after, source, f"b/{self.path}"))


def reconcile(
    files: Iterable[PlannedFile],
    on_disk: Mapping[str, str | None],
    generated: Mapping[str, tuple[str, ...]],
    *,
    overwrite: bool,
) -> tuple[Step, ...]:
    """One step a file.

    Args:
        on_disk: path to the text that is there, ``None`` where nothing is.
        generated: path to the digests of what was generated last time (two if that run was interrupted).
        overwrite: replaces what a person edited.
    """
    steps = []
    for file in files:
        before = on_disk.get(file.path)
        if before is None:
            action = Action.CREATE
        elif before == file.text:
            action = Action.UNCHANGED
        elif is_edited(before, generated.get(file.path, ())):
            action = Action.OVERWRITE if overwrite else Action.CONFLICT
        else:
            action = Action.UPDATE
        steps.append(Step(file.path, action, before, file.text, file.executable))
    return tuple(steps)


def orphans(wanted: Iterable[str], on_disk: Mapping[str, str | None]) -> tuple[Step, ...]:
    """The files that were generated once, are still there and are not in the plan any more."""
    known = set(wanted)
    return tuple(
        Step(path, Action.ORPHAN, text, None)
        for path, text in on_disk.items()
        if path not in known and text is not None
    )
