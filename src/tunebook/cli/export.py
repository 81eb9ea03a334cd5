"""``tunebook export``: the experiment as an RO-Crate, for an archive."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from tunebook import api
from tunebook.cli.options import All, Directory, Json, located
from tunebook.cli.output import console, finish, most_lines
from tunebook.cli.waiting import waiting
from tunebook.core.jobs import count_states
from tunebook.core.shortened import counted, first_lines
from tunebook.core.units import size_text

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Adds the verb."""

    @app.command()
    def export(
        directory: Directory = None,
        *,
        to: Annotated[
            Path | None,
            typer.Option(
                "--to",
                metavar="PATH",
                help="The archive: NAME.zip, or a directory. [default: NAME-crate.zip beside the experiment]",
                show_default=False,
            ),
        ] = None,
        with_weights: Annotated[bool, typer.Option("--with-weights", help="Include the checkpoints.")] = False,
        with_data: Annotated[bool, typer.Option("--with-data", help="Include the data sets.")] = False,
        include: Annotated[
            list[str] | None,
            typer.Option(
                "--include", metavar="NAME", help="Include a file or directory of your own, or a glob. Repeatable."
            ),
        ] = None,
        overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier archive.")] = False,
        every: All = False,
        as_json: Json = False,
    ) -> None:
        """Write the experiment with its results as an RO-Crate, for an archive. `tunebook analyze` opens it anywhere.

        Without checkpoints, models and data sets: their places, sizes and digests are recorded. Without secrets.
        """
        options = api.ExportOptions(
            to=to, weights=with_weights, data=with_data, include=tuple(include or ()), overwrite=overwrite
        )
        experiment = located(directory)
        with waiting("writing the archive", quiet=as_json):
            report = api.export(experiment, options)
        finish("export", report, data=_data, show=partial(_show, every=every), as_json=as_json, every=every)


def _show(report: api.ExportReport, *, every: bool) -> None:
    out = console()
    lines = [", ".join(counted(number, what) for what, number in report.contents.items())]
    lines += _left_out(report, every=every)
    lines.append(f"Jobs: {count_states(state for state, number in report.states.items() for _ in range(number))}")
    lines.append(f"The archive: {report.path} ({counted(report.files, 'file')}, {size_text(report.size)} unpacked)")
    for line in lines:
        out.print(line, markup=False)


def _left_out(report: api.ExportReport, *, every: bool) -> Iterator[str]:
    """What is only described: a line for each, with its size."""
    lines = []
    for item in report.left_out:
        size = size_text(item.size) if item.files else "not found here"
        lines.append(f"  {item.kind}: {item.path} ({size})")
    if lines:
        yield "Not in the archive, only recorded with sizes and digests (--with-weights, --with-data):"
        yield from first_lines(lines, most_lines(every=every), more="items: `--all` lists them")


def _data(report: api.ExportReport) -> dict[str, Any]:
    return {
        "experiment": str(report.experiment),
        "archive": str(report.path),
        "files": report.files,
        "bytes": report.size,
        "contents": dict(report.contents),
        "states": {state.value: number for state, number in report.states.items()},
        "unfinished": list(report.unfinished),
        "left_out": [asdict(item) for item in report.left_out],
        "unknown": list(report.unknown),
        "redacted": list(report.redacted),
    }
