"""Picks the log that counts for each evaluation: the newest that succeeded, of the files as they are now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import PurePosixPath

from tunebook.analysis.collect.read_logs import EvaluationLog
from tunebook.analysis.collect.source import JobFacts
from tunebook.analysis.records import EvaluationKey, OtherLog
from tunebook.core.jobs import JobState
from tunebook.tools.results import LogSubject

__all__ = ["PickedLog", "key_of", "pick_log"]

_SLACK = timedelta(seconds=2)  # outcomes have whole seconds


@dataclass(frozen=True)
class PickedLog:
    """The log that counts for an evaluation, or why no log counts; and the logs that do not count."""

    log: EvaluationLog | None
    others: tuple[OtherLog, ...] = ()
    why: str = ""


def key_of(subject: LogSubject, run: str, planned: Sequence[EvaluationKey]) -> EvaluationKey | None:
    """Returns the planned evaluation that a log in a run's directory is of; ``None`` if it is not planned."""
    by_epoch = {key.epoch: key for key in planned if key.run == run and key.task == subject.task}
    if subject.epoch is not None:
        return by_epoch.get(subject.epoch)
    if -1 in by_epoch:
        return by_epoch[-1]
    # A log that names no epoch can only belong to a run's single evaluation of the task.
    return next(iter(by_epoch.values())) if len(by_epoch) == 1 else None


def pick_log(logs: Sequence[EvaluationLog], facts: JobFacts | None, verified: str = "") -> PickedLog:
    """Picks the log that counts for one evaluation.

    Args:
        logs: of this evaluation.
        facts: of its job; without a job the newest log that succeeded counts.
        verified: the name of the log that the job's script itself verified, if it did.
    """
    newest_first = sorted(logs, key=lambda log: (log.header.created, log.path), reverse=True)
    if facts is not None and facts.state is not JobState.COMPLETED:
        return _no_log(newest_first, facts)
    chosen = _chosen(newest_first, facts, verified)
    others = tuple(_other(log, _why_not(log, chosen, facts)) for log in newest_first if log is not chosen)
    why = ""
    if chosen is None:
        why = others[0].why if others else "there is no log"
    return PickedLog(chosen, others, why)


def _no_log(newest_first: Sequence[EvaluationLog], facts: JobFacts) -> PickedLog:
    """No log of a job that is not completed with the files as they are now counts."""
    why = f"the evaluation is {facts.state.value}"
    if facts.reason:
        why += f" ({facts.reason})"
    others = tuple(_other(log, _incomplete(log) or why) for log in newest_first)
    return PickedLog(None, others, facts.reason or facts.state.value)


def _chosen(newest_first: Sequence[EvaluationLog], facts: JobFacts | None, verified: str) -> EvaluationLog | None:
    """The log that the job verified, or else the newest complete one that was begun after the job."""
    complete = [log for log in newest_first if not _incomplete(log)]
    for log in complete:
        if PurePosixPath(log.path).name == verified:
            return log
    for log in complete:
        if _is_current(log, facts):
            return log
    return None


def _incomplete(log: EvaluationLog) -> str:
    """Why a log cannot count at all."""
    header = log.header
    if header.status != "success":
        why = f"its status is {header.status}"
        if header.error:
            why += f": {header.error.splitlines()[0][:200]}"
        return why
    if not header.samples:
        return "it has no samples"
    if header.completed < header.samples:
        return f"{header.completed} of {header.samples} samples were completed"
    return ""


def _is_current(log: EvaluationLog, facts: JobFacts | None) -> bool:
    """Whether it was begun after the job that counts was."""
    if facts is None or not facts.started:
        return True
    try:
        return datetime.fromisoformat(log.header.created) >= datetime.fromisoformat(facts.started) - _SLACK
    except (ValueError, TypeError):
        return True


def _why_not(log: EvaluationLog, chosen: EvaluationLog | None, facts: JobFacts | None) -> str:
    incomplete = _incomplete(log)
    if incomplete:
        return incomplete
    if not _is_current(log, facts):
        return "it is from an earlier attempt"
    if chosen is not None and chosen.header.created >= log.header.created:
        return "a newer one counts"
    return "the job verified another one"


def _other(log: EvaluationLog, why: str) -> OtherLog:
    return OtherLog(log.path, log.header.status, log.header.created, why)
