"""Scores by group of samples as records: scores, gaps, interactions, and what is left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tunebook.analysis.records import Family, Interval

__all__ = ["GroupGap", "GroupInteraction", "GroupResults", "GroupScore", "LeftOut"]


@dataclass(frozen=True)
class GroupScore:
    """A run's value of a measure over the samples of one group.

    Attributes:
        n: how many samples it is computed of.
        undefined: why there is no value.
    """

    task: str
    measure: str
    column: str
    group: str
    run: str
    epoch: int
    n: int
    value: float | None
    interval: Interval | None
    undefined: str = ""


@dataclass(frozen=True)
class GroupGap:
    """The largest gap between two groups of a run.

    Attributes:
        interval: simultaneous for all pairs of groups (Bonferroni), since the largest gap was chosen among them.
    """

    task: str
    measure: str
    column: str
    run: str
    epoch: int
    highest: str
    lowest: str
    gap: float
    interval: Interval | None


@dataclass(frozen=True)
class GroupInteraction:
    """Whether a run's difference from another one, on the same samples, is the same in all groups.

    Attributes:
        other: the base model; without one, the plan's first run.
        differences: group to the run's difference there, with its interval.
        n: samples that both runs have, in these groups.
        p: ``None`` where the samples have no spread to test it with.
    """

    task: str
    measure: str
    column: str
    run: str
    epoch: int
    other: str
    other_epoch: int
    n: int
    differences: Mapping[str, tuple[float, Interval | None]]
    test: str
    p: float | None
    p_holm: float | None = None
    significant: bool | None = None
    family: Family | None = None


@dataclass(frozen=True)
class LeftOut:
    """A column of a task's metadata, or a group in it, that is not compared, and why."""

    task: str
    column: str
    why: str


@dataclass(frozen=True)
class GroupResults:
    """All scores by group, with their gaps and interactions."""

    scores: tuple[GroupScore, ...] = ()
    gaps: tuple[GroupGap, ...] = ()
    interactions: tuple[GroupInteraction, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
