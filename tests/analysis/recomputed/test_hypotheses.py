"""Hypotheses of the plan: differences, tests, correction and verdicts, recomputed from the samples."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats

from support.made_logs import Written
from support.recomputation import holm, newcombe_limits, sign_flip_p
from support.ten_kinds import KINDS

Analyzed = Callable[[str], Written]
ALL = [*product(["factorial_with_seeds"], ["up", "far", "rate", "same", "wrong"])]
ALL += [*product(["crossover"], ["low", "some", "equal", "rank", "wrong"])]


def row_of(report: Written, name: str) -> Any:
    table = report["hypotheses"]
    (row,) = table[table["hypothesis"] == name].itertuples()
    return row


def scores(report: Written, kind: str, **levels: str) -> list[list[float]]:
    """The scores of the runs at these levels, one list per combination of the other factor."""
    columns = {"rank": "LoRA Rank", "rate": "Learning Rate"}
    other = next(column for key, column in columns.items() if key not in levels)
    table = report.scored.table("cap", "exactly", [run.name for run in KINDS[kind]().runs])
    cells: dict[str, list[float]] = {}
    for run in KINDS[kind]().runs:
        if all(run.cells[columns[key]] == level for key, level in levels.items()):
            cells.setdefault(run.cells[other], []).append(float(table[run.name].mean()))
    return list(cells.values())


def pooled(
    left: Sequence[Sequence[float]], right: Sequence[Sequence[float]], settings: Sequence[Sequence[float]]
) -> tuple[float, float, float]:
    """The difference of two means of cells, its standard error by the spread within all settings, and its freedom."""
    freedom = sum(len(own) - 1 for own in settings)
    variance = sum(np.var(own, ddof=1) * (len(own) - 1) for own in settings) / freedom
    error = math.sqrt(variance * sum(1 / len(cell) for cell in (*left, *right))) / len(left)
    difference = np.mean([np.mean(cell) for cell in left]) - np.mean([np.mean(cell) for cell in right])
    return float(difference), error, float(freedom)


SIDES: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "up": ({"rank": "64"}, {"rank": "4"}),
    "far": ({"rank": "64"}, {"rank": "4"}),
    "rate": ({"rate": "1e-4"}, {"rate": "1e-5"}),
    "same": ({"rate": "1e-4"}, {"rate": "1e-5"}),
    "wrong": ({"rank": "4"}, {"rank": "16"}),
}


@pytest.mark.parametrize("name", SIDES)
def test_hypotheses_over_seeds_have_the_error_of_the_ranking(written: Analyzed, name: str) -> None:
    report = written("factorial_with_seeds")
    row = row_of(report, name)
    left, right = (scores(report, "factorial_with_seeds", **side) for side in SIDES[name])
    settings = [own for rank in ("4", "16", "64") for own in scores(report, "factorial_with_seeds", rank=rank)]
    difference, error, freedom = pooled(left, right, settings)
    assert row.difference == pytest.approx(difference, abs=1e-12)
    assert (row.left, row.right) == pytest.approx((np.mean(left), np.mean(right)), abs=1e-12)
    assert (row.generalizes, row.runs) == ("seeds", sum(map(len, [*left, *right])))
    level = 0.90 if name == "same" else 0.95
    width = stats.t.ppf(0.5 + level / 2, freedom) * error
    assert (row.low, row.high) == pytest.approx((difference - width, difference + width), rel=1e-9)
    if name == "same":
        expected = max(stats.t.sf((difference + bound) / error, freedom) for bound in (0.08,))
        expected = max(expected, stats.t.cdf((difference - 0.08) / error, freedom))
    else:
        expected = stats.t.sf((difference - (0.60 if name == "far" else 0.0)) / error, freedom)
    assert row.p == pytest.approx(expected, rel=1e-6)


def tango_z(first: pd.Series, second: pd.Series, margin: float) -> float:
    """Tango's score with the likelihood under the margin maximized numerically."""
    n, b, c = len(first), int((first > second).sum()), int((first < second).sum())

    def minus_likelihood(q: float) -> float:
        chances = (q + margin, q, 1 - 2 * q - margin)
        return -sum(count * math.log(max(p, 1e-300)) for count, p in zip((b, c, n - b - c), chances, strict=True))

    limits = (max(0.0, -margin) + 1e-12, (1 - margin) / 2 - 1e-12)
    q = optimize.minimize_scalar(minus_likelihood, bounds=limits, method="bounded", options={"xatol": 1e-12}).x
    return (b - c - n * margin) / math.sqrt(n * (2 * q + margin * (1 - margin)))


