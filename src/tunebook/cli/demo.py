"""``tunebook demo``: a complete small experiment on a real model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from tunebook import api
from tunebook.cli.analyze import show_findings
from tunebook.cli.ending import demo_left_behind
from tunebook.cli.jobs import jobs_data, watching
from tunebook.cli.options import Json
from tunebook.cli.output import console, print_json, print_table
from tunebook.core.jobs import JobState
from tunebook.core.units import spoken_duration

__all__ = ["register"]

_WIDEST = 10_000  # columns that no terminal has
_TITLE = "Exact match on the test words"
_CAPTION = "Held-out loss: of the model as it was trained / of the checkpoint as it was evaluated"


def register(app: typer.Typer) -> None:
    """Adds the verb."""

    @app.command()
    def demo(
        *,
        directory: Annotated[Path, typer.Option("--dir", help="The experiment's directory.")] = Path("tunebook-demo"),
        ranks: Annotated[
            int, typer.Option(min=1, max=4, help="How many LoRA ranks to compare, each at two learning rates.")
        ] = 2,
        model: Annotated[
            Path | None, typer.Option(help="The directory of a model, in place of SmolLM2-135M-Instruct.")
        ] = None,
        tools: Annotated[
            str | None,
            typer.Option(
                "--with", metavar="TOOLS", help="Train with another tool, and evaluate with others too: 'trl,lm-eval'."
            ),
        ] = None,
        as_json: Json = False,
    ) -> None:
        """Fine-tune and evaluate a small real model on this machine, from the plan to the comparison."""
        out = console()

        def report_step(text: str) -> None:
            if not as_json:
                out.print(f"• {text}", markup=False)

        options = api.DemoOptions(ranks=ranks, model=model, tools=_names(tools))
        with watching(quiet=as_json) as watch:

            def leave(jobs: int) -> None:
                watch.leave()
                console(stderr=True).print(f"\n{demo_left_behind(jobs)}", markup=False)

            report = api.demo(directory, options, progress=report_step, on_event=watch.show, on_leave=leave)
        if as_json:
            rows = [vars(row) for row in report.rows]
            data = {"experiment": str(report.experiment), "comparison": rows, "jobs": jobs_data(report.result.jobs)}
            data |= {"report": str(report.analysis.path), "findings": [item.text for item in report.analysis.findings]}
            print_json("demo", report.exit_code, data)
        else:
            _print_comparison(report)
            _show_end(report)
        raise typer.Exit(report.exit_code)


def _names(text: str | None) -> tuple[str, ...]:
    names = (text or "").split(",")
    return tuple(name.strip() for name in names if name.strip())


def _print_comparison(report: api.DemoReport) -> None:
    """A table with lines around it; on a narrow terminal the cells of each run below its name."""
    columns = ["Run", "Loss", "Held-out loss", "Accuracy", "Training", "Evaluation"]
    if len({row.task for row in report.rows}) > 1:
        columns.insert(1, "Task")
    rows = list(_rows(report, with_task="Task" in columns))
    out = console()
    table = Table(*columns, title=_TITLE, caption=_CAPTION)
    for cells in rows:
        table.add_row(*cells)
    if not out.is_terminal or out.measure(table, options=out.options.update(width=_WIDEST)).maximum <= out.width:
        out.print(table)
        return
    out.print(_TITLE)
    print_table(rows, columns, labelled=True)
    out.print(_CAPTION)


def _rows(report: api.DemoReport, *, with_task: bool) -> Iterator[list[str]]:
    for row in report.rows:
        loss = proof = accuracy = "-"
        if row.loss is not None:
            loss = f"{row.loss:.3f}"
        if row.trained_loss is not None and row.evaluated_loss is not None:
            proof = f"{row.trained_loss:.4f} / {row.evaluated_loss:.4f}"
        if row.accuracy is not None:
            accuracy = f"{row.accuracy:.1%} ± {row.stderr or 0:.1%}"
        subject = [row.run, row.task] if with_task else [row.run]
        yield [*subject, loss, proof, accuracy, _duration(row.training_s), _duration(row.evaluation_s)]


def _duration(seconds: float | None) -> str:
    return "-" if seconds is None else spoken_duration(seconds)


def _show_end(report: api.DemoReport) -> None:
    out = console()
    if not report.result.submitted:
        out.print("All jobs were completed already; none was run again.")
    for job in report.result.selected:
        if job.state is JobState.FAILED:
            out.print(f"✗ {job.job.name}: {job.reason}; see {job.output}", markup=False)
            out.print("\n".join(f"    {line}" for line in job.tail), markup=False)
    out.print(f"Experiment: {report.experiment}\n", markup=False)
    show_findings(report.analysis)
