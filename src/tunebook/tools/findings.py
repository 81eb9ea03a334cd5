"""What tools report of a plan and of the disk: contradictions, doubts, notes, and values in effect."""

from __future__ import annotations

from dataclasses import dataclass

from tunebook.errors import Problem

__all__ = ["PROMPTS", "Effect", "Findings"]


@dataclass(frozen=True)
class Findings:
    """Contradictions (errors), facts that a person should check (warnings), and what was read (notes for the log)."""

    errors: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()

    def __add__(self, other: Findings) -> Findings:
        """Both, each finding once: the stages may share a model."""
        return Findings(
            tuple(dict.fromkeys(self.errors + other.errors)),
            tuple(dict.fromkeys(self.warnings + other.warnings)),
            tuple(dict.fromkeys(self.notes + other.notes)),
        )


PROMPTS = "prompts"
"""The group of effects that apply to both trainings and evaluations."""


@dataclass(frozen=True)
class Effect:
    """A value that a run's jobs use, and where it comes from.

    Attributes:
        key: the parameter's key, or a name of the tool's own; within a group the last effect with a key counts.
        name: for people.
        source: a file with its line, ``default``, or how the value follows from others.
        group: the heading under which ``check`` prints it.
    """

    key: str
    name: str
    value: str
    source: str
    group: str
