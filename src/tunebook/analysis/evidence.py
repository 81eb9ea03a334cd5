"""The statistics of one measure of one task, together: what sentences are made of. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from tunebook.analysis.comparing import Table, final_scores
from tunebook.analysis.formatting import Scale, scale_of
from tunebook.analysis.inference import Comparison, CostPoint, Effect, Replicates
from tunebook.analysis.records import RunRecord, Score
from tunebook.analysis.values import Case, FactorUse

__all__ = ["Evidence"]


@dataclass(frozen=True)
class Evidence:
    """The statistics of one measure of one task."""

    table: Table
    runs: tuple[RunRecord, ...]
    factors: tuple[FactorUse, ...]
    comparisons: tuple[Comparison, ...]
    effects: tuple[Effect, ...]
    replicates: tuple[Replicates, ...]
    costs: tuple[CostPoint, ...]
    cases: tuple[Case, ...]

    @property
    def scale(self) -> Scale:
        """How the measure's values are written."""
        return scale_of(score.value for score in self.table.scores)

    def label(self, run: str) -> str:
        """A run's short name: its directory's."""
        return next((record.directory for record in self.runs if record.name == run), run)

    def finals(self) -> dict[str, Score]:
        """Run name to its score after its last evaluated epoch."""
        return {score.evaluation.run: score for score in final_scores(self.table, self.runs)}
