"""The smallest differences that a plan's samples and seeds can show, in sentences."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from statistics import NormalDist

from tunebook.core.plan import EvaluationTask, Plan
from tunebook.core.plan.settings import effective
from tunebook.tools.installing import install_anywhere

__all__ = ["ASSUMED_SD", "detectable_difference", "detectable_over_seeds", "power_sentences", "without_hypotheses"]

ASSUMED_SD = 0.02
"""The standard deviation of a score between seeds where none is known."""
_POWER = 0.8
_ALPHA = 0.05
_DISCORDANT = 0.5  # of pairs of independent answers, if one of the two runs is right in half of the cases
_LARGEST = 0.5  # above a score of 50 %


def power_sentences(plan: Plan, samples: Mapping[str, int | None]) -> Iterator[str]:
    """Sentences about the differences that a power of 80 % shows at the plan's corrected level.

    Args:
        samples: task to its number of samples; ``None`` where it is not known.
    """
    tests = max(1, len(plan.hypotheses))
    is_two_sided = not all(item.relation.is_directed for item in plan.hypotheses) or not plan.hypotheses
    level = _ALPHA / tests
    at = f"{'two' if is_two_sided else 'one'}-sided at a level of {level:.2g}"
    if tests > 1:
        at += f", which is {_ALPHA:g} for {tests} hypotheses"
    per_tail = level / 2 if is_two_sided else level
    for task in plan.tasks:
        yield _over_samples(task, samples.get(task.name), per_tail, at)
    seeds = _seeds(plan)
    if seeds > 1:
        yield _over_seeds(seeds, per_tail, at)


def _over_samples(task: EvaluationTask, n: int | None, per_tail: float, at: str) -> str:
    if n is None:
        return (
            f"The smallest difference that {task.name} can show is not known: tunebook cannot count its samples, "
            "because the task brings its data or its data set has no split `test`."
        )
    assumption = "for right and wrong answers, a base score of 50 %, and answers of two runs that are independent"
    difference = detectable_difference(n, per_tail)
    if difference is None:
        return f"The {n} samples of {task.name} cannot show even 50 points with 80 % power ({at}; {assumption})."
    return (
        f"The {n} samples of {task.name} show a difference of about {100 * difference:.1f} points between two runs "
        f"with 80 % power ({at}; {assumption}; less if the runs agree more often)."
    )


def detectable_difference(n: int, per_tail: float) -> float | None:
    """The smallest difference of two shares on the same n samples that McNemar's test shows with 80 % power.

    It solves n δ² = (z(1 - α) √ψ + z(0.8) √(ψ - δ²))², with the share ψ of discordant pairs. Answers that are
    independent of each other, one of the two runs being right in half of the cases, have ψ = 1/2. ``None`` if it is
    more than 50 points. Our own because statsmodels has no power of McNemar's test.

    Source: R. J. Connor (1987), Sample size for testing differences in proportions for the paired-sample design,
    Biometrics 43:207-211.
    """
    z_level, z_power = NormalDist().inv_cdf(1 - per_tail), NormalDist().inv_cdf(_POWER)

    def is_enough(difference: float) -> bool:
        spread = z_level * math.sqrt(_DISCORDANT) + z_power * math.sqrt(_DISCORDANT - difference**2)
        return n * difference**2 >= spread**2

    if not is_enough(_LARGEST):
        return None
    low, high = 0.0, _LARGEST
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (low, middle) if is_enough(middle) else (middle, high)
    return high


def _seeds(plan: Plan) -> int:
    """How many runs, which differ in their seed only, the settings have at least."""
    keys = [key for key in plan.columns if key != "seed"]
    settings = Counter((run.model, *(effective(plan, run, key) for key in keys)) for run in plan.fine_tuned)
    return min(settings.values(), default=0)


def _over_seeds(seeds: int, per_tail: float, at: str) -> str:
    sd = f"{100 * ASSUMED_SD:g} points"
    difference = detectable_over_seeds(seeds, per_tail)
    if difference is None:
        install = install_anywhere("tunebook[analysis]")
        return f"The smallest difference that the seeds can show needs statsmodels: {install}."
    return (
        f"{seeds} seeds per setting show a difference of about {100 * difference:.1f} points between two settings with "
        f"80 % power ({at}; over runs, so that it generalizes to retraining; a standard deviation between seeds of "
        f"{sd} is assumed)."
    )


def detectable_over_seeds(seeds: int, per_tail: float) -> float | None:
    """The smallest difference of two settings that a t-test over their runs shows with 80 % power.

    ``None`` if statsmodels is not installed.
    """
    if find_spec("statsmodels") is None:
        return None
    from statsmodels.stats.power import TTestIndPower

    effect = TTestIndPower().solve_power(nobs1=seeds, alpha=per_tail, power=_POWER, alternative="larger")
    return float(effect) * ASSUMED_SD


def without_hypotheses(plan: Plan) -> str:
    """That the plan has no hypotheses, and how to add one; empty if it has some."""
    if plan.hypotheses:
        return ""
    example = "RUN > base"
    for factor in plan.factors:
        parameter = plan.parameters.by_column(factor.name)
        if parameter is not None and len(factor.levels) > 1:
            example = f"{parameter.key} = {factor.levels[-1]} > {parameter.key} = {factor.levels[0]}"
            break
    return (
        "The plan has no hypotheses, so that every result will be exploratory. Add one before the first job, for "
        f"example with --update --hypothesis 'H1: {example}'."
    )
