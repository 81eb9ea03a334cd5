"""The figures and the HTML report that ``analyze`` writes, from real logs."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from support.scaffolding import CLOCK
from support.sweeps import Sweep, SweepRun
from tunebook import api
from tunebook.cli.main import app

pytest.importorskip("vl_convert")
pytestmark = pytest.mark.filterwarnings("ignore")  # inspect-ai's and pandas' own
RIGHT, WRONG = "C", "I"


def sweep(*runs: SweepRun) -> Sweep:
    return Sweep(runs, base=[WRONG] * 36 + [RIGHT] * 4)


def better(level: str, right: int) -> SweepRun:
    return SweepRun(f"run{level}", {"LoRA Rank": level}, {0: [RIGHT] * right + [WRONG] * (40 - right)})


@pytest.fixture
def experiment(tmp_path: Path) -> Path:
    return sweep(better("4", 20), better("16", 36)).write(tmp_path / "it's a | sweep")


def analyzed(directory: Path, **options: Any) -> api.AnalyzeReport:
    return api.analyze(directory, api.AnalyzeOptions(**options), clock=lambda: CLOCK)


def test_the_page_and_its_figures_are_written(experiment: Path) -> None:
    report = analyzed(experiment)
    assert report.path == experiment / "analysis" / "report.html"
    page = report.path.read_text()
    drawn = [figure for figure in report.figures if figure.spec]
    assert {figure.name for figure in drawn} >= {"score_by_run", "score_by_lora_rank", "sample_agreement"}
    for figure in drawn:
        assert f'data-figure="{figure.name}"' in page
        assert {f"analysis/figures/{figure.name}.svg", f"analysis/figures/{figure.name}.png"} <= set(report.files)
        assert (experiment / "analysis" / "figures" / f"{figure.name}.png").read_bytes().startswith(b"\x89PNG")
    for figure in report.figures:
        assert bool(figure.spec) != bool(figure.reason)
        assert figure.reason in page
    assert "figures/score_by_run.svg" in (experiment / "analysis" / "report.md").read_text()


def test_unchanged_files_are_not_written_again(experiment: Path) -> None:
    files = analyzed(experiment).files
    looked_at = [experiment / path for path in files if path.endswith((".svg", ".png", ".html"))]
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in looked_at}
    analyzed(experiment)
    assert {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in looked_at} == before


def test_a_figure_that_has_no_data_any_more_does_not_stay(experiment: Path) -> None:
    folder = experiment / "analysis" / "figures"
    analyzed(experiment)
    (folder / "score_by_model.svg").write_text("of an earlier page")
    (folder / "mine.svg").write_text("a person's")
    analyzed(experiment)
    assert not (folder / "score_by_model.svg").exists()
    assert (folder / "mine.svg").exists()


def test_figures_have_the_size_of_the_options(experiment: Path) -> None:
    options = ["--figure-width", "8.5", "--figure-height", "6", "--figure-ppi", "300"]
    result = CliRunner().invoke(app, ["analyze", str(experiment), *options])
    assert result.exit_code == 0, result.output
    png = (experiment / "analysis" / "figures" / "score_by_run.png").read_bytes()
    assert struct.unpack(">II", png[16:24]) == pytest.approx((8.5 / 2.54 * 300, 6 / 2.54 * 300), abs=4)


def test_a_width_that_no_figure_can_have_is_refused(experiment: Path) -> None:
    result = CliRunner().invoke(app, ["analyze", str(experiment), "--figure-width", "0"])
    assert result.exit_code == 2


def test_a_figure_shows_itself_in_a_notebook(experiment: Path) -> None:
    figures = {figure.name: figure for figure in analyzed(experiment, write=False).figures}
    bundle = figures["score_by_run"]._repr_mimebundle_()
    assert bundle["application/vnd.vegalite.v6+json"]["datasets"]["rows"] == list(figures["score_by_run"].rows)
    assert bundle["image/svg+xml"].startswith("<svg")
    assert figures["score_interaction"]._repr_mimebundle_() == {
        "text/plain": "exactly by two factors: fewer than two factors were varied, apart from seeds"
    }
