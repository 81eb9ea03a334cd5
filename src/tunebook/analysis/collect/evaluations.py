"""Collects every planned evaluation with the log that counts for it and the samples in that log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from types import MappingProxyType

from tunebook.analysis.collect.collected import Collected
from tunebook.analysis.collect.pick_log import PickedLog, key_of, pick_log
from tunebook.analysis.collect.read_logs import EvaluationLog, LogReader
from tunebook.analysis.collect.source import NO_JOB, JobFacts, Source
from tunebook.analysis.records import EvaluationKey, EvaluationRecord, FactorUse, RunRecord, TaskUse
from tunebook.artifacts.result import read_result
from tunebook.core.jobs import JobState, Stage
from tunebook.core.plan.settings import evaluations
from tunebook.tools.results import LogHeader, Samples

__all__ = ["collect_evaluations"]


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
            record = replace(
                record,
                state=record.state if key in jobs else JobState.COMPLETED,
                log=log.path,
                samples=log.header.samples,
                completed=log.header.completed,
                total_tokens=samples[key].tokens,
            )
        records.append(record)
    return Collected(
        factors=factors,
        tasks=_tasks(source, samples),
        runs=runs,
        evaluations=tuple(records),
        samples=MappingProxyType(samples),
        headers=MappingProxyType(headers),
        unreadable=(*unreadable, *torn),
        strays=tuple(strays),
    )


def _record_without_log(key: EvaluationKey, facts: JobFacts, choice: PickedLog) -> EvaluationRecord:
    return EvaluationRecord(
        key,
        state=facts.state,
        reason=facts.reason or choice.why,
        others=choice.others,
        elapsed_s=facts.elapsed_s,
        attempts=facts.attempts,
    )


def _tasks(source: Source, samples: Mapping[EvaluationKey, Samples]) -> tuple[TaskUse, ...]:
    """The plan's tasks, each with its measures in the order in which its evaluations name them."""
    tasks = []
    for task in source.plan.tasks:
        measures: dict[str, None] = {}
        for key, found in samples.items():
            if key.task == task.name:
                measures |= dict.fromkeys(found.values)
        tasks.append(TaskUse(task.name, task.description, tuple(measures)))
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


def _log_files(source: Source, runs: Sequence[RunRecord]) -> list[Path]:
    files: list[Path] = []
    for run in runs:
        files += source.evaluation_results.log_files(source.experiment / run.directory)
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
            subject = source.evaluation_results.subject_of(log.header, source.plan.tasks)
            found = key_of(subject, run, planned.get(run, ()))
        if found is None:
            strays.append(log)
        else:
            mine.setdefault(found, []).append(log)
    return mine, strays
