"""Figures: what they draw, of few runs and of hundreds, and how they are drawn."""

from __future__ import annotations

import itertools
import struct
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from support.analyses import HOSTILE, dozens, hundreds, made_up
from tunebook.analysis.charts.catalogue import figures
from tunebook.analysis.charts.figure import Figure, FigureSize, png_of, svg_of
from tunebook.analysis.charts.line_labels import label_lines
from tunebook.analysis.charts.theme import CATEGORIES
from tunebook.analysis.records import Measure, RunRecord, TaskUse
from tunebook.analysis.values import Analysis
from tunebook.artifacts.curve import Curve
from tunebook.core.measures import Direction

pytest.importorskip("vl_convert")

SVG = "{http://www.w3.org/2000/svg}"


def named(analysis: Analysis) -> dict[str, Figure]:
    made = figures(analysis)
    assert len({figure.name for figure in made}) == len(made)
    return {figure.name: figure for figure in made}


def texts_of(svg: str) -> list[str]:
    return ["".join(node.itertext()) for node in ET.fromstring(svg).iter(f"{SVG}text")]  # noqa: S314  ours


@pytest.mark.parametrize("analysis", [made_up(), dozens(), hundreds()], ids=["4 runs", "38 runs", "202 runs"])
def test_every_figure_is_drawn_without_a_warning(analysis: Analysis, capfd: pytest.CaptureFixture[str]) -> None:
    import vl_convert

    drawn = [figure for figure in figures(analysis) if figure.spec]
    assert {"score_by_run", "score_by_epoch", "score_by_cost", "sample_agreement", "loss", "learning_rate"} <= {
        figure.name for figure in drawn
    }
    for figure in drawn:
        vl_convert.vegalite_to_vega(figure.sized("container"), vl_version="6.4", show_warnings=True)
        svg = svg_of(figure)
        assert figure.title in svg
        assert len(svg) < 800_000, figure.name
        assert figure.rows
    assert capfd.readouterr().err == ""


def test_a_figure_without_data_says_why() -> None:
    empty = replace(made_up(), evaluations=(), samples={}, comparisons=(), effects=(), costs=(), factors=())
    empty = replace(empty, runs=tuple(replace(run, training=None) for run in empty.runs))
    for figure in figures(empty):
        assert not figure.spec
        assert figure.reason, figure.name
    assert "no run has logged a loss yet" in {figure.reason for figure in figures(empty)}


def test_the_score_figure_draws_the_scores_sorted_with_their_intervals() -> None:
    analysis = dozens()
    rows = named(analysis)["score_by_run"].rows
    scores = analysis.final_scores(analysis.tasks[0].name)
    assert [row["score"] for row in rows] == sorted((row["score"] for row in rows), reverse=True)
    for row in rows:
        score = scores[analysis.runs[row["run"]].name]
        assert score.interval is not None
        assert row["score"] == pytest.approx(score.value, rel=1e-5)
        assert (row["low"], row["high"]) == pytest.approx((score.interval.low, score.interval.high), rel=1e-5, abs=1e-9)


def test_the_score_figure_takes_the_last_evaluated_epoch() -> None:
    analysis = made_up(epochs=3)
    assert {score.evaluation.epoch for score in analysis.final_scores(analysis.tasks[0].name).values()} == {-1, 2}


def test_a_run_that_does_not_differ_from_its_base_is_not_called_better() -> None:
    analysis = dozens()
    words = {analysis.runs[row["run"]].name: row["verdict"] for row in named(analysis)["score_by_run"].rows}
    for comparison in analysis.comparisons:
        expected = "better than base" if comparison.significant else "no difference from base detected"
        assert words[comparison.run] == expected
    assert set(words.values()) == {"better than base", "no difference from base detected", "base model"}


