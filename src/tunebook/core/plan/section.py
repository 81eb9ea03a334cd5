"""The contract of a section of the plan: one object reads it, writes it, and leaves the blocks that it did not read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import ClassVar

from tunebook.core.plan.parameter_table import ParameterTable
from tunebook.core.plan.reading import SectionReader
from tunebook.core.plan.values import Plan

__all__ = ["Fact", "PlanDetails", "Section", "SectionOfParts", "Writing"]

Fact = tuple[str, str]
"""The name of a bullet, and its text as Markdown."""


@dataclass(frozen=True)
class PlanDetails:
    """What the text of a plan tells people besides the plan; nothing reads it back.

    Attributes:
        design: the kind of design in words: ``4×2 factorial``.
        created: date and time.
        directory: the experiment's.
        verified: paths that were found, and get a tick.
        dataset: facts on the data set, such as its size.
        prerequisites: what to do before the experiment can run; one line of Markdown each.
        training: facts below the estimates of training; ``evaluation`` and ``disk`` likewise.
        naming: facts on names.
        matrix_notes: run to its note in the evaluation matrix.
        notes: lines for people at the end of the plan.
    """

    design: str = ""
    created: str = ""
    directory: str = ""
    verified: frozenset[str] = frozenset()
    dataset: tuple[Fact, ...] = ()
    prerequisites: tuple[str, ...] = ()
    training: tuple[Fact, ...] = ()
    evaluation: tuple[Fact, ...] = ()
    disk: tuple[Fact, ...] = ()
    naming: tuple[Fact, ...] = ()
    matrix_notes: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Writing:
    """What the sections are written from."""

    plan: Plan
    details: PlanDetails
    parameters: ParameterTable

    def tick(self, path: str | None, text: str = " ✓") -> str:
        """A mark after the path of a file or directory that was found."""
        return text if path in self.details.verified else ""


class Section(ABC):
    """One section of the plan; ``title`` is its heading."""

    title: ClassVar[str]

    @abstractmethod
    def read(self, source: SectionReader, plan: Plan) -> Plan:
        """The plan with the values of this section; earlier sections are read already.

        The section takes each block that it reads from ``source``: the others are listed as unread.
        """

    @abstractmethod
    def write(self, target: Writing) -> Iterator[str]:
        """The lines below the heading; a section without lines is left out."""


class SectionOfParts(Section):
    """A section that consists of subsections."""

    parts: ClassVar[Sequence[Section]]

    def read(self, source: SectionReader, plan: Plan) -> Plan:
        """Reads the subsections that are there."""
        for part in self.parts:
            found = source.subsection(part.title)
            if found is not None:
                plan = part.read(found, plan)
        return plan

    def write(self, target: Writing) -> Iterator[str]:
        """Writes the subsections that have lines."""
        for part in self.parts:
            lines = list(part.write(target))
            if lines:
                yield from ("", f"### {part.title}", *lines)
