"""``tunebook status`` and ``tunebook cancel``."""

from __future__ import annotations

import shlex
import time
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer

from tunebook import api
from tunebook.cli.jobs import counts_data, jobs_data, jobs_shown
from tunebook.cli.options import All, Directory, Json, RunNames, located
from tunebook.cli.output import console, most_lines, print_json, print_problems
from tunebook.core.shortened import counted, first_lines
from tunebook.errors import ExitCode, Problem

__all__ = ["register", "status_data"]

_WATCH_S = 5.0
Watch = Annotated[
    bool, typer.Option("--watch", help="Query the jobs every few seconds until none is queued or running.")
]


def register(app: typer.Typer) -> None:
    """Adds the verbs."""

    @app.command()
    def status(
        directory: Directory = None,
        *,
        watch: Watch = False,
        every: All = False,
        as_json: Json = False,
    ) -> None:
        """Show the state of every training and evaluation. Writes nothing.

        Above a screenful of jobs: counts, and the jobs that failed, run or are blocked.
        """
        experiment = located(directory)
        report = api.status(experiment)
        if watch and not as_json:
            report = _watch(experiment, report, every=every)
        warnings = [Problem(text) for text in report.warnings]
        if as_json:
            print_json("status", report.exit_code, status_data(report), warnings=warnings)
        else:
            print_problems(warnings, kind="warning", every=every)
            out = console()
            out.print(jobs_shown(report.jobs, out, every=every, command=_every_job(experiment)))
        raise typer.Exit(report.exit_code)

    @app.command()
    def cancel(directory: Directory = None, *, run: RunNames = None, every: All = False, as_json: Json = False) -> None:
        """End the queued and running jobs."""
        ended = api.cancel(located(directory), runs=run or ())
        if as_json:
            print_json("cancel", ExitCode.DONE, {"cancelled": list(ended)})
        else:
            names = first_lines([f"  {name}" for name in ended], most_lines(every=every), more="jobs")
            console().print("\n".join([f"cancelled {counted(len(ended), 'job')}", *names]), markup=False)


def status_data(report: api.StatusReport) -> dict[str, Any]:
    """The jobs and their numbers, for ``--json``."""
    counts = Counter(job.state.value for job in report.jobs)
    by_stage = counts_data(report.jobs)
    return {"jobs": jobs_data(report.jobs), "counts": dict(counts), "counts_by_stage": by_stage}


def _every_job(experiment: Path) -> str:
    """The command that shows every job."""
    if experiment == Path.cwd():
        return "tunebook status --all"
    return f"tunebook status --all {shlex.quote(str(experiment))}"


def _watch(experiment: Path, report: api.StatusReport, *, every: bool) -> api.StatusReport:
    """Shows the jobs until none is in flight; the table goes then, and an interrupt leaves its last frame."""
    from rich.live import Live

    out = console()

    def table() -> Any:
        return jobs_shown(report.jobs, out, note="; ".join(report.warnings), every=every)

    with Live(table(), console=out, refresh_per_second=2) as live:
        while any(job.in_flight for job in report.jobs):
            time.sleep(_WATCH_S)
            report = api.status(experiment)
            live.update(table())
        live.transient = True
    return report
