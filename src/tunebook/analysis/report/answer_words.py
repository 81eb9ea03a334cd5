"""The words of the report's answer: an interval with its kind, the correction, the selection, and the counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tunebook.analysis.formatting import Scale, percent_text, plural
from tunebook.analysis.records import Family, Interval, Measure, TaskUse
from tunebook.analysis.statistics.intervals import LEVEL
from tunebook.analysis.statistics.ranking import RankedSetting

__all__ = [
    "Shown",
    "corrected_text",
    "counts_text",
    "difference_text",
    "selection_text",
    "shown_interval",
]


@dataclass(frozen=True)
class Shown:
    """The interval that a sentence shows; ``is_simultaneous`` if it holds together with those of the family."""

    interval: Interval | None
    is_simultaneous: bool = False

    @property
    def excludes_zero(self) -> bool:
        """Whether 0 is outside of it."""
        return self.interval is not None and not self.interval.contains_zero


def shown_interval(own: Interval | None, simultaneous: Interval | None, family: Family | None) -> Shown:
    """The simultaneous interval beside a corrected decision, otherwise the difference's own."""
    if simultaneous is not None and family is not None and family.size > 1:
        return Shown(simultaneous, is_simultaneous=True)
    return Shown(own)


def difference_text(scale: Scale, difference: float, shown: Shown) -> str:
    """``+12.5 points (simultaneous interval 2.1 to 22.9)``; the level is named where it is not the report's."""
    text = scale.change(difference)
    interval = shown.interval
    if interval is None:
        return text
    kind = "simultaneous interval " if shown.is_simultaneous else ""
    if interval.level != LEVEL:
        kind = f"{percent_text(interval.level)} {kind or 'interval '}"
    return f"{text} ({kind}{scale.bounds(interval)})"


def corrected_text(family: Family | None) -> str:
    """`` after Holm's correction``; nothing where there was nothing to correct."""
    if family is None or family.correction == "none":
        return ""
    return f" after {family.correction}'s correction"


def selection_text(ranking: Sequence[RankedSetting], task: TaskUse, scale: Scale, *, shown: float) -> str:
    """The best one's value without the luck of having been chosen; empty if that value is shown anyway."""
    for item in ranking:
        if (item.task, item.measure) == (task.name, task.headline.name):
            if item.corrected is None or scale.value(item.corrected) in {scale.value(shown), scale.value(item.value)}:
                return ""
            unit = "samples and seeds" if len(item.runs) > 1 else "samples"
            value = scale.value(item.corrected)
            return f"Chosen on some of the {unit} and scored on the others, the best one has {value}."
    return ""


def counts_text(differences: Sequence[float], tested: int, measure: Measure, noun: str) -> str:
    """How many are significantly better and worse than their base model; nothing for a single one.

    Args:
        differences: the significant ones.
        tested: how many were tested.
    """
    if tested == 1:
        return ""
    better = sum(measure.is_better(difference, 0.0) for difference in differences)
    parts = []
    for count, word in ((better, "better"), (len(differences) - better, "worse")):
        if count:
            parts.append(f"{count} {'is' if count == 1 else 'are'} significantly {word}")
    owner = "its" if len(differences) == 1 else "their"
    text = f"Of {plural(tested, noun)}, {' and '.join(parts)} than {owner} base model"
    if tested > len(differences):
        text += f"; for {tested - len(differences)} no difference was detected"
    return f"{text}."
