"""How each run was trained: its curve, its job's times, and what SLURM counted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import fmean, median

from tunebook.analysis.curves import CurveText, read_job_output, read_metrics, read_torchtune_log
from tunebook.analysis.reading import read_readable
from tunebook.analysis.records import Curve, Training
from tunebook.core.jobs import Job, JobState
from tunebook.core.paths import output_directory
from tunebook.slurm.accounting import SlurmUse

__all__ = ["JobFacts", "elapsed_s", "read_training"]

_TAIL = 0.1  # the part of the steps at the end whose mean loss is told


@dataclass(frozen=True)
class JobFacts:
    """What is known of a job, as ``status`` tells it.

    Attributes:
        state: as judged from ledger, outcome and inputs.
        started: ISO 8601; ``ended`` too; empty if unknown.
        output: absolute path of the file with the job's output.
        attempts: how many times it was submitted.
    """

    job: Job
    state: JobState
    reason: str = ""
    job_id: str = ""
    started: str = ""
    ended: str = ""
    output: str = ""
    host: str = ""
    attempts: int = 0
    slurm: SlurmUse | None = None


def elapsed_s(facts: JobFacts | None) -> float | None:
    """Wall seconds of a job's latest submission; SLURM's own count wins."""
    if facts is None:
        return None
    if facts.slurm is not None and facts.slurm.elapsed_s is not None:
        return facts.slurm.elapsed_s
    try:
        seconds = (datetime.fromisoformat(facts.ended) - datetime.fromisoformat(facts.started)).total_seconds()
    except (ValueError, TypeError):
        return None
    return seconds if seconds >= 0 else None


def read_training(
    experiment: Path, directory: str, facts: JobFacts | None, *, name: str, output_base: str, gpus: int
) -> Training:
    """One run's training as far as it can be told.

    Args:
        directory: the run's directory, relative to the experiment's.
        facts: of its job; ``None`` if it was not scaffolded here.
        name: the experiment's.
        output_base: where the site puts checkpoints; empty for the run's own directory.
        gpus: as the page or the site says.
    """
    metrics = Path(facts.job.metrics) if facts and facts.job.metrics else None
    output = output_directory(experiment, name, directory, output_base)
    text, source = _read_curve(metrics or output / "metrics.jsonl", output, experiment / directory, facts)
    given = facts.job.resources.gpus if facts else gpus
    return _training(text, source, facts, _gpus(facts, given))


def _gpus(facts: JobFacts | None, given: int) -> int:
    counted = facts.slurm.gpus if facts and facts.slurm else None
    return given if counted is None else counted


def _read_curve(metrics: Path, output: Path, run: Path, facts: JobFacts | None) -> tuple[CurveText, str]:
    """The first of the sources that has steps."""
    text = _text(metrics)
    if text:
        found = read_metrics(text)
        if found.curve.steps or found.diverged:
            return found, "metrics.jsonl"
    for path in _newest_first([*output.glob("log_*.txt"), *output.glob("logs/log_*.txt"), *run.glob("log_*.txt")]):
        found = read_torchtune_log(_text(path))
        if found.curve.steps:
            return found, "torchtune log"
    outputs = [Path(facts.output)] if facts and facts.output else _newest_first([*run.glob("slurm-*.out")])
    for path in outputs:
        found = read_job_output(_text(path))
        if found.curve.steps:
            return found, "job output"
    return CurveText(), ""


def _text(path: Path) -> str:
    try:
        return read_readable(path) or ""
    except OSError:
        return ""


def _newest_first(paths: list[Path]) -> list[Path]:
    return sorted(paths, key=lambda path: (path.stat().st_mtime_ns, path.name), reverse=True)


def _training(text: CurveText, source: str, facts: JobFacts | None, gpus: int) -> Training:
    curve = text.curve
    losses = [loss for loss in curve.losses if loss is not None]
    tail = [loss for loss in curve.losses[-max(1, round(_TAIL * len(curve.losses))) :] if loss is not None]
    speeds = [speed for speed in curve.tokens_per_second if speed is not None]
    final, best, step = _validation(curve)
    wall = elapsed_s(facts)
    if wall is None and curve.seconds:
        wall = curve.seconds[-1]
    return Training(
        state=facts.state if facts else JobState.UNKNOWN,
        reason=facts.reason if facts else "",
        source=source,
        curve=curve,
        steps=len(curve.steps),
        total_steps=text.total_steps,
        first_loss=losses[0] if losses else None,
        final_loss=curve.losses[-1] if curve.losses else None,
        tail_loss=fmean(tail) if tail else None,
        diverged_steps=text.diverged,
        tokens_per_second=median(speeds) if speeds else None,
        peak_memory_gb=_peak(curve, facts),
        elapsed_s=wall,
        gpus=gpus,
        gpu_hours=wall * gpus / 3600 if wall is not None and gpus else None,
        attempts=facts.attempts if facts else 0,
        started=facts.started if facts else "",
        ended=facts.ended if facts else "",
        host=facts.host if facts else "",
        slurm=facts.slurm if facts else None,
        final_validation_loss=final,
        best_validation_loss=best,
        best_validation_step=step,
    )


def _validation(curve: Curve) -> tuple[float | None, float | None, int | None]:
    """The last validation loss, the lowest, and the latter's step."""
    pairs = [
        (loss, step)
        for step, loss in zip(curve.validation_steps, curve.validation_losses, strict=True)
        if loss is not None
    ]
    if not pairs:
        return None, None, None
    return pairs[-1][0], *min(pairs)


def _peak(curve: Curve, facts: JobFacts | None) -> float | None:
    values = [value for value in curve.memory_gb if value is not None]
    if values:
        return max(values)
    return facts.slurm.memory_gb if facts and facts.slurm else None
