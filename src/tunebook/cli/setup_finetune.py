"""``tunebook setup-finetune``: derives one run's configuration and script from its edited settings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tunebook import api
from tunebook.cli.complete import complete_parameter
from tunebook.cli.options import Json
from tunebook.cli.output import print_json, print_problems, print_steps, steps_data

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Adds the verb."""

    @app.command("setup-finetune")
    def setup_finetune(
        run_directory: Annotated[Path, typer.Argument(help="A run's directory, with its settings.")],
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
        derived = api.setup_finetune(run_directory, assignments=assignments or (), dry_run=dry_run)
        if as_json:
            data = {"directory": derived.directory, "dry_run": dry_run, "files": steps_data(derived.steps)}
            print_json("setup-finetune", derived.exit_code, data, warnings=derived.warnings, errors=derived.mismatches)
        else:
            print_problems(derived.mismatches, kind="error")
            print_problems(derived.warnings, kind="warning")
            print_steps(derived.steps, with_diff=dry_run)
        raise typer.Exit(derived.exit_code)
