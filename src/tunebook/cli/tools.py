"""``tunebook tools``: the tools that a plan can name."""

from __future__ import annotations

import typer

from tunebook import api
from tunebook.cli.options import Json
from tunebook.cli.output import print_json, print_problems, print_table
from tunebook.errors import ExitCode

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Adds the verb."""

    @app.command()
    def tools(*, as_json: Json = False) -> None:
        """List the tools that a plan can name, installed or not, with their versions."""
        report = api.tools()
        if as_json:
            rows = [{"name": tool.name, "stage": tool.stage.value, "version": tool.version} for tool in report.tools]
            print_json("tools", ExitCode.DONE, {"tools": rows}, warnings=report.warnings)
            return
        print_problems(report.warnings, kind="warning")
        shown = [(tool.name, tool.stage.value, _version(tool)) for tool in report.tools]
        print_table(shown, ("Tool", "Stage", "Version"))


def _version(tool: api.ToolInfo) -> str:
    if tool.version:
        return tool.version
    return f"not installed here; only its jobs need it, in their environment: {tool.install}"
