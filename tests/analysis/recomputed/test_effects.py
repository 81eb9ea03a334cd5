"""Effects of factors, recomputed by statsmodels from the runs' scores or from the samples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from support.made_logs import Written
from support.recomputation import clustered_f, holm, long_form
from support.ten_kinds import KINDS

Analyzed = Callable[[str], Written]
FORMULA = "value ~ C(rank, Sum) * C(rate, Sum)"
TERMS = {
    "LoRA Rank": "C(rank, Sum)",
    "Learning Rate": "C(rate, Sum)",
    "LoRA Rank × Learning Rate": "C(rank, Sum):C(rate, Sum)",
}
WITH_SEEDS = ["factorial_with_seeds", "two_hundred_runs", "incomplete_and_unbalanced"]
WITHOUT_SEEDS = ["lower_is_better", "all_at_chance", "crossover"]


def levels(kind: str) -> pd.DataFrame:
    """The cells of the plan, one row per run."""
    cells = {run.name: run.cells for run in KINDS[kind]().runs}
    table = pd.DataFrame.from_dict({name: dict(own) for name, own in cells.items()}, orient="index")
    return table.rename(columns={"LoRA Rank": "rank", "Learning Rate": "rate"})


def runs_with_scores(report: Written, kind: str) -> pd.DataFrame:
    scores = report["evaluations"].dropna(subset="score").set_index("run")["score"]
    return levels(kind).join(scores.rename("value"), how="inner")


def first_rows(report: Written) -> dict[str, Any]:
    """The first row of each effect."""
    table = report["effects"]
    return {row.effect: row for row in table.groupby("effect", sort=False).head(1).itertuples()}


@pytest.mark.parametrize("kind", WITH_SEEDS)
def test_effects_over_seeds_are_those_of_an_analysis_of_variance(written: Analyzed, kind: str) -> None:
    from statsmodels.formula.api import ols
    from statsmodels.stats.anova import anova_lm

    report = written(kind)
    data = runs_with_scores(report, kind)
    interaction_is_estimable = len(data.groupby(["rank", "rate"])) == data["rank"].nunique() * data["rate"].nunique()
    assert interaction_is_estimable
    expected = anova_lm(ols(FORMULA, data).fit(), typ=3)
    residual = expected.loc["Residual"]
    found = first_rows(report)
    for effect, term in TERMS.items():
        row, own = found[effect], expected.loc[term]
        assert (row.f, row.p) == pytest.approx((own["F"], own["PR(>F)"]), rel=1e-6)
        assert (row.df, row.df_error) == (own["df"], residual["df"])
        share = own["sum_sq"] / (own["sum_sq"] + residual["sum_sq"])
        assert row.partial_eta_squared == pytest.approx(share, rel=1e-6)
        assert row.generalizes == "seeds"


@pytest.mark.parametrize("kind", WITHOUT_SEEDS)
def test_effects_over_samples_are_those_of_a_clustered_regression(written: Analyzed, kind: str) -> None:
    report = written(kind)
    measure = report["evaluations"]["measure"].iloc[0]
    names = [run.name for run in KINDS[kind]().runs]
    rows = long_form(report.scored.table("cap", measure, names), levels(kind))
    found = first_rows(report)
    for effect, term in TERMS.items():
        f, p = clustered_f(rows, FORMULA, term)
        assert (found[effect].f, found[effect].p) == pytest.approx((f, p), rel=1e-6)
        assert found[effect].generalizes == "samples"


@pytest.mark.parametrize("kind", WITH_SEEDS + WITHOUT_SEEDS)
def test_means_of_levels_are_those_of_the_runs(written: Analyzed, kind: str) -> None:
    report = written(kind)
    data = runs_with_scores(report, kind)
    columns = {"LoRA Rank": ["rank"], "Learning Rate": ["rate"], "LoRA Rank × Learning Rate": ["rank", "rate"]}
    for effect, keys in columns.items():
        groups = {" × ".join(key): part["value"] for key, part in data.groupby(keys)}
        rows = report["effects"][report["effects"]["effect"] == effect]
        seen = {row.level: row for row in rows.itertuples()}
        assert seen.keys() == groups.keys()
        for level, values in groups.items():
            assert seen[level].mean == pytest.approx(values.mean(), abs=1e-12)
            assert seen[level].runs == len(values)


@pytest.mark.parametrize("kind", WITH_SEEDS + WITHOUT_SEEDS)
def test_effects_are_corrected_in_their_family(written: Analyzed, kind: str) -> None:
    found = list(first_rows(written(kind)).values())
    corrected = holm([row.p for row in found])
    assert [row.p_holm for row in found] == pytest.approx(corrected, rel=1e-9)
    assert [row.significant for row in found] == list(np.array(corrected) < 0.05)
