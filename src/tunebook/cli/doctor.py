"""``tunebook doctor``: whether this installation, this machine and its cluster are fit for jobs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from tunebook import api
from tunebook.cli.options import Json, nearby
from tunebook.cli.output import console, print_json
from tunebook.cli.waiting import waiting
from tunebook.core.shortened import counted

__all__ = ["register"]

_SIGNS = {
    api.Condition.OK: "✓",
    api.Condition.WARNING: "!",
    api.Condition.PROBLEM: "✗",
    api.Condition.NOT_CHECKED: "–",
}


def register(app: typer.Typer) -> None:
    """Adds the verb."""

    @app.command()
    def doctor(
        directory: Annotated[
            Path | None, typer.Argument(help="The experiment's directory, or any other one: no plan is needed.")
        ] = None,
        *,
        timeout_s: Annotated[
            float, typer.Option("--timeout-s", min=1, metavar="SECONDS", help="The longest that one answer may take.")
        ] = 120.0,
        as_json: Json = False,
    ) -> None:
        """Examine versions, scheduler, disk and the jobs' environments, and say what to do about each problem.

        With a plan, only what its jobs need is examined.
        """
        options = api.DoctorOptions(timeout_s=timeout_s)
        with waiting("examining", quiet=as_json) as wait:
            on_examined = None if as_json else wait.before(_show)
            report = api.doctor(nearby(directory), options, on_examined=on_examined)
        if as_json:
            print_json("doctor", report.exit_code, _data(report), warnings=report.warnings, errors=report.errors)
        else:
            _show_end(report)
        raise typer.Exit(report.exit_code)


def _data(report: api.DoctorReport) -> dict[str, Any]:
    diagnoses = [
        {
            "subject": part.subject,
            "condition": item.condition.value,
            "message": item.message,
            "hint": item.hint,
            "file": item.file,
            "line": item.line,
        }
        for part in report.examined
        for item in part.diagnoses
    ]
    counts = {condition.value: report.count(condition) for condition in api.Condition}
    return {
        "directory": str(report.directory),
        "has_plan": report.has_plan,
        "counts": counts,
        "diagnoses": diagnoses,
    }


def _show(part: api.Examined) -> None:
    out = console()
    out.print(f"\n{part.subject}", markup=False, style="bold")
    for item in part.diagnoses:
        place = f"{item.file}:{item.line}: " if item.file and item.line else ""
        out.print(f"  {_SIGNS[item.condition]} {place}{item.message}", markup=False)
        if item.hint:
            out.print(f"      → {item.hint}", markup=False)


def _show_end(report: api.DoctorReport) -> None:
    problems, warnings = report.count(api.Condition.PROBLEM), report.count(api.Condition.WARNING)
    line = f"{counted(problems, 'problem')}, {counted(warnings, 'warning')}"
    unknown = report.count(api.Condition.NOT_CHECKED)
    if unknown:
        line += f", {unknown} not checked"
    console().print(f"\n{line}", markup=False)
