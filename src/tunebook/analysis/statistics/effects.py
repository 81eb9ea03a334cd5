"""Effects of the varied factors: main effects and interactions of two, with their means, tests and families.

Each effect has the estimated means of its levels, from the model of its test. A main effect has also the largest
difference between levels and, over numbers, the trend; a significant interaction has what it consists of. Which test
the design allows is decided here; :mod:`tunebook.analysis.statistics.fits` has the tests.

Three families of tests, each corrected by Holm's method for one measure of one task: the main effects and
interactions; the trends with their departures; the simple effects of all significant interactions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from tunebook.analysis.records import FactorUse, Family
from tunebook.analysis.statistics.balance import treatments_of
from tunebook.analysis.statistics.families import correct_family, family_name
from tunebook.analysis.statistics.fits import FactorTest, SampleFit, SeedFit
from tunebook.analysis.statistics.linear_model import LinearModel, build_model
from tunebook.analysis.statistics.marginal_means import (
    GroupMean,
    LevelDifference,
    estimated_means,
    largest_difference,
    raw_means,
)
from tunebook.analysis.statistics.pairwise import Comparison, common_samples
from tunebook.analysis.statistics.scores import ScoreTable
from tunebook.analysis.statistics.simple_effects import Reversal, SimpleEffect, find_reversal, simple_effects_of
from tunebook.analysis.statistics.trends import Trend, estimate_trend

__all__ = ["Effect", "estimate_effects", "is_comparison", "share_verdicts"]

EFFECTS = "main effects and interactions"
TRENDS = "trends over levels and departures from them"
SIMPLE_EFFECTS = "simple effects of significant interactions"


@dataclass(frozen=True)
class Effect:
    """A main effect (one factor) or an interaction (two) on one measure of one task.

    Attributes:
        factors: keys; ``labels`` are their columns in the plan.
        means: one for each level of a main effect, or for each cell of an interaction that has scores.
        test: the test's name and unit; empty if the design allows no test, and ``note`` says why.
        statistic: the test's F; ``df`` its degrees of freedom; ``None`` for a paired test of two levels.
        p_holm: ``p`` corrected over the ``family``.
        generalizes: what the p-value generalizes to: ``samples`` (these trained models, other samples) or ``seeds``
            (training again, these samples).
        partial_eta_squared: the share of the variance between runs; ``None`` where runs are not the unit.
        difference: between the extreme levels of a main effect.
        same_as: the only two runs, if the main effect is the comparison of them.
        depends_on: the columns of the factors on which a main effect depends: there is a significant interaction.
        trend: of a main effect of a factor whose levels are numbers.
        simple_effects: of a significant interaction, those of each factor at each level of the other.
        reversal: of a significant interaction, two levels that change places.
    """

    task: str
    measure: str
    factors: tuple[str, ...]
    labels: tuple[str, ...]
    means: tuple[GroupMean, ...] = ()
    test: str = ""
    statistic: float | None = None
    df: tuple[float, float] | None = None
    p: float | None = None
    p_holm: float | None = None
    significant: bool | None = None
    family: Family | None = None
    generalizes: str = ""
    partial_eta_squared: float | None = None
    note: str = ""
    difference: LevelDifference | None = None
    same_as: tuple[str, str] | None = None
    depends_on: tuple[str, ...] = ()
    trend: Trend | None = None
    simple_effects: tuple[SimpleEffect, ...] = ()
    reversal: Reversal | None = None

    @property
    def is_main(self) -> bool:
        """Whether it is the effect of a single factor."""
        return len(self.factors) == 1

    @property
    def has_raw_means(self) -> bool:
        """Whether an estimated mean differs from the mean over the runs."""
        return any(item.raw_mean is not None for item in self.means)


def estimate_effects(table: ScoreTable, factors: Sequence[FactorUse]) -> tuple[Effect, ...]:
    """Main effects of all treatments, and the interactions of each two of them."""
    treatments = treatments_of(factors)
    if not treatments or len(table.tuned) < 2:  # noqa: PLR2004  nothing to compare
        return ()
    effects = [_effect(table, chosen) for count in (1, 2) for chosen in combinations(treatments, count)]
    shared = common_samples(table, table.tuned_keys)
    model = build_model(table.tuned, treatments)
    if not shared:
        return _with_note(effects, "no sample was answered by every run")
    if model is None:
        return _with_note(effects, "the factors were varied together, so their effects cannot be separated")
    return _estimated(effects, {factor.key: factor for factor in treatments}, _fit(table, model, shared), table)


def _effect(table: ScoreTable, factors: Sequence[FactorUse]) -> Effect:
    """An effect with the means over its runs, not tested yet."""
    keys = tuple(factor.key for factor in factors)
    labels = tuple(factor.label for factor in factors)
    return Effect(table.task, table.measure.name, keys, labels, raw_means(table, factors))


def _with_note(effects: Sequence[Effect], note: str) -> tuple[Effect, ...]:
    return tuple(replace(effect, note=note) for effect in effects)


def _fit(table: ScoreTable, model: LinearModel, shared: Sequence[str]) -> SeedFit | SampleFit:
    """The model over runs if some differ only in their seed, otherwise over the samples that all runs answered."""
    import numpy as np

    # Rows that are alike are those of runs with the same levels: runs that differ only in their seed.
    if len(np.unique(model.columns, axis=0)) < len(table.tuned):
        return SeedFit(table.tuned_scores, model)
    return SampleFit(np.array([list(map(table.values(key).__getitem__, shared)) for key in table.tuned_keys]), model)


def _estimated(
    effects: Sequence[Effect], factors: dict[str, FactorUse], fit: SeedFit | SampleFit, table: ScoreTable
) -> tuple[Effect, ...]:
    """The effects with everything that the fitted model says about them."""
    tested = []
    for effect in effects:
        if effect.factors in fit.model.terms:
            tested.append(_tested(effect, fit, table))
        else:
            tested.append(_without_term(effect))
    tested = _with_dependence(correct_family(tested, family_name(EFFECTS, table)))
    tested = _with_trends(tested, fit, family_name(TRENDS, table))
    return tuple(_with_simple_effects(tested, factors, fit, family_name(SIMPLE_EFFECTS, table)))


def _without_term(effect: Effect) -> Effect:
    if effect.is_main:
        return replace(effect, note="only one of its levels has scores")
    return replace(effect, note="some combinations of their levels have no run, or there are too many combinations")


def _tested(effect: Effect, fit: SeedFit | SampleFit, table: ScoreTable) -> Effect:
    """An effect with its estimated means and its test, or with a note that explains why it was not tested."""
    measure = table.measure
    means = estimated_means(effect.means, effect.factors, fit)
    possible = tuple(replace(item, interval=measure.possible_value(item.interval)) for item in means)
    effect = replace(effect, means=possible)
    if effect.is_main:
        largest = largest_difference(effect.means, effect.factors[0], fit)
        if largest is not None:
            largest = replace(largest, interval=measure.possible_difference(largest.interval))
        effect = replace(effect, difference=largest)
    why_not = _why_not(fit)
    test = None if why_not else _test_of(effect, fit)
    if test is None:
        return replace(effect, note=why_not or "too few samples, or too little variation between them, for a test")
    effect = replace(
        effect, test=test.name, statistic=test.statistic, df=test.df, p=test.p, generalizes=fit.generalizes
    )
    if isinstance(fit, SeedFit):
        return replace(effect, partial_eta_squared=fit.partial_eta_squared(test))
    if effect.is_main and len(table.tuned) == 2:  # noqa: PLR2004  one run for each of two levels
        first, second = table.tuned
        return replace(effect, same_as=(first.name, second.name))
    return effect


def _why_not(fit: SeedFit | SampleFit) -> str:
    if isinstance(fit, SeedFit):
        return fit.why_not
    return "every run has the same score on every sample" if fit.is_constant else ""


def _test_of(effect: Effect, fit: SeedFit | SampleFit) -> FactorTest | None:
    if not effect.is_main:
        return fit.test(fit.model.restriction(effect.factors))
    (key,) = effect.factors
    return fit.test_equal([fit.model.row({key: level}) for level in fit.model.codes[key]])


def _with_dependence(effects: Sequence[Effect]) -> list[Effect]:
    """The main effects with the factors on which they significantly depend."""
    others: dict[str, list[str]] = {}
    for effect in effects:
        if not effect.is_main and effect.significant:
            (one, two), (first, second) = effect.factors, effect.labels
            others.setdefault(one, []).append(second)
            others.setdefault(two, []).append(first)
    found = []
    for effect in effects:
        depends_on = others.get(effect.factors[0], []) if effect.is_main else []
        found.append(replace(effect, depends_on=tuple(depends_on)))
    return found


def _corrected(tests: Sequence[FactorTest | None], family: str) -> list[FactorTest | None]:
    """The tests as one family, in their order; what was not tested stays ``None``."""
    corrected = iter(correct_family([test for test in tests if test is not None], family))
    return [None if test is None else next(corrected) for test in tests]


def _with_trends(effects: Sequence[Effect], fit: SeedFit | SampleFit, family: str) -> list[Effect]:
    """The main effects with their trends, corrected together."""
    trends: dict[str, Trend] = {}
    for effect in effects:
        if effect.is_main and effect.p is not None:
            (key,) = effect.factors
            trend = estimate_trend(key, effect.labels[0], list(fit.model.codes[key]), fit)
            if trend is not None:
                trends[key] = trend
    tests: list[FactorTest | None] = []
    for trend in trends.values():
        tests += [trend.test, trend.departure]
    corrected = _corrected(tests, family)
    for number, (key, trend) in enumerate(trends.items()):
        slope, departure = corrected[2 * number : 2 * number + 2]
        trends[key] = replace(trend, test=slope or trend.test, departure=departure)
    return [replace(effect, trend=trends.get(effect.factors[0])) if effect.is_main else effect for effect in effects]


def _with_simple_effects(
    effects: Sequence[Effect], factors: dict[str, FactorUse], fit: SeedFit | SampleFit, family: str
) -> list[Effect]:
    """The significant interactions with their simple effects, corrected together, and with their reversal."""
    parts: list[list[SimpleEffect]] = []
    for effect in effects:
        is_asked = not effect.is_main and bool(effect.significant)
        parts.append(simple_effects_of(fit, *(factors[key] for key in effect.factors)) if is_asked else [])
    corrected = iter(_corrected([item.test for part in parts for item in part], family))
    found = []
    for effect, part in zip(effects, parts, strict=True):
        simple = tuple(replace(item, test=next(corrected)) for item in part)
        reversal = find_reversal(fit, *(factors[key] for key in effect.factors)) if simple else None
        found.append(replace(effect, simple_effects=simple, reversal=reversal))
    return found


def share_verdicts(effects: Sequence[Effect], comparisons: Sequence[Comparison]) -> tuple[Effect, ...]:
    """The effects, where one is the comparison of two runs with the verdict of that comparison.

    The test is the same; with two corrections, one contrast would have two verdicts.
    """
    found = []
    for effect in effects:
        same = _same_comparison(effect, comparisons)
        if same is None:
            found.append(effect)
        else:
            found.append(replace(effect, p_holm=same.p_holm, significant=same.significant, family=same.family))
    return tuple(found)


def is_comparison(effect: Effect, comparisons: Sequence[Comparison]) -> bool:
    """Whether an effect of two levels is the comparison of the only two runs: the same test, which counts once."""
    return _same_comparison(effect, comparisons) is not None


def _same_comparison(effect: Effect, comparisons: Sequence[Comparison]) -> Comparison | None:
    """The comparison of the two runs that the effect is about, on its own measure; ``None`` without one."""
    if effect.same_as is None:
        return None
    for item in comparisons:
        is_own = item.against == "best" and (item.task, item.measure) == (effect.task, effect.measure)
        if is_own and {item.run, item.other} == set(effect.same_as):
            return item
    return None