def test_scores_that_are_no_shares_are_shown_as_numbers() -> None:
    analysis = made_up()
    evaluations = tuple(
        replace(
            each, scores=tuple(replace(score, value=7 * (score.value or 0), is_binary=False) for score in each.scores)
        )
        for each in analysis.evaluations
    )
    samples = {
        key: replace(own, values={measure: tuple(7.5 for _ in values) for measure, values in own.values.items()})
        for key, own in analysis.samples.items()
    }
    tasks = (replace(analysis.tasks[0], measures=(Measure("exact", Direction.HIGHER),)),)
    made = named(replace(analysis, evaluations=evaluations, samples=samples, tasks=tasks))
    assert max(row["score"] for row in made["score_by_run"].rows) == pytest.approx(6.825)
    assert not any("%" in text for text in texts_of(svg_of(made["score_by_run"])))
    assert {row["word"] for row in made["sample_agreement"].rows} == {"in part"}
    assert "Samples, best mean first" in texts_of(svg_of(made["sample_agreement"]))


def test_two_tasks_have_figures_of_their_own() -> None:
    analysis = made_up()
    other = TaskUse("capitalization, again", measures=(Measure("exact", Direction.HIGHER, is_share=True),))
    both = named(replace(analysis, tasks=(*analysis.tasks, other)))
    assert both["score_by_run-capitalization"].rows
    assert both["score_by_run-capitalization_again"].reason == "no evaluation of capitalization, again has a score yet"


def test_two_factors_are_lines_while_they_have_few_levels_and_a_heat_map_otherwise() -> None:
    for analysis, name in ((dozens(), "score_interaction"), (made_up(ranks=range(1, 8), rates=("1e-4", "1e-3")), "")):
        effect = next(each for each in analysis.effects if each.factors == ("lora_rank", "lr"))
        figure = next(each for each in figures(analysis) if each.title == "exact by LoRA Rank and Learning Rate")
        drawn = {(row["across"], row["down"]): row["mean"] for row in figure.rows}
        assert drawn == {cell.levels: pytest.approx(cell.mean, rel=1e-5) for cell in effect.means}
        assert figure.name.startswith(name or "score_heatmap")


def test_lines_have_their_names_at_their_ends_and_no_legend() -> None:
    made = named(made_up(rates=("1e-4", "1e-3")))
    for name in ("loss", "learning_rate", "score_by_epoch", "score_interaction"):
        spec = made[name].spec
        assert len(spec["datasets"]["labels"]) == len({row["label"] for row in spec["datasets"]["labels"]}) > 1
        legends = {
            str(layer["encoding"]["color"].get("legend", "")) for layer in spec["layer"] if "color" in str(layer)
        }
        assert legends <= {"None", ""}, name


def test_names_that_would_overlap_are_moved_apart_and_the_others_stay() -> None:
    ends = [{"y": 0.5, "label": "a"}, {"y": 0.5, "label": "b"}, {"y": 0.0, "label": "c"}, {"y": 1.0, "label": "d"}]
    channels = {"y": {"field": "y"}}
    found = [row["y"] for row in label_lines(ends, channels, [0.0, 1.0], height=260, log=False).rows]
    assert found == pytest.approx([0.4675, 0.5325, 0.0, 1.0])


def test_every_difference_from_the_base_model_is_a_row_with_its_interval_in_points() -> None:
    analysis = made_up()
    figure = named(analysis)["score_difference"]
    compared = {analysis.labels[item.run]: item for item in analysis.comparisons}
    assert [row["name"] for row in figure.rows] == sorted(compared, key=lambda name: -compared[name].difference)
    for row in figure.rows:
        item = compared[row["name"]]
        assert item.interval is not None
        expected = [100 * each for each in (item.difference, item.interval.low, item.interval.high)]
        assert [row["difference"], row["low"], row["high"]] == pytest.approx(expected, rel=1e-4)
    assert "lower (worse)" in str(figure.spec)
    assert "higher (better)" in str(figure.spec)


def with_measure(analysis: Analysis, measure: Measure) -> Analysis:
    return replace(analysis, tasks=tuple(replace(task, measures=(measure,)) for task in analysis.tasks))


def test_colours_and_order_follow_the_direction() -> None:
    made = named(with_measure(made_up(), Measure("exact", Direction.LOWER)))
    scores = [row["score"] for row in made["score_by_run"].rows]
    assert scores == sorted(scores)
    assert {row["verdict"] for row in made["score_difference"].rows} == {"worse than base"}
    assert "lower (better)" in str(made["score_difference"].spec)
    assert "exact (lower is better)" in str(made["score_by_run"].spec)
    assert {row["word"] for row in made["sample_agreement"].rows if row["score"] == 1} == {"wrong"}


