"""The sign-flip test of a mean difference of 0: if two runs are equally good, each difference d is as likely as -d.

The p-value is the share of all 2ⁿ patterns of signs whose sum is at least as far from 0 as the observed one. It needs
no random draws, so it is never limited by their number:

* up to 24 differences: exact, by all patterns of each half of them;
* differences on a lattice (grades, counts, means of k values): exact, by convolution;
* otherwise: the saddlepoint approximation of the tail. Against exact enumeration of 579 sums of 26 and of 34
  differences (normal, uniform, exponential, log-normal, Cauchy, and five that are 100 times as large as the others)
  its relative error is below 1 % for p above 1e-4 and below 5 % for p above 1e-6.

Our own because SciPy's ``permutation_test`` draws patterns at random: with 9,999 of them no p-value is below 1e-4, and
170 tests corrected by Holm can never be significant.
"""

from __future__ import annotations

import math
import sys
from functools import lru_cache
from typing import Any

__all__ = ["EXACT", "SADDLEPOINT", "sign_flip_p_value"]

EXACT, SADDLEPOINT = "exact", "saddlepoint"
_MOST_ENUMERATED = 24  # 2 × 4,096 sums, 1 ms
_MOST_DENOMINATOR = 60  # of a lattice: means of up to 60 grades or counts
_MOST_STEPS = 20_000_000  # of a convolution, 20 ms
_LARGEST_SHARE = 0.1  # of the sum of squares: beyond it, a difference's two signs are counted separately
_MOST_TOLD_APART = 8
_FIRST = 8  # differences: few of them rule out most denominators
_OFF_LATTICE = 1e-6
_NEAR = 1e-3  # standard deviations: nearer to 0 the two terms of the saddlepoint's formula cancel
_MOST_NEWTON = 200
_ROUNDING = 1e-9


def sign_flip_p_value(differences: Any) -> tuple[float, str]:
    """The two-sided p-value, never 0, and whether it is ``exact`` or by ``saddlepoint``."""
    import numpy as np

    sizes = np.sort(np.abs(differences[differences != 0]))[::-1]  # pairs without a difference change no sum
    observed = abs(float(differences.sum()))
    if not len(sizes) or observed <= _ROUNDING * sizes[0]:
        return 1.0, EXACT
    if len(sizes) <= _MOST_ENUMERATED:
        return _positive(2 * _share_by_enumeration(sizes, observed)), EXACT
    lattice = _lattice(sizes)
    if lattice is not None and len(lattice) * int(lattice.sum()) <= _MOST_STEPS:
        unit = float(sizes.sum()) / int(lattice.sum())
        steps = round(observed / unit)
        return _positive(2 * _share_by_convolution(tuple(lattice.tolist()), steps)), EXACT
    rarest = 2.0 ** (1 - len(sizes)) if len(sizes) < 1_000 else 0.0  # noqa: PLR2004  beyond it, no double is so small
    return _positive(max(rarest, 2 * _share_by_saddlepoint(sizes, observed))), SADDLEPOINT


def _positive(p: float) -> float:
    return min(1.0, max(p, sys.float_info.min))


def _share_by_enumeration(sizes: Any, observed: float) -> float:
    """The share of patterns whose sum is at least the observed one: for each of one half, those of the other."""
    import numpy as np

    one, other = _pattern_sums(sizes[::2]), np.sort(_pattern_sums(sizes[1::2]))
    least = observed - _ROUNDING * float(sizes.sum())
    counts = len(other) - np.searchsorted(other, least - one)
    return float(counts.sum()) / 2.0 ** len(sizes)


def _pattern_sums(sizes: Any) -> Any:
    """The sums of all patterns of signs."""
    import numpy as np

    sums = np.zeros(1)
    for size in sizes:
        sums = np.concatenate([sums - size, sums + size])
    return sums


def _lattice(sizes: Any) -> Any:
    """The sizes as whole multiples of their largest common unit; ``None`` if they have none."""
    import numpy as np

    smallest = float(sizes[-1])
    for denominator in range(1, _MOST_DENOMINATOR + 1):
        multiples = sizes * (denominator / smallest)
        whole = np.rint(multiples)
        if np.abs(multiples[:_FIRST] - whole[:_FIRST]).max() > _OFF_LATTICE:
            continue
        if np.abs(multiples - whole).max() <= _OFF_LATTICE:
            return (whole / np.gcd.reduce(whole.astype(np.int64))).astype(np.int64)
    return None


