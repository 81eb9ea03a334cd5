"""The results of an experiment as one frozen value, ``Analysis``, from which every report is made.

Series are columns (tuples of equal length), so that a thousand runs stay small. Scores are fractions or numbers as the
scorer gives them, never percent. Texts are as they were logged; the code that renders them escapes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from tunebook.analysis.collect.source import Collected
from tunebook.analysis.findings.finding import Finding
from tunebook.analysis.formatting import Scale, percent_text, run_labels, scale_of
from tunebook.analysis.records import (
    Deviation,
    EnvironmentDifference,
    EvaluationKey,
    Gap,
    RunRecord,
    Score,
    SettingUsed,
    TaskUse,
    Training,
)
from tunebook.analysis.statistics.aggregates import Aggregates
from tunebook.analysis.statistics.cases import Case
from tunebook.analysis.statistics.effects import Effect
from tunebook.analysis.statistics.group_results import GroupResults
from tunebook.analysis.statistics.hypotheses import HypothesisResult
from tunebook.analysis.statistics.measure_results import CostPoint
from tunebook.analysis.statistics.pairwise import Comparison, EpochChange
from tunebook.analysis.statistics.ranking import RankedSetting
from tunebook.analysis.statistics.scores import best_score, final_scores
from tunebook.analysis.statistics.seeds import Replicates
from tunebook.disk.hypotheses_record import HypothesesVersion
from tunebook.tools.results import LogViewer

__all__ = ["Analysis"]


@dataclass(frozen=True, kw_only=True)
class Analysis(Collected):
    """Everything that a report shows: the collected facts with their scores, and what follows from them.

    Attributes:
        experiment: absolute path of the experiment's directory.
        comparisons: of each run with its base model, and with the best run where no setting has several runs.
        ranking: the settings of each measure of each task, the best first, with their differences from the best one.
        aggregates: measures that only all samples together have, such as the area under the ROC curve.
        groups: scores by group of samples.
        level: of every interval, and one minus the level of significance.
        balanced: whether on every task the scored runs are a full factorial, with the same number in each cell.
        provenance: the origin of the numbers by name, as far as it is known.
        differences: what was not the same in the environments of all jobs.
        settings: those with which the jobs ran.
        hypotheses: those of the plan, with their verdicts.
        frozen: every version of them that tunebook saw; empty if it submitted no job.
        viewer: the program that shows the evaluations' logs, if there is one.
    """

    experiment: str
    name: str
    question: str
    created: str
    type: str
    comparisons: tuple[Comparison, ...]
    ranking: tuple[RankedSetting, ...]
    effects: tuple[Effect, ...]
    replicates: tuple[Replicates, ...]
    costs: tuple[CostPoint, ...]
    cases: tuple[Case, ...]
    findings: tuple[Finding, ...]
    next_steps: tuple[str, ...]
    gaps: tuple[Gap, ...]
    deviations: tuple[Deviation, ...]
    provenance: Mapping[str, str]
    differences: tuple[EnvironmentDifference, ...] = ()
    settings: tuple[SettingUsed, ...] = ()
    aggregates: Aggregates = field(default_factory=Aggregates)
    groups: GroupResults = field(default_factory=GroupResults)
    epoch_changes: tuple[EpochChange, ...] = ()
    level: float = 0.95
    balanced: bool = False
    hypotheses: tuple[HypothesisResult, ...] = ()
    frozen: tuple[HypothesesVersion, ...] = ()
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

    def final_comparisons(self, task: str) -> list[Comparison]:
        """The headline comparisons of a task with the base model after each run's last evaluated epoch."""
        finals = self.final_scores(task)
        found = []
        for (key, measure), item in self.comparisons_with("base").items():
            final = finals.get(key.run)
            if final is not None and (final.evaluation, final.measure) == (key, measure):
                found.append(item)
        return found

    def comparisons_with(self, against: str) -> dict[tuple[EvaluationKey, str], Comparison]:
        """The comparisons with the base model (``base``) or the best run (``best``), by evaluation and measure."""
        found = {}
        for each in self.comparisons:
            if each.against == against:
                found[EvaluationKey(each.run, each.task, each.epoch), each.measure] = each
        return found

    def task(self, name: str) -> TaskUse:
        """The task of this name; one without measures if the plan has none."""
        return next((use for use in self.tasks if use.name == name), TaskUse(name))

    def scale(self, task: str, measure: str) -> Scale:
        """How the values of a task's measure are written."""
        return scale_of(self.task(task).measure(measure))

    def scores(self, task: str, measure: str = "") -> tuple[Score, ...]:
        """The scores of a task for one of its measures (by default its headline measure), in the runs' order."""
        if not measure:
            measure = self.task(task).headline.name
        scores: list[Score] = []
        for evaluation in self.evaluations:
            if evaluation.key.task == task:
                scores += [score for score in evaluation.scores if score.measure == measure]
        return tuple(scores)

    def final_scores(self, task: str) -> dict[str, Score]:
        """Run name to its headline score of the task after its last evaluated epoch, in the runs' order."""
        return final_scores(self.scores(task), self.runs)

    def best_score(self, task: str) -> Score | None:
        """The best final score of the task of all runs but the base models; ``None`` without a known direction."""
        return best_score(self.final_scores(task), self.runs, self.task(task).headline)
