"""What the page says, as values: its facts, sections and lists, in the order of the page."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tunebook.analysis.charts.figure import Figure
from tunebook.analysis.charts.scores import ScoreAxis
from tunebook.analysis.findings.finding import Finding
from tunebook.analysis.page.tables import Best, Table, best_runs, job_table, run_table
from tunebook.analysis.records import Deviation, FactorUse, Gap, OtherLog, TaskUse
from tunebook.analysis.statistics.cases import MOST_CASES, Case
from tunebook.analysis.values import Analysis
from tunebook.core.jobs import JobState
from tunebook.core.plan import RunType
from tunebook.tools.results import LogViewer

__all__ = ["CaseGroup", "Content", "Fact", "ShownCase", "content_of"]

_CASES = 30  # of a kind; the page would be slow with thousands
_SAID = (JobState.RUNNING, JobState.FAILED, JobState.UNKNOWN)  # what is pending is the rest
_KINDS = {
    "all wrong": "Every run got these wrong",
    "fixed": "Fine-tuning fixed these",
    "broken": "Fine-tuning broke these",
}


@dataclass(frozen=True)
class Fact:
    """A number at the head of the page."""

    name: str
    value: str
    more: str = ""
    css: str = ""


@dataclass(frozen=True)
class ShownCase:
    """A sample with, for each run that has a log, where the viewer shows the sample."""

    case: Case
    addresses: Mapping[str, str]


@dataclass(frozen=True)
class CaseGroup:
    """Samples of a kind; ``count`` says how many there are, and ``has_more`` whether some are not shown."""

    title: str
    cases: tuple[ShownCase, ...]
    count: str
    has_more: bool


@dataclass(frozen=True)
class Content:
    """All that the template shows."""

    name: str
    file: str
    kicker: str
    question: str
    level: str
    as_of: str
    is_finished: bool
    state_words: str
    many_tasks: bool
    design: str
    view_command: str
    facts: tuple[Fact, ...]
    gaps: tuple[Gap, ...]
    findings: tuple[Finding, ...]
    factors: tuple[FactorUse, ...]
    tasks: tuple[TaskUse, ...]
    best: tuple[Best, ...]
    figures: tuple[Figure, ...]
    runs: Table
    cases: tuple[CaseGroup, ...]
    deviations: tuple[Deviation, ...]
    jobs: Table
    other_logs: tuple[tuple[str, OtherLog], ...]
    next_steps: tuple[str, ...]
    provenance: tuple[tuple[str, str], ...]

    @property
    def left_out(self) -> tuple[Figure, ...]:
        """The figures that have no data."""
        return tuple(figure for figure in self.figures if not figure.spec)

    @property
    def contents(self) -> tuple[tuple[str, str], ...]:
        """The sections: their ids and titles."""
        state = () if self.is_finished else (("state", "Where it stands"),)
        return (
            *state,
            ("findings", "Findings"),
            ("varied", "What was varied"),
            ("best", "Best"),
            ("figures-section", "Figures"),
            ("runs-section", "All runs"),
            ("samples", "Samples"),
            ("deviations", "Deviations"),
            ("jobs-section", "Jobs and logs"),
            ("next", "Next steps"),
            ("provenance", "Provenance"),
        )


def content_of(analysis: Analysis, figures: Sequence[Figure], *, as_of: str = "") -> Content:
    """The page of an analysis."""
    best = tuple(found for task in analysis.tasks if (found := best_runs(analysis, task)))
    return Content(
        name=analysis.name,
        file=_file_stem(analysis.name),
        kicker=" · ".join(filter(None, (analysis.type, analysis.created))) or "Experiment",
        question=analysis.question,
        level=_level(analysis),
        as_of=as_of,
        is_finished=analysis.is_finished,
        state_words=_state_words(analysis),
        many_tasks=len(analysis.tasks) > 1,
        design=_design(analysis),
        view_command=shlex.join([*analysis.viewer.command, analysis.experiment]) if analysis.viewer else "",
        facts=_facts(analysis),
        gaps=analysis.gaps,
        findings=analysis.findings,
        factors=analysis.factors,
        tasks=analysis.tasks,
        best=best,
        figures=tuple(figures),
        runs=run_table(analysis),
        cases=_cases(analysis),
        deviations=analysis.deviations,
        jobs=job_table(analysis),
        other_logs=tuple((each.key.run, other) for each in analysis.evaluations for other in each.others),
        next_steps=analysis.next_steps,
        provenance=_provenance(analysis),
    )


def _file_stem(name: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in name)[:80] or "experiment"


def _states(analysis: Analysis) -> tuple[Counter[JobState], Counter[JobState]]:
    trainings = Counter(run.training.state for run in analysis.runs if run.training)
    return trainings, Counter(each.state for each in analysis.evaluations)


def _state_words(analysis: Analysis) -> str:
    parts = []
    for noun, states in zip(("trainings", "evaluations"), _states(analysis), strict=True):
        if states:
            words = ", ".join(f"{states[state]} {state.value}" for state in JobState if states[state])
            parts.append(f"{states.total()} {noun}: {words}.")
    return " ".join(parts)


def _design(analysis: Analysis) -> str:
    runs = sum(run.type is RunType.FINE_TUNED for run in analysis.runs)
    if len(analysis.factors) == 1:
        return f"{runs} fine-tuned runs."
    full = "every combination, equally often" if analysis.balanced else "not every combination equally often"
    return f"{runs} fine-tuned runs; {full}."


def _facts(analysis: Analysis) -> tuple[Fact, ...]:
    trainings, evaluations = _states(analysis)
    controls = sum(run.type is RunType.CONTROL for run in analysis.runs)
    facts = [Fact("Runs", str(len(analysis.runs)), f"{controls} of them base model{'' if controls == 1 else 's'}")]
    for name, states in (("Trainings", trainings), ("Evaluations", evaluations)):
        if states:
            others = [f"{states[state]} {state.value}" for state in _SAID if states[state]]
            done = f"{states[JobState.COMPLETED]} of {states.total()}"
            facts.append(Fact(name, done, ", ".join(("completed", *others))))
    for task in analysis.tasks[:3]:
        facts += _best_fact(analysis, task)
    return tuple(facts)


def _best_fact(analysis: Analysis, task: TaskUse) -> list[Fact]:
    best = analysis.best_score(task.name)
    if best is None:
        return []
    words = ScoreAxis.of(analysis, task).words
    more = f"{_level(analysis)} interval {words.interval(best.interval)}" if best.interval else ""
    name = "Best score" + (f", {task.name}" if len(analysis.tasks) > 1 else "")
    return [Fact(name, words.value(best.value), more)]


def _level(analysis: Analysis) -> str:
    return f"{100 * analysis.level:g} %"


def _cases(analysis: Analysis) -> tuple[CaseGroup, ...]:
    groups, logs = [], _last_logs(analysis)
    for kind, title in _KINDS.items():
        found = tuple(case for case in analysis.cases if case.kind == kind)
        if found:
            shown = tuple(ShownCase(case, _addresses(case, logs, analysis.viewer)) for case in found[:_CASES])
            count = f"{len(found)}{' or more' if len(found) >= MOST_CASES else ''}"
            groups.append(CaseGroup(title, shown, count, len(found) > len(shown)))
    return tuple(groups)


def _last_logs(analysis: Analysis) -> dict[tuple[str, str], str]:
    """The log of each run's last evaluated epoch, by task and run."""
    logs = {each.key: each.log or "" for each in analysis.evaluations}
    finals = [score for task in analysis.tasks for score in analysis.final_scores(task.name).values()]
    return {(score.evaluation.task, score.evaluation.run): logs[score.evaluation] for score in finals}


def _addresses(case: Case, logs: Mapping[tuple[str, str], str], viewer: LogViewer | None) -> dict[str, str]:
    addresses = {}
    for run in case.answers:
        if viewer is not None and (case.task, run) in logs:
            addresses[run] = viewer.address(logs[case.task, run], sample=case.sample)
    return addresses


def _provenance(analysis: Analysis) -> tuple[tuple[str, str], ...]:
    source = analysis.provenance
    facts = [
        ("Experiment", analysis.experiment),
        ("Page (SHA-256)", source.plan_sha256),
        ("First job started", source.first),
        ("Last job ended", source.last),
        ("Data set", source.dataset),
        *((f"Model {name}", path) for name, path in source.models.items()),
        ("Versions", ", ".join(f"{package} {version}" for package, version in source.versions.items())),
        ("Commits", ", ".join(source.commits)),
        ("Hosts", ", ".join(source.hosts)),
    ]
    return tuple((name, value) for name, value in facts if value)