@lru_cache(maxsize=64)  # runs that gained and lost as many points have the same distribution
def _tails(lattice: tuple[int, ...]) -> Any:
    """The probability that at least k of the lattice's steps have a positive sign, for every k; only sums of products.

    The sum of positive terms keeps its relative accuracy however small a tail is, which an FFT does not.
    """
    import numpy as np

    total = sum(lattice)
    chances = np.zeros(total + 1)
    chances[0] = 1.0
    reached = 0
    for size in sorted(lattice):
        shifted = 0.5 * chances[: reached + 1]
        chances[: reached + 1] *= 0.5
        reached += size
        chances[size : reached + 1] += shifted
    return np.cumsum(chances[::-1])[::-1]


def _share_by_convolution(lattice: tuple[int, ...], steps: int) -> float:
    """The share of patterns whose sum is at least so many steps: 2 × (positive steps) - all steps."""
    positive = -(-(sum(lattice) + steps) // 2)
    return float(_tails(lattice)[positive])


def _share_by_saddlepoint(sizes: Any, observed: float) -> float:
    """The chance that the sum is at least the observed one; the largest differences' signs are counted separately.

    With K(t) = Σ log cosh(t dᵢ), the saddlepoint t solves K'(t) = x; with w = √(2(tx - K(t))) and u = t √K''(t) the
    chance is about 1 - Φ(w) + φ(w) (1/u - 1/w). It is smooth in x, while a difference that is much larger than all
    others makes steps: so the chance is the mean over both signs of each such difference.

    Source: R. Lugannani and S. Rice (1980), Advances in Applied Probability 12:475-490; for permutation tests
    J. Robinson (1982), J. R. Statist. Soc. B 44:91-101.
    """
    import numpy as np

    squares = sizes * sizes
    left = np.cumsum(squares[::-1])[::-1]
    large = 0
    while large < _MOST_TOLD_APART and squares[large] > _LARGEST_SHARE * left[large]:
        large += 1
    rests = observed - _pattern_sums(sizes[:large])
    upper = _upper_tails(sizes[large:], np.abs(rests))
    return float(np.where(rests >= 0, upper, 1 - upper).mean())


def _upper_tails(sizes: Any, sums: Any) -> Any:
    """The chance of a sum of at least each of these, which are not negative."""
    import numpy as np
    from scipy.special import ndtr

    squares = sizes * sizes
    deviation = math.sqrt(float(squares.sum()))
    can_be = sums < float(sizes.sum()) * (1 - _ROUNDING)
    tails = np.where(can_be, ndtr(-sums / deviation), 0.0)  # the normal approximation, exact enough near 0
    place = np.flatnonzero(can_be & (sums > _NEAR * deviation))
    if len(place):
        wanted = sums[place]
        t = _saddlepoints(sizes, wanted)
        scaled = t[:, None] * sizes
        w = np.sqrt(2 * (t * wanted - _log_cosh(scaled).sum(axis=1)))
        u = t * np.sqrt((1 - np.tanh(scaled) ** 2) @ squares)
        density = np.exp(-w * w / 2) / math.sqrt(2 * math.pi)
        tails[place] = ndtr(-w) + density * (1 / u - 1 / w)
    return np.clip(tails, 0.0, 1.0)


def _log_cosh(values: Any) -> Any:
    import numpy as np

    return values + np.log1p(np.exp(-2 * values)) - math.log(2)


def _saddlepoints(sizes: Any, sums: Any) -> Any:
    """For each sum x the t > 0 with Σ d tanh(t d) = x, by Newton's steps from below.

    Σ d tanh(t d) is concave for t > 0, so that Newton's step from a point below the root stays below it.
    """
    import numpy as np

    squares = sizes * sizes
    t = sums / float(squares.sum())  # below the root, since tanh(y) <= y
    for _ in range(_MOST_NEWTON):
        tanh = np.tanh(t[:, None] * sizes)
        step = (sums - tanh @ sizes) / ((1 - tanh * tanh) @ squares)
        t = t + step
        if (np.abs(step) <= 1e-9 * t).all():
            break
    return t
