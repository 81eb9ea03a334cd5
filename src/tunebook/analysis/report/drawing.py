"""Draws figures, in this process or in one of its own: drawing takes memory that a process keeps.

``python -m tunebook.analysis.report.drawing`` is the other process; it reads what to draw from its standard input.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from tunebook.analysis.charts.figure import Figure, FigureSize, png_of, svg_of
from tunebook.analysis.destination import Destination
from tunebook.analysis.report.library import library
from tunebook.core.json_text import parse_json
from tunebook.core.paths import FIGURES
from tunebook.disk.atomic import write_bytes, write_text
from tunebook.disk.read import read_text
from tunebook.errors import ToolError

__all__ = ["draw", "paths_of"]


def paths_of(figure: Figure, folder: Path) -> tuple[Path, Path]:
    """The files of a figure, as SVG and as PNG."""
    return folder / f"{figure.name}.svg", folder / f"{figure.name}.png"


def draw(figures: Sequence[Figure], size: FigureSize, destination: Destination, *, apart: bool = False) -> None:
    """Writes figures; of one that comes out the same nothing is written: programs that watch it see real changes only.

    Args:
        destination: its memory keeps Vega's scripts, which another process makes too.
        apart: whether to draw in another process, since this one holds much already.

    Raises:
        ToolError: the other process failed.
    """
    if not (apart and sys.executable):
        _draw_here(figures, size, destination)
        return
    document = {
        "size": asdict(size),
        "folder": str(destination.folder),
        "memory": str(destination.memory),
        "figures": [_to_json(figure) for figure in figures],
    }
    command = [sys.executable, "-P", "-m", __name__]  # no module of the current directory
    answer = subprocess.run(command, input=json.dumps(document), capture_output=True, text=True, check=False)
    if answer.returncode:
        last = (answer.stderr.strip().splitlines() or [f"exit code {answer.returncode}"])[-1]
        raise ToolError(f"the figures could not be drawn: {last}")


def _to_json(figure: Figure) -> dict[str, Any]:
    values = {field.name: getattr(figure, field.name) for field in fields(figure)}
    return values | {"spec": dict(figure.spec)}


def _draw_here(figures: Sequence[Figure], size: FigureSize, destination: Destination) -> None:
    folder, root = destination.folder / FIGURES, destination.root
    for figure in figures:
        svg, png = paths_of(figure, folder)
        text = svg_of(figure, size)
        if read_text(svg) != text or not png.exists():
            write_bytes(png, png_of(text, size), within=root)
            write_text(svg, text, within=root)  # last: the SVG says that both are up to date


def _main() -> None:
    document = parse_json(sys.stdin.read())
    destination = Destination(Path(document["folder"]), Path(document["memory"]))
    library(destination)
    figures = [Figure(**values) for values in document["figures"]]
    _draw_here(figures, FigureSize(**document["size"]), destination)


if __name__ == "__main__":
    _main()