def test_without_a_direction_no_colour_and_no_front_says_better() -> None:
    made = named(with_measure(made_up(), Measure("exact", Direction.UNKNOWN, is_share=True)))
    for figure in made.values():
        assert "better" not in str(figure.spec), figure.name
        assert "better" not in figure.caption, figure.name
    assert {row["verdict"] for row in made["score_difference"].rows} == {"higher than base"}
    assert made["score_by_cost"].caption.startswith("Cost is the training's duration in minutes. No run is Pareto")


def test_many_differences_are_settings_or_have_no_names() -> None:
    analysis = hundreds()
    settings = named(analysis)["score_difference"]
    assert len(settings.rows) == 40
    assert {row["runs"] for row in settings.rows} == {5}
    assert "bars: 95 % intervals that hold for all rows together" in settings.caption
    assert settings.filter_note.startswith("The filter does not apply")
    figure = named(replace(analysis, replicates=()))["score_difference"]
    assert len(figure.rows) == 200
    assert "Point at a row" in figure.hint
    assert [row["rank"] for row in figure.rows] == list(range(1, 201))


def test_a_constant_learning_rate_and_equal_costs_are_not_drawn() -> None:
    analysis = with_curve(Curve((1, 2), (0, 0), (2.0, 1.0), (1e-4, 1e-4)))
    equal = replace(analysis, costs=tuple(replace(point, cost=1.0) for point in analysis.costs))
    made = named(equal)
    assert made["learning_rate"].reason == "every run kept its learning rate constant"
    assert made["score_by_cost"].reason == "all trainings cost the same within 5 %"


def test_a_figure_says_how_far_the_filter_applies_to_it() -> None:
    made = named(made_up(rates=("1e-4", "1e-3")))
    assert made["score_by_run"].filter_note.startswith("Only the runs that the filter leaves are drawn")
    assert "means, their intervals and the caption are over all runs" in made["score_by_lora_rank"].filter_note
    assert made["score_interaction"].filter_note.startswith("The filter does not apply")


def test_the_front_is_named_from_the_cheapest() -> None:
    figure = named(made_up())["score_by_cost"]
    front = sorted((row["cost"], row["name"]) for row in figure.rows if row["front"] == "on the front")
    assert f"From the cheapest: {', '.join(name for _, name in front)}." in figure.caption


def with_curve(curve: Curve) -> Analysis:
    analysis = made_up()
    runs = tuple(
        replace(run, training=replace(run.training, curve=curve)) if run.training else run for run in analysis.runs
    )
    return replace(analysis, runs=runs)


def test_losses_are_thinned_by_their_mean_and_the_caption_says_so() -> None:
    steps = tuple(range(1, 10_001))
    figure = named(with_curve(Curve(steps, (0,) * 10_000, tuple(map(float, steps)), (1e-4,) * 10_000)))["loss"]
    assert "mean of up to 34 logged steps" in figure.caption
    assert len(figure.rows) <= 3 * 300
    first = figure.rows[0]
    assert (first["step"], first["loss"]) == (34, 17.5)


def test_losses_that_are_no_numbers_are_left_out() -> None:
    curve = Curve((1, 2, 3, 4), (0, 0, 0, 0), (2.0, None, float("nan"), 1.0), (None, None, None, None))
    both = named(with_curve(curve))
    assert [row["loss"] for row in both["loss"].rows][:2] == [2.0, 1.0]
    assert both["learning_rate"].reason == "no run has logged its learning rate"


def test_runs_with_one_schedule_share_a_line() -> None:
    assert {row["name"] for row in named(made_up())["learning_rate"].rows} == {"rank4, rank16, rank64"}
    many = named(dozens())["learning_rate"].rows
    assert {row["name"] for row in many} == {f"schedule {number}: 12 runs" for number in (1, 2, 3)}


def test_many_runs_have_the_colours_of_the_factor_that_separates_them() -> None:
    analysis = hundreds()

    def loss_by_rank(run: RunRecord) -> RunRecord:
        if run.training is None:
            return run
        losses = (float(run.levels["lora_rank"]),) * len(run.training.curve.steps)
        return replace(run, training=replace(run.training, curve=replace(run.training.curve, losses=losses)))

    figure = named(replace(analysis, runs=tuple(map(loss_by_rank, analysis.runs))))["loss"]
    assert "coloured by LoRA Rank" in figure.caption
    assert {row["series"] for row in figure.rows} == {"4", "8", "16", "32", "64"}


