"""``tunebook setup-finetune``: derives one run's configuration and script from its edited settings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from tunebook import api
from tunebook.cli.complete import complete_parameter
from tunebook.cli.options import Json
from tunebook.cli.output import finish, print_steps, steps_data

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
        finish("setup-finetune", derived, data=_data, show=_show, as_json=as_json)


def _data(derived: api.Derived) -> dict[str, Any]:
    return {"directory": derived.directory, "dry_run": derived.dry_run, "files": steps_data(derived.steps)}


def _show(derived: api.Derived) -> None:
    print_steps(derived.steps, with_diff=derived.dry_run)
