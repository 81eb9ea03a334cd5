"""The person and the machine that ask, as a value that a test can make up."""

from __future__ import annotations

import grp
import os
import pwd
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Surroundings"]


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
        """Returns those of this process; ``directory`` is where the person is."""
        user = str(os.getuid())
        with suppress(KeyError):
            user = pwd.getpwuid(os.getuid()).pw_name
        names = []
        for number in dict.fromkeys((os.getgid(), *os.getgroups())):
            with suppress(KeyError):
                names.append(grp.getgrgid(number).gr_name)
        return cls(user, tuple(names), Path.home(), directory, dict(os.environ))
