"""The machine for which settings are detected, as a value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

from tunebook.site.finding import Detected
from tunebook.site.python import Found, find_environments
from tunebook.site.surroundings import Surroundings
from tunebook.slurm.cluster import Cluster

__all__ = ["Machine", "Step"]


@dataclass(frozen=True)
class Machine:
    """A machine, and the values that were chosen for it so far.

    Attributes:
        cluster: ``None`` without SLURM.
        values: by key.
    """

    here: Surroundings
    cluster: Cluster | None = None
    values: dict[str, str] = field(default_factory=dict)

    @cached_property
    def environments(self) -> tuple[Found, ...]:
        """The Python environments, which are searched for once."""
        return find_environments(self.here)


Step = Callable[[Machine], Detected | None]
