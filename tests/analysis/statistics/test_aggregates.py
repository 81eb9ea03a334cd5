"""Measures of all samples together, against scikit-learn, plain loops, and simulations."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from scipy.special import expit, logit
from scipy.stats import norm
from sklearn.metrics import brier_score_loss, r2_score, roc_auc_score, root_mean_squared_error

from support.risks import collected, number_samples, risk_samples, risks_and_outcomes
from tunebook.analysis.collect.risks import read_risks
from tunebook.analysis.records import Measure
from tunebook.analysis.statistics.aggregates import Aggregate, Aggregates, aggregate
from tunebook.analysis.statistics.estimates import difference_of
from tunebook.analysis.statistics.risk import RiskArrays, area_under_curve, bins_of, calibration_error
from tunebook.analysis.statistics.scores import sample_values
from tunebook.core.measures import Direction

Z = 1.959963984540054


def arrays_of(risks: Sequence[float], outcomes: Sequence[int], repeats: int = 1) -> RiskArrays:
    return RiskArrays.of(read_risks(risk_samples(risks, outcomes, repeats=repeats), "risk"))


def named(found: Aggregates, measure: str, run: str = "run") -> Aggregate:
    return next(each for each in found.results if (each.measure, each.run) == (measure, run))


@pytest.fixture(scope="module")
def compared() -> tuple[Aggregates, dict[str, np.ndarray], np.ndarray]:
    """A run and its base model with 80 samples; the run has no usable risk for two of them."""
    risks, samples = {}, {}
    for seed, (name, skill) in enumerate({"base": 0.4, "run": 1.2}.items()):
        risks[name], outcomes = risks_and_outcomes(80, skill, seed)
        given = risks[name].round(1).tolist()  # with ties, and on the edges of bins
        risks[name] = np.asarray(given)
        samples[name] = risk_samples([None, None, *given[2:]] if name == "run" else given, outcomes.tolist())
    return aggregate(collected(samples)), risks, outcomes


def delong(risks: np.ndarray, outcomes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The placements of positives and of negatives, by comparing every pair."""
    positive, negative = risks[outcomes == 1], risks[outcomes == 0]
    wins = (positive[:, None] > negative) + 0.5 * (positive[:, None] == negative)
    return wins.mean(axis=1), wins.mean(axis=0)


def test_the_area_and_its_test_are_those_of_scikit_learn_and_of_delong(
    compared: tuple[Aggregates, dict[str, np.ndarray], np.ndarray],
) -> None:
    found, risks, outcomes = compared
    area = named(found, "risk/auc")
    own, base, y = risks["run"][2:], risks["base"][2:], outcomes[2:]
    assert area.n == 78
    assert area.value == pytest.approx(roc_auc_score(y, own))
    (p1, n1), (p0, n0) = delong(own, y), delong(base, y)
    variance = p1.var(ddof=1) / len(p1) + n1.var(ddof=1) / len(n1)
    a = p1.mean()
    error = math.sqrt(variance) / (a * (1 - a))
    assert area.interval is not None
    assert (area.interval.low, area.interval.high) == pytest.approx(
        tuple(expit(logit(a) + sign * Z * error) for sign in (-1, 1))
    )
    test = area.comparison
    assert test is not None
    covariance = np.cov(p1, p0)[0, 1] / len(p1) + np.cov(n1, n0)[0, 1] / len(n1)
    of_base = p0.var(ddof=1) / len(p0) + n0.var(ddof=1) / len(n0)
    z = (p1.mean() - p0.mean()) / math.sqrt(variance + of_base - 2 * covariance)
    assert test.n == 78
    assert test.base_value == pytest.approx(roc_auc_score(y, base))
    assert test.p == pytest.approx(2 * norm.sf(abs(z)))
    assert (test.family.name, test.family.size) == ("final epoch against the base model, risk/auc", 1)  # type: ignore[union-attr]


