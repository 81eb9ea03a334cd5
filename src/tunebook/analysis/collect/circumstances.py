"""All that a report tells beside results: the question, missing results, deviations, the origin of numbers."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from itertools import chain

from tunebook import __version__
from tunebook.analysis.collect.differences import deviations_of, gaps_of
from tunebook.analysis.collect.environments import environment_facts, training_versions
from tunebook.analysis.collect.recorded_jobs import RecordedJob, recorded_jobs
from tunebook.analysis.collect.source import Collected, Source
from tunebook.analysis.records import Deviation, Gap
from tunebook.artifacts.text_files import read_readable
from tunebook.artifacts.times import timestamp_s
from tunebook.core.markdown import parse_markdown, title_key
from tunebook.core.paths import PLAN_FILE
from tunebook.core.text_of_plan import without_status
from tunebook.disk.archive_record import read_archive_record
from tunebook.tools.results import LogViewer

__all__ = ["Circumstances", "Member", "circumstances_of", "together"]

_ANALYZING_PACKAGES = ("scipy", "statsmodels", "scikit-learn", "pandas")
_IN_ARCHIVE = "nothing runs in an archive: finish it in the experiment itself, and export that again"


@dataclass(frozen=True)
class Member:
    """One of the experiments of an analysis.

    Attributes:
        label: its name among the others; empty if it is analyzed alone.
        found: its own facts, with scores, before they were joined with those of others.
    """

    label: str
    source: Source
    found: Collected


@dataclass(frozen=True)
class Circumstances:
    """The circumstances of one experiment or of several together.

    Attributes:
        members: the experiments.
        experiment: the directory that the paths of logs are relative to.
        recorded: the jobs' own records, with the names that runs have in the analysis.
        viewer: the program that shows the evaluations' logs, if there is one.
    """

    members: tuple[Member, ...]
    experiment: str
    name: str
    question: str
    created: str
    type: str
    gaps: tuple[Gap, ...]
    deviations: tuple[Deviation, ...]
    recorded: tuple[RecordedJob, ...]
    provenance: Mapping[str, str]
    viewer: LogViewer | None

    @property
    def alone(self) -> Source | None:
        """The source of a single experiment, whose hypotheses are judged; ``None`` for several."""
        return self.members[0].source if len(self.members) == 1 else None


def circumstances_of(member: Member) -> Circumstances:
    """The circumstances of one experiment."""
    source, found = member.source, member.found
    recorded = tuple(recorded_jobs(source, found.runs))
    plan_text = read_readable(source.experiment / PLAN_FILE) or ""
    overview = _overview(plan_text)
    created = overview.get("created", "")
    return Circumstances(
        members=(member,),
        experiment=str(source.experiment),
        name=source.plan.name,
        question=source.plan.question,
        created=created,
        type=overview.get("type", ""),
        gaps=_gaps(source, found),
        deviations=deviations_of(source, found),
        recorded=recorded,
        provenance=_provenance(source, found, recorded, plan_text=plan_text, created=created),
        viewer=_viewer(source),
    )


def _gaps(source: Source, found: Collected) -> tuple[Gap, ...]:
    """The gaps; in an archive, no command of tunebook fills them."""
    gaps = gaps_of(found)
    if read_archive_record(source.experiment) is None:
        return gaps
    return tuple(replace(gap, hint=_IN_ARCHIVE) if gap.planned and gap.hint else gap for gap in gaps)


def together(
    each: Sequence[Circumstances], names: Sequence[Mapping[str, str]], experiment: str, cautions: Sequence[Deviation]
) -> Circumstances:
    """The circumstances of several experiments.

    Args:
        each: every one by itself.
        names: for each of them, its own name of a run to the joined one.
        experiment: the directory that the paths of joined logs are relative to.
        cautions: what keeps them from being compared.
    """
    labels = [one.members[0].label for one in each]
    gaps: list[Gap] = []
    deviations: list[Deviation] = list(cautions)
    for label, one in zip(labels, each, strict=True):
        if one.members[0].source.plan.hypotheses:
            what = "its hypotheses are tested in its own report only"
            deviations.append(Deviation("experiments", label, what))
    recorded: list[RecordedJob] = []
    for label, one, own in zip(labels, each, names, strict=True):
        gaps += [replace(gap, subject=f"{label}: {gap.subject}") for gap in one.gaps]
        deviations += [replace(item, subject=f"{label}: {item.subject}") for item in one.deviations]
        recorded += [replace(job, run=own[job.run]) for job in one.recorded]
    by_label = dict(zip(labels, each, strict=True))
    viewers = {one.viewer.name: one.viewer for one in each if one.viewer is not None}
    return Circumstances(
        members=tuple(chain.from_iterable(one.members for one in each)),
        experiment=experiment,
        name=" and ".join(labels),
        question=_in_one({label: one.question for label, one in by_label.items()}),
        created=_in_one({label: one.created for label, one in by_label.items()}),
        type=_in_one({label: one.type for label, one in by_label.items()}),
        gaps=tuple(gaps),
        deviations=tuple(deviations),
        recorded=tuple(recorded),
        provenance=_joint_provenance({label: one.provenance for label, one in by_label.items()}),
        viewer=next(iter(viewers.values())) if len(viewers) == 1 else None,
    )


def _in_one(texts: Mapping[str, str]) -> str:
    """The text that all have, or each experiment's own."""
    if len(set(texts.values())) == 1:
        return next(iter(texts.values()))
    return "; ".join(f"{label}: {text}" for label, text in texts.items() if text)


