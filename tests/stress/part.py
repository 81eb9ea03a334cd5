"""What a part of the stress harness is, and the list of them all."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

import stress.parts

__all__ = ["Outcome", "Part", "Setting", "all_parts"]


@dataclass(frozen=True, kw_only=True)
class Setting:
    """How a part is run.

    Attributes:
        folder: an empty directory of the part's own.
        random: the only source of chance; its seed is printed.
        is_quick: whether this is the half that ``make test`` runs, which takes seconds.
    """

    folder: Path
    random: Random
    is_quick: bool


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a part found.

    Attributes:
        figures: one line: what was done, how often.
        faults: each fault in a line of its own; none is a pass.
        skipped: why the part could not be run here; empty if it was.
    """

    figures: str = ""
    faults: tuple[str, ...] = ()
    skipped: str = ""


@dataclass(frozen=True, kw_only=True)
class Part:
    """One part; ``run`` raises nothing for a fault in tunebook."""

    name: str
    run: Callable[[Setting], Outcome]
    in_quick_half: bool = True


def all_parts() -> tuple[Part, ...]:
    """Every part, in the order of the modules' names."""
    modules = pkgutil.iter_modules(stress.parts.__path__, f"{stress.parts.__name__}.")
    return tuple(importlib.import_module(module.name).PART for module in modules)
