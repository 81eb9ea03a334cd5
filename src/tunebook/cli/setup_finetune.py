"""``tunebook setup-finetune``: derives one run's configuration and script from its edited settings."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from tunebook import api
from tunebook.cli.complete import complete_parameter
from tunebook.cli.options import Json
from tunebook.cli.output import console, finish, print_next, print_steps, steps_data
from tunebook.cli.waiting import waiting
from tunebook.errors import ExitCode

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Adds the verb."""

    @app.command("setup-finetune")
    def setup_finetune(
        run_directory: Annotated[
            Path, typer.Argument(metavar="RUN_DIR", help="A run's directory, with its settings, or a path in it.")
        ],
        *,
        assignments: Annotated[
            list[str] | None,
            typer.Option(
                "--set",
                metavar="KEY=VALUE",
                help="Change a setting first. Repeatable.",
                autocompletion=complete_parameter,
            ),
        ] = None,
        dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the differences; write nothing.")] = False,
        as_json: Json = False,
    ) -> None:
        """Derive a run's configuration and script again from the settings that you edited."""
        with waiting("deriving", quiet=as_json):
            derived = api.setup_finetune(run_directory, assignments=assignments or (), dry_run=dry_run)
        finish("setup-finetune", derived, data=_data, show=_show, as_json=as_json)


def _data(derived: api.Derived) -> dict[str, Any]:
    return {
        "experiment": str(derived.experiment),
        "directory": str(derived.experiment / derived.directory),
        "dry_run": derived.dry_run,
        "files": steps_data(derived.steps),
    }


def _show(derived: api.Derived) -> None:
    out = console()
    out.print(f"{derived.experiment}:", markup=False, emoji=False)
    print_steps(derived.steps, with_diff=derived.dry_run)
    experiment = shlex.quote(str(derived.experiment))
    if derived.exit_code is ExitCode.UNFINISHED:
        hint = f"you edited a derived file, which was kept; `tunebook scaffold {experiment} --overwrite` replaces it"
        out.print(f"  {hint}", markup=False, emoji=False)
    elif derived.exit_code is ExitCode.DONE and not derived.dry_run:
        command = f"tunebook run {experiment} --run {shlex.quote(derived.directory)}"
        print_next(command)
