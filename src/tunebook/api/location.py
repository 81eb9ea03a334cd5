"""Finds an experiment's directory."""

from __future__ import annotations

from pathlib import Path

from tunebook.core.paths import PLAN_FILE, expanded
from tunebook.errors import UsageError

__all__ = ["find_experiment"]


def find_experiment(directory: Path) -> Path:
    """The absolute path of an experiment's directory.

    Raises:
        UsageError: it has no ``experiment_summary.md``.
    """
    directory = Path(expanded(directory)).absolute()
    if directory.name == PLAN_FILE and directory.is_file():
        directory = directory.parent
    if not (directory / PLAN_FILE).is_file():
        hint = "go to the experiment's directory, or name it; `tunebook design` creates a plan"
        raise UsageError(f"no {PLAN_FILE} in {directory}", hint=hint)
    return directory
