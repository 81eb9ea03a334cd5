"""All statistics of one measure of one task; of a run's cost and score, which runs are Pareto-optimal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from tunebook.analysis.collect.source import Collected
from tunebook.analysis.formatting import Scale, run_labels, scale_of
from tunebook.analysis.records import FactorUse, Interval, Measure, RunRecord
from tunebook.analysis.statistics.balance import Balance, balance_of
from tunebook.analysis.statistics.cases import Case, SampleChanges, find_changes, select_cases
from tunebook.analysis.statistics.effects import Effect, estimate_effects, share_verdicts
from tunebook.analysis.statistics.pairwise import Comparison, EpochChange, compare_epochs, compare_runs
from tunebook.analysis.statistics.ranking import RankedSetting, rank_settings
from tunebook.analysis.statistics.scores import ScoreTable
from tunebook.analysis.statistics.seeds import Replicates, summarize_seeds
from tunebook.analysis.statistics.settings import have_replicates, settings_of
from tunebook.core.plan import RunType

__all__ = ["CostPoint", "MeasureResults", "analyze_measure", "analyze_measures", "compare_costs"]


@dataclass(frozen=True)
class CostPoint:
    """The cost of a run's training and its final score.

    Attributes:
        unit: ``GPU hours`` or ``hours`` of wall time.
        on_front: whether the run is Pareto-optimal: no other is at least as cheap and at least as good, and better in
            one of the two; no run is, where the measure's direction is unknown.
    """

    task: str
    measure: str
    run: str
    epoch: int
    cost: float
    unit: str
    score: float
    interval: Interval | None
    on_front: bool


def compare_costs(table: ScoreTable) -> tuple[CostPoint, ...]:
    """The runs whose cost and final score are known; a base model's training costs nothing here."""
    unit = "hours"
    if any(run.training is not None and run.training.gpu_hours is not None for run in table.runs):
        unit = "GPU hours"
    points: list[CostPoint] = []
    for run in table.runs:
        score, cost = table.finals.get(run.name), _cost(run, unit)
        if score is not None and score.value is not None and cost is not None:
            key = score.evaluation
            point = CostPoint(
                key.task, score.measure, run.name, key.epoch, cost, unit, score.value, score.interval, on_front=True
            )
            points.append(point)
    if not table.measure.has_direction:
        return tuple(replace(point, on_front=False) for point in points)
    return tuple(replace(point, on_front=not _is_beaten(point, points, table.measure)) for point in points)


def _cost(run: RunRecord, unit: str) -> float | None:
    if run.type is RunType.CONTROL:
        return 0.0
    if run.training is None:
        return None
    if unit == "GPU hours":
        return run.training.gpu_hours
    if run.training.elapsed_s is None:
        return None
    return run.training.elapsed_s / 3600


def _is_beaten(point: CostPoint, others: Sequence[CostPoint], measure: Measure) -> bool:
    for other in others:
        gain = measure.goodness(other.score) - measure.goodness(point.score)
        is_better = other.cost < point.cost or gain > 0
        if is_better and other.cost <= point.cost and gain >= 0:
            return True
    return False


@dataclass(frozen=True)
class MeasureResults:
    """The statistics of one measure of one task; findings, cases, changes and epochs are only about the headline one.

    Attributes:
        balance: how many scored runs each combination of levels has.
        changes: ``None`` for scores that are not right or wrong.
        epochs: ``None`` unless a run was evaluated after several epochs.
    """

    table: ScoreTable
    factors: tuple[FactorUse, ...]
    comparisons: tuple[Comparison, ...]
    ranking: tuple[RankedSetting, ...]
    effects: tuple[Effect, ...]
    balance: Balance
    replicates: tuple[Replicates, ...]
    costs: tuple[CostPoint, ...]
    changes: SampleChanges | None
    cases: tuple[Case, ...]
    epochs: EpochChange | None

    @property
    def epoch_changes(self) -> tuple[EpochChange, ...]:
        """The change over epochs, if there is one."""
        return () if self.epochs is None else (self.epochs,)

    @property
    def is_headline(self) -> bool:
        """Whether the measure is the task's headline measure."""
        return self.table.is_headline

    @cached_property
    def scale(self) -> Scale:
        """The way in which the measure's values are written."""
        return scale_of(self.table.measure)

    @cached_property
    def labels(self) -> dict[str, str]:
        """Run name to its short name."""
        return run_labels(self.table.runs)


def analyze_measures(found: Collected) -> list[MeasureResults]:
    """The statistics of every measure of every task.

    Args:
        found: with the scores of its evaluations.
    """
    results = []
    for task in found.tasks:
        scores = [score for item in found.evaluations if item.key.task == task.name for score in item.scores]
        for measure in task.measures:
            own = tuple(score for score in scores if score.measure == measure.name)
            is_headline = measure == task.headline
            table = ScoreTable(task.name, measure, own, found.samples, found.runs, is_headline)
            results.append(analyze_measure(table, found.factors))
    return results


def analyze_measure(table: ScoreTable, factors: tuple[FactorUse, ...]) -> MeasureResults:
    """The statistics of one measure of one task."""
    settings = settings_of(table, factors)
    comparisons = compare_runs(table, has_replicates=have_replicates(settings))
    changes = find_changes(table) if table.is_headline else None
    return MeasureResults(
        table=table,
        factors=factors,
        comparisons=comparisons,
        ranking=rank_settings(table, settings, comparisons),
        effects=share_verdicts(estimate_effects(table, factors), comparisons),
        balance=balance_of(table.tuned, factors),
        replicates=summarize_seeds(table, factors),
        costs=compare_costs(table),
        changes=changes,
        cases=select_cases(table, changes),
        epochs=compare_epochs(table) if table.is_headline else None,
    )
