"""The results of lm-eval: a directory per attempt in ``eval/logs``, with results and the samples of each task."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from tunebook.core.plan import EvaluationTask
from tunebook.tools.lm_eval.log_files import read_header, read_task_samples
from tunebook.tools.lm_eval.tasks import is_benchmark
from tunebook.tools.log_subjects import epoch_of_model
from tunebook.tools.results import EvaluationResults, LogHeader, LogReadings, LogSubject, Samples

__all__ = ["LmEvalResults"]

_LOG_NAME = re.compile(r".+_\d{4}-\d\d-\d\dT[\d.-]+\.json", re.DOTALL)

T = TypeVar("T")


class LmEvalResults(EvaluationResults):
    """The results of evaluations with lm-evaluation-harness; reading them needs no package."""

    package = "lm-eval"

    def log_files(self, run_directory: Path) -> list[Path]:
        """Returns the files of results, each in the directory of its attempt."""
        files = (run_directory / "eval" / "logs").glob("[!.]*/*.json")
        return sorted(path for path in files if _LOG_NAME.fullmatch(path.name) and path.is_file())

    def read_headers(self, logs: Sequence[Path]) -> LogReadings[LogHeader]:
        """Reads the header of each log."""
        return _read_each(logs, read_header)

    def read_samples(self, logs: Sequence[Path]) -> LogReadings[Samples]:
        """Reads the samples of logs."""
        return _read_each(logs, read_task_samples)

    def subject_of(self, log: LogHeader, tasks: Sequence[EvaluationTask]) -> LogSubject:
        """Identifies the task by its name, otherwise by the benchmark, and the epoch by the model's name.

        Tasks that ask about a data set have the same script, so that it identifies none of them.
        """
        names = [task.name for task in tasks if task.name == log.task]
        fitting = names or [task.name for task in tasks if _is_benchmark_of(task, log)]
        return LogSubject(fitting[0] if len(fitting) == 1 else None, epoch_of_model(log.model))


def _is_benchmark_of(task: EvaluationTask, log: LogHeader) -> bool:
    return is_benchmark(task) and task.script in {log.task, log.task_file}


def _read_each(logs: Sequence[Path], read: Callable[[Path], T]) -> LogReadings[T]:
    readings: dict[Path, T] = {}
    unreadable: dict[Path, str] = {}
    for path in logs:
        try:
            readings[path] = read(path)
        except json.JSONDecodeError as error:
            unreadable[path] = f"it is not valid JSON: {error}"
        except (OSError, ValueError) as error:
            unreadable[path] = str(error)
        except (KeyError, TypeError, AttributeError) as error:
            unreadable[path] = f"it is not what lm-eval writes: {type(error).__name__}: {error}"
    return LogReadings(readings, unreadable)
