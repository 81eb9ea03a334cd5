"""Hypotheses as values: contrasts of two sides; :mod:`tunebook.core.contrasts` finds the sides in a plan.

:mod:`tunebook.core.hypothesis_grammar` reads them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

__all__ = [
    "Hypothesis",
    "Margin",
    "Relation",
    "Side",
    "Term",
    "TermKind",
]


class Relation(Enum):
    """How the left side relates to the right one."""

    HIGHER = ">"
    LOWER = "<"
    DIFFERENT = "≠"
    EQUAL = "="
    BETTER = "better than"
    WORSE = "worse than"

    @property
    def is_directed(self) -> bool:
        """Whether it says which side is higher, or better."""
        return self not in {Relation.DIFFERENT, Relation.EQUAL}

    @property
    def follows_direction(self) -> bool:
        """Whether it is about better and worse, so that it needs the measure's direction."""
        return self in {Relation.BETTER, Relation.WORSE}


@dataclass(frozen=True)
class Margin:
    """A difference of scores.

    Attributes:
        value: in the measure's unit: 5 points are 0.05.
        in_points: whether it was given in percentage points, which only shares have.
    """

    value: float
    in_points: bool
    text: str


class TermKind(Enum):
    """The kind of thing that a term names."""

    NAME = "name"
    RUN = "run"
    MODEL = "model"
    TASK = "task"
    SETTING = "setting"
    BASE = "base"


@dataclass(frozen=True)
class Term:
    """A part of a side; ``value`` is that of a setting."""

    kind: TermKind
    name: str
    value: str = ""

    def __str__(self) -> str:
        if self.kind is TermKind.SETTING:
            return f"{self.name} = {self.value}"
        return self.name if self.kind in {TermKind.NAME, TermKind.BASE} else f"{self.kind.value} {self.name}"


Side = tuple[Term, ...]
"""The terms that all apply to what a side stands for."""


@dataclass(frozen=True)
class Hypothesis:
    """One hypothesis of a plan.

    Attributes:
        text: the whole item as it is written, in Markdown.
        contrast: the contrast as it is written, on one line.
        name: such as ``H1``; empty without one.
        words: what the author says about it.
        task: empty where the plan has a single one, and where tasks are compared.
        measure: empty for the task's headline measure.
        only: what ``for`` limits both sides to.
        line: one-based; 0 where it comes from no plan.
    """

    text: str
    contrast: str
    left: Side
    relation: Relation
    right: Side
    margin: Margin | None = None
    name: str = ""
    words: str = ""
    task: str = ""
    measure: str = ""
    only: Side = ()
    line: int = 0
