"""The results of an experiment as one frozen value, ``Analysis``, from which every report is made.

Series are columns (tuples of equal length), so that a thousand runs stay small. Scores are fractions or numbers as the
scorer gives them, never percent. Texts are as they were logged; the code that renders them escapes them.

``analyze_experiment`` makes it: collects the results, computes the statistics, and states findings and gaps.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from itertools import chain
from types import MappingProxyType

from tunebook import __version__
from tunebook.analysis.collect.differences import deviations_of, gaps_of
from tunebook.analysis.collect.experiment import collect
from tunebook.analysis.collect.source import Collected, Source
from tunebook.analysis.findings.catalogue import state_findings, state_training
from tunebook.analysis.findings.finding import Finding
from tunebook.analysis.findings.recommendations import recommend
from tunebook.analysis.formatting import percent_text, run_labels
from tunebook.analysis.records import (
    Deviation,
    EvaluationKey,
    EvaluationRecord,
    FactorUse,
    Gap,
    RunRecord,
    Score,
    TaskUse,
    Training,
)
from tunebook.analysis.statistics.cases import Case
from tunebook.analysis.statistics.effects import Effect, is_balanced
from tunebook.analysis.statistics.intervals import LEVEL
from tunebook.analysis.statistics.measure_results import CostPoint, analyze_measures
from tunebook.analysis.statistics.pairwise import Comparison
from tunebook.analysis.statistics.scores import best_score, final_scores, score_evaluations
from tunebook.analysis.statistics.seeds import Replicates
from tunebook.artifacts.text_files import read_readable
from tunebook.artifacts.times import timestamp_s
from tunebook.core.markdown import parse_markdown
from tunebook.core.paths import PLAN_FILE
from tunebook.tools.results import LogViewer, Samples

__all__ = ["Analysis", "analyze_experiment"]


@dataclass(frozen=True)
class Analysis:
    """Everything that a report shows.

    Attributes:
        experiment: absolute path of the experiment's directory.
        factors: the parameters that were varied; seeds last.
        runs: in the plan's order.
        evaluations: in the matrix's order, with and without a log.
        samples: the samples of each evaluation that has a log that counts.
        comparisons: of each run with its base model and with the best run, on the same samples.
        level: of every interval, and one minus the level of significance.
        balanced: whether the fine-tuned runs are a full factorial with the same number of runs in each cell.
        provenance: the origin of the numbers by name, as far as it is known.
        viewer: the program that shows the evaluations' logs, if there is one.
    """

    experiment: str
    name: str
    question: str
    created: str
    type: str
    factors: tuple[FactorUse, ...]
    tasks: tuple[TaskUse, ...]
    runs: tuple[RunRecord, ...]
    evaluations: tuple[EvaluationRecord, ...]
    samples: Mapping[EvaluationKey, Samples]
    comparisons: tuple[Comparison, ...]
    effects: tuple[Effect, ...]
    replicates: tuple[Replicates, ...]
    costs: tuple[CostPoint, ...]
    cases: tuple[Case, ...]
    findings: tuple[Finding, ...]
    next_steps: tuple[str, ...]
    gaps: tuple[Gap, ...]
    deviations: tuple[Deviation, ...]
    provenance: Mapping[str, str]
    level: float = 0.95
    balanced: bool = False
    viewer: LogViewer | None = None

    @property
    def is_finished(self) -> bool:
        """Whether everything that was planned has a result."""
        return not any(gap.planned for gap in self.gaps)

    @property
    def interval_title(self) -> str:
        """``95 % interval``: the title of every interval."""
        return f"{percent_text(self.level)} interval"

    @cached_property
    def labels(self) -> dict[str, str]:
        """Run name to its short name."""
        return run_labels(self.runs)

    @cached_property
    def run_of(self) -> dict[str, RunRecord]:
        """Run name to the run."""
        return {run.name: run for run in self.runs}

    @property
    def trainings(self) -> list[Training]:
        """The trainings of all fine-tuned runs, in the plan's order."""
        return [run.training for run in self.runs if run.training is not None]

    def comparisons_with(self, against: str) -> dict[tuple[EvaluationKey, str], Comparison]:
        """The comparisons with the base model (``base``) or the best run (``best``), by evaluation and measure."""
        found = {}
        for each in self.comparisons:
            if each.against == against:
                found[EvaluationKey(each.run, each.task, each.epoch), each.measure] = each
        return found

    def scores(self, task: str, measure: str = "") -> tuple[Score, ...]:
        """The scores of a task for one of its measures (by default its headline measure), in the runs' order."""
        if not measure:
            measure = next((use.headline for use in self.tasks if use.name == task), "")
        scores: list[Score] = []
        for evaluation in self.evaluations:
            if evaluation.key.task == task:
                scores += [score for score in evaluation.scores if score.measure == measure]
        return tuple(scores)

    def final_scores(self, task: str) -> dict[str, Score]:
        """Run name to its headline score of the task after its last evaluated epoch, in the runs' order."""
        return final_scores(self.scores(task), self.runs)

    def best_score(self, task: str) -> Score | None:
        """The highest final score of the task of all runs but the base models."""
        return best_score(self.final_scores(task), self.runs)


