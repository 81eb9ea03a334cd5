"""The tables and the data rows of effects: both kinds of means, families, trends and simple effects."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from support.analyses import made_up
from tunebook.analysis.effect_rows import effect_rows, plain_effects
from tunebook.analysis.records import Family, Interval
from tunebook.analysis.report.content import Table
from tunebook.analysis.report.effect_tables import effect_blocks
from tunebook.analysis.statistics.effects import Effect
from tunebook.analysis.statistics.fits import FactorTest
from tunebook.analysis.statistics.marginal_means import GroupMean, LevelDifference
from tunebook.analysis.statistics.simple_effects import SimpleEffect
from tunebook.analysis.statistics.trends import Trend, Unit
from tunebook.analysis.values import Analysis

FAMILY = Family("main effects and interactions", 3, "Holm")


def analysis_with(**changes: Any) -> Analysis:
    """One main effect with a trend, and one interaction with a simple effect."""
    analysis = made_up()
    task = analysis.tasks[0]
    means = (
        GroupMean(("4",), 3, 0.25, Interval(0.2, 0.3, "Student t"), raw_mean=0.28),
        GroupMean(("16",), 2, 0.5, Interval(0.4, 0.6, "Student t")),
    )
    slope = FactorTest("F", 0.01, 9.0, (1.0, 8.0), 0.02, significant=True, family=Family("trends", 2, "Holm"))
    main = Effect(
        task.name,
        task.headline.name,
        ("lora_rank",),
        ("LoRA Rank",),
        means,
        test="analysis of variance over runs",
        p=0.01,
        p_holm=0.03,
        significant=True,
        family=FAMILY,
        generalizes="seeds",
        difference=LevelDifference("16", "4", 0.25, Interval(0.1, 0.4, "Tukey")),
        depends_on=("Learning Rate",),
        trend=Trend("lora_rank", "LoRA Rank", Unit("doubling", 1.0, is_logarithmic=True), 0.125, None, slope, slope),
    )
    simple = SimpleEffect("lora_rank", "LoRA Rank", "lr", "Learning Rate", "1e-4", "16", "4", 0.4, slope)
    keys, labels = ("lora_rank", "lr"), ("LoRA Rank", "Learning Rate")
    both = Effect(
        task.name, task.headline.name, keys, labels, (GroupMean(("4", "1e-4"), 1, 0.1),), simple_effects=(simple,)
    )
    return replace(analysis, effects=(replace(main, **changes), both))


def tables_of(analysis: Analysis) -> dict[str, Table]:
    return {block.key: block for block in effect_blocks(analysis, "effects-1") if isinstance(block, Table)}


def test_each_test_names_its_family_and_its_verdict() -> None:
    row = tables_of(analysis_with())["effects-1"].rows[0]
    assert row["family"].text == "main effects and interactions: 3 tests, Holm"
    assert row["verdict"].text == ("significant, an average over levels of Learning Rate, on which the effect depends")
    assert (row["difference"].text, row["difference"].detail) == ("+25.0 points", "10.0 to 40.0")
    missed = tables_of(analysis_with(significant=False, depends_on=()))["effects-1"].rows[0]
    assert missed["verdict"].text == "not detected"


def test_estimated_means_stand_beside_those_of_the_runs_where_they_differ() -> None:
    table = tables_of(analysis_with())["effects-1-levels"]
    titles = {column.key: column.title for column in table.columns}
    assert (titles["mean"], titles["raw"]) == ("Estimated mean", "Mean of the runs")
    first = table.rows[0]
    assert (first["mean"].text, first["mean"].detail, first["raw"].text) == ("25.0 %", "20.0 to 30.0 %", "28.0 %")
    same = tables_of(analysis_with(means=(GroupMean(("4",), 3, 0.25),)))["effects-1-levels"]
    assert [column.title for column in same.columns if column.key in {"mean", "raw"}] == ["Mean"]


def test_trends_and_simple_effects_have_tables_only_where_there_are_some() -> None:
    tables = tables_of(analysis_with())
    assert tables["effects-1-trends"].rows[0]["unit"].text == "doubling"
    assert tables["effects-1-simple"].rows[0]["at"].text == "Learning Rate 1e-4"
    assert "effects-1-trends" not in tables_of(analysis_with(trend=None))


def test_data_rows_have_both_means_the_family_and_what_belongs_to_an_effect() -> None:
    rows = effect_rows(analysis_with())
    assert [row["kind"] for row in rows] == [
        "main effect",
        "main effect",
        "trend",
        "departure",
        "interaction",
        "simple effect",
    ]
    first, second, trend, _, _, simple = rows
    assert (first["estimated_mean"], first["raw_mean"], first["family_size"]) == (0.25, 0.28, 3)
    assert (second["estimated_mean"], second["raw_mean"]) == (0.5, 0.5)
    assert (first["levels_compared"], first["difference_low"]) == ("16 − 4", 0.1)
    assert (trend["levels_compared"], trend["difference"], trend["p_holm"]) == ("doubling", 0.125, 0.02)
    assert (simple["effect"], simple["level"]) == ("LoRA Rank", "Learning Rate 1e-4")
    main, both = plain_effects(analysis_with())
    assert (main["means"][0]["raw_mean"], main["correction"], main["trend"][0]["kind"]) == (0.28, "Holm", "trend")
    assert both["simple_effects"][0]["p_holm"] == 0.02
