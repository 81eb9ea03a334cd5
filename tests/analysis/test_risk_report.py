"""From logs with risks and groups to the report, its figures and its data files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.risks import risk_experiment
from support.scaffolding import CLOCK
from tunebook import api
from tunebook.analysis.charts.catalogue import figures
from tunebook.analysis.charts.figure import svg_of

pytestmark = pytest.mark.filterwarnings("ignore")  # inspect-ai's and pandas' own


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> api.AnalyzeReport:
    """The plan's measure is the area under the curve, which no sample has."""
    directory = risk_experiment(tmp_path_factory.mktemp("risk") / "experiment", n=90, measure="auc")
    return api.analyze(directory, api.AnalyzeOptions(), clock=lambda: CLOCK)


def text_of(report: api.AnalyzeReport) -> str:
    return (report.experiment / "analysis" / "report.md").read_text()


def found_run(report: api.AnalyzeReport) -> str:
    return report.analysis.labels["run0"]


def test_the_plans_area_under_the_curve_comes_first_and_what_stands_for_it_is_said(report: api.AnalyzeReport) -> None:
    text = text_of(report)
    assert text.index("### Risk and calibration") < text.index("### Scores\n")
    assert "The plan's measure of capitalization is auc, which only all samples together have." in text
    assert "uses outcome/brier (lower is better) in its place" in text
    caution = [each.text for each in report.findings if each.kind == "caution" and "auc" in each.text]
    assert len(caution) == 1
    (found,) = [each for each in report.findings if each.text.startswith("outcome/auc on capitalization (higher is")]
    assert found.significant
    assert f"{found_run(report)} has 0.8" in found.text
    assert "significantly better than its base model tiny_base" in found.text
    assert "DeLong, paired, p < 0.001, n = 90." in found.text


def test_tables_have_calibration_coverage_and_groups(report: api.AnalyzeReport) -> None:
    text = text_of(report)
    for title in (
        "| Run | AUC (95 % interval) | AUC − base",
        "ECE by chance",
        "Difference by group",
        "| Highest | Lowest",
    ):
        assert title in text, title
    assert "Every answer of every run can be used." in text
    assert "in 1 run it was not detected that groups of age differ in what the run changes" in text


def test_the_reliability_curve_and_the_scores_by_group_are_drawn(report: api.AnalyzeReport) -> None:
    drawn = {figure.name: figure for figure in figures(report.analysis)}
    curve = drawn["reliability"]
    assert sum(row["answers"] for row in curve.rows) == 2 * 90
    assert "bins with few answers say little" in curve.caption
    assert {row["group"] for row in drawn["score_by_group_age"].rows} == {"18-39", "40-64", "65+"}
    for name in ("reliability", "score_by_group_age"):
        assert drawn[name].title in svg_of(drawn[name])
        assert (report.experiment / "analysis" / "figures" / f"{name}.svg").is_file()


def test_data_files_and_json_have_every_measure_and_group(report: api.AnalyzeReport) -> None:
    aggregates, groups = report.aggregates, report.groups
    own = aggregates[aggregates["measure"] == "outcome/auc"].set_index("run")
    assert own.loc["run0", "difference"] == pytest.approx(own.loc["run0", "value"] - own.loc["tiny_base", "value"])
    assert own.loc["run0", "usable"] == 90
    assert set(groups["measure"]) == {"outcome/brier", "outcome/auc"}
    assert len(groups) == 2 * 2 * 3  # runs, measures, groups
    assert {"analysis/aggregates.csv", "analysis/groups.csv"} <= set(report.files)
    rows = json.loads(json.dumps(report.summary.tests))
    assert len(rows["aggregates"]) == len(aggregates)
    assert [each["group"] for each in rows["groups"][0]["groups"]] == ["18-39", "40-64", "65+"]


def test_a_report_without_risks_and_groups_has_no_part_on_them(tmp_path: Path) -> None:
    from support.sweeps import Sweep, SweepRun

    runs = (SweepRun("run0", {"LoRA Rank": "4"}, {0: ["C", "I"] * 10}),)
    plain = api.analyze(
        Sweep(runs, base=["I"] * 20).write(tmp_path / "plain"), api.AnalyzeOptions(), clock=lambda: CLOCK
    )
    text = text_of(plain)
    assert "Risk and calibration" not in text
    assert "Scores by group" not in text
    assert plain.aggregates.empty
    assert plain.groups.empty
