"""Training cost against score."""

from __future__ import annotations

from collections.abc import Sequence

from support.tables import table_of
from tunebook.analysis.records import Measure, RunRecord, Training
from tunebook.analysis.statistics.measure_results import compare_costs
from tunebook.core.jobs import JobState
from tunebook.core.measures import Direction
from tunebook.core.plan import RunType


def run(name: str, *, hours: float | None = None, gpus: int = 0, base: str | None = None) -> RunRecord:
    if name == "base":
        return RunRecord(name, name, RunType.CONTROL, "m")
    elapsed = None if hours is None else 3600 * hours
    spent = hours * gpus if hours is not None and gpus else None
    training = Training(JobState.COMPLETED, elapsed_s=elapsed, gpus=gpus, gpu_hours=spent)
    return RunRecord(name, name, RunType.FINE_TUNED, "m", base, training=training)


def scores(*means: float) -> dict[str, Sequence[float | None]]:
    return {
        name: [1.0] * round(10 * mean) + [0.0] * (10 - round(10 * mean))
        for name, mean in zip("abcde", means, strict=False)
    }


def test_the_front_has_the_runs_that_no_other_beats_in_both() -> None:
    runs = [run("a", hours=1), run("b", hours=2), run("c", hours=2), run("d", hours=3), run("e")]
    points = {point.run: point for point in compare_costs(table_of(scores(0.5, 0.8, 0.7, 0.8, 0.9), runs))}
    assert {name for name, point in points.items() if point.on_front} == {"a", "b"}
    assert points.keys() == {"a", "b", "c", "d"}  # what e cost is not known
    assert (points["a"].unit, points["a"].cost) == ("hours", 1)


def test_equals_share_the_front_and_a_base_model_costs_nothing() -> None:
    runs = [run("a", hours=1), run("b", hours=1), run("base")]
    points = compare_costs(table_of({"a": [1.0, 0.0], "b": [1.0, 0.0], "base": [0.0, 0.0]}, runs))
    assert [(point.run, point.cost, point.on_front) for point in points] == [
        ("a", 1, True),
        ("b", 1, True),
        ("base", 0.0, True),
    ]


def test_gpu_hours_are_the_cost_where_there_are_gpus() -> None:
    runs = [run("a", hours=1, gpus=4), run("b", hours=3, gpus=1)]
    points = compare_costs(table_of(scores(0.5, 0.5), runs))
    assert [(point.unit, point.cost, point.on_front) for point in points] == [
        ("GPU hours", 4, False),
        ("GPU hours", 3, True),
    ]


def test_the_front_follows_the_direction_of_the_measure() -> None:
    runs = [run("base"), run("a", hours=1, base="base"), run("b", hours=2, base="base")]
    values = scores(0.2, 0.6) | {"base": [1.0] * 10}
    errors = table_of(values, runs, measure=Measure("mae", Direction.LOWER))
    assert {point.run for point in compare_costs(errors) if point.on_front} == {"base", "a"}
    shares = table_of(values, runs)
    assert {point.run for point in compare_costs(shares) if point.on_front} == {"base"}
    unknown = table_of(values, runs, measure=Measure("length"))
    assert not any(point.on_front for point in compare_costs(unknown))
