"""Measures of predicted probabilities: the area under the ROC curve, calibration errors, and the mean risk."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from tunebook.analysis.collect.risks import Risks
from tunebook.analysis.records import Interval
from tunebook.analysis.statistics.estimates import Estimate, normal_interval
from tunebook.analysis.statistics.intervals import ALPHA, LEVEL, student_interval, wilson_interval
from tunebook.analysis.statistics.resampling import bootstrap_totals

__all__ = [
    "BINS",
    "Bin",
    "RiskArrays",
    "area_under_curve",
    "base_rate",
    "bins_of",
    "calibration_error",
    "mean_excess",
    "mean_risk",
]

BINS = 10
"""Bins of equal width, of calibration errors and of reliability curves."""
ONE_CLASS = "undefined: one class"
_NO_SAMPLE = "undefined: no usable sample"
_NULL_DRAWS, _SEED = 499, 20_260_103
_NUMBERS_AT_A_TIME = 1 << 21


@dataclass(frozen=True)
class RiskArrays:
    """The risks of the answers to some samples, as arrays; ``place`` is the number of an answer's sample."""

    samples: int
    place: Any
    risk: Any
    outcome: Any
    confidence: Any
    right: Any

    @classmethod
    def of(cls, found: Risks, ids: tuple[str, ...] = ()) -> RiskArrays:
        """The arrays of these samples, in their order; of all of them if none are given."""
        import numpy as np

        numbers = {sample: number for number, sample in enumerate(ids or dict.fromkeys(found.ids))}
        chosen = [place for place, sample in enumerate(found.ids) if sample in numbers]

        def column(values: tuple[float, ...]) -> Any:
            return np.asarray([values[place] for place in chosen], dtype=float)

        place = np.asarray([numbers[found.ids[place]] for place in chosen], dtype=int)
        columns = map(column, (found.risks, found.outcomes, found.confidences, found.rights))
        return cls(len(numbers), place, *columns)

    def by_sample(self, values: Any) -> Any:
        """The sum of the answers' values for each sample."""
        import numpy as np

        return np.bincount(self.place, weights=values, minlength=self.samples)

    def means(self, values: Any) -> Any:
        """The mean of the answers' values for each sample."""
        import numpy as np

        return self.by_sample(values) / self.by_sample(np.ones_like(values))


def area_under_curve(arrays: RiskArrays) -> Estimate:
    """The area under the ROC curve: how often a sample with the outcome has the higher risk than one without it.

    The area is the mean placement of the positive answers among the negative ones, and its variance is DeLong's, from
    the placements of both (Sun and Xu's formula with midranks); the answers to one sample are summed (Obuchowski). The
    interval is symmetric on the logit scale, so that it stays within 0 and 1. An area of 0 or 1 has no interval: no
    sample says how far it may be off. scikit-learn's ``roc_auc_score`` gives the same area but no variance, and takes
    3.8 ms for 1,000 samples, the whole of this 0.9 ms: by group it is computed some thousand times.

    Source: E. R. DeLong et al. (1988), Biometrics 44:837-845; X. Sun and W. Xu (2014), IEEE Signal Processing Letters
    21:1389-1393; N. A. Obuchowski (1997), Biometrics 53:567-578; M. S. Pepe (2003), The Statistical Evaluation of
    Medical Tests, section 5.2.
    """
    positive = arrays.outcome == 1
    ones, zeros = int(positive.sum()), int((~positive).sum())
    if not ones or not zeros:
        return Estimate(None, ONE_CLASS if ones + zeros else _NO_SAMPLE)
    placements = _placements(arrays.risk, positive)
    area = float(placements[positive].mean())
    parts = (placements - area) / _spreads(positive, ones, zeros)
    influences = arrays.by_sample(parts)
    return Estimate(area, interval=_logit_interval(area, influences, min(ones, zeros)), influences=influences)


def _placements(risk: Any, positive: Any) -> Any:
    """For each answer, the share of those of the other class on its right side; ties count half."""
    import numpy as np
    from scipy.stats import rankdata

    ranks = rankdata(risk)
    placements = np.empty(len(risk))
    lower = ranks[positive] - rankdata(risk[positive])  # negative answers with a lower risk
    placements[positive] = lower / np.count_nonzero(~positive)
    lower = ranks[~positive] - rankdata(risk[~positive])
    placements[~positive] = 1 - lower / np.count_nonzero(positive)
    return placements


def _spreads(positive: Any, ones: int, zeros: int) -> Any:
    """The divisors with which the sum of the squared parts of all answers is the variance of the area."""
    import numpy as np

    return np.where(positive, math.sqrt(ones * max(1, ones - 1)), math.sqrt(zeros * max(1, zeros - 1)))


def _logit_interval(area: float, influences: Any, fewest: int) -> Interval | None:
    import numpy as np
    from scipy.special import expit, logit

    error = float(np.sqrt(np.sum(influences**2)))
    if not 0 < area < 1 or not error or fewest < 2:  # noqa: PLR2004  a class of one sample has no spread
        return None
    found = normal_interval(float(logit(area)), error / (area * (1 - area)))
    return Interval(float(expit(found.low)), float(expit(found.high)), "DeLong", LEVEL)


def bin_numbers(probabilities: Any) -> Any:
    """The bin of each probability: 0 to below 0.1, …, 0.9 to 1."""
    import numpy as np

    return np.minimum(np.floor(np.round(probabilities * BINS, 9)), BINS - 1).astype(int)


