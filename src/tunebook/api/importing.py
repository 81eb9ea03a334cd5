"""``import``: from a plan in YAML, ``experiment_summary.yaml``, to the plan."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from tunebook.api.designing import DesignOptions, DesignReport, design
from tunebook.api.loading import file_text
from tunebook.api.scaffolding import now
from tunebook.design.check import design_problems
from tunebook.design.documents import place_of
from tunebook.design.values import DesignInputs
from tunebook.design.yaml_plan import read_yaml_plan
from tunebook.errors import PlanError

__all__ = ["import_plan"]


def import_plan(
    file: Path, directory: Path | None = None, *, dry_run: bool = False, clock: Callable[[], datetime] = now
) -> DesignReport:
    """Makes a plan of an ``experiment_summary.yaml``, and writes it.

    Args:
        directory: the experiment's directory; by default the one that the file names, if it can be created here, and
            otherwise one in the working directory.
        dry_run: whether to write nothing.

    Returns:
        The plan; every part of the file that has no equivalent in it is a warning.

    Raises:
        UsageError: the file is missing.
        PlanError: the file is not such a plan, or contradicts itself; carries every problem with its line.
        ConflictError: the directory has a plan.
    """
    inputs = read_yaml_plan(file_text(file), file=str(file))
    problems = design_problems(inputs)
    if problems:
        raise PlanError(problems)
    if directory is None:
        directory, inputs = _named_directory(inputs)
    return design(directory, DesignOptions(dry_run=dry_run), given=inputs, clock=clock)


def _named_directory(inputs: DesignInputs) -> tuple[Path | None, DesignInputs]:
    """The directory that the file names, if it can be created here; the file may come from another machine."""
    if not inputs.directory:
        return None, inputs
    named = Path(inputs.directory)
    if named.parent.is_dir():
        return named, inputs
    hint = "name the experiment's directory to choose another"
    warning = place_of(inputs.directory).problem(f"the plan's directory {named} does not exist on this machine", hint)
    return None, replace(inputs, warnings=(*inputs.warnings, warning))