def loop_error(predicted: Sequence[float], happened: Sequence[float]) -> float:
    """The calibration error, bin by bin."""
    total = 0.0
    for number in range(10):
        inside = [
            (one, other)
            for one, other in zip(predicted, happened, strict=True)
            if number / 10 <= one + 1e-12 and (one + 1e-12 < (number + 1) / 10 or number == 9)
        ]
        if inside:
            ones, others = zip(*inside, strict=True)
            total += len(inside) / len(predicted) * abs(sum(ones) / len(ones) - sum(others) / len(others))
    return total


def test_calibration_errors_are_those_of_a_plain_loop(
    compared: tuple[Aggregates, dict[str, np.ndarray], np.ndarray],
) -> None:
    found, risks, outcomes = compared
    risk = risks["base"]
    right = ((risk >= 0.5) == outcomes).astype(float)
    ece, error = named(found, "risk/ece", "base"), named(found, "risk/risk_calibration_error", "base")
    assert ece.value == pytest.approx(loop_error(np.maximum(risk, 1 - risk).tolist(), right.tolist()))
    assert error.value == pytest.approx(loop_error(risk.tolist(), outcomes.tolist()))
    bins = [each.bin for each in found.bins if (each.run, each.curve) == ("base", "risk")]
    assert sum(each.answers for each in bins) == 80
    assert sum(each.answers / 80 * abs(each.predicted - each.observed) for each in bins) == pytest.approx(error.value)


def test_brier_score_mean_risk_and_base_rate_are_those_of_the_samples(
    compared: tuple[Aggregates, dict[str, np.ndarray], np.ndarray],
) -> None:
    found, risks, outcomes = compared
    facts = collected({"base": risk_samples(risks["base"].tolist(), outcomes.tolist())})
    ((_, samples),) = facts.samples.items()
    values = list(sample_values(samples, "risk/brier").values())
    assert sum(values) / 80 == pytest.approx(brier_score_loss(outcomes, risks["base"]))
    assert named(found, "risk/mean_risk", "base").value == pytest.approx(risks["base"].mean())
    assert named(found, "risk/base_rate", "base").value == pytest.approx(outcomes.mean())
    assert named(found, "risk/risk_minus_base_rate", "base").comparison is None


def test_unusable_answers_are_counted_with_their_reason(
    compared: tuple[Aggregates, dict[str, np.ndarray], np.ndarray],
) -> None:
    coverage = {each.run: each for each in compared[0].coverage}
    assert (coverage["run"].usable, coverage["run"].answers) == (78, 80)
    assert dict(coverage["run"].unusable) == {"`risk_score` is missing": 2}


def test_one_class_has_no_area_and_a_perfect_one_no_interval() -> None:
    one_class = area_under_curve(arrays_of([0.2, 0.8], [1, 1]))
    assert (one_class.value, one_class.undefined) == (None, "undefined: one class")
    perfect = area_under_curve(arrays_of([0.1, 0.2, 0.8, 0.9], [0, 0, 1, 1]))
    assert (perfect.value, perfect.interval) == (1.0, None)
    nothing = aggregate(collected({"base": risk_samples([None, None], [0, 1])}))
    assert {each.undefined for each in nothing.results} == {"undefined: no usable sample"}


def test_equal_runs_differ_nowhere_and_are_never_called_different() -> None:
    risks, outcomes = risks_and_outcomes(50, 1.0)
    samples = risk_samples(risks.tolist(), outcomes.tolist())
    for each in aggregate(collected({"base": samples, "run": samples})).results:
        if each.comparison is not None:
            assert (each.comparison.difference, each.comparison.p) == (0.0, 1.0)


def test_repetitions_of_a_sample_do_not_narrow_an_interval() -> None:
    risks, outcomes = risks_and_outcomes(40, 1.0)
    once = aggregate(collected({"base": risk_samples(risks.tolist(), outcomes.tolist())}))
    often = [list(np.repeat(values, 4)) for values in (risks, outcomes)]
    four = aggregate(collected({"base": risk_samples(*often, repeats=4)}))
    for measure in ("risk/auc", "risk/ece", "risk/mean_risk"):
        one, other = named(once, measure, "base"), named(four, measure, "base")
        assert other.n == 40
        assert other.value == pytest.approx(one.value)
        assert one.interval is not None
        assert other.interval is not None
        width, other_width = one.interval.high - one.interval.low, other.interval.high - other.interval.low
        assert other_width == pytest.approx(width, rel=0.06)


