"""Phrases that several findings share: names of runs, scores with their uncertainty, the scope of a test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from tunebook.analysis.records import Score
from tunebook.analysis.statistics.measure_results import MeasureResults
from tunebook.analysis.wording import Scale, scale_of

__all__ = ["COULD_BE_CHANCE", "FEW_RUNS", "TO_RETRAINING", "TO_SAMPLES", "Phrases", "level_text", "listed", "shortened"]

FEW_RUNS = 4
"""The most runs that a sentence names one by one."""
TO_RETRAINING = "generalizes to retraining, not to new test samples"
TO_SAMPLES = "generalizes to new test samples, not to retraining"
COULD_BE_CHANCE = " This difference could be chance."
_LETTERS = 40  # of a level: a prompt may be one


@dataclass(frozen=True)
class Phrases:
    """The phrases for one measure of one task."""

    results: MeasureResults

    @cached_property
    def scale(self) -> Scale:
        """The way in which the measure's values are written."""
        return scale_of(score.value for score in self.results.table.scores)

    @cached_property
    def labels(self) -> dict[str, str]:
        """Run name to its short name, which is that of its directory."""
        return {run.name: run.directory for run in self.results.table.runs}

    def score(self, score: Score) -> str:
        """``87.5 % (95 % interval 73.9 to 94.5 %)``."""
        return self.scale.with_interval(score.value, score.interval)

    def runs(self, names: Sequence[str]) -> str:
        """The runs by name, or how many other runs there are."""
        if len(names) > FEW_RUNS:
            return f"{len(names)} other runs"
        return listed([self.labels[name] for name in names])


def listed(names: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def shortened(names: Sequence[str]) -> str:
    """``a, b, c, d and 3 more``."""
    more = f" and {len(names) - FEW_RUNS} more" if len(names) > FEW_RUNS else ""
    return ", ".join(names[:FEW_RUNS]) + more


def level_text(text: str) -> str:
    """A factor's level, cut if it is long."""
    return text if len(text) <= _LETTERS else text[: _LETTERS - 1] + "…"
