"""The tools of the MCP server that read, write and analyze; each is a verb with typed results."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, cast

from mcp.server.mcpserver import Context
from mcp.types import CallToolResult
from pydantic import BaseModel, Field

from tunebook import api
from tunebook.cli.analyze import analyze_data
from tunebook.cli.check import check_data
from tunebook.cli.scaffold import scaffold_data
from tunebook.cli.served.answer import answer, refusal
from tunebook.cli.served.call import Call, followed
from tunebook.cli.served.documents import LONGEST, AnalyzeDocument, CheckDocument, ScaffoldDocument, StatusDocument
from tunebook.cli.status import status_data
from tunebook.core.jobs import JobState, Stage
from tunebook.errors import Problem, UsageError

__all__ = [
    "Directory",
    "OneStage",
    "OneTool",
    "Runs",
    "analyze",
    "answered",
    "check",
    "check_deep",
    "jobs_first",
    "scaffold",
    "status",
    "typed",
]

Directory = Annotated[
    str,
    Field(
        description="The experiment's directory, with experiment_summary.md; relative to the server's own directory."
    ),
]
Runs = Annotated[list[str] | None, Field(description="Only these runs: names, directories or globs. Omit for all.")]
OneStage = Annotated[Literal["preparation", "evaluation"] | None, Field(description="Only this stage.")]
OneTool = Annotated[str | None, Field(description="Only this tool of the plan, by its short name.")]
_Document = TypeVar("_Document", bound=BaseModel)
_URGENT = (JobState.FAILED, JobState.UNKNOWN, JobState.RUNNING, JobState.PENDING)


async def answered(
    kind: type[_Document], work: Callable[[Call], Any], context: Context[Any, Any], *arguments: str
) -> _Document:
    """Does a verb in a thread, and returns its document, or its error as the SDK takes it from a tool."""
    call = Call(work, arguments)
    await followed(call, context)
    return typed(kind, call.result if call.error is None else refusal(call.error))


def typed(kind: type[_Document], found: Any) -> _Document:
    """A document as the value that a tool returns; a tool error as it is: the SDK takes one in place of a value."""
    if isinstance(found, CallToolResult):
        return cast("_Document", found)
    return kind.model_validate(found)


async def check(
    context: Context[Any, Any],
    *,
    directory: Directory = ".",
    settings: Annotated[
        list[str] | None, Field(description="Also list every setting in effect of these runs: names or globs.")
    ] = None,
) -> CheckDocument:
    """Read the plan and the site settings and report every problem with its line. Writes nothing."""
    work = partial(_check, Path(directory), settings=settings or ())
    return await answered(CheckDocument, work, context, "check", directory)


async def check_deep(context: Context[Any, Any], *, directory: Directory = ".") -> CheckDocument:
    """Check, and also prove on shrunk models that the jobs will do what the plan says. Takes minutes.

    It runs the code of the experiment's tasks. Clients may call `check` without asking, so this is a tool of its own.
    """
    return await answered(CheckDocument, partial(_check, Path(directory), deep=True), context, "check", directory)


def _check(directory: Path, call: Call, *, deep: bool = False, settings: Sequence[str] = ()) -> Any:
    proofs: list[str] = []

    def on_deep(outcome: api.DeepOutcome) -> None:
        call.look()
        if not outcome.started:
            proofs.append(outcome.title)
        call.tell(1 + len(proofs), None, f"{outcome.title} ({outcome.subject})")

    call.tell(0, None, "reading the plan")
    report = api.check(directory, deep=deep, on_deep=on_deep)
    data = check_data(report)
    data["settings"] = _settings_of(settings, data["settings"])
    return answer(report.exit_code, data, warnings=report.warnings, errors=report.errors)


def _settings_of(patterns: Sequence[str], settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of the runs that match a name or a glob.

    Raises:
        UsageError: one of them matches no run.
    """
    for pattern in patterns:
        if settings and not any(fnmatchcase(run, pattern) for run in settings):
            raise UsageError(f"`settings`: no run is named `{pattern}`", hint="`runs` of `check` has the names")
    return {run: of for run, of in settings.items() if any(fnmatchcase(run, pattern) for pattern in patterns)}


async def scaffold(
    context: Context[Any, Any],
    *,
    directory: Directory = ".",
    runs: Runs = None,
    stage: OneStage = None,
    tool: OneTool = None,
    overwrite: Annotated[
        bool, Field(description="Replace files that a person edited; each is kept as .orig. Ask the person first.")
    ] = False,
    prune: Annotated[
        bool, Field(description="Remove files that are no longer in the plan, unless edited or with results.")
    ] = False,
    dry_run: Annotated[bool, Field(description="Return the differences; write nothing.")] = False,
    go_on_after_failure: Annotated[
        bool, Field(description="Scaffold the evaluations also if the trainings failed.")
    ] = False,
) -> ScaffoldDocument:
    """Write the run directories that the plan asks for: configurations and scripts. Edited files are kept."""
    options = api.ScaffoldOptions(
        stages=frozenset(Stage) if stage is None else frozenset({Stage(stage)}),
        tool=tool,
        runs=tuple(runs or ()),
        overwrite=overwrite,
        prune=prune,
        dry_run=dry_run,
        on_failure=lambda _: go_on_after_failure,
    )
    return await answered(
        ScaffoldDocument, partial(_scaffold, Path(directory), options), context, "scaffold", directory
    )


def _scaffold(directory: Path, options: api.ScaffoldOptions, call: Call) -> Any:
    """Does not end before everything is written and recorded, also if it is to stop."""

    def on_part(tool: str, done: int, total: int) -> None:
        call.tell(done + 1, total + 1, f"{tool}: writing and verifying")

    call.tell(0, None, "reading the plan")
    report = api.scaffold(directory, replace(options, on_part=on_part))
    return answer(report.exit_code, scaffold_data(report), warnings=report.warnings, errors=report.errors)


async def status(context: Context[Any, Any], *, directory: Directory = ".") -> StatusDocument:
    """Show the state of every training and evaluation. Writes nothing. Failed jobs are not a tool error here."""
    return await answered(StatusDocument, partial(_status, Path(directory)), context, "status", directory)


def _status(directory: Path, _: Call) -> Any:
    report = api.status(directory)
    warnings = list(map(Problem, report.warnings))
    return answer(report.exit_code, jobs_first(status_data(report)), warnings=warnings, is_error=False)


def jobs_first(data: dict[str, Any]) -> dict[str, Any]:
    """The data with the jobs that need attention first, where the list of jobs will be cut."""
    jobs = data["jobs"]
    if len(jobs) <= LONGEST:
        return data
    order = [state.value for state in (*_URGENT, JobState.COMPLETED)]
    return data | {"jobs": sorted(jobs, key=lambda job: order.index(job["state"]))}


async def analyze(
    context: Context[Any, Any],
    *,
    directory: Directory = ".",
    latex: Annotated[bool, Field(description="Also write tables for LaTeX.")] = False,
) -> AnalyzeDocument:
    """Compare the runs that have results: write tables, statistics and a report to `analysis/`, return the findings."""
    options = api.AnalyzeOptions(latex=latex)
    return await answered(AnalyzeDocument, partial(_analyze, Path(directory), options), context, "analyze", directory)


def _analyze(directory: Path, options: api.AnalyzeOptions, call: Call) -> Any:
    steps: list[str] = []

    def on_step(text: str) -> None:
        call.look()
        call.tell(len(steps), None, text)
        steps.append(text)

    report = api.analyze(directory, options, on_step=on_step)
    return answer(report.exit_code, analyze_data(report), warnings=report.warnings)
