"""What a run does by itself about a failure, if it was asked to: a smaller batch for what was out of GPU memory."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from tunebook.api.scaffolding import setup_finetune
from tunebook.core.jobs import JobState, Stage
from tunebook.core.paths import SETUP
from tunebook.disk.atomic import read_text
from tunebook.disk.deviations import Deviation, read_deviation, record_deviation
from tunebook.disk.inputs import inputs_digest
from tunebook.errors import ConflictError, ExitCode
from tunebook.run.failures import OUT_OF_GPU_MEMORY
from tunebook.run.report import JobReport
from tunebook.tools.torchtune.edit_setup import smaller_batch

__all__ = ["halve_batch"]


def halve_batch(experiment: Path, report: JobReport, *, clock: Callable[[], datetime]) -> str:
    """Halves the batch of a training that was out of GPU memory, and doubles its gradient accumulation.

    The run's ``setup_finetune.yaml`` is changed and its other files are derived from it; the deviation is written down
    in the run's directory.

    Returns:
        What was changed, in words; empty if it is another failure, or if the batch is 1 already.

    Raises:
        ConflictError: a derived file was edited by hand, and would not follow.
        PlanError: the settings cannot be read.
    """
    job = report.job
    if report.state is not JobState.FAILED or job.stage is not Stage.PREPARATION or report.kind != OUT_OF_GPU_MEMORY:
        return ""
    directory = experiment / job.directory
    found = smaller_batch(read_text(directory / SETUP) or "", file=f"{job.directory}/{SETUP}")
    if found is None:
        return ""
    before, after = found
    earlier = read_deviation(directory, inputs_digest(experiment, job))
    _set(directory, after)
    planned = earlier.planned if earlier else before
    time = clock().astimezone().isoformat(timespec="seconds")
    deviation = Deviation(time, OUT_OF_GPU_MEMORY, planned, after, inputs_digest(experiment, job))
    record_deviation(directory, deviation)
    return str(deviation)


def _set(directory: Path, values: dict[str, int]) -> None:
    assignments = [f"{key}={value}" for key, value in values.items()]
    derived = setup_finetune(directory, assignments=assignments, dry_run=True)
    if derived.exit_code is ExitCode.DONE:
        derived = setup_finetune(directory, assignments=assignments)
    if derived.exit_code is not ExitCode.DONE:
        hint = "make its batch smaller there, or let tunebook write it: `tunebook scaffold --overwrite`"
        raise ConflictError(f"{directory.name}: a derived file was edited by hand, and its batch stays", hint=hint)
