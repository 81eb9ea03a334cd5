"""The findings for one setting, and the machine that they come from, as values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

from tunebook.site.python import Found, find_environments
from tunebook.site.surroundings import Surroundings
from tunebook.slurm.cluster import Cluster

__all__ = ["Candidate", "Detected", "Machine", "Step"]


@dataclass(frozen=True)
class Candidate:
    """A value that a setting could have, and how it was found; an empty value leaves it unset."""

    value: str
    basis: str


@dataclass(frozen=True)
class Detected:
    """Candidates for a setting, the likeliest first.

    Attributes:
        question: what a person is asked, where the first candidate is not certain; empty otherwise.
        missing: why there is no candidate, or what applies without one.
    """

    key: str
    candidates: tuple[Candidate, ...] = ()
    question: str = ""
    missing: str = ""

    @property
    def first(self) -> Candidate:
        """The candidate that is chosen if nobody is asked."""
        return self.candidates[0] if self.candidates else Candidate("", self.missing)


@dataclass(frozen=True)
class Machine:
    """The machine for which the settings are, and the values that were chosen so far.

    Attributes:
        cluster: ``None`` where there is no SLURM.
        values: by key.
    """

    here: Surroundings
    cluster: Cluster | None = None
    values: dict[str, str] = field(default_factory=dict)

    @cached_property
    def environments(self) -> tuple[Found, ...]:
        """The Python environments, looked for once."""
        return find_environments(self.here)


Step = Callable[[Machine], Detected | None]