def test_a_factor_that_explains_nothing_is_not_named() -> None:
    analysis = dozens()
    curve = Curve((1, 2), (0, 0), (2.0, 1.0), (1e-4, 1e-4))
    runs = tuple(
        replace(run, training=replace(run.training, curve=curve)) if run.training else run for run in analysis.runs
    )
    caption = named(replace(analysis, runs=runs))["loss"].caption
    assert caption.endswith("36 runs, coloured by Model.")


def test_the_same_figure_has_the_same_bytes() -> None:
    one, other = named(made_up())["loss"], named(made_up())["loss"]
    assert svg_of(one) == svg_of(other)
    assert png_of(svg_of(one)) == png_of(svg_of(other))


def test_figures_have_the_size_that_is_asked_for() -> None:
    size = FigureSize(width_cm=8.5, height_cm=6.0, ppi=300)
    svg = svg_of(named(dozens())["loss"], size)
    root = ET.fromstring(svg)  # noqa: S314  ours
    assert float(root.attrib["width"]) == pytest.approx(8.5 / 2.54 * 96, abs=1)
    assert float(root.attrib["height"]) == pytest.approx(6.0 / 2.54 * 96, abs=1)
    png = png_of(svg, size)
    width, _ = struct.unpack(">II", png[16:24])
    per_meter, _ = struct.unpack(">II", png[png.index(b"pHYs") + 4 :][:8])
    assert per_meter == pytest.approx(300 / 0.0254, rel=0.001)
    assert width == pytest.approx(8.5 / 2.54 * 300, abs=3)


def test_hostile_texts_stay_texts_in_a_file() -> None:
    analysis = made_up(hostile=True, rates=("1e-4", "1e-3"))
    for figure in figures(analysis):
        if figure.spec:
            svg = svg_of(figure)
            root = ET.fromstring(svg)  # noqa: S314  well-formed, whatever the texts are
            tags = {str(node.tag).removeprefix(SVG) for node in root.iter()}
            assert not tags & {"script", "image", "iframe", "foreignObject", "a"}
    legend = " ".join(texts_of(svg_of(named(analysis)["loss"])))
    assert any(hostile in legend for hostile in HOSTILE)


def test_texts_that_no_file_can_hold_are_replaced() -> None:
    analysis = made_up()
    broken = replace(analysis.runs[1], directory="a\x00\x1b[31m\udc80\ufffe")
    svg = svg_of(named(replace(analysis, runs=(analysis.runs[0], broken, *analysis.runs[2:])))["loss"])
    svg.encode()
    assert any(text.startswith("a\ufffd") for text in texts_of(svg))


# On linear RGB, at full severity, after Machado, Oliveira and Fernandes (2009): "A physiologically-based model for
# simulation of color vision deficiency".
BLINDNESS = {
    "protanopia": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deuteranopia": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritanopia": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}


def lab(colour: str, blindness: str) -> tuple[float, float, float]:
    """CIE L*a*b* (D65) of a colour as it is seen."""
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    seen = [
        min(1.0, max(0.0, sum(weight * value for weight, value in zip(row, linear, strict=True))))
        for row in BLINDNESS[blindness]
    ]
    weights = ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))
    whites = (0.9505, 1.0, 1.089)
    xyz = [
        sum(weight * value for weight, value in zip(row, seen, strict=True)) / white
        for row, white in zip(weights, whites, strict=True)
    ]
    x, y, z = (value ** (1 / 3) if value > 0.008856 else 7.787 * value + 16 / 116 for value in xyz)
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


@pytest.mark.parametrize("blindness", BLINDNESS)
def test_colours_of_runs_are_distinguishable_with_any_colour_blindness(blindness: str) -> None:
    for one, other in itertools.combinations(CATEGORIES, 2):
        difference = sum((a - b) ** 2 for a, b in zip(lab(one, blindness), lab(other, blindness), strict=True)) ** 0.5
        assert difference > 10, (one, other)
