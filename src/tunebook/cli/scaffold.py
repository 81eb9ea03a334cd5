"""``tunebook scaffold``, and ``tunebook scaffold-NAME`` for each tool by itself."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer

from tunebook import api
from tunebook.cli.options import Directory, Json, OnFailure, RunNames, StageName, located, stages
from tunebook.cli.output import console, print_json, print_problems

__all__ = ["finish_scaffold", "register"]

DryRun = Annotated[bool, typer.Option("--dry-run", help="Show the differences that would be written; write nothing.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace edited files; each is kept as .orig.")]
Prune = Annotated[bool, typer.Option("--prune", help="Remove files that left the plan, unless edited or with results.")]
Failing = Annotated[
    OnFailure, typer.Option(help="Whether to continue after a failed stage; `ask` asks on a terminal only.")
]


def register(app: typer.Typer) -> None:
    """Adds the verbs."""

    @app.command()
    def scaffold(
        directory: Directory = None,
        *,
        stage: Annotated[StageName | None, typer.Option(help="Only this stage.")] = None,
        run: RunNames = None,
        on_failure: Failing = OnFailure.ASK,
        overwrite: Overwrite = False,
        prune: Prune = False,
        dry_run: DryRun = False,
        as_json: Json = False,
    ) -> None:
        """Write the run directories that the plan asks for: configurations and scripts, training then evaluation."""
        report = api.scaffold(
            located(directory),
            stages=stages(stage),
            runs=run or (),
            overwrite=overwrite,
            prune=prune,
            dry_run=dry_run,
            on_failure=_decision(on_failure),
        )
        finish_scaffold("scaffold", report, as_json=as_json)

    for tool in api.tool_names():
        _register_tool(app, tool)


def _register_tool(app: typer.Typer, tool: str) -> None:
    name = f"scaffold-{tool}"

    @app.command(name, help=f"Write the configurations and scripts of {tool} only.")
    def verb(
        directory: Directory = None,
        *,
        run: RunNames = None,
        overwrite: Overwrite = False,
        prune: Prune = False,
        dry_run: DryRun = False,
        as_json: Json = False,
    ) -> None:
        report = api.scaffold(
            located(directory),
            tool=tool,
            runs=run or (),
            overwrite=overwrite,
            prune=prune,
            dry_run=dry_run,
        )
        finish_scaffold(name, report, as_json=as_json)


def _decision(choice: OnFailure) -> Callable[[str], bool]:
    def decide(tool: str) -> bool:
        if choice is OnFailure.ASK and sys.stdin.isatty() and sys.stdout.isatty():
            return typer.confirm(f"Scaffolding for {tool} failed. Continue with the next stage?")
        return choice is OnFailure.CONTINUE

    return decide


def finish_scaffold(command: str, report: api.ScaffoldReport, *, as_json: bool) -> None:
    """Prints the result of scaffolding, and ends the verb with its exit code."""
    if as_json:
        print_json(command, report.exit_code, _data(report), warnings=report.warnings, errors=report.errors)
    else:
        print_problems(report.errors, kind="error")
        print_problems(report.warnings, kind="warning")
        out = console()
        if report.dry_run:
            for step in report.steps:
                out.print(f"{step.action.value:>12}  {step.path}", markup=False)
                out.print(step.diff(), markup=False, end="", soft_wrap=True)
        out.print(api.summary(report), markup=False, end="", soft_wrap=True)
    raise typer.Exit(report.exit_code)


def _data(report: api.ScaffoldReport) -> dict[str, Any]:
    return {
        "experiment": str(report.experiment),
        "name": report.name,
        "dry_run": report.dry_run,
        "parts": [
            {
                "tool": part.tool.name,
                "stage": part.tool.stage.value,
                "ok": part.ok,
                "runs": list(part.runs),
                "scripts": list(part.scripts),
                "failures": [failure.run for failure in part.failures],
                "skipped": part.skipped,
                "log": part.log,
                "duration_s": round(part.duration_s, 3),
            }
            for part in report.parts
        ],
        "files": [_file(step, with_diff=report.dry_run) for step in report.steps],
        "conflicts": list(report.conflicts),
        "orphans": list(report.orphans),
        "pruned": list(report.pruned),
    }


def _file(step: Any, *, with_diff: bool) -> dict[str, str]:
    entry = {"path": step.path, "action": step.action.value}
    return entry | ({"diff": step.diff()} if with_diff else {})
