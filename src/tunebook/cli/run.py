"""``tunebook run``, and ``tunebook run-NAME`` for each tool by itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from tunebook import api
from tunebook.cli.asking import agreed, on_terminal
from tunebook.cli.complete import complete_executor
from tunebook.cli.ending import left_behind
from tunebook.cli.jobs import counts_data, jobs_data, watching
from tunebook.cli.options import All, Directory, Json, OneStage, RunNames, located, takes_options
from tunebook.cli.output import console, most_lines, print_json, print_markdown, print_problems
from tunebook.cli.waiting import waiting
from tunebook.core.jobs import JobState, Stage
from tunebook.core.shortened import counted, named
from tunebook.errors import ConflictError, ExitCode, Problem

__all__ = ["failed_jobs", "preview_data", "refuse_repeats", "register", "register_tool", "run_data"]


@dataclass(frozen=True, kw_only=True)
class _Arguments:
    """The arguments of all verbs here."""

    directory: Directory = None
    executor: Annotated[
        str,
        typer.Option(
            help="Where to run: `slurm`, `local` (this machine), or `auto`, which chooses and says why.",
            autocompletion=complete_executor,
        ),
    ] = "auto"
    run: RunNames = None
    detach: Annotated[bool, typer.Option("--detach", help="Submit the jobs and return; the cluster runs them.")] = False
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Run jobs again that failed in an earlier run.")
    ] = False
    retry_oom: Annotated[
        bool,
        typer.Option(
            "--retry-oom",
            help="Run trainings again that ran out of GPU memory, with at most half the batch and the same effective "
            "batch.",
        ),
    ] = False
    slots: Annotated[int | None, typer.Option("--jobs", min=1, help="How many jobs run at a time.")] = None
    max_jobs: Annotated[
        int | None,
        typer.Option(min=1, help="How many jobs are queued or running at a time; tunebook submits the others later."),
    ] = None
    array: Annotated[
        bool | None,
        typer.Option("--array/--no-array", help="Submit similar jobs as one array. [default: from five jobs on]"),
    ] = None
    stagger_s: Annotated[float, typer.Option(min=0, help="Seconds between two submissions.")] = 0.0
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="List what would run and why; submit and write nothing.")
    ] = False
    yes: Annotated[
        bool,
        typer.Option(
            "--yes",
            help="Repeat completed work without asking, where its inputs have changed. --json needs it for that.",
        ),
    ] = False
    poll_s: Annotated[float | None, typer.Option(min=0.05, help="Seconds between two queries of the jobs.")] = None
    every: All = False
    as_json: Json = False

    def options(self, *, stage: Stage | None, tool: str | None) -> api.RunOptions:
        """The options of the verb: arguments of the same name, except for the runs."""
        given = vars(self)
        same = {each.name: given[each.name] for each in fields(api.RunOptions) if each.name in given}
        return api.RunOptions(**same | {"stage": stage, "tool": tool, "runs": tuple(self.run or ())})


@dataclass(frozen=True, kw_only=True)
class _AllStages(_Arguments):
    stage: OneStage = None


def register(app: typer.Typer) -> None:
    """Adds the verb for all tools."""

    @app.command()
    @takes_options(_AllStages)
    def run(arguments: _AllStages) -> None:
        """Run the jobs that are not completed: trainings, and each evaluation after its own training."""
        _run("run", arguments, arguments.options(stage=arguments.stage, tool=None))


def register_tool(app: typer.Typer, name: str) -> None:
    """Adds the verb for one tool, by its short name."""
    verb = takes_options(_Arguments)(partial(_run_tool, name))
    app.command(f"run-{name}", help=f"Run the jobs of {name} only.")(verb)


def _run_tool(name: str, arguments: _Arguments) -> None:
    _run(f"run-{name}", arguments, arguments.options(stage=None, tool=name))


def _run(command: str, arguments: _Arguments, options: api.RunOptions) -> None:
    experiment = located(arguments.directory)
    if arguments.dry_run:
        _preview(command, experiment, arguments, options)
    else:
        _submit(command, experiment, arguments, options)


def _preview(command: str, experiment: Path, arguments: _Arguments, options: api.RunOptions) -> None:
    with waiting("reading the experiment", quiet=arguments.as_json):
        preview = api.preview(experiment, options)
    if arguments.as_json:
        print_json(command, ExitCode.DONE, {"dry_run": True} | preview_data(preview))
    else:
        _show_preview(preview)
        console().print("nothing was submitted (--dry-run)", markup=False)


def _submit(command: str, experiment: Path, arguments: _Arguments, options: api.RunOptions) -> None:
    as_json = arguments.as_json
    chosen: list[api.Choice] = []
    previews: list[api.Preview] = []
    answers = [True]

    def show_choice(choice: api.Choice) -> None:
        chosen.append(choice)
        if not as_json:
            console().print(f"executor: {choice.executor.name} ({choice.reason})", markup=False)

    def approve(preview: api.Preview) -> bool:
        previews.append(preview)
        repeats = bool(preview.repeated) and not arguments.yes
        if as_json and repeats:
            refuse_repeats(preview, option="--yes")
        if not as_json:
            _show_preview(preview)
        if not as_json and repeats and on_terminal():
            answers[0] = agreed("Run these jobs again?")
        return answers[0]

    def leave(jobs: int) -> None:
        watch.leave()
        words = left_behind(jobs, experiment, survive=chosen[0].executor.survives_monitor)
        console(stderr=True).print("\n" + words, markup=False)

    warnings = _Warnings(quiet=as_json, every=arguments.every)
    with (
        watching(quiet=as_json, every=arguments.every) as watch,
        waiting("reading the experiment", quiet=as_json) as wait,
    ):
        report = api.run(
            experiment,
            options,
            on_event=wait.until(warnings.before(watch.show)),
            on_choice=wait.before(show_choice),
            approve=wait.until(approve),
            on_leave=leave,
        )
    if not answers[0]:
        console().print("nothing was submitted", markup=False)
        raise typer.Exit(ExitCode.UNFINISHED)
    if as_json:
        data = run_data(report, chosen[0], previews[0])
        warnings_told = list(map(Problem, report.warnings))
        print_json(command, report.exit_code, data, warnings=warnings_told, errors=failed_jobs(report))
    else:
        warnings.tell(report.warnings)
        _show(report, experiment, every=arguments.every)
    raise typer.Exit(report.exit_code)


class _Warnings:
    """Prints each warning of a run when it arises, above the table of the jobs."""

    def __init__(self, *, quiet: bool, every: bool) -> None:
        self._quiet = quiet
        self._every = every
        self._told = 0

    def tell(self, warnings: Sequence[str]) -> None:
        """Prints those that are new."""
        new = [Problem(text) for text in warnings[self._told :]]
        self._told = len(warnings)
        if not self._quiet:
            print_problems(new, kind="warning", every=self._every)

    def before(self, show: Callable[[api.Snapshot], None]) -> Callable[[api.Snapshot], None]:
        """Shows a snapshot after its warnings."""

        def show_both(snapshot: api.Snapshot) -> None:
            self.tell(snapshot.warnings)
            show(snapshot)

        return show_both


def refuse_repeats(preview: api.Preview, *, option: str) -> None:
    """Refuses to repeat completed work for a program that did not say that it may.

    Raises:
        ConflictError: completed work would be repeated; ``option`` is how to agree.
    """
    if not preview.repeated:
        return
    names = named([one.job.name for one in preview.repeated])
    message = f"completed work would be repeated: {names}: {preview.repeated[0].reason}"
    raise ConflictError(message, hint=f"a dry run lists the reasons; ask the person, then call again with `{option}`")


def failed_jobs(report: api.RunReport) -> list[Problem]:
    """One problem for each selected job that failed, with the file of its output and what to do."""
    return [
        Problem(f"{job.job.name}: {job.reason}", job.output or None, hint=job.advice, code=_page(job.kind))
        for job in report.selected
        if job.state is JobState.FAILED
    ]


def run_data(report: api.RunReport, choice: api.Choice, preview: api.Preview) -> dict[str, Any]:
    """How the run ended, for ``--json``."""
    return {
        "executor": choice.executor.name,
        "jobs": jobs_data(report.jobs),
        "counts_by_stage": counts_data(report.jobs),
        "submitted": list(report.submitted),
        "not_retried": list(report.not_retried),
        "planned": preview_data(preview),
    }


def _page(kind: str) -> str:
    """The page about a job's failure."""
    return "missing-file" if kind == api.MISSING_FILE else "job-failed"


