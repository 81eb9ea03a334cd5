"""Every job that ran as an action of the crate: with which program, from what, what it made, and when."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from tunebook.artifacts.text_files import read_document
from tunebook.core.jobs import Job, JobState, Stage
from tunebook.core.json_text import UNFIT
from tunebook.core.paths import PROVENANCE
from tunebook.crate.graph import Graph
from tunebook.crate.values import ExportedExperiment
from tunebook.crate.walk import place_of
from tunebook.disk.archive_record import ArchivedJob

__all__ = ["add_actions"]

_STATUS = "http://schema.org/{}ActionStatus"
_PYPI = "https://pypi.org/project/{}/"

_Reference = dict[str, str]


def add_actions(graph: Graph, experiment: ExportedExperiment) -> None:
    """Adds an action for each job that started; its run's record is read once for all jobs of the run."""
    by_run: dict[str, list[Job]] = {}
    for job in experiment.jobs:
        by_run.setdefault(job.directory.partition("/")[0], []).append(job)
    for run, jobs in by_run.items():
        recorded = _recorded(f"{experiment.root}/{run}/{PROVENANCE}")
        for job in jobs:
            end = experiment.ends.get(job.name)
            if end is not None and end.started:
                _add_action(graph, experiment, job, end, recorded.get(job.name, {}))


def _recorded(path: str) -> Mapping[str, Mapping[str, Any]]:
    """The entries of a run's record by the job's name; empty if there is none, or if it cannot be read."""
    try:
        jobs = (read_document(path) or {})["jobs"]
        return {str(name): dict(entry) for name, entry in jobs.items()}
    except (OSError, *UNFIT):
        return {}


def _add_action(
    graph: Graph, experiment: ExportedExperiment, job: Job, end: ArchivedJob, recorded: Mapping[str, Any]
) -> None:
    action: dict[str, Any] = {
        "@type": "CreateAction",
        "name": _name(job),
        "description": _description(job, end, str(recorded.get("host") or end.host)),
        "instrument": _instrument(graph, experiment, job, recorded),
        "object": list(_references(graph, experiment, (*job.inputs, *_evaluated(job, experiment)))),
        "startTime": _utc(end.started),
    }
    if end.ended:
        action["endTime"] = _utc(end.ended)
    result = list(_references(graph, experiment, _results(job, recorded)))
    if result:
        action["result"] = result
    if end.state is JobState.COMPLETED:
        action["actionStatus"] = _STATUS.format("Completed")
    elif end.state is JobState.FAILED:
        action |= {"actionStatus": _STATUS.format("Failed"), "error": end.reason or "unknown"}
    graph.mention(graph.context(f"#job-{quote(job.name)}", action))


def _utc(time: str) -> str:
    """The same moment with the zone as an offset, which every reader of crates accepts."""
    try:
        return datetime.fromisoformat(time).astimezone(UTC).isoformat(timespec="seconds")
    except ValueError:
        return time


def _name(job: Job) -> str:
    if job.stage is Stage.PREPARATION:
        return f"Training of {job.run}"
    epoch = "" if job.epoch is None else f" after epoch {job.epoch} (counted from 0)"
    return f"Evaluation of {job.run} on {job.task}{epoch}"


def _description(job: Job, end: ArchivedJob, host: str) -> str:
    parts = [f"the job {job.name} is {end.state.value}"]
    if host:
        parts.append(f"it ran on {host}")
    if end.attempts > 1:
        parts.append(f"it was submitted {end.attempts} times")
    if end.deviation:
        parts.append(f"it ran with other settings than the plan's: {end.deviation}")
    return "; ".join(parts)


def _instrument(graph: Graph, experiment: ExportedExperiment, job: Job, recorded: Mapping[str, Any]) -> _Reference:
    """The tool in the environment that the job ran in: one entity for all jobs of equal environments."""
    package = experiment.packages.get(job.tool, job.tool)
    versions = recorded.get("versions")
    known = versions if isinstance(versions, dict) else {}
    packages = known.get("packages")
    requirements = [f"{name}=={number}" for name, number in packages.items()] if isinstance(packages, dict) else []
    facts = [f"{key} {known[key]}" for key in ("python", "system", "processor", "driver") if known.get(key)]
    facts += [f"GPU {name}" for name in known.get("gpus") or ()]
    identity = hashlib.sha256("\n".join((*facts, *requirements)).encode()).hexdigest()[:12]
    properties: dict[str, Any] = {"@type": "SoftwareApplication", "name": package, "url": _PYPI.format(package)}
    if isinstance(packages, dict) and package in packages:
        properties["softwareVersion"] = str(packages[package])
    if facts or requirements:
        properties |= {
            "description": f"in an environment with {', '.join(facts)}",
            "softwareRequirements": requirements,
        }
    return graph.context(f"#{package}-{identity}", properties)


def _evaluated(job: Job, experiment: ExportedExperiment) -> Iterator[str]:
    """The checkpoint that an evaluation loads."""
    if job.stage is not Stage.EVALUATION or job.epoch is None:
        return
    for other in experiment.jobs_of(job.needs):
        for path in other.checkpoints:
            if path.endswith(f"_{job.epoch}"):
                yield path


def _results(job: Job, recorded: Mapping[str, Any]) -> Iterator[str]:
    """The paths of what a job leaves."""
    yield from filter(None, (job.metrics, job.result))
    yield from job.checkpoints
    result = recorded.get("result")
    if isinstance(result, dict) and isinstance(result.get("log"), str):
        yield _in_logs(job, result["log"])


def _in_logs(job: Job, log: str) -> str:
    """The log beside the job: its result names it as it was on the machine that the job ran on."""
    return f"{job.directory}/logs/{log.partition('/logs/')[2] or os.path.basename(log)}"  # noqa: PTH119


def _references(graph: Graph, experiment: ExportedExperiment, paths: Iterable[str]) -> Iterator[_Reference]:
    for path in dict.fromkeys(paths):
        found = graph.reference(place_of(experiment.root, path))
        if found is not None:
            yield found
