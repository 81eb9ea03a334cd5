"""``tunebook run``, and ``tunebook run-NAME`` for each tool by itself."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from tunebook import api
from tunebook.cli.jobs import jobs_data, watching
from tunebook.cli.options import Directory, Json, RunNames, StageName, located, stages
from tunebook.cli.output import console, print_json, print_problems
from tunebook.errors import ExitCode, Problem

__all__ = ["register"]

Executor = Annotated[
    str, typer.Option(help="Where to run: `slurm`, `local` (this machine), or `auto`, which chooses and says why.")
]
Retry = Annotated[bool, typer.Option("--retry-failed", help="Run again what failed in an earlier run.")]
RetryOom = Annotated[
    bool,
    typer.Option(
        "--retry-oom",
        help="Run trainings that ran out of GPU memory again with at most half the batch and the same effective batch.",
    ),
]
Detach = Annotated[bool, typer.Option("--detach", help="Submit, and leave the jobs to the cluster.")]
Jobs = Annotated[int | None, typer.Option("--jobs", min=1, help="How many jobs run at a time.")]
MaxJobs = Annotated[
    int | None,
    typer.Option("--max-jobs", min=1, help="How many are queued or running at a time; the others wait here."),
]
Array = Annotated[
    bool | None, typer.Option("--array/--no-array", help="Submit like jobs as one array. [default: from five on]")
]
Stagger = Annotated[float, typer.Option(min=0, help="Seconds between two submissions.")]
Poll = Annotated[float | None, typer.Option(min=0.05, help="Seconds between two looks at the jobs.")]


def register(app: typer.Typer) -> None:
    """Adds the verbs."""

    @app.command()
    def run(
        directory: Directory = None,
        *,
        stage: Annotated[StageName | None, typer.Option(help="Only this stage.")] = None,
        executor: Executor = "auto",
        only: RunNames = None,
        detach: Detach = False,
        retry_failed: Retry = False,
        retry_oom: RetryOom = False,
        jobs: Jobs = None,
        max_jobs: MaxJobs = None,
        array: Array = None,
        stagger_s: Stagger = 0.0,
        poll_s: Poll = None,
        as_json: Json = False,
    ) -> None:
        """Run what is not done yet: trainings, and each evaluation as soon as its own training is completed."""
        options = _Options(executor, only, detach, retry_failed, retry_oom, jobs, max_jobs, array, stagger_s, poll_s)
        chosen = stages(stage)[0] if stage else None
        _run("run", directory, options, stage=chosen, as_json=as_json)

    for tool in api.tool_names():
        _register_tool(app, tool)


def _register_tool(app: typer.Typer, tool: str) -> None:
    name = f"run-{tool}"

    @app.command(name, help=f"Run the jobs of {tool} only.")
    def verb(
        directory: Directory = None,
        *,
        executor: Executor = "auto",
        only: RunNames = None,
        detach: Detach = False,
        retry_failed: Retry = False,
        retry_oom: RetryOom = False,
        jobs: Jobs = None,
        max_jobs: MaxJobs = None,
        array: Array = None,
        stagger_s: Stagger = 0.0,
        poll_s: Poll = None,
        as_json: Json = False,
    ) -> None:
        options = _Options(executor, only, detach, retry_failed, retry_oom, jobs, max_jobs, array, stagger_s, poll_s)
        _run(name, directory, options, tool=tool, as_json=as_json)


class _Options(NamedTuple):
    """The options that all verbs here have in common."""

    executor: str
    runs: list[str] | None
    detach: bool
    retry_failed: bool
    retry_oom: bool
    jobs: int | None
    max_jobs: int | None
    array: bool | None
    stagger_s: float
    poll_s: float | None


def _run(
    command: str,
    directory: Directory,
    options: _Options,
    *,
    stage: api.Stage | None = None,
    tool: str | None = None,
    as_json: bool,
) -> None:
    experiment = located(directory)
    chosen: list[api.Choice] = []

    def say(choice: api.Choice) -> None:
        chosen.append(choice)
        if not as_json:
            console().print(f"executor: {choice.executor.name} ({choice.reason})", markup=False)

    try:
        with watching(quiet=as_json) as show:
            words = options._asdict() | {"runs": options.runs or ()}
            report = api.run(experiment, stage=stage, tool=tool, on_event=show, on_choice=say, **words)
    except KeyboardInterrupt:
        if chosen and chosen[0].executor.survives_monitor:
            typer.echo("\n" + _come_back(experiment), err=True)
        raise
    problems = [Problem(text) for text in report.warnings]
    if as_json:
        failed = [
            Problem(f"{job.job.name}: {job.reason}", job.output or None, hint=job.advice) for job in _failed(report)
        ]
        data = {
            "executor": chosen[0].executor.name,
            "jobs": jobs_data(report.jobs),
            "submitted": list(report.submitted),
            "not_retried": list(report.not_retried),
        }
        print_json(command, report.exit_code, data, warnings=problems, errors=failed)
    else:
        print_problems(problems, kind="warning")
        _show(report, experiment)
    raise typer.Exit(report.exit_code)


def _come_back(experiment: Path) -> str:
    where = shlex.quote(str(experiment))
    return (
        f"The jobs go on without this command.\n  tunebook status {where}   shows them\n"
        f"  tunebook run {where}      watches them again and goes on\n  tunebook cancel {where}   ends them"
    )


def _failed(report: api.RunReport) -> list[api.JobReport]:
    return [job for job in report.selected if job.state is api.JobState.FAILED]


def _show(report: api.RunReport, experiment: Path) -> None:
    out = console()
    out.print(api.run_summary(report, experiment), markup=False, end="", soft_wrap=True)
    if report.not_retried:
        out.print(f"\n{len(report.not_retried)} job(s) failed earlier; --retry-failed runs them again", markup=False)
    if report.exit_code is ExitCode.DONE:
        what = f"{len(report.submitted)} of them" if report.submitted else "none"
        out.print(f"\n✓ all {len(report.selected)} jobs are completed, {what} submitted now", markup=False)