_ANALYZING_PACKAGES = ("scipy", "statsmodels", "pandas")


def analyze_experiment(source: Source) -> Analysis:
    """Collects and analyzes; gaps list everything that the experiment lacks.

    Raises:
        ToolError: there are logs, but a package that reads them is not installed here.
    """
    found = score_evaluations(collect(source))
    results = analyze_measures(found)
    headline = [item for item in results if item.is_headline]
    gaps = gaps_of(found)
    findings = [*chain.from_iterable(map(state_findings, headline)), *state_training(found.runs)]
    plan_text = read_readable(source.experiment / PLAN_FILE) or ""
    overview = _overview(plan_text)
    return Analysis(
        experiment=str(source.experiment),
        name=source.plan.name,
        question=source.plan.question,
        created=overview.get("created", ""),
        type=overview.get("type", ""),
        factors=found.factors,
        tasks=found.tasks,
        runs=found.runs,
        evaluations=found.evaluations,
        samples=found.samples,
        comparisons=tuple(chain.from_iterable(item.comparisons for item in results)),
        effects=tuple(chain.from_iterable(item.effects for item in results)),
        replicates=tuple(chain.from_iterable(item.replicates for item in results)),
        costs=tuple(chain.from_iterable(item.costs for item in results)),
        cases=tuple(chain.from_iterable(item.cases for item in results)),
        findings=tuple(findings),
        next_steps=recommend(headline, gaps),
        gaps=gaps,
        deviations=deviations_of(source, found),
        provenance=MappingProxyType(_provenance(source, found, plan_text, overview.get("created", ""))),
        level=LEVEL,
        balanced=is_balanced(found.runs, found.factors),
        viewer=source.evaluation_results.viewer,
    )


def _overview(plan_text: str) -> dict[str, str]:
    """The values of the Overview section by name."""
    for section in parse_markdown(plan_text).walk():
        if section.title.lower() == "overview":
            return {bullet.key: bullet.value.text for bullet in section.bullets}
    return {}


def _provenance(source: Source, found: Collected, plan_text: str, created: str) -> dict[str, str]:
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
        "Plan (SHA-256, without its status tables)": hashlib.sha256(_without_status(plan_text).encode()).hexdigest(),
        "Created": created,
        "First job started": ordered[0],
        "Last job ended": ordered[-1],
        "Data set": source.plan.dataset_path,
    }
    facts |= _models(source, found)
    facts |= {
        "Versions": ", ".join(_versions(found, source.evaluation_results.package)),
        "Commits": ", ".join(sorted(commits)),
        "Hosts": ", ".join(sorted(filter(None, hosts))),
    }
    return {name: value for name, value in facts.items() if value}


def _models(source: Source, found: Collected) -> dict[str, str]:
    """The path of each model that a run uses."""
    paths = {model.name: model.path for model in source.plan.models}
    return {f"Model {run.model}": paths.get(run.model, "") for run in found.runs}


def _without_status(plan_text: str) -> str:
    """The plan without its status tables, which `tunebook run` rewrites."""
    head, _, rest = plan_text.partition("\n## Status")
    _, mark, tail = rest.partition("\n## ")
    return head + mark + tail


def _versions(found: Collected, log_reader: str) -> Iterator[str]:
    """The packages that wrote the logs, and those that analyze them, with their versions."""
    yield f"tunebook {__version__}"
    logged: dict[str, set[str]] = {}
    for header in found.headers.values():
        for package, number in header.packages.items():
            logged.setdefault(package, set()).add(number)
    for package, numbers in sorted(logged.items()):
        yield f"{package} (evaluations) {', '.join(sorted(numbers))}"
    for package in (log_reader, *_ANALYZING_PACKAGES):
        with suppress(PackageNotFoundError):
            yield f"{package} (analysis) {version(package)}"
