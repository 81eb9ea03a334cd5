"""The scores of one task, made of each run's sample values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tunebook.analysis.records import EvaluationKey, Measure, RunRecord
from tunebook.analysis.statistics.scores import ScoreTable, compute_score
from tunebook.core.measures import Direction
from tunebook.core.plan import RunType
from tunebook.tools.results import Samples

__all__ = ["Values", "run_of", "table_of"]

M = Measure("m", Direction.HIGHER, is_share=True)
Values = Sequence[float | None]


def run_of(name: str, levels: Mapping[str, str] | None = None, base: str | None = None) -> RunRecord:
    """A fine-tuned run; one called ``base`` is a control."""
    kind = RunType.CONTROL if name == "base" else RunType.FINE_TUNED
    return RunRecord(name, name, kind, "model", base, levels=levels or {})


def table_of(
    values: Mapping[str, Values | Mapping[int, Values]],
    runs: Sequence[RunRecord] | None = None,
    *,
    ids: Mapping[str, Sequence[str]] | None = None,
    targets: Mapping[str, Sequence[str]] | None = None,
    measure: Measure = M,
) -> ScoreTable:
    """A task's scores.

    Args:
        values: each run's sample values, or those of each of its epochs; the epoch is 0 otherwise.
        runs: by default a fine-tuned run for each name, without levels and without a base model.
        ids: each run's sample ids; 0, 1, 2, … by default.
        targets: each run's targets; by default the sample ids.
    """
    samples = {}
    for run, given in values.items():
        for epoch, own in (given if isinstance(given, Mapping) else {0: given}).items():
            names = tuple(ids[run]) if ids else tuple(map(str, range(len(own))))
            wanted = tuple(targets[run]) if targets else names
            texts = ("",) * len(own)
            key = EvaluationKey(run, "task", epoch)
            samples[key] = Samples(names, (1,) * len(own), texts, wanted, texts, texts, {measure.name: tuple(own)})
    scores = tuple(compute_score(key, measure.name, own) for key, own in samples.items())
    return ScoreTable("task", measure, scores, samples, runs or [run_of(run) for run in values])