def calibration_error(arrays: RiskArrays, probability: Any, hit: Any) -> Estimate:
    """The expected calibration error: over 10 bins, the mean distance of the predicted from the observed share.

    Own formula: scikit-learn has the points of the curve but not the error. Chance alone makes the error positive, most
    with few samples, so that a percentile interval misses a truth near 0 every time. The interval here starts at 0
    unless perfectly calibrated predictions would exceed the error in at most 2.5 % of cases; then at the basic
    bootstrap's lower end. It ends at the error plus z standard errors. Simulated: it covers the truth in 92 to 98 % of
    cases with 50 to 1,000 samples, whether the predictions are perfectly calibrated or 15 points off. ``expected`` is
    the mean error of perfectly calibrated predictions for the same samples.

    Args:
        arrays: whose answers these are.
        probability: the predicted one, of each answer.
        hit: whether what was predicted happened, for each answer.
    """
    import numpy as np

    answers = len(probability)
    if not answers:
        return Estimate(None, _NO_SAMPLE)
    bins = bin_numbers(probability)
    error = _error(np.bincount(bins, weights=probability - hit, minlength=BINS), answers)
    totals = np.stack(
        [arrays.by_sample(np.where(bins == each, probability - hit, 0.0)) for each in range(BINS)], axis=1
    )
    weights = arrays.by_sample(np.ones(answers))
    drawn = bootstrap_totals(np.column_stack([totals, weights]))
    draws = np.abs(drawn[:, :BINS]).sum(axis=1) / drawn[:, BINS]
    calibrated = _calibrated_errors(arrays, probability, bins)
    exceeding = (1 + np.count_nonzero(calibrated >= error - 1e-9)) / (1 + len(calibrated))
    low = 0.0
    if exceeding <= ALPHA / 2:
        low = max(0.0, 2 * error - float(np.quantile(draws, 1 - ALPHA / 2)))
    high = normal_interval(error, float(np.std(draws))).high
    interval = Interval(min(low, error), min(1.0, high), "bootstrap", LEVEL) if arrays.samples > 1 else None
    return Estimate(error, interval=interval, draws=draws, expected=float(calibrated.mean()))


def _error(totals: Any, answers: int) -> float:
    return float(abs(totals).sum()) / answers


def _calibrated_errors(arrays: RiskArrays, probability: Any, bins: Any) -> Any:
    """The errors that perfectly calibrated predictions would have, by drawn outcomes; one per sample."""
    import numpy as np

    random = np.random.default_rng(_SEED)
    single = probability.astype("float32")
    in_bin = (bins[:, None] == np.arange(BINS)).astype("float32")
    errors = []
    rows = max(1, _NUMBERS_AT_A_TIME // len(probability))
    for start in range(0, _NULL_DRAWS, rows):
        drawn = random.random((min(rows, _NULL_DRAWS - start), arrays.samples), dtype="float32")
        hits = drawn[:, arrays.place] < single
        totals = single @ in_bin - hits.astype("float32") @ in_bin
        errors.append(np.abs(totals).sum(axis=1) / len(probability))
    return np.concatenate(errors)


def mean_risk(arrays: RiskArrays) -> Estimate:
    """The mean predicted probability of the outcome."""
    found = _mean(arrays, arrays.risk)
    if found.interval is None:
        return found
    return replace(found, interval=found.interval.within(0.0, 1.0))


def mean_excess(arrays: RiskArrays) -> Estimate:
    """The mean risk minus the base rate: above 0, the outcome is predicted too often."""
    return _mean(arrays, arrays.risk - arrays.outcome)


def _mean(arrays: RiskArrays, answers: Any) -> Estimate:
    if not arrays.samples:
        return Estimate(None, _NO_SAMPLE)
    values = arrays.means(answers)
    return Estimate(float(values.mean()), interval=student_interval(values.tolist()))


def base_rate(arrays: RiskArrays) -> Estimate:
    """The share of samples with the outcome."""
    if not arrays.samples:
        return Estimate(None, _NO_SAMPLE)
    outcomes = arrays.means(arrays.outcome)
    interval = None
    if set(outcomes.tolist()) <= {0.0, 1.0}:
        interval = wilson_interval(int(outcomes.sum()), len(outcomes))
    return Estimate(float(outcomes.mean()), interval=interval)


@dataclass(frozen=True)
class Bin:
    """A bin of a reliability curve.

    Attributes:
        low: where the bin starts; ``high`` where it ends.
        answers: how many predictions it has.
        predicted: their mean; ``observed`` is the share of them that happened, with its ``interval``.
    """

    low: float
    high: float
    answers: int
    predicted: float
    observed: float
    interval: Interval | None


def bins_of(probability: Any, hit: Any) -> Iterator[Bin]:
    """The bins of a reliability curve that are not empty.

    scikit-learn's ``calibration_curve`` gives neither the counts nor the intervals of its points.
    """
    import numpy as np

    bins = bin_numbers(probability)
    for number in np.unique(bins).tolist():
        own = bins == number
        count, hits = int(own.sum()), int(hit[own].sum())
        interval = wilson_interval(hits, count)
        yield Bin(number / BINS, (number + 1) / BINS, count, float(probability[own].mean()), hits / count, interval)
