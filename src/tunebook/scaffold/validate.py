"""Validates a scaffolded experiment at the end: checks that every file and directory is on the disk."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from tunebook.core.jobs import Stage
from tunebook.core.paths import PLAN_FILE, SCAFFOLD_LOG
from tunebook.scaffold.report import PartReport, Point

__all__ = ["validate"]

_STRUCTURE = {
    Stage.PREPARATION: "Run directories exist with the expected structure",
    Stage.EVALUATION: "Evaluation directories exist with the expected structure",
}


def validate(experiment: Path, parts: Sequence[PartReport]) -> tuple[Point, ...]:
    """The points that must hold before scaffolding is reported as a success."""
    return tuple(_points(experiment, parts))


def _points(experiment: Path, parts: Sequence[PartReport]) -> Iterator[Point]:
    def is_file(name: str) -> bool:
        return os.path.isfile(f"{experiment}/{name}")  # noqa: PTH113  a sweep has thousands of files

    yield Point(f"{PLAN_FILE} was found and read", is_file(PLAN_FILE))
    for part in parts:
        yield Point(f"scaffold-{part.tool.short} was invoked", not part.skipped and is_file(part.log))
    for part in parts:
        files = all(is_file(step.path) for step in part.steps)
        directories = all(os.path.isdir(f"{experiment}/{path}") for path in part.directories)  # noqa: PTH112
        yield Point(_STRUCTURE[part.tool.stage], files and directories and part.ok)
    yield Point(f"The orchestration log was created ({SCAFFOLD_LOG})", is_file(SCAFFOLD_LOG))
    logs = [part.log for part in parts]
    yield Point(f"The tools' logs exist ({', '.join(logs)})", all(map(is_file, logs)))
