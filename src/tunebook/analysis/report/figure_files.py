"""Writes figures as SVG and PNG; one that has not changed since it was drawn is not drawn again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from tunebook.analysis.charts.figure import Figure, FigureSize
from tunebook.analysis.destination import Destination
from tunebook.analysis.report.drawing import draw, paths_of
from tunebook.core.paths import FIGURES
from tunebook.disk.atomic import write_text
from tunebook.disk.inside import place_inside
from tunebook.disk.remembered import read_remembered
from tunebook.disk.stamps import NEVER_FRESH_NS, files_below, stamp_of
from tunebook.tools.installed_code import installed_code

__all__ = ["write_figures"]

_OURS = ("score_", "sample_agreement", "reliability", "loss", "learning_rate")  # the beginnings of our figures' names
_MEMORY = "figures.json"


def write_figures(
    destination: Destination, figures: Sequence[Figure], size: FigureSize, *, apart: bool = False
) -> list[str]:
    """Writes every figure that has data, and removes those of an earlier analysis that have none now.

    Args:
        destination: the figures go into a directory of their own in its folder; its memory has how they were drawn.
        apart: whether to draw in another process, since this one holds much already.

    Returns:
        The names of all files.
    """
    folder, memory = destination.folder / FIGURES, destination.memory
    place_inside(folder, destination.root)
    remembered: dict[str, str] = read_remembered(memory / _MEMORY, dict) or {}
    drawn = [figure for figure in figures if figure.spec]
    keys = {figure.name: _key(figure, size) for figure in drawn}
    new = [each for each in drawn if remembered.get(each.name) != _state(keys[each.name], *paths_of(each, folder))]
    if new:
        draw(new, size, destination, apart=apart)
    states: dict[str, str] = {}
    written: list[str] = []
    for figure in drawn:
        svg, png = paths_of(figure, folder)
        states[figure.name] = _state(keys[figure.name], svg, png)
        written += [svg.name, png.name]
    for path in sorted(folder.glob("*.*")):
        is_ours = path.suffix in {".svg", ".png"} and (path.name.startswith(_OURS) or path.stem in remembered)
        if is_ours and path.name not in written:
            path.unlink(missing_ok=True)
    if states != remembered:
        write_text(memory / _MEMORY, json.dumps(states, indent=0) + "\n", within=destination.root)
    return written


def _key(figure: Figure, size: FigureSize) -> str:
    """A digest of everything that decides how a figure is drawn."""
    parts = [json.dumps(dict(figure.spec)), figure.title, figure.caption, figure.height, size, installed_code()]
    return hashlib.sha256(repr(parts).encode("utf-8", "surrogatepass")).hexdigest()


def _state(key: str, *files: Path) -> str:
    """The key with the state of the files that were drawn: an edited one is drawn again."""
    states = [state for file in files for state in files_below(file)]
    return f"{key} {stamp_of(states, seen_ns=NEVER_FRESH_NS)}"
