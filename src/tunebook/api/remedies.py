"""Remedies that ``run`` applies to failures by itself: less memory for a training that ran out of GPU memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

from tunebook.api.loading import load_correct
from tunebook.api.scaffolding import setup_finetune
from tunebook.core.jobs import JobState, Stage
from tunebook.disk.deviations import Deviation, read_deviation, record_deviation
from tunebook.disk.inputs import texts_digest
from tunebook.disk.read import read_text
from tunebook.errors import ConflictError, ExitCode
from tunebook.run.failures import OUT_OF_GPU_MEMORY
from tunebook.run.report import JobReport

__all__ = ["shrink_training"]


def shrink_training(experiment: Path, report: JobReport, *, clock: Callable[[], datetime]) -> str:
    """Lets the tool of a training that ran out of GPU memory make the training smaller.

    The settings in the run's directory are changed and its other files are derived from them; the deviation from the
    plan is recorded in the run's directory.

    Returns:
        The change in words; empty for another failure, or if the training cannot shrink any more.

    Raises:
        ConflictError: a derived file was edited by hand, and would not follow.
        PlanError: the settings cannot be read.
    """
    job = report.job
    if report.state is not JobState.FAILED or job.stage is not Stage.PREPARATION or report.kind != OUT_OF_GPU_MEMORY:
        return ""
    tool = load_correct(experiment).preparation
    if tool is None or not tool.editable:
        return ""
    name = tool.editable[0]
    directory = experiment / job.directory
    shrunk = tool.shrink(read_text(directory / name) or "", file=f"{job.directory}/{name}")
    if shrunk is None:
        return ""
    earlier = read_deviation(directory, texts_digest(experiment, job))
    _set(directory, shrunk.after)
    planned = earlier.planned if earlier else shrunk.before
    time = clock().astimezone().isoformat(timespec="seconds")
    deviation = Deviation(time, OUT_OF_GPU_MEMORY, planned, shrunk.after, texts_digest(experiment, job))
    record_deviation(experiment, job.directory, deviation)
    return str(deviation)


def _set(directory: Path, values: Mapping[str, int]) -> None:
    assignments = [f"{key}={value}" for key, value in values.items()]
    derived = setup_finetune(directory, assignments=assignments, dry_run=True)
    if derived.exit_code is ExitCode.DONE:
        derived = setup_finetune(directory, assignments=assignments)
    if derived.exit_code is not ExitCode.DONE:
        hint = "make the training smaller there, or let tunebook write the file: `tunebook scaffold --overwrite`"
        message = f"{directory.name}: a derived file was edited by hand, so that the training cannot be made smaller"
        raise ConflictError(message, hint=hint)
