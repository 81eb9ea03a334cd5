"""Scores by group: which columns are compared, gaps, and the test of run × group."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import chi2, f_oneway, ttest_ind
from sklearn.metrics import roc_auc_score
from statsmodels.stats.oneway import anova_oneway
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from support.risks import collected, risk_samples, risks_and_outcomes
from tunebook.analysis.statistics.group_results import GroupResults
from tunebook.analysis.statistics.group_tests import equal_changes, equal_means
from tunebook.analysis.statistics.groups import compare_groups

N = 90
AGES = tuple(("18-39", "40-64", "65+")[at % 3] for at in range(N))


@pytest.fixture(scope="module")
def found() -> tuple[GroupResults, dict[str, np.ndarray], np.ndarray]:
    """A run and its base model, with an age band, an id, a constant, and a column with a small group."""
    groups = {
        "age": AGES,
        "id": tuple(map(str, range(N))),
        "same": ("x",) * N,
        "site": tuple("small" if at < 4 else ("north", "south")[at % 2] for at in range(N)),
    }
    risks, samples = {}, {}
    for seed, (name, skill) in enumerate({"base": 0.4, "run": 1.2}.items()):
        risks[name], outcomes = risks_and_outcomes(N, skill, seed)
        samples[name] = risk_samples(risks[name].tolist(), outcomes.tolist(), groups=groups)
    return compare_groups(collected(samples)), risks, outcomes


def right(risks: np.ndarray, outcomes: np.ndarray) -> np.ndarray:
    is_right: np.ndarray = (risks >= 0.5) == (outcomes == 1)
    return is_right.astype(float)


def test_scores_gaps_and_the_interaction_are_those_of_scipy_and_statsmodels(
    found: tuple[GroupResults, dict[str, np.ndarray], np.ndarray],
) -> None:
    results, risks, outcomes = found
    own = right(risks["run"], outcomes)
    by_age = {age: own[np.asarray(AGES) == age] for age in dict.fromkeys(AGES)}
    scores = [each for each in results.scores if (each.run, each.measure, each.column) == ("run", "risk", "age")]
    assert [each.group for each in scores] == list(by_age)
    for each in scores:
        values = by_age[each.group]
        assert each.n == 30
        assert each.value == pytest.approx(values.mean())
        assert each.interval is not None
        limits = proportion_confint(values.sum(), 30, method="wilson")
        assert (each.interval.low, each.interval.high) == pytest.approx(limits)
    (gap,) = [each for each in results.gaps if (each.run, each.measure, each.column) == ("run", "risk", "age")]
    means = {age: values.mean() for age, values in by_age.items()}
    assert gap.gap == pytest.approx(max(means.values()) - min(means.values()))
    high, low = by_age[gap.highest].sum(), by_age[gap.lowest].sum()
    limits = confint_proportions_2indep(high, 30, low, 30, method="newcomb", alpha=0.05 / 3)  # of three pairs
    assert gap.interval is not None
    assert (gap.interval.low, gap.interval.high) == pytest.approx(limits)
    changes = own - right(risks["base"], outcomes)
    (test,) = [each for each in results.interactions if (each.measure, each.column) == ("risk", "age")]
    expected = anova_oneway([changes[np.asarray(AGES) == age] for age in by_age], use_var="unequal")
    assert (test.test, test.n, test.other) == ("Welch's F", N, "base")
    assert test.p == pytest.approx(expected.pvalue)
    assert test.family is not None
    assert (test.family.name, test.family.size) == ("run × group, risk", 2)  # age and site


def test_the_area_by_group_is_that_of_the_risk_and_not_of_the_true_label(
    found: tuple[GroupResults, dict[str, np.ndarray], np.ndarray],
) -> None:
    results, risks, outcomes = found
    for each in results.scores:
        if (each.run, each.measure, each.column) == ("run", "risk/auc", "age"):
            inside = np.asarray(AGES) == each.group
            assert each.value == pytest.approx(roc_auc_score(outcomes[inside], risks["run"][inside]))
            true_label = np.where(outcomes == 1, risks["run"], 1 - risks["run"])
            assert each.value != pytest.approx(roc_auc_score(outcomes[inside], true_label[inside]))


def test_columns_and_groups_that_are_left_out_have_a_reason(
    found: tuple[GroupResults, dict[str, np.ndarray], np.ndarray],
) -> None:
    reasons = {each.column: each.why for each in found[0].left_out}
    assert reasons == {
        "id": "it has 90 different values; groups are 2 to 12",
        "same": "it has a single value; groups are 2 to 12",
        "site": "groups with fewer than 10 samples: small (4)",
    }
    assert {each.group for each in found[0].scores if each.column == "site"} == {"north", "south"}


def test_a_sample_in_two_groups_makes_a_column_unusable() -> None:
    risks, outcomes = risks_and_outcomes(40, 1.0)
    columns = [tuple("ab"[at % 2] for at in range(40)), tuple("ab"[at // 20] for at in range(40))]
    samples = {}
    for name, column in zip(("base", "run"), columns, strict=True):
        samples[name] = risk_samples(risks.tolist(), outcomes.tolist(), groups={"band": column})
    results = compare_groups(collected(samples))
    assert [each.why for each in results.left_out] == ["a sample has different values of it in different evaluations"]
    assert not results.scores


def test_a_group_with_one_class_has_no_area_and_no_gap() -> None:
    risks, _ = risks_and_outcomes(40, 1.0)
    outcomes = [1] * 20 + [0, 1] * 10
    samples = risk_samples(risks.tolist(), outcomes, groups={"band": ("a",) * 20 + ("b",) * 20})
    results = compare_groups(collected({"base": samples}))
    areas = {each.group: each.undefined for each in results.scores if each.measure == "risk/auc"}
    assert areas == {"a": "undefined: one class", "b": ""}
    assert [each.measure for each in results.gaps] == ["risk"]


def test_without_a_base_model_runs_are_compared_with_the_first() -> None:
    samples = {}
    for seed, name in enumerate(("one", "two", "three")):
        risks, outcomes = risks_and_outcomes(60, 1.0, seed)
        samples[name] = risk_samples(risks.tolist(), outcomes.tolist(), groups={"age": AGES[:60]})
    tests = compare_groups(collected(samples, base=None)).interactions
    assert {(each.run, each.other) for each in tests} == {("two", "one"), ("three", "one")}


def test_two_groups_are_welchs_t_test_and_groups_without_spread_have_a_test_too() -> None:
    one, other = [1.0, 0.0, 0.0, 1.0, -1.0, 0.0], [0.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0]
    assert equal_means([one, other]).p == pytest.approx(ttest_ind(one, other, equal_var=False).pvalue)
    still = [0.0] * 7
    assert equal_means([one, still]).p == pytest.approx(f_oneway(one, still).pvalue)
    assert equal_means([still, still]).p == 1.0
    assert equal_means([[1.0] * 4, [0.0] * 4]).p == pytest.approx(2 / 70)  # 70 ways to divide, two as extreme


def test_equal_changes_of_areas_are_tested_by_cochrans_q() -> None:
    changes, variances = [0.1, 0.3, 0.2], [0.01, 0.02, 0.005]
    weights = 1 / np.asarray(variances)
    mean = np.average(changes, weights=weights)
    assert equal_changes(changes, variances).p == pytest.approx(
        chi2.sf(np.sum(weights * (np.asarray(changes) - mean) ** 2), 2)
    )
    assert equal_changes(changes, [0.01, 0.0, 0.02]).p is None


@pytest.mark.parametrize("sizes", [(12, 60), (20, 20, 20, 20)])
def test_the_test_of_the_interaction_keeps_its_level(sizes: tuple[int, ...]) -> None:
    """Fixed and broken answers as often in all groups, of which the run fixes more."""
    random = np.random.default_rng(8)
    rejected, trials = 0, 250
    for _ in range(trials):
        groups = [random.choice([-1.0, 0.0, 1.0], size=size, p=[0.1, 0.6, 0.3]).tolist() for size in sizes]
        p = equal_means(groups).p
        rejected += p is not None and p < 0.05
    assert 0.015 <= rejected / trials <= 0.08


def test_numbers_as_groups_are_in_their_order() -> None:
    risks, outcomes = risks_and_outcomes(60, 1.0)
    samples = risk_samples(
        risks.tolist(), outcomes.tolist(), groups={"year": tuple(("9", "10")[at % 2] for at in range(60))}
    )
    scores = compare_groups(collected({"base": replace(samples, score_metadata={})})).scores
    assert [each.group for each in scores] == ["9", "10"]
