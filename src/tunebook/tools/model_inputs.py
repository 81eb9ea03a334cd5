"""Facts about every model that a plan names, and the problems that stop its trainings or evaluations."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tunebook.core.jobs import Stage
from tunebook.core.paths import expanded
from tunebook.core.plan import Plan, Run, RunType
from tunebook.core.site import Site
from tunebook.errors import Problem
from tunebook.tools.base import Context, Findings
from tunebook.tools.known_models import known_model
from tunebook.tools.model_facts import ModelFacts, ModelFlaw, parameters_b, read_model_facts
from tunebook.tools.plan_inputs import model_path

__all__ = ["config_of", "model_findings", "model_size_b", "survey_models", "whole_model"]

MAY_BE_ELSEWHERE = "it may exist on compute nodes only; it could not be verified here"
_SIZE = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?)([bm])(?![a-z0-9])", re.IGNORECASE)
_SAME = 1.1
_SIMILAR = 1.6  # names give rounded sizes, and some leave out the embeddings

Models = Mapping[str, ModelFacts | None]


def survey_models(plan: Plan, site: Site, experiment: Path) -> Models:
    """Path to the facts of each model that a run is trained from or evaluated with; ``None`` if it was not found."""
    paths = sorted({model_path(plan, site, run) for run in plan.runs} - {""})
    return {path: read_model_facts(experiment / expanded(path)) for path in paths}


def model_findings(context: Context, stage: Stage) -> Findings:
    """Problems of the models that a stage loads: those that runs are trained from, or those that are evaluated.

    Models that no job could use are errors, those that were not found warnings, and those that are complete notes.
    """
    plan = context.plan
    runs = plan.fine_tuned
    if stage is Stage.EVALUATION:
        runs = tuple(run for run in plan.runs if run.type is not RunType.FINE_TUNED)
    found = Findings()
    for path in sorted({model_path(plan, context.site, run) for run in runs} - {""}):
        of_model = [run for run in runs if model_path(plan, context.site, run) == path]
        facts = context.models[path]
        if stage is Stage.EVALUATION and context.loads_adapters:
            facts = whole_model(facts)
        found += _of_model(plan, path, facts, of_model)
    return found


def config_of(name: str, facts: ModelFacts | None) -> Mapping[str, Any] | None:
    """A model's ``config.json``, otherwise that of the table of well-known models; ``None`` if neither is there."""
    if facts is not None and facts.config is not None:
        return facts.config
    known = known_model(name)
    return known.config if known is not None else None


def whole_model(facts: ModelFacts | None) -> ModelFacts | None:
    """The facts of the weights that an evaluation loads: those of an adapter's base, otherwise of the model itself."""
    if facts is None or facts.base is None:
        return facts
    return facts.base


def _of_model(plan: Plan, path: str, facts: ModelFacts | None, runs: list[Run]) -> Findings:
    line = _line(plan, runs)
    if facts is None:
        problem = Problem(f"model {path} was not found", plan.file, line, MAY_BE_ELSEWHERE, path)
        return Findings(warnings=(problem,))
    errors = [_flaw(plan, path, flaw, line) for flaw in facts.flaws]
    warnings = []
    for name in sorted({run.model for run in runs if not run.checkpoint}):
        is_certain, message = _other_size(name, facts)
        problem = Problem(message, plan.file, line, "correct the path, or the model's name in the plan")
        if message and is_certain:
            errors.append(problem)
        elif message:
            warnings.append(problem)
    notes = () if facts.flaws else (f"model {path}: complete, {_in_words(facts, path)}",)
    return Findings(tuple(errors), tuple(warnings), notes)


def _flaw(plan: Plan, path: str, flaw: ModelFlaw, line: int | None) -> Problem:
    return Problem(f"the model {path} {flaw.message}", plan.file, line, flaw.hint, path, code="plan")


def _line(plan: Plan, runs: list[Run]) -> int | None:
    """The line of the model's bullet, otherwise of its first run."""
    for run in runs:
        model = plan.model_of(run)
        if model is not None and not run.checkpoint:
            return model.line
    return runs[0].line if runs else None


def _in_words(facts: ModelFacts, path: str) -> str:
    size = _size_b(facts)
    shown = "size unknown"
    if size:
        shown = f"{_billions(size)} parameters"
    if facts.directory.name not in Path(path).parts:
        shown += f", snapshot {facts.directory.name} of the Hugging Face cache"
    return shown


def _billions(size: float) -> str:
    if size >= 1:
        return f"{size:.3g}B"
    return f"{1000 * size:.3g}M"


def model_size_b(name: str, facts: ModelFacts | None) -> float | None:
    """Billions of parameters, by the model's own ``config.json``, otherwise by its well-known name."""
    known = known_model(name)
    if facts is not None and facts.config is not None:
        return _size_b(facts)
    return parameters_b(known.config) if known else None


def _size_b(facts: ModelFacts) -> float | None:
    try:
        return parameters_b(facts.config or {})
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None


def _other_size(name: str, facts: ModelFacts) -> tuple[bool, str]:
    """The message if the model's name says another size than its ``config.json``, and whether that is certain."""
    found, known = _size_b(facts), known_model(name)
    if not found:
        return False, ""
    described = f"the config.json of its path describes {_billions(found)} parameters"
    if known is not None:
        expected = parameters_b(known.config)
        if _are_near(found, expected, _SAME):
            return False, ""
        return True, f"{name} has {_billions(expected)} parameters, but {described}"
    sizes = list(_sizes(name))
    if not sizes or any(_are_near(found, size, _SIMILAR) for size in sizes):
        return False, ""
    return False, f"the name {name} says {_billions(sizes[0])}, but {described}"


def _are_near(size: float, other: float, factor: float) -> bool:
    return other > 0 and max(size / other, other / size) <= factor


def _sizes(name: str) -> Iterator[float]:
    """Billions of parameters, as the name gives them."""
    for number, unit in _SIZE.findall(name):
        yield float(number) / (1 if unit in "bB" else 1000)
