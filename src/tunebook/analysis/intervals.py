"""Intervals of one mean: Wilson for right and wrong, bootstrap for other scores, Student's t for seeds. Pure.

Random draws have a fixed seed: the same scores give the same interval, to the last bit.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import lru_cache
from statistics import fmean, stdev
from typing import Any

from tunebook.analysis.collect.records import Interval

__all__ = [
    "BOOTSTRAP_DRAWS",
    "LEVEL",
    "bootstrap_interval",
    "bootstrap_means",
    "expanded_share",
    "mean_interval",
    "quantile_interval",
    "sign_patterns",
    "student_interval",
    "wilson_interval",
]

LEVEL = 0.95
BOOTSTRAP_DRAWS = 9_999
_SEED = 20_260_101
_MOST_BITS = 32  # beyond it, patterns are not counted
_CHUNK = 1 << 22  # numbers drawn at a time, 32 MB
_KEEP = 1 << 24  # numbers that are kept for the next run, 128 MB


def wilson_interval(successes: float, n: int, *, level: float = LEVEL) -> Interval | None:
    """Wilson's score interval of a proportion; ``None`` without observations.

    With z the normal quantile and p = successes / n:
    (p + z²/2n ± z √(p(1 - p)/n + z²/4n²)) / (1 + z²/n).

    Source: E. B. Wilson (1927), J. Am. Stat. Assoc. 22:209-212; recommended for its coverage at small n by R. G.
    Newcombe (1998), Statistics in Medicine 17:857-872, method 3.
    """
    if n <= 0:
        return None
    z = _normal_quantile(0.5 + level / 2)
    share = successes / n
    centre = share + z * z / (2 * n)
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    low = 0.0 if successes == 0 else (centre - half) / scale
    high = 1.0 if successes == n else (centre + half) / scale
    return Interval(low, high, "Wilson", level)


@lru_cache
def _normal_quantile(share: float) -> float:
    from scipy.special import ndtri

    return float(ndtri(share))


def bootstrap_interval(values: Sequence[float], *, level: float = LEVEL) -> Interval | None:
    """Percentile bootstrap interval of the mean of independent values, expanded; ``None`` for fewer than two.

    The values are drawn with replacement 9,999 times; the interval lies between the quantiles ``expanded_share`` and 1
    less it of the drawn means. All values alike give an interval of width 0, which says nothing about values that were
    not seen.

    Source: B. Efron and R. J. Tibshirani (1993), An Introduction to the Bootstrap, chapter 13.
    """
    if len(values) < 2:  # noqa: PLR2004  a single value has no spread
        return None
    return quantile_interval(bootstrap_means(values), len(values), level=level)


def quantile_interval(means: Any, count: int, *, level: float = LEVEL) -> Interval:
    """The expanded percentile interval out of the drawn means of ``count`` values."""
    import numpy as np

    share = expanded_share(count, level=level)
    low, high = np.quantile(means, [share, 1 - share])
    return Interval(float(low), float(high), "bootstrap", level)


@lru_cache
def expanded_share(count: int, *, level: float = LEVEL) -> float:
    """The part of the drawn means of ``count`` values that lies outside on each side: Φ(-√(n/(n - 1)) t(n - 1)).

    With t the (1 + level)/2 quantile of Student's distribution. Drawn means spread less than means do, by
    √((n - 1)/n), and plain percentiles have a normal's tails: of 5 values they hold the mean in 84 % of all cases.

    Source: T. C. Hesterberg (2015), What Teachers Should Know About the Bootstrap, The American Statistician
    69:371-386, the expanded percentile interval.
    """
    from scipy.special import ndtr, stdtrit

    return float(ndtr(-math.sqrt(count / (count - 1)) * stdtrit(count - 1, 0.5 + level / 2)))


def bootstrap_means(values: Sequence[float]) -> Any:
    """The means of 9,999 draws with replacement; the draws depend on the number of values only."""
    import numpy as np

    sample = np.asarray(values, dtype=float)
    count = len(sample)
    chunks = _kept_draws(count) if count * BOOTSTRAP_DRAWS <= _KEEP else _draws(count)
    return np.concatenate([chunk @ sample for chunk in chunks]) / count


@lru_cache(maxsize=2)
def _kept_draws(count: int) -> tuple[Any, ...]:
    """A sweep's runs have the same samples: their draws are made once."""
    return tuple(_draws(count))


def _draws(count: int) -> Iterator[Any]:
    """How often each of ``count`` values is drawn, a row a draw, in chunks."""
    import numpy as np

    random = np.random.default_rng(_SEED)
    left = BOOTSTRAP_DRAWS
    while left > 0:
        rows = min(left, max(1, _CHUNK // count))
        drawn = random.integers(0, count, size=(rows, count)) + count * np.arange(rows)[:, None]
        yield np.bincount(drawn.ravel(), minlength=rows * count).reshape(rows, count).astype(float)
        left -= rows


def sign_patterns(count: int) -> Iterator[Any]:
    """Signs for ``count`` values, a row a pattern, in chunks: all where they are at most 9,999, else random ones.

    The first row changes nothing; 9,999 random ones follow it.
    """
    if count * (BOOTSTRAP_DRAWS + 1) <= _KEEP:
        yield from _kept_signs(count)
    else:
        yield from _signs(count)


@lru_cache(maxsize=4)
def _kept_signs(count: int) -> tuple[Any, ...]:
    """A sweep's runs differ from their base model on about as many samples: their signs are made once."""
    return tuple(rows.astype("int8") for rows in _signs(count))


def _signs(count: int) -> Iterator[Any]:
    import numpy as np

    if 1 << min(count, _MOST_BITS) <= BOOTSTRAP_DRAWS:
        yield 1 - 2 * ((np.arange(1 << count)[:, None] >> np.arange(count)) & 1)
        return
    yield np.ones((1, count), dtype=int)
    random = np.random.default_rng(_SEED)
    left = BOOTSTRAP_DRAWS
    while left > 0:
        rows = min(left, max(1, _CHUNK // count))
        yield 1 - 2 * random.integers(0, 2, size=(rows, count), dtype=np.int8)
        left -= rows


def student_interval(values: Sequence[float], *, level: float = LEVEL) -> Interval | None:
    """Student's t interval of the mean of independent values; ``None`` for fewer than two.

    mean ± t(n - 1; (1 + level)/2) · s/√n, with s the standard deviation over n - 1.

    Source: Student (1908), Biometrika 6:1-25.
    """
    if len(values) < 2:  # noqa: PLR2004
        return None
    from scipy.stats import t

    mean = fmean(values)
    half = float(t.ppf(0.5 + level / 2, len(values) - 1)) * stdev(values) / math.sqrt(len(values))
    return Interval(mean - half, mean + half, "Student t", level)


def mean_interval(values: Sequence[float], *, is_binary: bool, level: float = LEVEL) -> Interval | None:
    """The interval of a score: Wilson's if every sample is right or wrong, else the bootstrap's."""
    if is_binary:
        return wilson_interval(sum(values), len(values), level=level)
    return bootstrap_interval(values, level=level)
