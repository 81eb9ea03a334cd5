"""Which log is which evaluation's, and which one counts: the newest that succeeded, of the files as they are now."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import PurePosixPath

from tunebook.analysis.eval_logs import LogHeader
from tunebook.analysis.records import EvaluationKey, OtherLog
from tunebook.analysis.training import JobFacts
from tunebook.core.jobs import JobState
from tunebook.core.plan import EvaluationTask

__all__ = ["Choice", "choose_log", "key_of"]

_EPOCH = re.compile(r"epoch[_-]?(\d{1,6})/?$")
_SLACK = timedelta(seconds=2)  # outcomes have whole seconds


@dataclass(frozen=True)
class Choice:
    """The log that counts, and the others; ``why`` none counts."""

    log: LogHeader | None
    others: tuple[OtherLog, ...] = ()
    why: str = ""


def key_of(
    log: LogHeader, run: str, tasks: Sequence[EvaluationTask], planned: Sequence[EvaluationKey]
) -> EvaluationKey | None:
    """The planned evaluation of a run that a log in its directory is of; ``None`` if it is of none, or may be of two.

    The task is told by its script's name, its function and its data set, the epoch by the end of the model's name
    (``hf/rank4_epoch0``).
    """
    task = _task(log, tasks)
    if task is None:
        return None
    mine = [key for key in planned if key.run == run and key.task == task.name]
    match = _EPOCH.search(log.model)
    if match:
        return next((key for key in mine if key.epoch == int(match[1])), None)
    return next((key for key in mine if key.epoch < 0), mine[0] if len(mine) == 1 else None)


def _task(log: LogHeader, tasks: Sequence[EvaluationTask]) -> EvaluationTask | None:
    """The one task that fits best; two that fit alike are none."""
    name = log.task.rpartition("/")[2]
    script, data = PurePosixPath(log.task_file).name, PurePosixPath(log.dataset).name
    named = [task for task in tasks if name in {task.function or task.name, task.name}]
    same_file = [task for task in tasks if script and PurePosixPath(task.script).name == script]
    fitting = [task for task in named if task in same_file] or named
    fitting = fitting or [task for task in same_file if not task.function]
    if len(fitting) > 1 and data:
        fitting = [task for task in fitting if task.dataset and PurePosixPath(task.dataset).name == data]
    return fitting[0] if len(fitting) == 1 else None


def choose_log(logs: Sequence[LogHeader], facts: JobFacts | None, result_log: str = "") -> Choice:
    """The log that counts for one evaluation.

    Args:
        logs: of this evaluation.
        facts: of its job; without a job the newest log that succeeded counts.
        result_log: the name of the log that the job's script itself verified, if it did.
    """
    ordered = sorted(logs, key=lambda log: (log.created, log.path), reverse=True)
    wrong = {log.path: _incomplete(log) for log in ordered}
    if facts is not None and facts.state is not JobState.COMPLETED:
        why = facts.reason or facts.state.value
        others = tuple(_other(log, wrong[log.path] or f"the evaluation is {_state(facts)}") for log in ordered)
        return Choice(None, others, why)
    complete = [log for log in ordered if not wrong[log.path]]
    good = [log for log in complete if _is_current(log, facts)]
    verified = [log for log in complete if PurePosixPath(log.path).name == result_log]
    chosen = next(iter(verified or good), None)
    others = tuple(_other(log, wrong[log.path] or _why_not(log, chosen, facts)) for log in ordered if log is not chosen)
    why = "" if chosen else (others[0].why if others else "there is no log")
    return Choice(chosen, others, why)


def _state(facts: JobFacts) -> str:
    return facts.state.value + (f" ({facts.reason})" if facts.reason else "")


def _incomplete(log: LogHeader) -> str:
    """Why a log cannot count at all."""
    if log.status != "success":
        return f"its status is {log.status}" + (f": {log.error.splitlines()[0][:200]}" if log.error else "")
    if not log.samples:
        return "it has no samples"
    if log.completed < log.samples:
        return f"{log.completed} of {log.samples} samples were completed"
    return ""


def _is_current(log: LogHeader, facts: JobFacts | None) -> bool:
    """Whether it was begun after the job that counts was."""
    if facts is None or not facts.started:
        return True
    try:
        return datetime.fromisoformat(log.created) >= datetime.fromisoformat(facts.started) - _SLACK
    except (ValueError, TypeError):
        return True


def _why_not(log: LogHeader, chosen: LogHeader | None, facts: JobFacts | None) -> str:
    if not _is_current(log, facts):
        return "it is of an earlier attempt"
    return "a newer one counts" if chosen is not None and chosen.created >= log.created else "the job verified another"


def _other(log: LogHeader, why: str) -> OtherLog:
    return OtherLog(log.path, log.status, log.created, why)
