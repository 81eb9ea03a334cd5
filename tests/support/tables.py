"""A task's table of scores, made of each run's sample values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tunebook.analysis.collect.records import EvaluationKey
from tunebook.analysis.comparing import Table
from tunebook.analysis.scoring import score_of
from tunebook.tools.results import Samples

__all__ = ["table_of"]


def table_of(values: Mapping[str, Sequence[float | None]], ids: Mapping[str, Sequence[str]] | None = None) -> Table:
    """A task's table out of each run's sample values."""
    samples = {}
    for run, own in values.items():
        keys = tuple(ids[run]) if ids else tuple(map(str, range(len(own))))
        texts = tuple("" for _ in own)
        key = EvaluationKey(run, "task", 0)
        samples[key] = Samples(keys, tuple(1 for _ in own), texts, keys, texts, texts, {"m": tuple(own)})
    scores = tuple(score_of(key, "m", own, {}) for key, own in samples.items())
    return Table("task", "m", scores, samples)
