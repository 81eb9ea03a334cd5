"""Chooses the columns of the samples' metadata that divide them into groups, and says why others are left out."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tunebook.analysis.collect.source import Collected
from tunebook.analysis.records import EvaluationKey
from tunebook.analysis.statistics.group_results import LeftOut

__all__ = ["FEWEST_GROUPS", "FEWEST_SAMPLES", "Grouping", "groupings_of"]

FEWEST_SAMPLES = 10
"""The fewest samples of a group that is compared."""
FEWEST_GROUPS = 2
"""The fewest groups that can be compared."""
_MOST_GROUPS = 12
_MOST_COLUMNS = 8


@dataclass(frozen=True)
class Grouping:
    """A column: each sample's group, and the groups in their order; samples of small groups are not in it."""

    column: str
    group_of: Mapping[str, str]
    groups: tuple[str, ...]

    def split(self, values: Mapping[str, float]) -> dict[str, dict[str, float]]:
        """The samples' values by group, in the groups' order."""
        split: dict[str, dict[str, float]] = {group: {} for group in self.groups}
        for sample, value in values.items():
            group = self.group_of.get(sample)
            if group is not None:
                split[group][sample] = value
        return split


def groupings_of(found: Collected, task: str, keys: Sequence[EvaluationKey], left_out: list[LeftOut]) -> list[Grouping]:
    """The columns whose groups are large enough to compare, and why others are left out."""
    columns = dict.fromkeys(itertools.chain.from_iterable(found.samples[key].metadata for key in keys))
    groupings: list[Grouping] = []
    for column in columns:
        grouping, reasons = _grouping(found, column, keys)
        left_out += [LeftOut(task, column, why) for why in reasons]
        if grouping is None:
            continue
        if len(groupings) < _MOST_COLUMNS:
            groupings.append(grouping)
        else:
            left_out.append(LeftOut(task, column, f"only the first {_MOST_COLUMNS} columns are compared"))
    return groupings


def _grouping(found: Collected, column: str, keys: Sequence[EvaluationKey]) -> tuple[Grouping | None, list[str]]:
    group_of: dict[str, str] = {}
    for key in keys:
        samples = found.samples[key]
        for sample, group in zip(samples.ids, samples.metadata.get(column, ()), strict=False):
            if group is not None and group_of.setdefault(sample, group) != group:
                return None, ["a sample has different values of it in different evaluations"]
    sizes = Counter(group_of.values())
    if not FEWEST_GROUPS <= len(sizes) <= _MOST_GROUPS:
        count = f"{len(sizes)} different values" if len(sizes) > 1 else "a single value"
        return None, [f"it has {count}; groups are {FEWEST_GROUPS} to {_MOST_GROUPS}"]
    groups = [group for group in sorted(sizes, key=_group_order) if sizes[group] >= FEWEST_SAMPLES]
    small = [f"{group} ({sizes[group]})" for group in sorted(sizes, key=_group_order) if group not in groups]
    reasons = []
    if small:
        reasons.append(f"groups with fewer than {FEWEST_SAMPLES} samples: {', '.join(small)}")
    if len(groups) < FEWEST_GROUPS:
        return None, [*reasons, "fewer than two groups are left"]
    kept = {sample: group for sample, group in group_of.items() if group in groups}
    return Grouping(column, kept, tuple(groups)), reasons


def _group_order(group: str) -> tuple[int, float, str]:
    """Numbers by their value, before other texts."""
    try:
        return 0, float(group), ""
    except ValueError:
        return 1, 0.0, group
