"""``tunebook status`` and ``tunebook cancel``."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer
from rich.live import Live
from rich.table import Table

from tunebook import api
from tunebook.cli.jobs import jobs_data, jobs_table
from tunebook.cli.options import Directory, Json, RunNames, located
from tunebook.cli.output import console, print_json, print_problems
from tunebook.errors import ExitCode, Problem

__all__ = ["register"]

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
        as_json: Json = False,
    ) -> None:
        """Show the state of every training and evaluation. Writes nothing."""
        experiment = located(directory)
        report = api.status(experiment)
        if watch and not as_json:
            report = _watch(experiment, report)
        warnings = [Problem(text) for text in report.warnings]
        counts = Counter(job.state.value for job in report.jobs)
        if as_json:
            data = {"jobs": jobs_data(report.jobs), "counts": dict(counts)}
            print_json("status", report.exit_code, data, warnings=warnings)
        else:
            print_problems(warnings, kind="warning")
            if not watch:
                console().print(jobs_table(report.jobs))
            console().print(", ".join(f"{count} {state}" for state, count in counts.items()))
        raise typer.Exit(report.exit_code)

    @app.command()
    def cancel(directory: Directory = None, *, run: RunNames = None, as_json: Json = False) -> None:
        """End the queued and running jobs."""
        ended = api.cancel(located(directory), runs=run or ())
        if as_json:
            print_json("cancel", ExitCode.DONE, {"cancelled": list(ended)})
        else:
            console().print(f"cancelled {len(ended)} job(s)" + "".join(f"\n  {name}" for name in ended), markup=False)


def _watch(experiment: Path, report: api.StatusReport) -> api.StatusReport:
    out = console()

    def table() -> Table:
        return jobs_table(report.jobs, "; ".join(report.warnings), height=out.size.height if out.is_terminal else None)

    with Live(table(), console=out, refresh_per_second=2) as live:
        while any(job.in_flight for job in report.jobs):
            time.sleep(_WATCH_S)
            report = api.status(experiment)
            live.update(table())
    return report
