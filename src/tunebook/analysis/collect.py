"""Everything that an experiment's directory says, collected: the page's design, trainings, evaluations, samples."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from types import MappingProxyType

from tunebook.analysis.design import bases_of, factors_of, levels_of
from tunebook.analysis.eval_logs import LogHeader, UnreadableLog, read_headers
from tunebook.analysis.matching import Choice, choose_log, key_of
from tunebook.analysis.reading import read_readable
from tunebook.analysis.records import EvaluationKey, EvaluationRecord, FactorUse, RunRecord, Samples, TaskUse
from tunebook.analysis.sample_logs import read_samples
from tunebook.analysis.training import JobFacts, elapsed_s, read_training
from tunebook.core.jobs import Job, JobState, Stage
from tunebook.core.naming import run_directories
from tunebook.core.plan import Plan, RunType
from tunebook.core.plan.settings import evaluations, run_settings
from tunebook.core.site import Site
from tunebook.tools.plan_inputs import planned_gpus

__all__ = ["Collected", "Source", "collect"]

_LOG_NAME = re.compile(r".*\.eval|\d{4}-\d\d-\d\dT.*\.json", re.DOTALL)  # inspect-ai keeps lists as JSON there too


@dataclass(frozen=True)
class Source:
    """Where an analysis takes its facts from.

    Attributes:
        jobs: what is known of every scaffolded job; empty for an experiment that was not scaffolded here.
        use_cache: whether what unchanged logs said may be remembered.
    """

    experiment: Path
    plan: Plan
    site: Site
    jobs: tuple[JobFacts, ...] = ()
    use_cache: bool = True


@dataclass(frozen=True)
class Collected:
    """What was found, before any statistics.

    Attributes:
        unreadable: logs that cannot be read.
        strays: logs in a run's directory that are of no planned evaluation.
        headers: of the logs that count, by evaluation.
    """

    factors: tuple[FactorUse, ...]
    tasks: tuple[TaskUse, ...]
    runs: tuple[RunRecord, ...]
    evaluations: tuple[EvaluationRecord, ...]
    samples: Mapping[EvaluationKey, Samples]
    headers: Mapping[EvaluationKey, LogHeader] = field(default_factory=lambda: MappingProxyType({}))
    unreadable: tuple[UnreadableLog, ...] = ()
    strays: tuple[LogHeader, ...] = ()


def collect(source: Source) -> Collected:
    """Reads what there is; what is missing stays empty, and nothing of it is an error.

    Raises:
        ToolError: there are logs, and inspect-ai is not installed here to read them.
    """
    plan = source.plan
    factors = factors_of(plan)
    runs = _runs(source, factors)
    logs = _read_logs(source, runs)
    measures = {task.name: _measures(logs.samples, task.name) for task in plan.tasks}
    tasks = tuple(TaskUse(task.name, task.description, measures[task.name]) for task in plan.tasks)
    return Collected(factors, tasks, runs, logs.records, logs.samples, logs.headers, logs.unreadable, logs.strays)


def _measures(samples: Mapping[EvaluationKey, Samples], task: str) -> tuple[str, ...]:
    """What the task's scorers measure, in the order in which the evaluations have it first."""
    names = (measure for key, own in samples.items() if key.task == task for measure in own.values)
    return tuple(dict.fromkeys(names))


def _runs(source: Source, factors: Sequence[FactorUse]) -> tuple[RunRecord, ...]:
    plan, site = source.plan, source.site
    directories = run_directories(plan)
    levels, bases = levels_of(plan, factors), bases_of(plan)
    facts = {facts.job.run: facts for facts in source.jobs if facts.job.stage is Stage.PREPARATION}
    gpus = planned_gpus(plan, site)
    found = []
    for run in plan.runs:
        record = RunRecord(run.name, directories[run.name], run.type, run.model, bases[run.name], line=run.line)
        record = replace(record, notes=run.notes)
        if run.type is RunType.FINE_TUNED:
            training = read_training(
                source.experiment,
                record.directory,
                facts.get(run.name),
                name=plan.name,
                output_base=site.output_dir_base,
                gpus=gpus,
            )
            parameters = MappingProxyType(dict(run_settings(plan, run)))
            own = MappingProxyType(levels[run.name])
            record = replace(record, parameters=parameters, levels=own, training=training)
        found.append(record)
    return tuple(found)


@dataclass(frozen=True)
class _Logs:
    """What the logs say."""

    records: tuple[EvaluationRecord, ...]
    samples: Mapping[EvaluationKey, Samples]
    headers: Mapping[EvaluationKey, LogHeader]
    unreadable: tuple[UnreadableLog, ...]
    strays: tuple[LogHeader, ...]


