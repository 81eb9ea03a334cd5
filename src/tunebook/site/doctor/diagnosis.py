"""A diagnosis: one fact about an installation or a machine, how good it is, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from tunebook.errors import Problem

__all__ = ["Condition", "Diagnosis", "doubt", "fine", "not_checked", "of_problem", "wrong"]


class Condition(Enum):
    """How good a fact is."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"
    NOT_CHECKED = "not checked"


@dataclass(frozen=True)
class Diagnosis:
    """One fact.

    Attributes:
        condition: how good it is.
        message: the fact; for a condition other than ``OK`` what is wrong, or why it could not be checked.
        hint: what to do about it; empty if nothing has to be done.
        file: the file whose setting leads to it, and ``line`` there; ``None`` otherwise.
    """

    condition: Condition
    message: str
    hint: str = ""
    file: str | None = None
    line: int | None = None

    @property
    def problem(self) -> Problem:
        """The same as an error or a warning of a verb."""
        return Problem(self.message, self.file, self.line, self.hint)


def fine(message: str, hint: str = "") -> Diagnosis:
    """A fact that is as it should be."""
    return Diagnosis(Condition.OK, message, hint)


def doubt(message: str, hint: str) -> Diagnosis:
    """A fact that may become a problem."""
    return Diagnosis(Condition.WARNING, message, hint)


def wrong(message: str, hint: str) -> Diagnosis:
    """A fact that jobs fail on."""
    return Diagnosis(Condition.PROBLEM, message, hint)


def not_checked(message: str, hint: str) -> Diagnosis:
    """A fact that could not be found out."""
    return Diagnosis(Condition.NOT_CHECKED, message, hint)


def of_problem(condition: Condition, problem: Problem, before: str = "") -> Diagnosis:
    """An error or a warning that another part of tunebook found.

    Args:
        before: what the message is about, in front of it.
    """
    return Diagnosis(condition, f"{before}{problem.message}", problem.hint, problem.file, problem.line)
