"""``tunebook tools``: what can be routed to."""

from __future__ import annotations

import typer
from rich.table import Table

from tunebook import api
from tunebook.cli.options import Json
from tunebook.cli.output import console, print_json
from tunebook.errors import ExitCode

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Adds the verb."""

    @app.command()
    def tools(*, as_json: Json = False) -> None:
        """The tools that a page can name, installed or not, with their versions."""
        found = api.tools()
        if as_json:
            rows = [{"name": tool.name, "stage": tool.stage.value, "version": tool.version} for tool in found]
            print_json("tools", ExitCode.DONE, {"tools": rows})
            return
        table = Table("Tool", "Stage", "Version", box=None)
        for tool in found:
            table.add_row(tool.name, tool.stage.value, tool.version or "not installed here (only running needs it)")
        console().print(table)
