"""Measures of all samples together and by group, recomputed by scikit-learn, statsmodels and from their definitions."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from support.made_logs import Written
from support.recomputation import bootstrap_limits, holm, wilson_limits
from support.ten_kinds import KINDS

Analyzed = Callable[[str], Written]
RUNS = ("tiny_base", "rank4", "rank16")


def predictions(run: str) -> tuple[Any, Any]:
    """The risks and the outcomes that the scorer wrote."""
    (samples,) = [own for (name, _, _), own in KINDS["risk"]().logs.items() if name == run]
    metadata = samples.score_metadata
    return np.array(metadata["choice/risk_score"]), np.array(metadata["choice/target"])


def row_of(report: Written, measure: str, run: str) -> Any:
    table = report["aggregates"]
    (row,) = table[(table["measure"] == measure) & (table["run"] == run)].itertuples()
    return row


def placements(risks: Any, outcomes: Any) -> tuple[Any, Any]:
    """How often each sample with the outcome is above one without it, and the reverse; by all pairs."""
    positive, negative = risks[outcomes == 1], risks[outcomes == 0]
    above = (positive[:, None] > negative) + 0.5 * (positive[:, None] == negative)
    return above.mean(axis=1), above.mean(axis=0)


@pytest.mark.parametrize("run", RUNS)
def test_the_area_under_the_curve_has_delongs_interval(written: Analyzed, run: str) -> None:
    from sklearn.metrics import roc_auc_score

    risks, outcomes = predictions(run)
    row = row_of(written("risk"), "choice/auc", run)
    area = roc_auc_score(outcomes, risks)
    assert row.value == pytest.approx(area, abs=1e-12)
    ones, zeros = placements(risks, outcomes)
    error = math.sqrt(ones.var(ddof=1) / len(ones) + zeros.var(ddof=1) / len(zeros)) / (area * (1 - area))
    logit = math.log(area / (1 - area))
    limits = [1 / (1 + math.exp(-(logit + sign * 1.959964 * error))) for sign in (-1, 1)]
    assert (row.low, row.high) == pytest.approx(limits, rel=1e-6)


@pytest.mark.parametrize("run", RUNS[1:])
def test_two_areas_are_compared_by_delongs_paired_test(written: Analyzed, run: str) -> None:
    risks, outcomes = predictions(run)
    base, _ = predictions("tiny_base")
    row = row_of(written("risk"), "choice/auc", run)
    (ones, zeros), (base_ones, base_zeros) = placements(risks, outcomes), placements(base, outcomes)
    difference = ones.mean() - base_ones.mean()
    parts = [(ones - base_ones).var(ddof=1) / len(ones), (zeros - base_zeros).var(ddof=1) / len(zeros)]
    error = math.sqrt(sum(parts))
    assert row.difference == pytest.approx(difference, abs=1e-12)
    assert row.p == pytest.approx(2 * stats.norm.sf(abs(difference) / error), rel=1e-6)
    limits = (difference - 1.959964 * error, difference + 1.959964 * error)
    assert (row.difference_low, row.difference_high) == pytest.approx(limits, rel=1e-6)


def error_of(probabilities: Any, hits: Any) -> float:
    """The expected calibration error over ten bins, by its definition."""
    total = 0.0
    for number in range(10):
        last = number == 9
        own = (probabilities >= number / 10 - 1e-12) & ((probabilities < (number + 1) / 10 - 1e-12) | last)
        if own.any():
            total += own.sum() / len(own) * abs(probabilities[own].mean() - hits[own].mean())
    return total


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("name", ["ece", "risk_calibration_error"])
def test_calibration_errors_are_those_of_ten_bins(written: Analyzed, run: str, name: str) -> None:
    risks, outcomes = predictions(run)
    row = row_of(written("risk"), f"choice/{name}", run)
    probabilities, hits = risks, outcomes
    if name == "ece":
        probabilities, hits = np.maximum(risks, 1 - risks), (risks >= 0.5) == outcomes
    error = error_of(probabilities, hits)
    assert row.value == pytest.approx(error, abs=1e-9)
    random = np.random.default_rng(3)
    drawn, calibrated = [], []
    for _ in range(600):
        places = random.integers(0, len(risks), len(risks))
        drawn.append(error_of(probabilities[places], hits[places]))
        calibrated.append(error_of(probabilities, random.random(len(risks)) < probabilities))
    assert row.expected == pytest.approx(np.mean(calibrated), rel=0.06)
    assert row.high == pytest.approx(error + 1.96 * np.std(drawn), rel=0.06)
    exceeding = np.mean(np.array(calibrated) >= error)
    if exceeding > 0.05:
        assert row.low == 0
    elif exceeding < 0.01:
        assert row.low == pytest.approx(max(0.0, 2 * error - np.quantile(drawn, 0.975)), abs=0.02)


@pytest.mark.parametrize("run", RUNS)
def test_the_mean_risk_stands_against_the_base_rate(written: Analyzed, run: str) -> None:
    report = written("risk")
    risks, outcomes = predictions(run)
    for name, values in (("mean_risk", risks), ("risk_minus_base_rate", risks - outcomes)):
        row = row_of(report, f"choice/{name}", run)
        limits = stats.t.interval(0.95, len(values) - 1, values.mean(), stats.sem(values))
        assert (row.value, row.low, row.high) == pytest.approx((values.mean(), *limits), rel=1e-9)
    rate = row_of(report, "choice/base_rate", run)
    assert (rate.value, rate.low, rate.high) == pytest.approx((outcomes.mean(), *wilson_limits(pd.Series(outcomes))))


@pytest.mark.parametrize("run", RUNS)
def test_brier_scores_are_scikit_learns(written: Analyzed, run: str) -> None:
    from sklearn.metrics import brier_score_loss

    table = written("risk")["evaluations"]
    (row,) = table[(table["run"] == run) & (table["measure"] == "choice/brier")].itertuples()
    risks, outcomes = predictions(run)
    assert row.score == pytest.approx(brier_score_loss(outcomes, risks), abs=1e-12)


def test_the_comparisons_of_each_aggregate_are_a_family(written: Analyzed) -> None:
    for kind in ("risk", "lower_is_better"):
        table = written(kind)["aggregates"].dropna(subset="p")
        for _, family in table.groupby(["task", "measure"]):
            assert list(family["p_holm"]) == pytest.approx(holm(list(family["p"])), rel=1e-9)
            assert list(family["significant"]) == list(family["p_holm"] < 0.05)
            assert (family["family_size"] == len(family)).all()


def test_the_sentence_about_an_area_has_the_direction_of_its_significant_differences(written: Analyzed) -> None:
    report = written("risk")
    rows = [row_of(report, "choice/auc", run) for run in RUNS[1:]]
    higher = sum(row.significant and row.difference > 0 for row in rows)
    lower = sum(row.significant and row.difference < 0 for row in rows)
    text = report.sentence("risk", "choice/auc on cap (higher is better)")
    assert f"of 2 runs, {higher} " in text
    assert f"and {lower} got significantly worse" in text


# --- groups ----------------------------------------------------------------------------------------------------------


def of_groups(report: Written, run: str) -> dict[str, pd.Series]:
    """The values of the headline measure by group."""
    epoch = -1 if run == "tiny_base" else 0
    values = report.scored.of("cap", "choice", run, epoch)
    samples = KINDS["risk"]().logs[run, "cap", epoch]
    bands = pd.Series(samples.metadata["band"], list(samples.ids))
    return dict(list(values.groupby(bands)))


@pytest.mark.parametrize("run", RUNS)
def test_scores_by_group_and_their_gap_are_those_of_the_groups_samples(written: Analyzed, run: str) -> None:
    from statsmodels.stats.proportion import confint_proportions_2indep

    report = written("risk")
    table = report["groups"]
    rows = list(table[(table["run"] == run) & (table["measure"] == "choice")].itertuples())
    groups = of_groups(report, run)
    assert {row.group for row in rows} == groups.keys()
    for row in rows:
        values = groups[row.group]
        assert (row.value, row.n) == pytest.approx((values.mean(), len(values)))
        assert (row.low, row.high) == pytest.approx(tuple(wilson_limits(values)))
    one, other = sorted(groups.values(), key=lambda values: -values.mean())
    row = rows[0]
    assert row.gap == pytest.approx(one.mean() - other.mean(), abs=1e-12)
    limits = confint_proportions_2indep(one.sum(), len(one), other.sum(), len(other), method="newcomb")
    assert (row.gap_low, row.gap_high) == pytest.approx(limits, rel=1e-9)


@pytest.mark.parametrize("run", RUNS[1:])
def test_the_interaction_with_a_group_is_welchs_test_of_paired_differences(written: Analyzed, run: str) -> None:
    from statsmodels.stats.oneway import anova_oneway

    report = written("risk")
    table = report["groups"]
    row = next(table[(table["run"] == run) & (table["measure"] == "choice")].itertuples())
    own, base = of_groups(report, run), of_groups(report, "tiny_base")
    changes = [own[group] - base[group] for group in own]
    assert row.p == pytest.approx(anova_oneway(changes, use_var="unequal").pvalue, rel=1e-6)


# --- numbers -------------------------------------------------------------------------------------------------------


def numbers(run: str) -> tuple[Any, Any]:
    """The targets and the answers that have a number."""
    epoch = -1 if run == "tiny_base" else 0
    samples = KINDS["lower_is_better"]().logs[run, "cap", epoch]
    pairs = []
    for target, answer in zip(samples.targets, samples.answers, strict=True):
        if answer.startswith("about "):
            pairs.append((float(target), float(answer.removeprefix("about "))))
    targets, answers = zip(*pairs, strict=True)
    return np.array(targets), np.array(answers)


NUMBER_RUNS = [run.name for run in KINDS["lower_is_better"]().runs]


@pytest.mark.parametrize("run", ["tiny_base", *NUMBER_RUNS])
def test_measures_of_numbers_are_scikit_learns(written: Analyzed, run: str) -> None:
    from sklearn import metrics

    report = written("lower_is_better")
    targets, answers = numbers(run)
    rmse, r_squared = row_of(report, "mae/rmse", run), row_of(report, "mae/r_squared", run)
    assert rmse.value == pytest.approx(metrics.root_mean_squared_error(targets, answers), rel=1e-9)
    assert r_squared.value == pytest.approx(metrics.r2_score(targets, answers), rel=1e-9)
    assert rmse.n == len(targets)
    table = report["evaluations"]
    (mae,) = table[(table["run"] == run) & (table["measure"] == "mae")].itertuples()
    assert mae.score == pytest.approx(metrics.mean_absolute_error(targets, answers), rel=1e-9)
    assert mae.n == len(targets)
    squares = bootstrap_limits((targets - answers) ** 2)
    limits = math.sqrt(squares.low), math.sqrt(squares.high)
    assert (rmse.low, rmse.high) == pytest.approx(limits, abs=0.06 * (limits[1] - limits[0]))


def test_answers_without_a_number_are_missing_and_counted(written: Analyzed) -> None:
    report = written("lower_is_better")
    table = report["evaluations"]
    for run in ("tiny_base", *NUMBER_RUNS):
        expected = len(numbers(run)[0]) / 50
        (row,) = table[(table["run"] == run) & (table["measure"] == "mae/parse_rate")].itertuples()
        assert row.score == pytest.approx(expected)
    text = report.sentence("caution", "no usable value of mae")
    assert "2 of 350 answers" in text


@pytest.mark.parametrize("run", NUMBER_RUNS)
def test_two_root_mean_squared_errors_are_compared_on_shared_samples(written: Analyzed, run: str) -> None:
    row = row_of(written("lower_is_better"), "mae/rmse", run)
    targets, answers = numbers(run)
    own, base = dict(zip(targets, answers, strict=True)), dict(zip(*numbers("tiny_base"), strict=True))
    squares = np.array([[(own[target] - target) ** 2, (base[target] - target) ** 2] for target in own])
    assert row.compared_n == len(squares)
    one, other = np.sqrt(squares.mean(axis=0))
    assert row.difference == pytest.approx(one - other, rel=1e-9)
    draws = np.random.default_rng(9).multinomial(len(squares), np.full(len(squares), 1 / len(squares)), size=4000)
    first, second = np.sqrt(draws @ squares / len(squares)).T
    error = float(np.std(first - second))
    assert (row.difference_high - row.difference_low) / 2 == pytest.approx(1.96 * error, rel=0.08)
    z = abs(one - other) / error
    assert stats.norm.isf(row.p / 2) == pytest.approx(z, rel=0.08)
