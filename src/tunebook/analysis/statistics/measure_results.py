"""All statistics of one measure of one task."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from tunebook.analysis.collect.collected import Collected
from tunebook.analysis.formatting import Scale, run_labels, scale_of
from tunebook.analysis.records import FactorUse
from tunebook.analysis.statistics.cases import Case, SampleChanges, find_changes, select_cases
from tunebook.analysis.statistics.effects import Effect, estimate_effects
from tunebook.analysis.statistics.pairwise import Comparison, EpochChange, compare_epochs, compare_runs
from tunebook.analysis.statistics.pareto import CostPoint, compare_costs
from tunebook.analysis.statistics.scores import ScoreTable
from tunebook.analysis.statistics.seeds import Replicates, summarize_seeds

__all__ = ["MeasureResults", "analyze_measure", "analyze_measures"]


@dataclass(frozen=True)
class MeasureResults:
    """The statistics of one measure of one task.

    Attributes:
        is_headline: whether the measure is the task's first: findings, cases, changes and epochs are about it only.
        changes: ``None`` for scores that are not right or wrong.
        epochs: ``None`` unless a run was evaluated after several epochs.
    """

    table: ScoreTable
    is_headline: bool
    factors: tuple[FactorUse, ...]
    comparisons: tuple[Comparison, ...]
    effects: tuple[Effect, ...]
    replicates: tuple[Replicates, ...]
    costs: tuple[CostPoint, ...]
    changes: SampleChanges | None
    cases: tuple[Case, ...]
    epochs: EpochChange | None

    @cached_property
    def scale(self) -> Scale:
        """The way in which the measure's values are written."""
        return scale_of(score.value for score in self.table.scores)

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
            own = tuple(score for score in scores if score.measure == measure)
            table = ScoreTable(task.name, measure, own, found.samples, found.runs)
            results.append(analyze_measure(table, found.factors, is_headline=measure == task.measures[0]))
    return results


def analyze_measure(table: ScoreTable, factors: tuple[FactorUse, ...], *, is_headline: bool = True) -> MeasureResults:
    """The statistics of one measure of one task."""
    changes = find_changes(table) if is_headline else None
    return MeasureResults(
        table=table,
        is_headline=is_headline,
        factors=factors,
        comparisons=compare_runs(table),
        effects=estimate_effects(table, factors),
        replicates=summarize_seeds(table, factors),
        costs=compare_costs(table),
        changes=changes,
        cases=select_cases(table, changes),
        epochs=compare_epochs(table) if is_headline else None,
    )
