"""The ways in which a task can score answers, by the names that a person gives them."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Scorer"]


class Scorer(StrEnum):
    """How a new task scores: the value is what a person writes."""

    EXACT = "exact"
    INCLUDES = "includes"
    CHOICE = "choice"
    NUMERIC = "numeric"
    RISK = "risk"
    MODEL_GRADED = "model-graded"

    @property
    def meaning(self) -> str:
        """Its meaning, as the end of the sentence "a scorer that …"."""
        return _MEANINGS[self]

    @property
    def summary(self) -> str:
        """A description for the plan's table of tasks."""
        return _SUMMARIES[self]

    @property
    def has_choices(self) -> bool:
        """Whether answers are one of a few choices."""
        return self in {Scorer.CHOICE, Scorer.RISK}


_MEANINGS = {
    Scorer.EXACT: "counts an answer as right if it is exactly the target; white space around it does not count",
    Scorer.INCLUDES: "counts an answer as right if it contains the target; capitals count",
    Scorer.CHOICE: "reads the one choice that an answer names, and counts answers that name none or several as wrong",
    Scorer.NUMERIC: "measures the distance of the first number in an answer from the target",
    Scorer.RISK: "reads the probability of each of two options from the log-probabilities of the first token",
    Scorer.MODEL_GRADED: "asks another model whether an answer agrees with the target",
}
_SUMMARIES = {
    Scorer.EXACT: "Exact match",
    Scorer.INCLUDES: "The answer contains the target",
    Scorer.CHOICE: "One choice of several",
    Scorer.NUMERIC: "Distance from a number",
    Scorer.RISK: "Probability of an outcome",
    Scorer.MODEL_GRADED: "Graded by a model",
}
