"""Collects what the plan varies, and how each run was trained: the first half of an experiment's facts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean, median
from types import MappingProxyType

from tunebook.analysis.collect.evaluations import collect_evaluations
from tunebook.analysis.collect.source import NO_JOB, Collected, JobFacts, Source
from tunebook.analysis.records import FactorUse, RunRecord, Training
from tunebook.artifacts.curve import Curve, TrainingCurve
from tunebook.artifacts.output import job_outputs
from tunebook.artifacts.proof import read_proof
from tunebook.core.jobs import Stage
from tunebook.core.naming import run_directories
from tunebook.core.parameters import Value
from tunebook.core.paths import METRICS, output_directory
from tunebook.core.plan import Plan, Run, RunType
from tunebook.core.plan.settings import run_settings
from tunebook.slurm.accounting import SlurmUse
from tunebook.tools.plan_inputs import planned_gpus
from tunebook.tools.results import TrainingFiles

__all__ = [
    "MODEL",
    "UNSET",
    "bases_of",
    "collect",
    "factors_of",
    "in_order",
    "levels_of",
    "training_files",
    "training_of",
]

MODEL = "model"
"""The key of the factor whose levels are models."""
UNSET = "default"
"""The level of runs for which the plan gives no value."""


def factors_of(plan: Plan) -> tuple[FactorUse, ...]:
    """Returns the model and the parameters that differ between fine-tuned runs, compared as values; seeds come last."""
    factors = []
    models = tuple(dict.fromkeys(run.model for run in plan.fine_tuned))
    if len(models) > 1:
        factors.append(FactorUse(MODEL, "Model", models))
    for parameter in plan.parameters:
        if parameter.key not in plan.columns:
            continue
        texts: dict[Value, str] = {}
        for run in plan.fine_tuned:
            value, text = _setting(plan, run, parameter.key)
            texts.setdefault(value, text)
        if len(texts) > 1:
            levels = tuple(texts[value] for value in in_order(list(texts)))
            factors.append(FactorUse(parameter.key, parameter.column, levels, is_seed=parameter.key == "seed"))
    return tuple(sorted(factors, key=lambda factor: factor.is_seed))


def in_order(values: Sequence[Value]) -> Sequence[Value]:
    """Levels as they are shown: sorts numbers by size; leaves other values in the plan's order."""
    numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    return sorted(numbers) if len(numbers) == len(values) else values


def _setting(plan: Plan, run: Run, key: str) -> tuple[Value, str]:
    """A parameter's value for a run, and the text with which the plan gives it."""
    written = plan.setting(run, key)
    if written is None:
        return None, UNSET
    return written.value, written.text


def levels_of(plan: Plan, factors: Sequence[FactorUse]) -> dict[str, dict[str, str]]:
    """Returns each fine-tuned run's level of each factor, with the text that the plan uses first for that value."""
    texts: dict[tuple[str, Value], str] = {}
    levels: dict[str, dict[str, str]] = {}
    for run in plan.fine_tuned:
        own = levels[run.name] = {}
        for factor in factors:
            if factor.key == MODEL:
                own[factor.key] = run.model
            else:
                value, text = _setting(plan, run, factor.key)
                own[factor.key] = texts.setdefault((factor.key, value), text)
    return levels


def bases_of(plan: Plan) -> dict[str, str | None]:
    """Returns for each run the control with its model, which shows the model before training; ``None`` for controls."""
    controls: dict[str, str] = {}
    for run in plan.runs:
        if run.type is RunType.CONTROL:
            controls.setdefault(run.model, run.name)
    bases: dict[str, str | None] = {}
    for run in plan.runs:
        bases[run.name] = None if run.type is RunType.CONTROL else controls.get(run.model)
    return bases


_TAIL = 0.1  # the part of the steps at the end that ``Training.tail_loss`` is the mean of


def training_of(source: Source, directory: str, facts: JobFacts | None) -> Training:
    """Collects one run's training as far as it is known.

    Args:
        directory: the run's directory, relative to the experiment's.
        facts: of its job; ``None`` if it was not scaffolded here.
    """
    files = training_files(source, directory, facts)
    found = source.training_results.read_curve(files)
    gpus = facts.job.resources.gpus if facts else planned_gpus(source.plan, source.site)
    training = _training(found, facts or NO_JOB, gpus)
    return replace(training, proof=read_proof(files.metrics.parent))


