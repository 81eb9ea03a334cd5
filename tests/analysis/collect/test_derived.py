"""Measures that follow from logs: numbers in answers, errors, parse rates, Brier scores, and the headline measure."""

from __future__ import annotations

from dataclasses import replace

import pytest

from support.plans import parse_plan
from support.risks import number_samples, risk_samples
from support.sweeps import Sweep
from tunebook.analysis.collect.derived import add_derived
from tunebook.analysis.collect.measures import measures_of, wanted_aggregate
from tunebook.analysis.collect.numbers import number_scorers, read_numbers
from tunebook.analysis.records import EvaluationKey
from tunebook.core.measures import Direction
from tunebook.core.plan import EvaluationTask, Plan
from tunebook.errors import PlanError
from tunebook.tools.answer_numbers import first_number, number_of
from tunebook.tools.results import Samples

KEY, OTHER = EvaluationKey("run", "task", 0), EvaluationKey("base", "task")


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("about $1,234.50, or 7", 1234.5),
        ("-3", -3.0),
        ("12kg", 12.0),
        ("10-20", 10.0),
        ("5%", 5.0),
        ("−2e3", -2000.0),
        ("–5 to 1e−3", -5.0),
        ("-$5", -5.0),
        ("It is 5. Or 6", 5.0),
        ("1\u202f234.5 people", 1234.5),
        ("1,234,567", 1234567.0),
        ("3, 5", 3.0),
        ("3,5", None),
        ("0,500", None),
        ("1,2,3", None),
        ("1.234,50", None),
        ("1.234.567", None),
        ("on 24.12.2024", None),
        ("1e999", None),
        ("none", None),
        ("", None),
    ],
)
def test_the_first_number_of_an_answer_is_found(text: str, number: float | None) -> None:
    assert first_number(text) == number


@pytest.mark.parametrize(
    ("text", "number"),
    [("1,234.5", 1234.5), (" $3 ", 3.0), ("12 %", 12.0), ("5.", 5.0), (".5", 0.5), ("3,5", None), ("5 apples", None)],
)
def test_a_target_is_a_number_if_it_is_clear_which_one(text: str, number: float | None) -> None:
    assert number_of(text) == number


def test_an_answer_without_a_number_is_missing_and_never_an_error_of_0() -> None:
    samples = number_samples(["12", "no idea", "$1,000", "7"], ["10", "5", "900", "?"], [2.0, 0.0, 100.0, 0.0])
    found = read_numbers(samples, "mae")
    assert (found.ids, found.predicted, found.targets) == (("0", "2"), (12.0, 1000.0), (10.0, 900.0))
    assert dict(found.unusable) == {"the answer has no number": 1, "the target is not a number": 1}
    values = add_derived({KEY: samples})[KEY].values
    assert values["mae"] == (2.0, None, 100.0, 0.0)  # the scorer gave the answer without a number an error of 0
    assert values["mae/parse_rate"] == (1.0, 0.0, 1.0, None)
    assert "mae/absolute_error" not in values  # `mae` is that already


def test_a_logged_error_that_is_not_that_of_the_number_found_makes_a_sample_unusable() -> None:
    found = read_numbers(number_samples(["at 3 pm: 12", "12"], ["10", "10"], [2.0, 2.0]), "mae")
    assert found.ids == ("1",)
    assert dict(found.unusable) == {"the logged error is not that of the number that was found": 1}


def test_numbers_are_read_only_where_metadata_or_a_name_says_so() -> None:
    plain = replace(number_samples(["12"], ["10"]), values={"exact": (0.0,)})
    assert number_scorers(plain) == []
    predicted = replace(plain, score_metadata={"exact/predicted": (11,), "exact/target": ("$10",)})
    assert number_scorers(predicted) == ["exact"]
    assert add_derived({KEY: predicted})[KEY].values["exact/absolute_error"] == (1.0,)


def test_the_parse_rate_is_a_measure_of_all_evaluations_of_a_task_or_of_none() -> None:
    whole, torn = number_samples(["1", "2"], ["1", "2"]), number_samples(["1", "?"], ["1", "2"])
    assert "mae/parse_rate" not in add_derived({KEY: whole, OTHER: whole})[KEY].values
    both = add_derived({KEY: whole, OTHER: torn})
    assert (both[KEY].values["mae/parse_rate"], both[OTHER].values["mae/parse_rate"]) == ((1.0, 1.0), (1.0, 0.0))


def test_the_brier_score_is_a_measure_of_samples_and_unusable_ones_have_none() -> None:
    samples = risk_samples([0.9, 0.4, None], [1, 1, 0])
    values = add_derived({KEY: samples})[KEY].values["risk/brier"]
    assert values[:2] == pytest.approx((0.01, 0.36))
    assert values[2] is None
    assert "risk/brier" not in add_derived({KEY: risk_samples([None, None], [1, 0])})[KEY].values


def plan_with(measure: str, direction: Direction | None = None) -> tuple[Plan, EvaluationTask]:
    plan = parse_plan(Sweep(()).page()).plan
    return plan, replace(plan.tasks[0], measure=measure, direction=direction)


def headline(measure: str, samples: Samples, direction: Direction | None = None) -> tuple[str, Direction, str]:
    plan, task = plan_with(measure, direction)
    own = list(add_derived({KEY: samples}).values())
    measures = measures_of(plan, task, own, [])
    wanted = wanted_aggregate(task, measures)
    return measures[0].name, measures[0].direction, wanted.name if wanted else ""


@pytest.mark.parametrize(
    ("measure", "names"),
    [
        ("auc", ("risk/brier", "auc")),
        ("risk/ece", ("risk/brier", "risk/ece")),
        ("brier", ("risk/brier", "")),
        ("risk", ("risk", "")),
    ],
)
def test_a_measure_that_no_sample_has_is_tested_by_the_nearest_one_and_that_is_recorded(
    measure: str, names: tuple[str, str]
) -> None:
    name, direction, wanted = headline(measure, risk_samples([0.9, 0.4], [1, 0]), None)
    assert (name, wanted) == names
    if name == "risk/brier":
        assert direction is Direction.LOWER


def test_the_plans_direction_of_an_aggregate_is_not_that_of_the_measure_in_its_place() -> None:
    samples = risk_samples([0.9, 0.4], [1, 0])
    assert headline("auc", samples, Direction.HIGHER)[:2] == ("risk/brier", Direction.LOWER)


def test_mae_is_the_mean_of_absolute_errors_and_needs_no_other_measure() -> None:
    samples = replace(number_samples(["1"], ["2"]), values={"exact": (0.0,)}, score_metadata={"exact/predicted": (1,)})
    assert headline("mae", samples)[::2] == ("exact/absolute_error", "")
    assert headline("rmse", samples)[::2] == ("exact/absolute_error", "rmse")


def test_an_aggregate_without_a_measure_in_its_place_is_an_error_that_lists_the_measures() -> None:
    samples = replace(number_samples(["yes"], ["yes"]), values={"exact": (1.0,)})
    with pytest.raises(PlanError, match="no log has the measure `auc`") as error:
        headline("auc", samples)
    assert "write one of these: exact" in "".join(map(str, error.value.problems))
