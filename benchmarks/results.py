"""Keeps what the benchmarks measured: prints a table and appends it to ``benchmarks/RESULTS.md``."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

__all__ = ["Row", "report"]

_RESULTS = Path(__file__).with_name("RESULTS.md")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One measurement; ``peer`` is what it is compared with, measured in the same run."""

    work: str
    measured: str
    peer: str = ""
    ratio: str = ""
    goal: str = ""


def report(title: str, rows: Iterable[Row], *, packages: Iterable[str] = ()) -> None:
    """Prints the rows and appends them with machine, date and versions.

    Args:
        title: what was measured, with its size.
        rows: the measurements.
        packages: the peers' distributions, whose versions are named.
    """
    text = "\n".join([f"## {title}", _circumstances(packages), "", *_table(rows)])
    print(text)
    with _RESULTS.open("a", encoding="utf-8") as stream:
        stream.write(f"\n{text}\n")


def _circumstances(packages: Iterable[str]) -> str:
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    versions = ", ".join(f"{name} {_version(name)}" for name in ("tunebook", *packages))
    now = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    machine = f"{os.cpu_count()} cores ({platform.machine()}), {platform.system()}, Python {platform.python_version()}"
    return f"{now}; {machine}; load {load}; {versions}."


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _table(rows: Iterable[Row]) -> list[str]:
    lines = ["| work | measured | peer | ratio | goal |", "|---|---|---|---|---|"]
    lines += [f"| {row.work} | {row.measured} | {row.peer} | {row.ratio} | {row.goal} |" for row in rows]
    return lines
