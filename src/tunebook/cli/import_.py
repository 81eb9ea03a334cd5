"""``tunebook import``: makes a plan from another project's plan in YAML."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tunebook import api
from tunebook.cli.design_show import design_data, show_design
from tunebook.cli.options import Json
from tunebook.cli.output import print_json
from tunebook.cli.waiting import waiting

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Adds the verb."""

    @app.command("import")
    def import_(
        file: Annotated[Path, typer.Argument(help="The plan in YAML, experiment_summary.yaml.")],
        directory: Annotated[
            Path | None,
            typer.Argument(
                metavar="EXPERIMENT_DIR", help="The experiment's directory. [default: the one that the file names]"
            ),
        ] = None,
        *,
        dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan; write nothing.")] = False,
        as_json: Json = False,
    ) -> None:
        """Make a plan from an experiment_summary.yaml. Warns about everything in it that a plan cannot express."""
        with waiting("reading the plan and what it names", quiet=as_json):
            report = api.import_plan(file, directory, dry_run=dry_run)
        if as_json:
            print_json("import", report.exit_code, design_data(report), warnings=report.warnings, errors=report.errors)
        else:
            show_design(report, dry_run=dry_run)
        raise typer.Exit(report.exit_code)
