"""Finds an experiment's directory."""

from __future__ import annotations

from pathlib import Path

from tunebook.core.paths import LAST_GOOD_PLAN, PLAN_FILE, absolute_path
from tunebook.errors import UsageError

__all__ = ["find_experiment", "way_back"]


def find_experiment(directory: Path) -> Path:
    """The absolute path of an experiment's directory.

    Raises:
        UsageError: it has no ``experiment_summary.md``.
    """
    directory = absolute_path(directory)
    if directory.name == PLAN_FILE and directory.is_file():
        directory = directory.parent
    plan = directory / PLAN_FILE
    if plan.is_file():
        return directory
    if plan.exists():
        raise UsageError(f"{plan} is not a regular file", hint="rename it; the plan is a text file of this name")
    hint = "go to the experiment's directory, or name it; `tunebook design` creates a plan"
    raise UsageError(f"no {PLAN_FILE} in {directory}", hint=way_back(directory) or hint)


def way_back(experiment: Path) -> str:
    """The hint of a plan that is lost: the copy that tunebook keeps; empty if there is none."""
    if not (experiment / LAST_GOOD_PLAN).is_file():
        return ""
    return f"`cp {LAST_GOOD_PLAN} {PLAN_FILE}` in the experiment's directory brings back the last good copy"
