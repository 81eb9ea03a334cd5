"""Collects every planned evaluation with the log that counts for it and the samples in that log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from types import MappingProxyType

from tunebook.analysis.collect.pick_log import PickedLog, key_of, pick_log
from tunebook.analysis.collect.read_logs import EvaluationLog, LogReader, UnreadableLog
from tunebook.analysis.collect.source import NO_JOB, JobFacts, Source
from tunebook.analysis.records import EvaluationKey, EvaluationRecord, RunRecord
from tunebook.artifacts.result import read_result
from tunebook.core.jobs import JobState, Stage
from tunebook.core.plan.settings import evaluations
from tunebook.tools.results import LogHeader, Samples

__all__ = ["Evaluations", "collect_evaluations"]


@dataclass(frozen=True)
class Evaluations:
    """The planned evaluations, in the matrix's order, and what their logs hold.

    Attributes:
        samples: of each evaluation that has a log that counts; ``headers`` too.
        strays: logs in a run's directory that belong to no planned evaluation.
    """

    records: tuple[EvaluationRecord, ...]
    samples: Mapping[EvaluationKey, Samples]
    headers: Mapping[EvaluationKey, LogHeader]
    unreadable: tuple[UnreadableLog, ...]
    strays: tuple[EvaluationLog, ...]


def collect_evaluations(source: Source, runs: Sequence[RunRecord]) -> Evaluations:
    """Reads the logs of every run, and picks one for each planned evaluation.

    Raises:
        ToolError: there are logs, and a package that reads them is not installed here.
    """
    reader = LogReader(source.experiment, source.evaluation_results, use_cache=source.use_cache)
    jobs = _jobs(source)
    logs, unreadable = reader.headers(_log_files(source, runs))
    verified = {key: _verified(source, jobs.get(key)) for key in _planned(source)}
    mine, strays = _sort_logs(source, runs, verified, logs)
    picked = {key: pick_log(mine.get(key, ()), jobs.get(key), name) for key, name in verified.items()}
    samples_of, torn = reader.samples([choice.log for choice in picked.values() if choice.log is not None])

    records = []
    samples: dict[EvaluationKey, Samples] = {}
    headers: dict[EvaluationKey, LogHeader] = {}
    for key, choice in picked.items():
        log, facts = choice.log, jobs.get(key)
        if log is not None and log.path in samples_of:
            samples[key], headers[key] = samples_of[log.path], log.header
            records.append(_record_with_log(key, choice, log, samples[key], facts))
        else:
            records.append(_record(key, choice, facts))
    return Evaluations(
        tuple(records), MappingProxyType(samples), MappingProxyType(headers), (*unreadable, *torn), tuple(strays)
    )


def _planned(source: Source) -> list[EvaluationKey]:
    return [_key(item.run, item.task, item.epoch) for item in evaluations(source.plan)]


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
    """The logs by their evaluation, and those that belong to none.

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


def _record(key: EvaluationKey, choice: PickedLog, facts: JobFacts | None) -> EvaluationRecord:
    """An evaluation of which no log counts, or whose log is torn."""
    known = facts or NO_JOB
    return EvaluationRecord(
        key,
        state=known.state,
        reason=known.reason or choice.why,
        others=choice.others,
        elapsed_s=known.elapsed_s,
        attempts=known.attempts,
        slurm=known.slurm,
    )


def _record_with_log(
    key: EvaluationKey, choice: PickedLog, log: EvaluationLog, samples: Samples, facts: JobFacts | None
) -> EvaluationRecord:
    header = log.header
    return replace(
        _record(key, choice, facts),
        state=facts.state if facts else JobState.COMPLETED,
        log=log.path,
        samples=header.samples,
        completed=header.completed,
        total_tokens=samples.tokens,
        metadata=MappingProxyType(_metadata(header)),
    )


def _metadata(header: LogHeader) -> dict[str, str]:
    values = {
        "model": header.model,
        "created": header.created,
        "task": header.task,
        "task_file": header.task_file,
        "git_commit": header.commit,
        "git_origin": header.origin,
    }
    values |= {f"package {name}": version for name, version in sorted(header.packages.items())}
    return {name: value for name, value in values.items() if value}
