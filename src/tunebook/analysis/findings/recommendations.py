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
_MOST_SEEDS = 50
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
    for item in results.ranking:
        interval = item.difference_interval
        if item.generalizes == "samples" and not item.significant and item.difference and interval is not None:
            candidates.append((abs(item.difference), (interval.high - interval.low) / 2, item))
    if not candidates:
        return
    difference, half_width, nearest = min(candidates, key=lambda candidate: candidate[0])
    wanted = estimate_samples(nearest.n, half_width, difference)
    if nearest.n < wanted < _MOST_SAMPLES:
        yield (
            f"Evaluate {nearest.setting} and {results.ranking[0].setting} on more samples of {nearest.task}: if the "
            f"difference ({nearest.measure}) is {_size(results, difference)}, about {_two_digits(wanted)} "
            "samples would show it in four cases out of five, in a single test."
        )


def _size(results: MeasureResults, difference: float) -> str:
    """A difference without its sign."""
    return results.scale.change(difference).lstrip("+")


def estimate_samples(n: int, half_width: float, difference: float) -> int:
    """How many samples or seeds show a difference with a power of 80 %, given the half width of its interval for ``n``.

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
    """More seeds: where each setting has one, and where the spread between seeds hides differences of settings."""
    if len(results.table.tuned) < 2:  # noqa: PLR2004  nothing to compare
        return
    if not results.replicates:
        yield (
            "Train the settings that matter with two or three more seeds (a `Seed` column): this separates differences "
            "between settings from chance in training."
        )
        return
    unclear = [item for item in results.ranking if item.generalizes == "seeds" and not item.significant]
    unclear = [item for item in unclear if item.difference and item.difference_interval is not None]
    if not unclear:
        return
    nearest = min(unclear, key=lambda item: abs(item.difference or 0.0))
    interval, difference = nearest.difference_interval, abs(nearest.difference or 0.0)
    seeds = min(len(nearest.runs), len(results.ranking[0].runs))
    if interval is None:
        return
    wanted = estimate_samples(seeds, (interval.high - interval.low) / 2, difference)
    if seeds < wanted < _MOST_SEEDS:
        yield (
            f"Train {nearest.setting} and {results.ranking[0].setting} with more seeds: scores vary between seeds, and "
            f"if the difference of their means ({nearest.measure} on {nearest.task}) is {_size(results, difference)}, "
            f"about {wanted} seeds each would show it in four cases out of five, in a single test."
        )
