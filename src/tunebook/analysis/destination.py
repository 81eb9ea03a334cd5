"""The directories of a report."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tunebook.core.paths import ANALYSIS, ANALYSIS_MEMORY

__all__ = ["Destination", "destination_of"]


@dataclass(frozen=True)
class Destination:
    """Where a report is written.

    Attributes:
        folder: for its files.
        memory: for what later analyses need not make again.
    """

    folder: Path
    memory: Path

    @property
    def root(self) -> Path:
        """The directory of the lock, the log and the memory: nothing is written outside of it."""
        return self.memory.parent.parent


def destination_of(experiment: Path) -> Destination:
    """The directories of a single experiment's report, which are in the experiment's own."""
    return Destination(experiment / ANALYSIS, experiment / ANALYSIS_MEMORY)
