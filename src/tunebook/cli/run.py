"""``tunebook run``, and one verb for each stage by itself."""

from __future__ import annotations

from typing import Annotated

import typer

from tunebook import api
from tunebook.cli.jobs import jobs_data, jobs_table, watching
from tunebook.cli.options import Directory, Json, RunNames, StageName, located, stages
from tunebook.cli.output import console, print_json, print_problems
from tunebook.errors import ExitCode, Problem

__all__ = ["register"]

Executor = Annotated[str, typer.Option(help="Where to run: `local` is this machine, `auto` chooses and says why.")]
Retry = Annotated[bool, typer.Option("--retry-failed", help="Run again what failed in an earlier run.")]
Jobs = Annotated[int | None, typer.Option("--jobs", "--max-jobs", min=1, help="How many jobs at a time.")]
Poll = Annotated[float | None, typer.Option(min=0.05, help="Seconds between two looks at the jobs.")]


def register(app: typer.Typer) -> None:
    """Adds the verbs."""

    @app.command()
    def run(
        directory: Directory = None,
        *,
        executor: Executor = "auto",
        stage: Annotated[StageName | None, typer.Option(help="Only this stage.")] = None,
        only: RunNames = None,
        retry_failed: Retry = False,
        jobs: Jobs = None,
        poll_s: Poll = None,
        as_json: Json = False,
    ) -> None:
        """Run what is not done yet: trainings, and each evaluation as soon as its own training is completed."""
        chosen = stages(stage)[0] if stage else None
        _run("run", directory, chosen, executor, only, retry_failed=retry_failed, jobs=jobs, poll=poll_s, json=as_json)

    _register_stage(app, "run-torchtune", api.Stage.PREPARATION, "Run the trainings only.")
    _register_stage(app, "run-inspect", api.Stage.EVALUATION, "Run the evaluations only.")


def _register_stage(app: typer.Typer, name: str, stage: api.Stage, text: str) -> None:
    @app.command(name, help=text)
    def verb(
        directory: Directory = None,
        *,
        executor: Executor = "auto",
        only: RunNames = None,
        retry_failed: Retry = False,
        jobs: Jobs = None,
        poll_s: Poll = None,
        as_json: Json = False,
    ) -> None:
        _run(name, directory, stage, executor, only, retry_failed=retry_failed, jobs=jobs, poll=poll_s, json=as_json)


def _run(
    command: str,
    directory: Directory,
    stage: api.Stage | None,
    executor: str,
    only: list[str] | None,
    *,
    retry_failed: bool,
    jobs: int | None,
    poll: float | None,
    json: bool,
) -> None:
    experiment = located(directory)
    with watching(quiet=json) as show:
        report = api.run(
            experiment,
            executor=executor,
            stage=stage,
            runs=only or (),
            retry_failed=retry_failed,
            jobs=jobs,
            poll_s=poll,
            on_event=show,
            on_choice=None if json else lambda text: console().print(f"executor: {text}", markup=False),
        )
    problems = [Problem(text) for text in report.warnings]
    if json:
        failed = [Problem(f"{job.job.name}: {job.reason}", job.output or None) for job in _failed(report)]
        data = {"jobs": jobs_data(report.jobs), "submitted": list(report.submitted)}
        print_json(command, report.exit_code, data, warnings=problems, errors=failed)
    else:
        print_problems(problems, kind="warning")
        _show(report)
    raise typer.Exit(report.exit_code)


def _failed(report: api.RunReport) -> list[api.JobReport]:
    return [job for job in report.selected if job.state is api.JobState.FAILED]


def _show(report: api.RunReport) -> None:
    out = console()
    out.print(jobs_table(report.selected))
    for job in _failed(report):
        out.print(f"\n✗ {job.job.name}: {job.reason}", markup=False)
        for line in job.tail:
            out.print(f"    {line}", markup=False)
        if job.output:
            out.print(f"    output: {job.output}", markup=False)
    if report.not_retried:
        out.print(f"\n{len(report.not_retried)} job(s) failed earlier; --retry-failed runs them again", markup=False)
    if report.exit_code is ExitCode.DONE:
        what = f"{len(report.submitted)} of them now" if report.submitted else "nothing was left to do"
        out.print(f"\n✓ all {len(report.selected)} jobs are completed, {what}", markup=False)
