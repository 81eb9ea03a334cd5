"""Compares the environments of a sweep's jobs: what is the same for all of them, and what differs between runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from tunebook.analysis.collect.recorded_jobs import RecordedJob
from tunebook.analysis.records import Deviation, EnvironmentDifference
from tunebook.artifacts.provenance import JobProvenance
from tunebook.core.jobs import Stage

__all__ = ["environment_differences", "environment_facts", "training_versions", "version_warnings"]

_JOBS = {Stage.PREPARATION: "trainings", Stage.EVALUATION: "evaluations"}
_COMMIT = "Commit"
_ABSENT = "none"

_Facts = Mapping[str, str]
_OfStage = Mapping[Stage, Sequence[tuple[str, _Facts]]]


def environment_differences(jobs: Iterable[RecordedJob]) -> tuple[EnvironmentDifference, ...]:
    """Lists versions, GPUs, drivers and commits that differ between trainings, or between evaluations."""
    return tuple(_differences(_by_stage(jobs)))


def environment_facts(jobs: Iterable[RecordedJob]) -> dict[str, str]:
    """The facts that all jobs of a stage share, by name; one value if both stages have it."""
    by_name: dict[str, dict[str, list[str]]] = {}
    for stage, of_stage in _by_stage(jobs).items():
        for name, values in _values(of_stage).items():
            if len(values) == 1:
                by_name.setdefault(name, {}).setdefault(next(iter(values)), []).append(_JOBS[stage])
    facts: dict[str, str] = {}
    for name, found in by_name.items():
        parts = [f"{value} ({' and '.join(stages)})" for value, stages in found.items() if value != _ABSENT]
        if parts:
            facts[name] = ", ".join(parts)
    return facts


def training_versions(jobs: Iterable[RecordedJob], packages: Iterable[str]) -> dict[str, str]:
    """The version of each package that all trainings had; packages that differed or were not recorded are left out."""
    values = _values(_by_stage(jobs).get(Stage.PREPARATION, ()))
    found = {package: list(values.get(package, ())) for package in packages}
    return {package: known[0] for package, known in found.items() if len(known) == 1 and known[0] != _ABSENT}


def version_warnings(differences: Iterable[EnvironmentDifference]) -> Iterator[Deviation]:
    """Yields a deviation for each difference that may change results: everything but the commit."""
    for difference in differences:
        if difference.name == _COMMIT:
            continue
        values = "; ".join(f"{value} in {_counted(runs)}" for value, runs in difference.values.items())
        what = f"the {difference.jobs} that are compared had different ones: {values}"
        yield Deviation("versions", difference.name, what)


def _counted(runs: Sequence[str]) -> str:
    return runs[0] if len(runs) == 1 else f"{len(runs)} runs"


def _by_stage(jobs: Iterable[RecordedJob]) -> _OfStage:
    found: dict[Stage, list[tuple[str, _Facts]]] = {}
    for job in jobs:
        found.setdefault(job.record.stage, []).append((job.run, _facts(job.record)))
    return {stage: found[stage] for stage in _JOBS if stage in found}


def _facts(job: JobProvenance) -> _Facts:
    counted = Counter(job.gpus)
    gpus = ", ".join(f"{number} × {name}" for name, number in sorted(counted.items()))
    commit = job.commit
    if job.changed:
        commit += f", with changes in {', '.join(job.changed)}"
    facts = {"Python": job.python, **job.packages, "GPUs": gpus, "Driver": job.driver, _COMMIT: commit}
    return {name: value for name, value in facts.items() if value}


def _values(jobs: Sequence[tuple[str, _Facts]]) -> Mapping[str, Mapping[str, list[str]]]:
    """Name to value to the runs that had it. Jobs that recorded nothing are not compared."""
    known = [(run, facts) for run, facts in jobs if "Python" in facts]
    names = dict.fromkeys(name for _, facts in known for name in facts)
    values: dict[str, dict[str, list[str]]] = {name: {} for name in names}
    for name in names:
        for run, facts in known:
            runs = values[name].setdefault(facts.get(name, _ABSENT), [])
            if run not in runs:
                runs.append(run)
    return values


def _differences(collected: _OfStage) -> Iterator[EnvironmentDifference]:
    for stage, jobs in collected.items():
        for name, values in _values(jobs).items():
            if len(values) > 1:
                yield EnvironmentDifference(_JOBS[stage], name, {value: tuple(runs) for value, runs in values.items()})