def _joint_provenance(facts: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """A fact that all experiments share once; others with the experiment's label."""
    names = dict.fromkeys(chain.from_iterable(facts.values()))
    joint: dict[str, str] = {}
    for name in names:
        values = {label: own.get(name, "") for label, own in facts.items()}
        if len(set(values.values())) == 1:
            joint[name] = next(iter(values.values()))
            continue
        joint |= {f"{name} ({label})": value for label, value in values.items() if value}
    return joint


def _viewer(source: Source) -> LogViewer | None:
    """The viewer of the first tool that has one; it shows that tool's logs only."""
    viewers = [reader.viewer for reader in source.evaluation_results.values() if reader.viewer is not None]
    return viewers[0] if viewers else None


def _overview(plan_text: str) -> dict[str, str]:
    """The values of the Overview section by name."""
    for section in parse_markdown(plan_text).walk():
        if title_key(section.title) == "overview":
            return {bullet.key: bullet.value.text for bullet in section.bullets}
    return {}


def _provenance(
    source: Source, found: Collected, recorded: Sequence[RecordedJob], *, plan_text: str, created: str
) -> dict[str, str]:
    """The origin of the numbers by name; unknown facts are left out."""
    times, hosts, commits = set(), set(), set()
    for run in found.runs:
        if run.training is not None:
            times |= {run.training.started, run.training.ended}
            hosts.add(run.training.host)
    for header in found.headers.values():
        times.add(header.created)
        if header.commit:
            commits.add(f"{header.origin}@{header.commit}".strip("@"))
    # By the moment, not by the text: jobs and logs may have different time zones.
    ordered = sorted(filter(None, times), key=lambda time: (timestamp_s(time) or 0.0, time)) or [""]
    facts = {
        "Experiment": str(source.experiment),
        "Plan (SHA-256, without its status tables)": hashlib.sha256(without_status(plan_text).encode()).hexdigest(),
        "Created": created,
        "First job started": ordered[0],
        "Last job ended": ordered[-1],
        "Data set": source.plan.dataset_path,
    }
    facts |= _models(source, found)
    facts |= {
        "Versions": ", ".join(_versions(source, found, recorded)),
        "Commits": ", ".join(sorted(commits)),
        "Hosts": ", ".join(sorted(filter(None, hosts))),
    }
    facts |= environment_facts(recorded)
    return {name: value for name, value in facts.items() if value}


def _models(source: Source, found: Collected) -> dict[str, str]:
    """The path of each model that a run uses."""
    paths = {model.name: model.path for model in source.plan.models}
    return {f"Model {run.model}": paths.get(run.model, "") for run in found.runs}


def _versions(source: Source, found: Collected, recorded: Sequence[RecordedJob]) -> Iterator[str]:
    """The packages that trained, those that wrote the logs, and those that analyze them, with their versions."""
    yield f"tunebook {__version__}"
    trained = training_versions(recorded, (source.plan.tools.preparation.lower(), "torch"))
    yield from (f"{package} (trainings) {number}" for package, number in trained.items())
    logged: dict[str, set[str]] = {}
    for header in found.headers.values():
        for package, number in header.packages.items():
            logged.setdefault(package.replace("_", "-"), set()).add(number)
    for package, numbers in sorted(logged.items()):
        yield f"{package} (evaluations) {', '.join(sorted(numbers))}"
    log_readers = (reader.package for reader in source.evaluation_results.values())
    for package in (*log_readers, *_ANALYZING_PACKAGES):
        with suppress(PackageNotFoundError):
            yield f"{package} (analysis) {version(package)}"
