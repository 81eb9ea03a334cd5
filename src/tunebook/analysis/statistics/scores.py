"""Scores of samples (over their repetitions), of evaluations (with intervals) and of runs (final ones, the best)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from statistics import fmean, stdev

from tunebook.analysis.collect.source import Collected
from tunebook.analysis.records import EvaluationKey, Measure, RunRecord, Score
from tunebook.analysis.statistics.intervals import mean_interval
from tunebook.analysis.statistics.logged import logged_value
from tunebook.core.plan import RunType
from tunebook.tools.results import LoggedMetric, Samples

__all__ = ["ScoreTable", "best_score", "compute_score", "final_scores", "sample_values", "score_evaluations"]


def score_evaluations(found: Collected) -> Collected:
    """The collected facts with a score for each measure of every evaluation that has samples."""
    scores: dict[EvaluationKey, tuple[Score, ...]] = {}
    for key, samples in found.samples.items():
        metrics = found.headers[key].metrics
        scores[key] = tuple(
            compute_score(key, measure, samples, metrics.get(measure, ())) for measure in samples.values
        )
    evaluations = [replace(evaluation, scores=scores.get(evaluation.key, ())) for evaluation in found.evaluations]
    return replace(found, evaluations=tuple(evaluations))


def compute_score(key: EvaluationKey, measure: str, samples: Samples, metrics: Sequence[LoggedMetric] = ()) -> Score:
    """The score of one measure of one evaluation.

    Args:
        metrics: what the log itself reports of the measure.
    """
    values = list(sample_values(samples, measure).values())
    is_binary = bool(values) and set(values) <= {0.0, 1.0}
    value = fmean(values) if values else None
    logged = logged_value(metrics, samples, measure, value)
    return Score(
        evaluation=key,
        measure=measure,
        value=value,
        n=len(values),
        interval=mean_interval(values, is_binary=is_binary),
        is_binary=is_binary,
        stderr=stdev(values) / math.sqrt(len(values)) if len(values) > 1 else None,
        logged=logged.value,
        logged_metric=logged.metric,
        logged_note=logged.note,
        answers=sum(value is not None for value in samples.values.get(measure, ())),
        missing=sum(value is None for value in samples.values.get(measure, ())),
        no_answers=_count_no_answers(samples, measure),
    )


def _count_no_answers(samples: Samples, measure: str) -> int:
    """How many answers have the grade ``N``; among numbers this letter is not a grade, and the value is missing."""
    marks = samples.letters.get(measure, "")
    return sum(
        mark == "N" and value is not None for mark, value in zip(marks, samples.values.get(measure, ()), strict=False)
    )


def sample_values(samples: Samples, measure: str) -> dict[str, float]:
    """Sample id to its value: the mean over its repetitions; samples without a value are left out."""
    repetitions: dict[str, list[float]] = {}
    for sample, value in zip(samples.ids, samples.values.get(measure, ()), strict=False):
        if value is not None:
            repetitions.setdefault(sample, []).append(value)
    return {sample: values[0] if len(values) == 1 else fmean(values) for sample, values in repetitions.items()}


def final_scores(scores: Iterable[Score], runs: Iterable[RunRecord]) -> dict[str, Score]:
    """Each run's score after its last evaluated epoch, by run name in the plan's order; runs without one are left out.

    Args:
        scores: of one measure of one task.
        runs: all runs.
    """
    last: dict[str, Score] = {}
    for score in scores:
        run = score.evaluation.run
        if score.value is not None and (run not in last or last[run].evaluation.epoch < score.evaluation.epoch):
            last[run] = score
    return {run.name: last[run.name] for run in runs if run.name in last}


def candidates_of(finals: Mapping[str, Score], runs: Iterable[RunRecord]) -> list[Score]:
    """The final scores of all runs but the base models, in the plan's order."""
    return [finals[run.name] for run in runs if run.type is not RunType.CONTROL and run.name in finals]


def best_score(finals: Mapping[str, Score], runs: Iterable[RunRecord], measure: Measure) -> Score | None:
    """The best final score of all runs but the base models; the first in the plan among equals.

    ``None`` without a score, and where the measure's direction is unknown.
    """
    if not measure.has_direction:
        return None
    return max(candidates_of(finals, runs), key=lambda score: measure.goodness(score.value), default=None)


@dataclass(frozen=True)
class ScoreTable:
    """All scores of one measure of one task, the samples behind them, and all runs.

    Attributes:
        scores: in the plan's order; a run may have several epochs.
        runs: in the plan's order, with and without a score.
        is_headline: whether the measure is the task's headline measure.
    """

    task: str
    measure: Measure
    scores: tuple[Score, ...]
    samples: Mapping[EvaluationKey, Samples]
    runs: Sequence[RunRecord]
    is_headline: bool = True

    @cached_property
    def finals(self) -> Mapping[str, Score]:
        """Run name to its final score."""
        return final_scores(self.scores, self.runs)

    @cached_property
    def candidates(self) -> list[Score]:
        """The final scores of all runs but the base models."""
        return candidates_of(self.finals, self.runs)

    @cached_property
    def best(self) -> Score | None:
        """The best final score."""
        return best_score(self.finals, self.runs, self.measure)

    @cached_property
    def bases(self) -> Mapping[str, EvaluationKey]:
        """Run name to the final evaluation of its base model; only where both have a score."""
        bases = {}
        for run in self.runs:
            if run.name in self.finals and run.base is not None and run.base in self.finals:
                bases[run.name] = self.finals[run.base].evaluation
        return bases

    @cached_property
    def tuned(self) -> tuple[RunRecord, ...]:
        """The fine-tuned runs that have a final score."""
        return tuple(run for run in self.runs if run.type is RunType.FINE_TUNED and run.name in self.finals)

    @property
    def tuned_keys(self) -> list[EvaluationKey]:
        """The evaluations behind the final scores of the fine-tuned runs."""
        return [self.finals[run.name].evaluation for run in self.tuned]

    @cached_property
    def tuned_scores(self) -> list[float]:
        """The final scores of the fine-tuned runs."""
        return [self.finals[run.name].value or 0.0 for run in self.tuned]

    def values(self, key: EvaluationKey) -> dict[str, float]:
        """Sample id to value."""
        return sample_values(self.samples[key], self.measure.name)

    def targets(self, key: EvaluationKey) -> dict[str, str]:
        """Sample id to target."""
        samples = self.samples[key]
        return dict(zip(samples.ids, samples.targets, strict=True))
