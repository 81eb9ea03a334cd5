"""Deep checks of an experiment, looked at in this process, where a test can put a fault back."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from tunebook.api.deep_checking import deep_checks
from tunebook.api.loading import load_correct
from tunebook.core.deep_checks import DeepCheck, DeepResult
from tunebook.scaffold.blueprint import build_blueprint

__all__ = ["checks_of", "here", "looked"]


def checks_of(experiment: Path, title: str) -> tuple[DeepCheck, ...]:
    """The distinct deep checks of a plan with this title."""
    loaded = load_correct(experiment)
    blueprint = build_blueprint(loaded.tools, loaded.context)
    return tuple(check for check in deep_checks(loaded, blueprint) if check.title == title)


def here(function: str, arguments: Mapping[str, Any], *, runs_others_code: bool = False) -> Mapping[str, Any]:
    """Calls a function of the worker in this process."""
    del runs_others_code
    module, _, name = function.partition(":")
    result: Mapping[str, Any] = getattr(import_module(module), name)(**arguments)
    return result


def looked(experiment: Path, title: str) -> DeepResult:
    """The result of the only check with this title."""
    (check,) = checks_of(experiment, title)
    return check.look(here)
