"""What the statistics say, as frozen values: comparisons, effects of factors, seeds, cost against score."""

from __future__ import annotations

from dataclasses import dataclass

from tunebook.analysis.collect.records import Interval

__all__ = ["Cell", "Comparison", "CostPoint", "Effect", "Level", "Replicates"]


@dataclass(frozen=True)
class Comparison:
    """Two evaluations of one task on the same samples.

    Attributes:
        against: ``base`` or ``best``.
        run: the run; ``other`` is the base model or the best run.
        epoch: of the run's evaluation, -1 for what was not trained here; ``other_epoch`` likewise.
        n: samples that both have; ``unpaired`` are in one of them only, and are left out.
        value: the run's mean over these samples; ``other_value`` the other's.
        difference: ``value - other_value``, with its ``interval``.
        gained: samples that only the run got right; ``lost`` only the other; ``None`` unless all are right or wrong.
        test: the test's name; ``p`` its two-sided p-value, ``p_holm`` corrected over its family of ``family`` tests.
        significant: whether ``p_holm`` is below the level of significance.
    """

    against: str
    task: str
    measure: str
    run: str
    epoch: int
    other: str
    other_epoch: int
    n: int
    unpaired: int
    value: float
    other_value: float
    difference: float
    interval: Interval | None
    test: str
    p: float
    p_holm: float
    family: int
    significant: bool
    gained: int | None = None
    lost: int | None = None


@dataclass(frozen=True)
class Level:
    """A level of a factor: the mean over its runs, with its interval if the design carries one."""

    level: str
    runs: int
    mean: float
    interval: Interval | None = None


@dataclass(frozen=True)
class Cell:
    """A cell of an interaction: a level of each of the two factors."""

    first: str
    second: str
    runs: int
    mean: float


@dataclass(frozen=True)
class Effect:
    """A main effect (one factor) or an interaction (two) on one measure of one task.

    Attributes:
        factors: keys; ``labels`` are their columns on the page.
        levels: of a main effect.
        cells: of an interaction.
        test: what was tested and how, in words; empty if the design does not carry a test, and ``note`` says why.
        statistic: the test's F; ``df`` its degrees of freedom.
        generalizes: to what the p-value speaks: ``samples`` (these trained models, other samples) or ``seeds`` (other
            trainings, these samples).
        partial_eta_squared: the part of the variance between runs; ``None`` where runs are not the unit.
    """

    task: str
    measure: str
    factors: tuple[str, ...]
    labels: tuple[str, ...]
    levels: tuple[Level, ...] = ()
    cells: tuple[Cell, ...] = ()
    test: str = ""
    statistic: float | None = None
    df: tuple[float, float] | None = None
    p: float | None = None
    p_holm: float | None = None
    significant: bool | None = None
    generalizes: str = ""
    partial_eta_squared: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Replicates:
    """Runs that differ in their seed only: mean, standard deviation (n - 1) and Student t interval over the seeds.

    Attributes:
        difference: from the base model, sample by sample over the mean of the seeds, with the interval and p-values of
            a paired test over the samples, corrected over all settings; ``None`` without a base model.
    """

    task: str
    measure: str
    setting: str
    runs: tuple[str, ...]
    mean: float
    sd: float | None
    interval: Interval | None
    difference: float | None = None
    difference_interval: Interval | None = None
    p: float | None = None
    p_holm: float | None = None
    significant: bool | None = None


@dataclass(frozen=True)
class CostPoint:
    """What a run cost to train and what it scored; ``on_front`` if no other run is cheaper and at least as good.

    Attributes:
        unit: ``GPU hours`` or ``hours`` of wall time.
    """

    task: str
    measure: str
    run: str
    epoch: int
    cost: float
    unit: str
    score: float
    interval: Interval | None
    on_front: bool
