"""The report's table of what was not the same in the environments of all jobs."""

from __future__ import annotations

from collections.abc import Iterator

from tunebook.analysis.report import cells
from tunebook.analysis.report.content import Column, Table
from tunebook.analysis.values import Analysis

__all__ = ["difference_table"]

_MOST_NAMES = 5
_NOTE = (
    "Differences between runs that are compared with one another. Other versions of a package, or other GPUs, may "
    "change scores: run the jobs again in one environment to rule that out."
)


def difference_table(analysis: Analysis) -> Table:
    """One row for each value of each thing that differed, with the runs that had it."""
    columns = (
        Column("what", "What differs", lambda row: cells.text(row[0])),
        Column("jobs", "In", lambda row: cells.text(row[1])),
        Column("value", "Value", lambda row: cells.text(row[2])),
        Column("runs", "Runs", lambda row: cells.text(row[3])),
    )
    return Table.of("environments", "Differences between runs", columns, list(_rows(analysis)), note=_NOTE)


def _rows(analysis: Analysis) -> Iterator[tuple[str, str, str, str]]:
    for difference in analysis.differences:
        for value, runs in difference.values.items():
            labels = [analysis.labels[run] for run in runs]
            names = ", ".join(labels[:_MOST_NAMES])
            if len(labels) > _MOST_NAMES:
                names += f" and {len(labels) - _MOST_NAMES} more"
            yield difference.name, difference.jobs, value, names
