"""The direction of a measure follows from its name; the plan's Evaluation Tasks may say it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from support.plans import parse_plan, plan_of
from tunebook.core.measures import Direction, direction_of, is_error, is_share, is_unclear
from tunebook.core.plan import PlanDetails, write_plan

Edit = Callable[..., str]
TASKS = "| Task Name | Script | Dataset | Description |"


@pytest.mark.parametrize("name", ["mae", "numbers/mae", "RMSE", "brier_score", "ece", "parse_error", "logLoss", "wer"])
def test_errors_and_losses_are_better_when_lower(name: str) -> None:
    assert direction_of(name) is Direction.LOWER
    assert is_error(name)
    assert not is_share(name)


@pytest.mark.parametrize(
    "name", ["accuracy", "exact", "match/accuracy", "pass@5", "exact_match/strict-match", "acc_norm"]
)
def test_shares_of_right_answers_are_better_when_higher(name: str) -> None:
    assert direction_of(name) is Direction.HIGHER
    assert is_share(name)


def test_scores_that_are_no_shares_have_a_direction_too() -> None:
    assert [direction_of(name) for name in ("f1", "auc", "r_squared", "bleu")] == [Direction.HIGHER] * 4
    assert not any(map(is_share, ("auc", "r_squared", "bleu")))


def test_other_names_tell_no_direction() -> None:
    assert direction_of("politeness") is Direction.UNKNOWN
    assert direction_of("terrors") is Direction.UNKNOWN
    assert is_unclear("judge/toxicity")
    assert not is_unclear("exactly")


def test_the_plan_names_the_headline_measure_and_its_direction(edited: Edit) -> None:
    lines = edited().splitlines()
    place = lines.index(TASKS)
    row = lines[place + 2]
    lines[place] += " Measure | Direction |"
    lines[place + 1] += "---|---|"
    page = "\n".join(lines)
    for words, direction in (("lower", Direction.LOWER), ("Higher is better", Direction.HIGHER)):
        text = page.replace(row, f"{row} numbers/mae | {words} |")
        (task,) = plan_of(text).tasks
        assert (task.measure, task.direction) == ("numbers/mae", direction)
        again = plan_of(write_plan(plan_of(text), PlanDetails()))
        assert (again.tasks[0].measure, again.tasks[0].direction) == ("numbers/mae", direction)
    wrong = page.replace(row, f"{row} mae | down |")
    line = 1 + next(number for number, text in enumerate(wrong.splitlines()) if "| down |" in text)
    (problem,) = parse_plan(wrong).problems
    assert (problem.line, problem.message) == (line, "Direction is `down`")
    assert "higher, lower, unknown" in problem.hint


def test_a_plan_without_measures_has_no_columns_for_them(page: str) -> None:
    assert "Measure" not in write_plan(plan_of(page), PlanDetails())
