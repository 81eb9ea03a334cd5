"""The results of inspect-ai: logs in ``eval/logs``, the task and epoch of each, and the viewer that shows them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from tunebook.core.plan import EvaluationTask
from tunebook.tools.inspect.log_headers import read_log_headers
from tunebook.tools.inspect.log_samples import read_log_samples
from tunebook.tools.log_subjects import epoch_of_model
from tunebook.tools.results import EvaluationResults, LogHeader, LogReadings, LogSubject, LogViewer, Samples

__all__ = ["INSPECT_VIEWER", "InspectResults"]

_LOG_NAME = re.compile(r".*\.eval|\d{4}-\d\d-\d\dT.*\.json", re.DOTALL)  # inspect-ai keeps lists as JSON there too
_ADDRESS = "http://127.0.0.1:7575/#/logs/{log}"

INSPECT_VIEWER = LogViewer(
    name="inspect-ai's viewer",
    command=("inspect", "view", "--log-dir"),
    log_address=_ADDRESS,
    sample_address=f"{_ADDRESS}/samples/sample/{{sample}}/1/",  # the first repetition
    log_name=_LOG_NAME,
)


class InspectResults(EvaluationResults):
    """The results of evaluations with inspect-ai."""

    package = "inspect-ai"
    viewer = INSPECT_VIEWER

    def log_files(self, run_directory: Path) -> list[Path]:
        """Returns the run's logs, in inspect-ai's own format or in JSON."""
        folder = run_directory / "eval" / "logs"
        return sorted(path for path in folder.glob("*") if _LOG_NAME.fullmatch(path.name) and path.is_file())

    def read_headers(self, logs: Sequence[Path]) -> LogReadings[LogHeader]:
        """Reads the header of each log."""
        return read_log_headers(logs)

    def read_samples(self, logs: Sequence[Path]) -> LogReadings[Samples]:
        """Reads the samples of logs."""
        return read_log_samples(logs)

    def subject_of(self, log: LogHeader, tasks: Sequence[EvaluationTask]) -> LogSubject:
        """Reads the epoch from the end of the model's name (``hf/rank4_epoch0``), as tunebook's scripts write it."""
        task = _task_of(log, tasks)
        return LogSubject(task.name if task else None, epoch_of_model(log.model))


def _task_of(log: LogHeader, tasks: Sequence[EvaluationTask]) -> EvaluationTask | None:
    """The one task that fits best by function, script and data set; ``None`` if two fit equally well."""
    ranks = [_rank(log, task) for task in tasks]
    best = max(ranks, default=0)
    fitting = [task for task, rank in zip(tasks, ranks, strict=True) if rank == best > 0]
    if len(fitting) > 1 and log.dataset:
        fitting = [task for task in fitting if _is_same_file(task.dataset or "", log.dataset)]
    return fitting[0] if len(fitting) == 1 else None


def _rank(log: LogHeader, task: EvaluationTask) -> int:
    """How well a task fits a log: by name and script, by name, by script; 0 if it does not."""
    is_named = log.task.rpartition("/")[2] in {task.function or task.name, task.name}
    is_in_file = _is_same_file(task.script, log.task_file)
    if is_named:
        return 3 if is_in_file else 2
    return 1 if is_in_file and not task.function else 0


def _is_same_file(planned: str, logged: str) -> bool:
    """Whether two paths, which may be of different machines, end in the same name."""
    return bool(planned and logged) and PurePosixPath(planned).name == PurePosixPath(logged).name