def _show_preview(preview: api.Preview) -> None:
    for line in api.preview_lines(preview):
        console().print(line, markup=False, soft_wrap=True)


def preview_data(preview: api.Preview) -> dict[str, Any]:
    """The preview of a run, for ``--json``."""
    return {
        "to_run": list(map(_previewed, preview.to_run)),
        "watched": list(map(_previewed, preview.watched)),
        "left": list(map(_previewed, preview.left)),
        "completed": preview.completed,
    }


def _previewed(one: api.PreviewedJob) -> dict[str, Any]:
    return {
        "name": one.job.name,
        "run": one.job.run,
        "stage": one.job.stage.value,
        "reason": one.reason,
        "details": one.details,
        "repeats_completed": one.repeats,
    }


def _show(report: api.RunReport, experiment: Path, *, every: bool) -> None:
    out = console()
    print_markdown(api.run_summary(report, experiment, most_rows=most_lines(every=every)))
    if report.not_retried:
        jobs = counted(len(report.not_retried), "job")
        out.print(f"\n{jobs} failed earlier; `--retry-failed` runs failed jobs again", markup=False)
    if report.exit_code is ExitCode.DONE:
        submitted = f"{len(report.submitted):,} of them" if report.submitted else "none"
        out.print(f"\n✓ all {len(report.selected):,} jobs are completed, {submitted} submitted now", markup=False)