def training_files(source: Source, directory: str, facts: JobFacts | None) -> TrainingFiles:
    """The places where a run's training may have left files; ``facts`` are those of its job."""
    run_directory = source.experiment / directory
    output = Path(output_directory(source.experiment, source.plan.name, directory, source.site.output_dir_base))
    metrics = Path(facts.job.metrics) if facts and facts.job.metrics else output / METRICS
    outputs = [Path(facts.output)] if facts and facts.output else job_outputs(run_directory)
    return TrainingFiles(metrics, output, run_directory, tuple(outputs))


def _training(found: TrainingCurve, facts: JobFacts, gpus: int) -> Training:
    curve, counted = found.curve, facts.slurm or SlurmUse()
    if counted.gpus is not None:
        gpus = counted.gpus
    elapsed = facts.elapsed_s
    if elapsed is None and curve.seconds:
        elapsed = curve.seconds[-1]
    gpu_hours = None
    if elapsed is not None and gpus:
        gpu_hours = elapsed * gpus / 3600
    memory = _known(curve.memory_gb) or _known([counted.memory_gb])
    tail = curve.losses[-max(1, round(_TAIL * len(curve.losses))) :]
    final, best, best_step = _validation(curve)
    return Training(
        state=facts.state,
        reason=facts.reason,
        source=found.source,
        curve=curve,
        steps=len(curve.steps),
        total_steps=found.total_steps,
        first_loss=next(iter(_known(curve.losses)), None),
        final_loss=next(reversed(curve.losses), None),
        tail_loss=_of_known(fmean, tail),
        diverged_steps=found.diverged,
        unreadable_lines=found.unreadable,
        tokens_per_second=_of_known(median, curve.tokens_per_second),
        peak_memory_gb=max(memory, default=None),
        elapsed_s=elapsed,
        gpus=gpus,
        gpu_hours=gpu_hours,
        attempts=facts.attempts,
        started=facts.started,
        ended=facts.ended,
        host=facts.host,
        slurm=facts.slurm,
        final_validation_loss=final,
        best_validation_loss=best,
        best_validation_step=best_step,
    )


def _known(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def _of_known(mean: Callable[[Sequence[float]], float], values: Sequence[float | None]) -> float | None:
    """A mean of the known values; ``None`` without one."""
    known = _known(values)
    return mean(known) if known else None


def _validation(curve: Curve) -> tuple[float | None, float | None, int | None]:
    """The last validation loss, the lowest one, and the step of the lowest one."""
    found = []
    for step, loss in zip(curve.validation_steps, curve.validation_losses, strict=True):
        if loss is not None:
            found.append((loss, step))
    if not found:
        return None, None, None
    best, best_step = min(found)
    return found[-1][0], best, best_step


def collect(source: Source) -> Collected:
    """Reads the results that exist; missing results stay empty and are not an error.

    Raises:
        ToolError: there are logs, but a package that reads them is not installed here.
    """
    factors = factors_of(source.plan)
    return collect_evaluations(source, factors, _runs(source, factors))


def _runs(source: Source, factors: Sequence[FactorUse]) -> tuple[RunRecord, ...]:
    plan = source.plan
    directories, bases, levels = run_directories(plan), bases_of(plan), levels_of(plan, factors)
    trainings = {facts.job.run: facts for facts in source.jobs if facts.job.stage is Stage.PREPARATION}
    runs = []
    for run in plan.runs:
        record = RunRecord(run.name, directories[run.name], run.type, run.model, bases[run.name], notes=run.notes)
        if run.type is RunType.FINE_TUNED:
            record = replace(
                record,
                parameters=MappingProxyType(dict(run_settings(plan, run))),
                levels=MappingProxyType(levels[run.name]),
                training=training_of(source, record.directory, trainings.get(run.name)),
            )
        runs.append(record)
    return tuple(runs)
