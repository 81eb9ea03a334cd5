"""``tunebook setup-finetune``: derives one run's configuration and script from its edited settings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tunebook import api
from tunebook.cli.options import Json
from tunebook.cli.output import console, print_json, print_problems

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Adds the verb."""

    @app.command("setup-finetune")
    def setup_finetune(
        run_directory: Annotated[Path, typer.Argument(help="A run's directory, with its settings.")],
        *,
        assignments: Annotated[
            list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a setting first. Repeatable.")
        ] = None,
        dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the differences; write nothing.")] = False,
        as_json: Json = False,
    ) -> None:
        """Derive a run's configuration and script again from the settings that you edited."""
        derived = api.setup_finetune(run_directory, assignments=assignments or (), dry_run=dry_run)
        if as_json:
            files = [{"path": step.path, "action": step.action.value} for step in derived.steps]
            data = {"directory": derived.directory, "dry_run": dry_run, "files": files}
            print_json("setup-finetune", derived.exit_code, data, warnings=derived.warnings, errors=derived.mismatches)
        else:
            _show(derived)
        raise typer.Exit(derived.exit_code)


def _show(derived: api.Derived) -> None:
    print_problems(derived.mismatches, kind="error")
    print_problems(derived.warnings, kind="warning")
    out = console()
    for step in derived.steps:
        out.print(f"{step.action.value:>12}  {step.path}", markup=False)
        if derived.dry_run:
            out.print(step.diff(), markup=False, end="")
