"""``tunebook scaffold``, and ``tunebook scaffold-NAME`` for each tool by itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from functools import partial
from typing import Annotated, Any

import typer

from tunebook import api
from tunebook.cli.asking import agreed, on_terminal
from tunebook.cli.options import All, Directory, Json, OneStage, RunNames, located, takes_options
from tunebook.cli.output import finish, most_lines, print_markdown, print_problems, print_steps, steps_data
from tunebook.cli.waiting import waiting

__all__ = ["finish_scaffold", "register", "register_tool", "scaffold_data"]

_QUESTION = "Fine-tuning scaffolding failed. Do you want to continue with evaluation scaffolding?"


class OnFailure(Enum):
    """The action after a failure of the preparation stage."""

    ASK = "ask"
    CONTINUE = "continue"
    STOP = "stop"


@dataclass(frozen=True, kw_only=True)
class _Arguments:
    """The arguments of all verbs here."""

    directory: Directory = None
    run: RunNames = None
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace edited files; each is kept as .orig.")] = False
    prune: Annotated[
        bool,
        typer.Option("--prune", help="Remove files that are no longer in the plan, unless edited or with results."),
    ] = False
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the differences that would be written; write nothing.")
    ] = False
    every: All = False
    as_json: Json = False

    def options(self) -> api.ScaffoldOptions:
        return api.ScaffoldOptions(
            runs=tuple(self.run or ()), overwrite=self.overwrite, prune=self.prune, dry_run=self.dry_run
        )


@dataclass(frozen=True, kw_only=True)
class _AllStages(_Arguments):
    stage: OneStage = None
    on_failure: Annotated[
        OnFailure, typer.Option(help="Whether to continue after a failed stage; `ask` asks on a terminal only.")
    ] = OnFailure.ASK


def register(app: typer.Typer) -> None:
    """Adds the verb for both stages."""

    @app.command()
    @takes_options(_AllStages)
    def scaffold(arguments: _AllStages) -> None:
        """Write the run directories that the plan asks for: configurations and scripts, training then evaluation."""
        decision = _decision(arguments.on_failure, as_json=arguments.as_json)
        options = replace(arguments.options(), on_failure=decision)
        if arguments.stage is not None:
            options = replace(options, stages=frozenset({arguments.stage}))
        _scaffold("scaffold", arguments, options)


def register_tool(app: typer.Typer, name: str) -> None:
    """Adds the verb for one tool, by its short name."""
    verb = takes_options(_Arguments)(partial(_scaffold_tool, name))
    app.command(f"scaffold-{name}", help=f"Write the configurations and scripts of {name} only.")(verb)


def _scaffold_tool(name: str, arguments: _Arguments) -> None:
    _scaffold(f"scaffold-{name}", arguments, replace(arguments.options(), tool=name))


def _scaffold(command: str, arguments: _Arguments, options: api.ScaffoldOptions) -> None:
    experiment = located(arguments.directory)
    with waiting("scaffolding", quiet=arguments.as_json) as wait:
        report = api.scaffold(experiment, replace(options, on_failure=wait.until(options.on_failure)))
    finish_scaffold(command, report, as_json=arguments.as_json, every=arguments.every)


def _decision(choice: OnFailure, *, as_json: bool) -> Callable[[api.PartReport], bool]:
    can_ask = on_terminal() and not as_json

    def decide(failed: api.PartReport) -> bool:
        if choice is OnFailure.ASK and can_ask:
            print_problems(failed.errors, kind="error")
            return agreed(_QUESTION)
        return choice is OnFailure.CONTINUE

    return decide


def finish_scaffold(command: str, report: api.ScaffoldReport, *, as_json: bool, every: bool = False) -> None:
    """Prints the result of scaffolding, and ends the verb with its exit code."""
    finish(command, report, data=scaffold_data, show=partial(_show, every=every), as_json=as_json, every=every)


def _show(report: api.ScaffoldReport, *, every: bool) -> None:
    if report.dry_run:
        print_steps(report.steps, with_diff=True, every=every)
    print_markdown(api.scaffold_summary(report, most_rows=most_lines(every=every)))


def scaffold_data(report: api.ScaffoldReport) -> dict[str, Any]:
    """What was written, for ``--json``."""
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
                "missing": list(part.missing),
                "skipped": part.skipped,
                "log": part.log,
                "duration_s": round(part.duration_s, 3),
            }
            for part in report.parts
        ],
        "files": steps_data(report.steps, with_diff=report.dry_run),
        "conflicts": list(report.conflicts),
        "validation": [{"text": point.text, "holds": point.holds} for point in report.validation],
        "orphans": list(report.orphans),
        "pruned": list(report.pruned),
    }