@pytest.mark.parametrize(("overconfident", "least"), [(0.0, 0.93), (0.15, 0.9)])
def test_the_interval_of_a_calibration_error_covers_the_true_one(overconfident: float, least: float) -> None:
    """A percentile interval covers a true error of 0 in no case."""
    random = np.random.default_rng(5)
    covered, trials, n = 0, 120, 100
    for _ in range(trials):
        confidence = random.uniform(0.6, 1, n)
        right = (random.random(n) < confidence - overconfident).astype(int)
        arrays = arrays_of(confidence.tolist(), right.tolist())
        interval = calibration_error(arrays, arrays.risk, arrays.outcome).interval
        assert interval is not None
        covered += interval.low <= overconfident + 1e-9 and overconfident <= interval.high
    assert covered / trials >= least


def test_the_paired_test_of_calibration_errors_keeps_its_level() -> None:
    """Two runs that see different halves of what decides the outcome, both overconfident."""
    random = np.random.default_rng(6)
    rejected, trials, n = 0, 120, 80
    for _ in range(trials):
        halves = random.normal(0, 1, (2, n))
        outcomes = (random.random(n) < expit(halves.sum(axis=0))).astype(int).tolist()
        errors = []
        for half in halves:
            arrays = arrays_of(expit(1.5 * half).tolist(), outcomes)
            errors.append(calibration_error(arrays, arrays.risk, arrays.outcome))
        found = difference_of(*errors)
        rejected += found is not None and found.p is not None and found.p < 0.05
    assert rejected / trials <= 0.09


def test_errors_of_numbers_are_those_of_scikit_learn() -> None:
    random = np.random.default_rng(7)
    targets = random.normal(1e6, 1e4, 60)  # single precision of the draws must not matter
    samples = {}
    predicted = {"base": targets + random.normal(0, 9e3, 60), "run": targets + random.normal(0, 3e3, 60)}
    for name, numbers in predicted.items():
        texts = [f"I say {number:.4f}" for number in numbers]
        samples[name] = number_samples([*texts, "unknown"], [*(f"{target:.4f}" for target in targets), "5"])
    found = aggregate(collected(samples, measure=Measure("mae", Direction.LOWER)))
    for name, numbers in predicted.items():
        rmse, explained = named(found, "mae/rmse", name), named(found, "mae/r_squared", name)
        assert rmse.value == pytest.approx(root_mean_squared_error(targets, numbers))
        assert explained.value == pytest.approx(r2_score(targets, numbers))
        for each in (rmse, explained):
            assert each.n == 60
            assert each.interval is not None
            assert each.interval.low < (each.value or 0.0) < each.interval.high
    test = named(found, "mae/rmse").comparison
    assert test is not None
    assert test.significant
    assert test.difference < 0
    assert named(found, "mae/rmse").direction is Direction.LOWER


def test_r_squared_of_equal_targets_is_undefined() -> None:
    found = aggregate(collected({"base": number_samples(["1", "2"], ["3", "3"])}, measure=Measure("mae")))
    assert named(found, "mae/r_squared", "base").undefined == "undefined: all targets are equal"


def test_the_plans_direction_of_an_aggregate_is_kept() -> None:
    samples = {"base": risk_samples([0.2, 0.8], [0, 1])}
    found = aggregate(collected(samples, wanted=Measure("auc", Direction.LOWER)))
    assert named(found, "risk/auc", "base").direction is Direction.LOWER
    assert named(aggregate(collected(samples)), "risk/auc", "base").direction is Direction.HIGHER


def test_probabilities_on_an_edge_are_in_the_upper_bin() -> None:
    edges = np.asarray([0.0, 0.1, 0.3, 0.7, 1.0])
    assert [round(each.low, 1) for each in bins_of(edges, np.ones(5))] == [0.0, 0.1, 0.3, 0.7, 0.9]
