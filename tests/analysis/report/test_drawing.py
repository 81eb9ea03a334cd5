"""Figures that are drawn in a process of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.analyses import made_up
from tunebook.analysis.charts.catalogue import figures
from tunebook.analysis.charts.figure import FigureSize
from tunebook.analysis.destination import Destination
from tunebook.analysis.report.drawing import draw, paths_of
from tunebook.core.paths import FIGURES
from tunebook.errors import ToolError

pytest.importorskip("vl_convert")


def test_another_process_draws_the_same_and_keeps_the_pages_scripts(tmp_path: Path) -> None:
    figure = next(figure for figure in figures(made_up()) if figure.spec)
    memory = tmp_path / ".tunebook" / "memory"
    draw([figure], FigureSize(ppi=50), Destination(tmp_path / "here", memory))
    assert not memory.exists()
    draw([figure], FigureSize(ppi=50), Destination(tmp_path / "apart", memory), apart=True)
    folders = tmp_path / "here" / FIGURES, tmp_path / "apart" / FIGURES
    for here, apart in zip(*(paths_of(figure, folder) for folder in folders), strict=True):
        assert here.read_bytes() == apart.read_bytes()
    assert [path.suffix for path in memory.iterdir()] == [".js"]


def test_a_process_that_cannot_draw_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/bin/false")
    with pytest.raises(ToolError, match="the figures could not be drawn: exit code 1"):
        draw([], FigureSize(), Destination(tmp_path, tmp_path / ".tunebook" / "memory"), apart=True)
