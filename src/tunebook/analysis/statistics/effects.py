"""Main effects of the varied factors and interactions of two, as far as the design allows to test them.

Two questions can be asked of a sweep, and the design decides which one has an answer:

* Several runs per setting (seeds): would the effect appear after training again? The runs are the unit, the variation
  between seeds is the error, and an analysis of variance of the runs' scores answers (``generalizes = "seeds"``).
* One run per setting: would these trained models show the effect on other samples? The samples are the unit; every run
  answers the same ones, so that standard errors are clustered by sample (``generalizes = "samples"``). Nothing is
  known about training again, and the report says so.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from statistics import fmean
from typing import Any

from tunebook.analysis.records import FactorUse, Interval, RunRecord
from tunebook.analysis.statistics.intervals import bootstrap_interval, t_interval
from tunebook.analysis.statistics.linear_model import LinearModel, build_model, clustered_wald
from tunebook.analysis.statistics.paired_tests import correct_by_holm
from tunebook.analysis.statistics.pairwise import common_samples
from tunebook.analysis.statistics.scores import ScoreTable
from tunebook.core.plan import RunType

__all__ = ["CellMean", "Effect", "LevelMean", "estimate_effects", "is_balanced"]


@dataclass(frozen=True)
class LevelMean:
    """The mean over the runs with one level of a factor, with its interval if the design allows one."""

    level: str
    runs: int
    mean: float
    interval: Interval | None = None


@dataclass(frozen=True)
class CellMean:
    """The mean over the runs with one level of each of two factors."""

    first: str
    second: str
    runs: int
    mean: float


@dataclass(frozen=True)
class Effect:
    """A main effect (one factor) or an interaction (two) on one measure of one task.

    Attributes:
        factors: keys; ``labels`` are their columns in the plan.
        levels: of a main effect.
        cells: of an interaction.
        test: the test's name and unit; empty if the design allows no test, and ``note`` says why.
        statistic: the test's F; ``df`` its degrees of freedom.
        generalizes: what the p-value generalizes to: ``samples`` (these trained models, other samples) or ``seeds``
            (training again, these samples).
        partial_eta_squared: the share of the variance between runs; ``None`` where runs are not the unit.
    """

    task: str
    measure: str
    factors: tuple[str, ...]
    labels: tuple[str, ...]
    levels: tuple[LevelMean, ...] = ()
    cells: tuple[CellMean, ...] = ()
    test: str = ""
    statistic: float | None = None
    df: tuple[float, float] | None = None
    p: float | None = None
    p_holm: float | None = None
    significant: bool | None = None
    generalizes: str = ""
    partial_eta_squared: float | None = None
    note: str = ""


def is_balanced(runs: Sequence[RunRecord], factors: Sequence[FactorUse]) -> bool:
    """Whether the runs are a full factorial over the treatments, with the same number of runs in every cell."""
    treatments = [factor for factor in factors if not factor.is_seed]
    tuned = [run for run in runs if run.type is RunType.FINE_TUNED]
    counts = Counter(tuple(run.levels.get(factor.key) for factor in treatments) for run in tuned)
    cells = math.prod(len(factor.levels) for factor in treatments)
    return bool(treatments) and len(counts) == cells and len(set(counts.values())) == 1


def estimate_effects(table: ScoreTable, factors: Sequence[FactorUse]) -> tuple[Effect, ...]:
    """Main effects of all treatments, and the interactions of each two of them, corrected together by Holm."""
    treatments = [factor for factor in factors if not factor.is_seed]
    if not treatments or len(table.tuned) < 2:  # noqa: PLR2004  nothing to compare
        return ()
    effects = [_main_effect(table, factor) for factor in treatments]
    effects += [_interaction(table, one, two) for one, two in combinations(treatments, 2)]
    return tuple(correct_by_holm(_with_tests(effects, table, treatments)))


def _main_effect(table: ScoreTable, factor: FactorUse) -> Effect:
    levels = []
    for level in factor.levels:
        scores = _scores_at(table, {factor.key: level})
        if scores:
            levels.append(LevelMean(level, len(scores), fmean(scores)))
    return Effect(table.task, table.measure, (factor.key,), (factor.label,), levels=tuple(levels))


def _interaction(table: ScoreTable, one: FactorUse, two: FactorUse) -> Effect:
    cells = []
    for first in one.levels:
        for second in two.levels:
            scores = _scores_at(table, {one.key: first, two.key: second})
            if scores:
                cells.append(CellMean(first, second, len(scores), fmean(scores)))
    return Effect(table.task, table.measure, (one.key, two.key), (one.label, two.label), cells=tuple(cells))


def _scores_at(table: ScoreTable, levels: dict[str, str]) -> list[float]:
    """The final scores of the fine-tuned runs with these levels."""
    runs = [run for run in table.tuned if levels.items() <= run.levels.items()]
    return [table.finals[run.name].value or 0.0 for run in runs]


def _with_tests(effects: Sequence[Effect], table: ScoreTable, treatments: Sequence[FactorUse]) -> list[Effect]:
    """Each effect with its test, or with a note that says why there is none."""
    import numpy as np

    shared = common_samples(table, [table.finals[run.name].evaluation for run in table.tuned])
    model = build_model(table.tuned, treatments)
    if not shared:
        note = "no sample was answered by every run"
        return [replace(effect, note=note) for effect in effects]
    if model is None:
        note = "the factors were varied together, so their effects cannot be separated"
        return [replace(effect, note=note) for effect in effects]
    # Columns that are alike are those of runs with the same levels: runs that differ only in their seed.
    if len(np.unique(model.columns, axis=0)) < len(table.tuned):
        test = _over_runs(table, model)
    else:
        test = _over_samples(table, model, shared)
    return [test(effect) if effect.factors in model.terms else _without_term(effect) for effect in effects]


def _without_term(effect: Effect) -> Effect:
    if len(effect.factors) == 1:
        return replace(effect, note="only one of its levels has scores")
    return replace(effect, note="some combinations of their levels have no run, or there are too many combinations")


def _over_runs(table: ScoreTable, model: LinearModel) -> Callable[[Effect], Effect]:
    """Type III analysis of variance of the runs' scores; with equally many runs per cell it is the classical one.

    F = (SS of the term / its columns) / (residual SS / residual degrees of freedom); the partial η² is
    SS / (SS + residual SS). Levels get intervals from the residual variance.

    Source: H. Scheffé (1959), The Analysis of Variance, chapter 4; computed by statsmodels' OLS and its F test.
    """
    import numpy as np
    from statsmodels.regression.linear_model import OLS  # statsmodels.api would take 1.3 s longer to import

    scores = [table.finals[run.name].value or 0.0 for run in table.tuned]
    fit = OLS(np.array(scores), model.columns).fit()
    if fit.df_resid < 1:
        note = "too few runs differ only in their seed to estimate the variation by chance"
        return lambda effect: replace(effect, note=note)
    if fit.ssr <= 1e-12 * max(1.0, float(fit.centered_tss)):
        note = "runs that differ only in their seed have identical scores, so there is no variance to test against"
        return lambda effect: replace(effect, note=note)

    def f_test(effect: Effect) -> Effect:
        test = fit.f_test(model.restriction(effect.factors))
        f, df = float(np.squeeze(test.fvalue)), (float(test.df_num), float(test.df_denom))
        explained = f * df[0] * fit.mse_resid
        levels = []
        for item in effect.levels:
            standard_error = math.sqrt(fit.mse_resid / item.runs)
            levels.append(replace(item, interval=t_interval(item.mean, standard_error, fit.df_resid)))
        return replace(
            effect,
            levels=tuple(levels),
            test="analysis of variance over runs",
            statistic=f,
            df=df,
            p=float(np.squeeze(test.pvalue)),
            generalizes="seeds",
            partial_eta_squared=explained / (explained + fit.ssr),
        )

    return f_test


def _over_samples(table: ScoreTable, model: LinearModel, shared: Sequence[str]) -> Callable[[Effect], Effect]:
    """A Wald test of the term's columns over the samples, and bootstrap intervals of its levels over the samples."""
    import numpy as np

    values = [table.final_values(run.name) for run in table.tuned]
    matrix: Any = np.array([[own[sample] for sample in shared] for own in values])

    def wald_test(effect: Effect) -> Effect:
        levels = []
        for item in effect.levels:
            rows = [run.levels.get(effect.factors[0]) == item.level for run in table.tuned]
            levels.append(replace(item, interval=bootstrap_interval(matrix[rows].mean(axis=0).tolist())))
        effect = replace(effect, levels=tuple(levels))
        wald = clustered_wald(matrix, model.columns, model.restriction(effect.factors))
        if wald is not None:
            name = "Wald test, standard errors clustered by sample"
            return replace(effect, test=name, statistic=wald.f, df=wald.df, p=wald.p, generalizes="samples")
        if (matrix == matrix[0]).all():
            return replace(effect, note="every run has the same score on every sample")
        return replace(effect, note="too few samples, or too little variation between them, for a test")

    return wald_test
