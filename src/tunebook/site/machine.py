"""A person on a machine, and what is found there for each setting: as values that a test can make up."""

from __future__ import annotations

import grp
import os
import pwd
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tunebook.slurm.cluster import Cluster

__all__ = ["Candidate", "Detected", "Machine", "Surroundings"]


@dataclass(frozen=True)
class Surroundings:
    """A person on a machine.

    Attributes:
        groups: the primary one first.
        root: the directory that counts as ``/``.
        python: the prefix of the Python that runs tunebook.
    """

    user: str
    groups: tuple[str, ...]
    home: Path
    directory: Path
    env: Mapping[str, str] = field(default_factory=dict)
    root: Path = Path("/")
    python: Path = Path(sys.prefix)

    @classmethod
    def here(cls, directory: Path) -> Surroundings:
        """Returns this process's person and machine; ``directory`` is the current directory."""
        user = str(os.getuid())
        with suppress(KeyError):
            user = pwd.getpwuid(os.getuid()).pw_name
        names = []
        for number in dict.fromkeys((os.getgid(), *os.getgroups())):
            with suppress(KeyError):
                names.append(grp.getgrgid(number).gr_name)
        return cls(user, tuple(names), Path.home(), directory, dict(os.environ))


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
