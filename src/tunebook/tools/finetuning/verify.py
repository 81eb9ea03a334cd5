"""Compares the written files with the plan: values as values, paths with the files that they name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tunebook.core.parameters import Kind
from tunebook.core.plan import Run
from tunebook.core.plan.settings import run_settings
from tunebook.errors import Problem
from tunebook.tools.base import Context
from tunebook.tools.finetuning.rows import SetupParameter
from tunebook.tools.finetuning.setup import SETUP, Setup

__all__ = ["setup_problems", "verify_config"]


def setup_problems(context: Context, run: Run, rows: Iterable[SetupParameter], setup: Setup) -> list[Problem]:
    """Every parameter of the plan against the settings that were written for the run."""
    file = f"{context.directories[run.name]}/{SETUP}"
    settings = run_settings(context.plan, run)
    problems = []
    for parameter in rows:
        # The number of GPUs may be the site's, and the form of checkpoints the default.
        if not parameter.column or parameter.key in {"gpus", "save"}:
            continue
        found, planned = setup.values[parameter.key], settings[parameter.key]
        if parameter.kind is Kind.VALIDATION:
            planned = planned or None
        if not _same(found, planned):
            message = f"run `{run.name}`: {parameter.key} is {found!r}, but the plan says {planned!r}"
            problems.append(Problem(message, file))
    planned = settings["save"]
    if planned is not None and setup.settings["save"] != planned:
        message = f"run `{run.name}`: checkpoints are saved as {setup.settings['save']}, but the plan says {planned}"
        problems.append(Problem(message, file))
    return problems


def verify_config(run: Run, wanted: Mapping[str, Any], values: Mapping[str, Any], file: str) -> list[Problem]:
    """Every value that the settings decide against what the tool reads.

    Args:
        wanted: dotted path in the configuration to the value that the settings give.
    """
    problems = []
    for path, value in wanted.items():
        found: Any = values
        for part in path.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
        if not _same(tuple(found) if isinstance(found, list) else found, value):
            message = f"run `{run.name}`: {path} is {found!r}, but {SETUP} gives {value!r}"
            problems.append(Problem(message, file, None, f"{SETUP} decides; scaffold again"))
    return problems


def _same(found: Any, wanted: Any) -> bool:
    """Equality of values: numbers as numbers, but a truth value is not a number."""
    if isinstance(found, bool) or isinstance(wanted, bool):
        return found is wanted
    if isinstance(found, int | float) and isinstance(wanted, int | float):
        return float(found) == float(wanted)
    return type(found) is type(wanted) and bool(found == wanted)
