"""Measures of predicted numbers: the root mean squared error, and the share of the variance that is explained."""

from __future__ import annotations

from typing import Any

from tunebook.analysis.collect.numbers import Numbers
from tunebook.analysis.records import Interval
from tunebook.analysis.statistics.estimates import Estimate
from tunebook.analysis.statistics.intervals import percentile_interval
from tunebook.analysis.statistics.resampling import bootstrap_totals

__all__ = ["NumberArrays", "arrays_of", "r_squared", "root_mean_squared_error"]

_NO_SAMPLE = "undefined: no usable sample"
_CONSTANT = "undefined: all targets are equal"
NumberArrays = tuple[Any, Any, Any]
"""The predicted numbers, the true ones, and the number of each answer's sample."""


def arrays_of(found: Numbers, ids: tuple[str, ...] = ()) -> NumberArrays:
    """The arrays of these samples, in their order; of all of them if none are given."""
    import numpy as np

    numbers = {sample: number for number, sample in enumerate(ids or dict.fromkeys(found.ids))}
    chosen = [place for place, sample in enumerate(found.ids) if sample in numbers]
    predicted = np.asarray([found.predicted[place] for place in chosen], dtype=float)
    targets = np.asarray([found.targets[place] for place in chosen], dtype=float)
    return predicted, targets, np.asarray([numbers[found.ids[place]] for place in chosen], dtype=int)


def root_mean_squared_error(arrays: NumberArrays) -> Estimate:
    """The root of the mean squared error, in the unit of the numbers; its interval is the bootstrap's over samples."""
    import numpy as np
    from sklearn.metrics import root_mean_squared_error as library_value

    predicted, targets, place = arrays
    if not len(predicted):
        return Estimate(None, _NO_SAMPLE)
    squares = (predicted - targets) ** 2
    scale = float(squares.max()) or 1.0  # draws are computed in single precision
    drawn = bootstrap_totals(_by_sample(place, squares / scale, np.ones_like(squares)))
    draws = np.sqrt(scale * drawn[:, 0] / drawn[:, 1])
    return Estimate(float(library_value(targets, predicted)), interval=_interval(draws, place), draws=draws)


def r_squared(arrays: NumberArrays) -> Estimate:
    """1 minus the squared errors, divided by the squared deviations of the targets from their mean: at most 1.

    Below 0, the mean of the targets would have been the better prediction.
    """
    import numpy as np
    from sklearn.metrics import r2_score

    predicted, targets, place = arrays
    if not len(predicted):
        return Estimate(None, _NO_SAMPLE)
    if not np.ptp(targets) > 0:
        return Estimate(None, _CONSTANT)
    spread = float(targets.std())
    errors, deviations = (predicted - targets) / spread, (targets - targets.mean()) / spread
    drawn = bootstrap_totals(_by_sample(place, errors**2, deviations, deviations**2, np.ones_like(errors)))
    squares, sums, own_squares, counts = drawn.T
    variation = own_squares - sums**2 / counts
    with np.errstate(divide="ignore", invalid="ignore"):
        draws = np.where(variation > 1e-6 * counts, 1 - squares / variation, np.nan)
    return Estimate(float(r2_score(targets, predicted)), interval=_interval(draws, place), draws=draws)


def _by_sample(place: Any, *columns: Any) -> Any:
    """The sums of the answers' values for each sample, one column each."""
    import numpy as np

    return np.column_stack([np.bincount(place, weights=column) for column in columns])


def _interval(draws: Any, place: Any) -> Interval | None:
    import numpy as np

    samples = len(set(place.tolist()))
    return percentile_interval(draws[np.isfinite(draws)], samples) if samples > 1 else None