def runs_of(report: Written, *names: str) -> list[pd.Series]:
    table = report.scored.table("cap", "exactly", names)
    return [table[name] for name in names]


def test_hypotheses_about_two_runs_are_exact_paired_tests(written: Analyzed) -> None:
    report = written("crossover")
    for name, left, right in (
        ("low", "rank64_lr1e-5", "rank4_lr1e-5"),
        ("wrong", "rank64_lr1e-3", "rank4_lr1e-3"),
    ):
        row = row_of(report, name)
        one, other = runs_of(report, left, right)
        gained, lost = int((one > other).sum()), int((one < other).sum())
        assert row.difference == pytest.approx(one.mean() - other.mean(), abs=1e-12)
        assert row.p == pytest.approx(stats.binomtest(gained, gained + lost, alternative="greater").pvalue, rel=1e-9)
        assert (row.low, row.high) == pytest.approx(tuple(newcombe_limits(one, other)), abs=1e-9)
        assert row.generalizes == "samples"


def test_margins_on_the_same_samples_are_tangos_test(written: Analyzed) -> None:
    report = written("crossover")
    at_least, within = row_of(report, "some"), row_of(report, "equal")
    one, other = runs_of(report, "rank64_lr1e-5", "rank4_lr1e-5")
    assert at_least.p == pytest.approx(stats.norm.sf(tango_z(one, other, 0.20)), rel=1e-4)
    for limit, z in ((at_least.low, 1.96), (at_least.high, -1.96)):
        assert tango_z(one, other, limit) == pytest.approx(z, abs=1e-3)
    one, other = runs_of(report, "rank64_lr1e-5", "rank4_lr1e-3")
    both = stats.norm.sf(tango_z(one, other, -0.25)), stats.norm.cdf(tango_z(one, other, 0.25))
    assert within.p == pytest.approx(max(both), rel=1e-4)
    for limit, z in ((within.low, 1.6449), (within.high, -1.6449)):
        assert tango_z(one, other, limit) == pytest.approx(z, abs=1e-3)


def test_levels_without_seeds_are_compared_over_each_samples_mean(written: Analyzed) -> None:
    report = written("crossover")
    row = row_of(report, "rank")
    high, low = (
        (one + other) / 2
        for one, other in (
            runs_of(report, *pair)
            for pair in (
                ("rank64_lr1e-5", "rank64_lr1e-3"),
                ("rank4_lr1e-5", "rank4_lr1e-3"),
            )
        )
    )
    assert row.difference == pytest.approx((high - low).mean(), abs=1e-12)
    assert row.p == pytest.approx(sign_flip_p(high - low), rel=0.05)


@pytest.mark.parametrize("kind", ["factorial_with_seeds", "crossover"])
def test_hypotheses_are_corrected_among_themselves_and_judged(written: Analyzed, kind: str) -> None:
    table = written(kind)["hypotheses"]
    assert list(table["p_holm"]) == pytest.approx(holm(list(table["p"])), rel=1e-9)
    assert (table["tests"] == len(table)).all()
    assert list(table["significant"]) == list(table["p_holm"] < 0.05)
    expected = {
        "factorial_with_seeds": ["supported", "contradicted", "not supported", "supported", "contradicted"],
        "crossover": ["supported", "supported", "supported", "not supported", "contradicted"],
    }
    assert list(table["verdict"]) == expected[kind]
    opposite = table[table["verdict"] == "contradicted"]
    assert (opposite["p_against"] < 0.05).all()
    assert (opposite["p"] > 0.5).all()


@pytest.mark.parametrize(("kind", "name"), ALL)
def test_the_sentence_of_a_hypothesis_has_its_verdict_and_numbers(written: Analyzed, kind: str, name: str) -> None:
    report = written(kind)
    row = row_of(report, name)
    text = report.sentence("hypothesis", f"{name.capitalize()} (“{row.contrast}”", f") is {row.verdict}")
    sign = "+" if row.difference > 0 else "−"
    assert f"{100 * row.left:.1f} % and {100 * row.right:.1f} %" in text
    assert f"a difference of {sign}{abs(100 * row.difference):.1f} points" in text
    kinds = [item.kind for item in report.analysis.findings]
    assert kinds[: kinds.count("hypothesis")] == ["hypothesis"] * 5
    assert "exploratory" in text  # no job was submitted here
