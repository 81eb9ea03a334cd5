"""The arguments and options that several verbs share."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from types import FunctionType
from typing import Annotated, Any, TypeVar, cast, get_type_hints

import typer

from tunebook import api
from tunebook.cli.asking import entered, on_terminal
from tunebook.cli.complete import complete_run
from tunebook.cli.output import console
from tunebook.core.jobs import Stage
from tunebook.core.paths import PLAN_FILE

__all__ = ["All", "Directory", "Json", "OneStage", "RunNames", "located", "nearby", "takes_options"]

_Options = TypeVar("_Options")


Directory = Annotated[
    Path | None,
    typer.Argument(
        metavar="EXPERIMENT_DIR", help=f"The experiment's directory, with {PLAN_FILE}. [default: the current one]"
    ),
]
All = Annotated[
    bool,
    typer.Option(
        "--all", help="Show every row. Without it, more than a screenful is shown as counts and what needs attention."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
RunNames = Annotated[
    list[str] | None,
    typer.Option(
        "--run",
        help="Only this run: its name or directory, or a glob. Repeatable.",
        autocompletion=complete_run,
    ),
]
OneStage = Annotated[Stage | None, typer.Option("--stage", help="Only this stage.")]


def located(directory: Path | None) -> Path:
    """The given directory, or the experiment that the current one is in; asks on a terminal if it is in none."""
    if directory is not None:
        return directory
    here, experiment = Path.cwd(), api.experiment_here()
    if experiment is None:
        return Path(entered("Where is the experiment's directory?")) if on_terminal() else here
    if experiment != here:
        console(stderr=True).print(f"experiment: {experiment}", markup=False, style="dim")
    return experiment


def nearby(directory: Path | None) -> Path:
    """The given directory, or the experiment that the current one is in, or the current one: no plan is needed."""
    return directory or api.experiment_here() or Path.cwd()


def takes_options(kind: type[_Options]) -> Callable[[Callable[[_Options], None]], Callable[..., None]]:
    """Gives a command one option per field of a frozen dataclass, and calls it with that dataclass."""

    def decorate(command: Callable[[_Options], None]) -> Callable[..., None]:
        def callback(**values: Any) -> None:
            command(kind(**values))

        types = get_type_hints(kind, include_extras=True)
        parameters = [
            inspect.Parameter(
                item.name, inspect.Parameter.KEYWORD_ONLY, default=item.default, annotation=types[item.name]
            )
            for item in fields(cast("Any", kind))
        ]
        vars(callback)["__signature__"] = inspect.Signature(parameters)  # what Typer reads
        callback.__annotations__ = types
        if isinstance(command, FunctionType):
            callback.__name__, callback.__doc__ = command.__name__, command.__doc__
        return callback

    return decorate
