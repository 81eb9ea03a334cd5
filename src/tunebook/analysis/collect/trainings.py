"""Collects how each run was trained: its curve, the times of its job, and what SLURM counted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from statistics import fmean, median

from tunebook.analysis.collect.source import NO_JOB, JobFacts, Source
from tunebook.analysis.records import Training
from tunebook.artifacts.curve import Curve, TrainingCurve
from tunebook.artifacts.output import job_outputs
from tunebook.core.paths import METRICS, output_directory
from tunebook.slurm.accounting import SlurmUse
from tunebook.tools.plan_inputs import planned_gpus
from tunebook.tools.results import TrainingFiles

__all__ = ["training_of"]

_TAIL = 0.1  # the part of the steps at the end that ``Training.tail_loss`` is the mean of


def training_of(source: Source, directory: str, facts: JobFacts | None) -> Training:
    """Collects one run's training as far as it is known.

    Args:
        directory: the run's directory, relative to the experiment's.
        facts: of its job; ``None`` if it was not scaffolded here.
    """
    found = source.training_results.read_curve(_files(source, directory, facts))
    gpus = facts.job.resources.gpus if facts else planned_gpus(source.plan, source.site)
    return _training(found, facts or NO_JOB, gpus)


def _files(source: Source, directory: str, facts: JobFacts | None) -> TrainingFiles:
    run_directory = source.experiment / directory
    output = output_directory(source.experiment, source.plan.name, directory, source.site.output_dir_base)
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
