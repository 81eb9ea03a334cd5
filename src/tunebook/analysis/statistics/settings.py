"""Settings: the runs that have the same levels of all treatments and differ at most in their seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from tunebook.analysis.formatting import run_labels
from tunebook.analysis.records import FactorUse
from tunebook.analysis.statistics.balance import treatments_of
from tunebook.analysis.statistics.scores import ScoreTable
from tunebook.core.plan import RunType

__all__ = ["Setting", "have_replicates", "pooled_spread", "settings_of"]

_ROUNDING = 1e-18  # of a variance


@dataclass(frozen=True)
class Setting:
    """Runs that differ at most in their seed; a model that was not trained here is a setting of its own.

    Attributes:
        label: its levels in words, or its run's short name where no setting has several runs.
        levels: the treatments' levels by key.
        runs: the names of its runs that have a final score.
    """

    label: str
    levels: Mapping[str, str]
    runs: tuple[str, ...]


def settings_of(table: ScoreTable, factors: Sequence[FactorUse]) -> tuple[Setting, ...]:
    """The settings of all runs with a final score but the base models, in the plan's order."""
    treatments = treatments_of(factors)
    runs_of: dict[tuple[str, ...], list[str]] = {}
    levels_of: dict[tuple[str, ...], dict[str, str]] = {}
    names = {}
    short = run_labels(table.runs)
    for run in table.runs:
        if run.type is RunType.CONTROL or run.name not in table.finals:
            continue
        key = ("", *(run.levels.get(factor.key, "") for factor in treatments))
        words = [f"{factor.label} {run.levels.get(factor.key, '')}" for factor in treatments]
        names[key] = ", ".join(words) or "identical settings"
        if run.type is not RunType.FINE_TUNED:
            key = (run.name,)
            names[key] = short[run.name]
        runs_of.setdefault(key, []).append(run.name)
        levels_of[key] = {factor.key: run.levels[factor.key] for factor in treatments if factor.key in run.levels}
    are_single = all(len(runs) == 1 for runs in runs_of.values())
    settings = []
    for key, runs in runs_of.items():
        label = short[runs[0]] if are_single else names[key]
        settings.append(Setting(label, levels_of[key], tuple(runs)))
    return tuple(settings)


def have_replicates(settings: Sequence[Setting]) -> bool:
    """Whether a setting has several runs."""
    return any(len(setting.runs) > 1 for setting in settings)


def pooled_spread(groups: Sequence[Sequence[float]]) -> tuple[float, int]:
    """The variance between runs of one setting, pooled over all settings, and its degrees of freedom."""
    squares = 0.0
    freedom = 0
    for group in groups:
        mean = fmean(group)
        squares += sum((value - mean) ** 2 for value in group)
        freedom += len(group) - 1
    variance = squares / freedom
    return (variance if variance > _ROUNDING else 0.0), freedom
