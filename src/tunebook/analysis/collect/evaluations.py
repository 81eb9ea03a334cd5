"""Collects every planned evaluation with the log that counts for it and the samples in that log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path, PurePosixPath
from types import MappingProxyType

from tunebook.analysis.collect.derived import add_derived
from tunebook.analysis.collect.letters import without_letters
from tunebook.analysis.collect.measures import measures_of, wanted_aggregate
from tunebook.analysis.collect.read_logs import EvaluationLog, LogReader
from tunebook.analysis.collect.source import NO_JOB, Collected, JobFacts, Source
from tunebook.analysis.records import EvaluationKey, EvaluationRecord, FactorUse, OtherLog, RunRecord, TaskUse
from tunebook.artifacts.result import read_result
from tunebook.core.jobs import JobState, Stage
from tunebook.core.plan.settings import evaluations
from tunebook.tools.results import LogHeader, LogSubject, Samples

__all__ = ["PickedLog", "collect_evaluations", "key_of", "pick_log"]

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


def collect_evaluations(source: Source, factors: tuple[FactorUse, ...], runs: tuple[RunRecord, ...]) -> Collected:
    """Reads the logs of every run, and picks one for each planned evaluation.

    Raises:
        ToolError: there are logs, but a package that reads them is not installed here.
    """
    reader = LogReader(source.experiment, source.evaluation_results, use_cache=source.use_cache)
    jobs = _jobs(source)
    logs, unreadable = reader.headers(_log_files(source, runs))
    verified: dict[EvaluationKey, str] = {}
    for item in evaluations(source.plan):
        key = _key(item.run, item.task, item.epoch)
        verified[key] = _verified(source, jobs.get(key))
    mine, strays = _sort_logs(source, runs, verified, logs)
    picked = {key: pick_log(mine.get(key, ()), jobs.get(key), name) for key, name in verified.items()}
    samples_of, torn = reader.samples([choice.log for choice in picked.values() if choice.log is not None])

    records = []
    samples: dict[EvaluationKey, Samples] = {}
    headers: dict[EvaluationKey, LogHeader] = {}
    for key, choice in picked.items():
        record, log = _record_without_log(key, jobs.get(key, NO_JOB), choice), choice.log
        if log is not None and log.path in samples_of:
            samples[key], headers[key] = samples_of[log.path], log.header
            record = _with_log(record, log, tokens=samples[key].tokens)
            if key not in jobs:
                record = replace(record, state=JobState.COMPLETED)
        records.append(record)
    samples = add_derived(without_letters(samples))
    return Collected(
        factors=factors,
        tasks=_tasks(source, samples, headers),
        runs=runs,
        evaluations=tuple(records),
        samples=MappingProxyType(samples),
        headers=MappingProxyType(headers),
        unreadable=(*unreadable, *torn),
        strays=tuple(strays),
    )


def _with_log(record: EvaluationRecord, log: EvaluationLog, *, tokens: int) -> EvaluationRecord:
    header = log.header
    return replace(record, log=log.path, samples=header.samples, completed=header.completed, total_tokens=tokens)


def _record_without_log(key: EvaluationKey, facts: JobFacts, choice: PickedLog) -> EvaluationRecord:
    return EvaluationRecord(
        key,
        state=facts.state,
        reason=facts.reason or choice.why,
        others=choice.others,
        elapsed_s=facts.elapsed_s,
        attempts=facts.attempts,
    )


def _tasks(
    source: Source, samples: Mapping[EvaluationKey, Samples], headers: Mapping[EvaluationKey, LogHeader]
) -> tuple[TaskUse, ...]:
    """The plan's tasks, each with its measures in the order in which its evaluations name them."""
    tasks = []
    for task in source.plan.tasks:
        keys = [key for key in samples if key.task == task.name]
        own, logs = [samples[key] for key in keys], [headers[key] for key in keys]
        measures = measures_of(source.plan, task, own, logs)
        tasks.append(TaskUse(task.name, task.description, measures, wanted_aggregate(task, measures)))
    return tuple(tasks)


def _key(run: str, task: str, epoch: int | None) -> EvaluationKey:
    return EvaluationKey(run, task, -1 if epoch is None else epoch)


def _jobs(source: Source) -> dict[EvaluationKey, JobFacts]:
    jobs = {}
    for facts in source.jobs:
        job = facts.job
        if job.stage is Stage.EVALUATION:
            jobs[_key(job.run, job.task or "", job.epoch)] = facts
    return jobs


def _log_files(source: Source, runs: Sequence[RunRecord]) -> dict[Path, str]:
    """Every log of a run, with the tool that reads it."""
    files: dict[Path, str] = {}
    for run in runs:
        for tool, reader in source.evaluation_results.items():
            for path in reader.log_files(source.experiment / run.directory):
                files.setdefault(path, tool)
    return files


def _verified(source: Source, facts: JobFacts | None) -> str:
    """The name of the log that the evaluation's own script verified."""
    if facts is None or not facts.job.result:
        return ""
    result = read_result(source.experiment / facts.job.result)
    return PurePosixPath(result.log).name if result else ""


def _sort_logs(
    source: Source, runs: Sequence[RunRecord], verified: Mapping[EvaluationKey, str], logs: Sequence[EvaluationLog]
) -> tuple[dict[EvaluationKey, list[EvaluationLog]], list[EvaluationLog]]:
    """The logs by their evaluation, and the logs that belong to no evaluation.

    Args:
        verified: every planned evaluation, and the name of the log that its own script verified.
    """
    run_of = {run.directory: run.name for run in runs}
    planned: dict[str, list[EvaluationKey]] = {}
    for key in verified:
        planned.setdefault(key.run, []).append(key)
    key_of_verified = {(key.run, name): key for key, name in verified.items() if name}
    mine: dict[EvaluationKey, list[EvaluationLog]] = {}
    strays: list[EvaluationLog] = []
    for log in logs:
        path = PurePosixPath(log.path)
        run = run_of[path.parts[0]]
        found = key_of_verified.get((run, path.name))
        if found is None:
            tasks = source.plan.for_tool(log.tool).tasks
            subject = source.evaluation_results[log.tool].subject_of(log.header, tasks)
            found = key_of(subject, run, planned.get(run, ()))
        if found is None:
            strays.append(log)
        else:
            mine.setdefault(found, []).append(log)
    return mine, strays
