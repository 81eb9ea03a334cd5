"""Recommendations for what to do next: close gaps, evaluate more samples, train more seeds."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence

from tunebook.analysis.formatting import plural
from tunebook.analysis.records import Gap
from tunebook.analysis.statistics.measure_results import MeasureResults

__all__ = ["estimate_samples", "recommend"]

_MOST_SAMPLES = 100_000  # more cannot be recommended
_POWER = 1 + 0.8416 / 1.9600  # standard errors that 80 % power needs, in half widths of a 95 % interval


def recommend(results: Sequence[MeasureResults], gaps: Sequence[Gap]) -> tuple[str, ...]:
    """Sentences: first about missing results, then about what would reduce the uncertainty."""
    hints = Counter(gap.hint for gap in gaps if gap.hint)
    sentences = [f"{hint[0].upper()}{hint[1:]} ({plural(count, 'gap')})." for hint, count in hints.items()]
    for item in results:
        sentences += [*_more_samples(item), *_more_seeds(item)]
    return tuple(dict.fromkeys(sentences))


def _more_samples(results: MeasureResults) -> Iterator[str]:
    """How many samples would show the next run's difference from the best one, if it is as large as it seems."""
    candidates = []
    for item in results.comparisons:
        if item.against == "best" and not item.significant and item.difference < 0 and item.interval is not None:
            half_width = (item.interval.high - item.interval.low) / 2
            candidates.append((item.difference, half_width, item))
    if not candidates:
        return
    difference, half_width, nearest = max(candidates, key=lambda candidate: candidate[0])
    wanted = estimate_samples(nearest.n, half_width, difference)
    if nearest.n < wanted < _MOST_SAMPLES:
        one, two = results.labels[nearest.run], results.labels[nearest.other]
        yield (
            f"Evaluate {one} and {two} on more samples of {nearest.task}: if their difference is "
            f"{results.scale.difference(abs(difference))}, about {_two_digits(wanted)} samples would show it in four "
            "cases out of five."
        )


def estimate_samples(n: int, half_width: float, difference: float) -> int:
    """How many samples show a difference with a power of 80 %, given the half width of its 95 % interval for ``n``.

    n ((1 + z(0.8)/z(0.975)) half width / difference)². Our own because statsmodels' ``NormalIndPower().solve_power``,
    which gives the same number within 0.002 %, fails for differences of 3 standard deviations and more.

    Source: J. Cohen (1988), Statistical Power Analysis for the Behavioral Sciences, 2nd edition, chapter 2.
    """
    return math.ceil(n * (_POWER * half_width / difference) ** 2)


def _two_digits(count: int) -> int:
    """The number rounded up to two digits."""
    unit = int(10 ** max(0, len(str(count)) - 2))
    return -(-count // unit) * unit


def _more_seeds(results: MeasureResults) -> Iterator[str]:
    if len(results.table.tuned) > 1 and not results.replicates:
        yield (
            "Train the settings that matter with two or three more seeds (a `Seed` column): this separates differences "
            "between settings from chance in training."
        )