def _read_logs(source: Source, runs: Sequence[RunRecord]) -> _Logs:
    planned = tuple(
        EvaluationKey(item.run, item.task, -1 if item.epoch is None else item.epoch)
        for item in evaluations(source.plan)
    )
    facts = {_key(item.job): item for item in source.jobs if item.job.stage is Stage.EVALUATION}
    headers, unreadable = read_headers(source.experiment, _paths(source, runs), use_cache=source.use_cache)
    verified = {key: _verified(source, facts.get(key)) for key in planned}
    mine, strays = _sorted_out(source, runs, verified, headers)
    choices = {key: choose_log(mine.get(key, ()), facts.get(key), verified[key]) for key in planned}
    counting = [choice.log for choice in choices.values() if choice.log is not None]
    samples, torn = read_samples(source.experiment, counting, use_cache=source.use_cache)
    records, by_key, used = [], {}, {}
    for key in planned:
        choice = choices[key]
        if choice.log is not None and choice.log.path in samples:
            by_key[key], used[key] = samples[choice.log.path], choice.log
        records.append(_record(key, choice, facts.get(key), by_key.get(key)))
    return _Logs(tuple(records), MappingProxyType(by_key), MappingProxyType(used), (*unreadable, *torn), tuple(strays))


def _key(job: Job) -> EvaluationKey:
    return EvaluationKey(job.run, job.task or "", -1 if job.epoch is None else job.epoch)


def _paths(source: Source, runs: Sequence[RunRecord]) -> list[Path]:
    """Every log in the runs' log directories, by name."""
    found: list[Path] = []
    for run in runs:
        folder = source.experiment / run.directory / "eval" / "logs"
        found += sorted(path for path in folder.glob("*") if _LOG_NAME.fullmatch(path.name) and path.is_file())
    return found


def _sorted_out(
    source: Source, runs: Sequence[RunRecord], verified: Mapping[EvaluationKey, str], headers: Sequence[LogHeader]
) -> tuple[dict[EvaluationKey, list[LogHeader]], list[LogHeader]]:
    """The logs by the evaluation that they are of, and those that are of none.

    Args:
        verified: every planned evaluation, and the name of the log that its own script verified.
    """
    names = {run.directory: run.name for run in runs}
    by_run: dict[str, list[EvaluationKey]] = {}
    named = {(key.run, name): key for key, name in verified.items() if name}
    for key in verified:
        by_run.setdefault(key.run, []).append(key)
    mine: dict[EvaluationKey, list[LogHeader]] = {}
    strays: list[LogHeader] = []
    for header in headers:
        run = names[PurePosixPath(header.path).parts[0]]
        found = named.get((run, PurePosixPath(header.path).name))
        found = found or key_of(header, run, source.plan.tasks, by_run.get(run, ()))
        if found is None:
            strays.append(header)
        else:
            mine.setdefault(found, []).append(header)
    return mine, strays


def _verified(source: Source, facts: JobFacts | None) -> str:
    """The name of the log that the evaluation's own script verified."""
    text = read_readable(source.experiment / facts.job.result) if facts is not None and facts.job.result else None
    try:
        return PurePosixPath(str(json.loads(text)["log"])).name if text else ""
    except (ValueError, KeyError, TypeError):
        return ""


def _record(key: EvaluationKey, choice: Choice, facts: JobFacts | None, samples: Samples | None) -> EvaluationRecord:
    log = choice.log if samples is not None else None
    return EvaluationRecord(
        key,
        state=facts.state if facts else (JobState.COMPLETED if log else JobState.UNKNOWN),
        reason=(facts.reason if facts else "") or choice.why,
        log=log.path if log else None,
        samples=log.samples if log else 0,
        completed=log.completed if log else 0,
        others=choice.others,
        elapsed_s=elapsed_s(facts),
        total_tokens=samples.tokens if samples is not None else None,
        attempts=facts.attempts if facts else 0,
        metadata=MappingProxyType(_metadata(log) if log else {}),
        slurm=facts.slurm if facts else None,
    )


def _metadata(log: LogHeader) -> dict[str, str]:
    values = {
        "model": log.model,
        "created": log.created,
        "task": log.task,
        "task_file": log.task_file,
        "git_commit": log.commit,
        "git_origin": log.origin,
        **{f"package {name}": version for name, version in sorted(log.packages.items())},
    }
    return {name: value for name, value in values.items() if value}
