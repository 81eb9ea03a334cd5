"""The findings for one setting, as values."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Candidate", "Detected"]


@dataclass(frozen=True)
class Candidate:
    """A value that a setting could have, and how it was found; an empty value leaves it unset."""

    value: str
    basis: str


@dataclass(frozen=True)
class Detected:
    """Candidates for a setting, the likeliest first.

    Attributes:
        question: asks a person to choose where the first candidate is not certain; empty otherwise.
        missing: why there are no candidates, or what applies without one.
    """

    key: str
    candidates: tuple[Candidate, ...] = ()
    question: str = ""
    missing: str = ""

    @property
    def first(self) -> Candidate:
        """The candidate that is chosen if nobody is asked."""
        if not self.candidates:
            return Candidate("", self.missing)
        return self.candidates[0]
