"""Finds an experiment's directory."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from tunebook.core.paths import LAST_GOOD_PLAN, PLAN_FILE, absolute_path
from tunebook.errors import UsageError

__all__ = ["experiment_here", "find_experiment", "way_back"]


def experiment_here() -> Path | None:
    """The experiment that the current directory is in: its own directory, one of its runs, or anything below.

    A shell that followed a symbolic link is in both directories: the one that the link leads to, and the one above it.
    """
    here = Path.cwd()
    shown = Path(os.environ.get("PWD") or here)
    is_here = shown.is_absolute() and shown.is_dir() and shown.samefile(here)
    return _around(here) or (_around(shown) if is_here else None)


def _around(directory: Path) -> Path | None:
    for place in (directory, *directory.parents):
        if (place / PLAN_FILE).is_file():
            return place
    return None


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
    raise UsageError(f"no {PLAN_FILE} in {directory}", hint=way_back(directory) or _where_to(directory))


def _where_to(directory: Path) -> str:
    """The hint for a directory without a plan."""
    around = _around(directory)
    if around is None:
        return "go to the experiment's directory, or name it; `tunebook design` creates a plan"
    name = directory.relative_to(around).parts[0]
    hint = f"it is in the experiment {shlex.quote(str(around))}: name that directory"
    return hint if name.startswith(".") else f"{hint}; `--run {shlex.quote(name)}` limits `run` and `scaffold` to a run"


def way_back(experiment: Path) -> str:
    """The hint of a plan that is lost: the copy that tunebook keeps; empty if there is none."""
    if not (experiment / LAST_GOOD_PLAN).is_file():
        return ""
    return f"`cp {LAST_GOOD_PLAN} {PLAN_FILE}` in the experiment's directory brings back the last good copy"
