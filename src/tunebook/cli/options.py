"""The arguments and options that several verbs share."""

from __future__ import annotations

import sys
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from tunebook.core.jobs import Stage
from tunebook.core.plan import PLAN_FILE

__all__ = ["Directory", "Json", "OnFailure", "RunNames", "StageName", "located", "stages"]


class OnFailure(Enum):
    """What to do after the preparation stage has failed."""

    ASK = "ask"
    CONTINUE = "continue"
    STOP = "stop"


class StageName(Enum):
    """The stages by name."""

    PREPARATION = "preparation"
    EVALUATION = "evaluation"


Directory = Annotated[
    Path | None, typer.Argument(help=f"The experiment's directory, with {PLAN_FILE}. [default: the current one]")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
RunNames = Annotated[
    list[str] | None, typer.Option("--run", help="Only this run: its name or directory, or a glob. Repeatable.")
]


def located(directory: Path | None) -> Path:
    """The experiment's directory: as given, the current one, or asked for on a terminal."""
    if directory is not None:
        return directory
    here = Path.cwd()
    if (here / PLAN_FILE).is_file() or not (sys.stdin.isatty() and sys.stdout.isatty()):
        return here
    return Path(typer.prompt("Where is the experiment's directory?"))


def stages(name: StageName | None) -> tuple[Stage, ...]:
    """The stages that an option selects; all without it."""
    return tuple(Stage) if name is None else (Stage(name.value),)
