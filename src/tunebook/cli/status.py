"""``tunebook status`` and ``tunebook cancel``."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer
from rich.live import Live

from tunebook import api
from tunebook.cli.jobs import jobs_data, jobs_table
from tunebook.cli.options import Directory, Json, RunNames, located
from tunebook.cli.output import console, print_json
from tunebook.errors import ExitCode

__all__ = ["register"]

_WATCH_S = 2.0


def register(app: typer.Typer) -> None:
    """Adds the verbs."""

    @app.command()
    def status(
        directory: Directory = None,
        *,
        watch: Annotated[bool, typer.Option("--watch", help="Look again every two seconds until all is done.")] = False,
        as_json: Json = False,
    ) -> None:
        """Show every run and evaluation as it stands. Writes nothing."""
        experiment = located(directory)
        reports = api.status(experiment)
        code = _exit_code(reports)
        if as_json:
            print_json("status", code, {"jobs": jobs_data(reports), "counts": _counts(reports)})
        elif watch:
            reports = _watch(experiment, reports)
            code = _exit_code(reports)
        else:
            console().print(jobs_table(reports))
            console().print(", ".join(f"{count} {state}" for state, count in _counts(reports).items()))
        raise typer.Exit(code)

    @app.command()
    def cancel(directory: Directory = None, *, run: RunNames = None, as_json: Json = False) -> None:
        """End what is queued or running, and nothing else."""
        ended = api.cancel(located(directory), runs=run or ())
        if as_json:
            print_json("cancel", ExitCode.DONE, {"cancelled": list(ended)})
        else:
            console().print(f"cancelled {len(ended)} job(s)" + "".join(f"\n  {name}" for name in ended), markup=False)


def _watch(experiment: Path, reports: tuple[api.JobReport, ...]) -> tuple[api.JobReport, ...]:
    with Live(jobs_table(reports), console=console(), refresh_per_second=2) as live:
        while any(job.state in {api.JobState.RUNNING, api.JobState.PENDING} for job in reports):
            time.sleep(_WATCH_S)
            reports = api.status(experiment)
            live.update(jobs_table(reports))
    return reports


def _counts(reports: tuple[api.JobReport, ...]) -> dict[str, int]:
    return dict(Counter(job.state.value for job in reports))


def _exit_code(reports: tuple[api.JobReport, ...]) -> ExitCode:
    states = {job.state for job in reports}
    if states == {api.JobState.COMPLETED}:
        return ExitCode.DONE
    return ExitCode.FAILED if api.JobState.FAILED in states else ExitCode.UNFINISHED
