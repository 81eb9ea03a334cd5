"""The measures of a task: the direction comes from the plan, from the logs, or from the name, in this order."""

from __future__ import annotations

import pytest

from support.plans import parse_plan
from support.sweeps import Sweep, SweepRun, page_of
from tunebook.analysis.collect.measures import measures_of
from tunebook.core.measures import Direction
from tunebook.core.plan import EvaluationTask, Plan
from tunebook.errors import PlanError
from tunebook.tools.results import LogHeader, Samples

HIGHER, LOWER, UNKNOWN = Direction.HIGHER, Direction.LOWER, Direction.UNKNOWN
SAMPLES = Samples(values={"acc": (1.0, 0.0), "strange": (4.0, 5.0)})


def a_plan() -> Plan:
    return parse_plan(page_of(Sweep((SweepRun("a", {}, {0: [1]}),)))).plan


def header(reducer: str = "", **directions: Direction) -> LogHeader:
    return LogHeader("success", "", "m", "t", directions=directions, reducer=reducer)


@pytest.mark.parametrize(
    ("headers", "planned", "expected"),
    [
        ([header()], None, {"acc": HIGHER, "strange": UNKNOWN}),
        ([header(strange=LOWER), header(strange=LOWER)], None, {"acc": HIGHER, "strange": LOWER}),
        ([header(acc=LOWER)], None, {"acc": LOWER, "strange": UNKNOWN}),
        ([header(acc=LOWER), header(acc=HIGHER)], None, {"acc": HIGHER, "strange": UNKNOWN}),  # the name decides
        ([header(acc=LOWER)], HIGHER, {"acc": HIGHER, "strange": UNKNOWN}),
    ],
)
def test_the_direction_is_the_plans_the_logs_or_the_names(
    headers: list[LogHeader], planned: Direction | None, expected: dict[str, Direction]
) -> None:
    plan = a_plan()
    task = EvaluationTask("t", "t.py", 1, direction=planned)
    found = measures_of(plan, task, [SAMPLES], headers)
    assert {measure.name: measure.direction for measure in found} == expected


def test_the_reducer_of_repetitions_is_named_with_the_measure() -> None:
    plan = a_plan()
    task = EvaluationTask("t", "t.py", 1)
    found = measures_of(plan, task, [SAMPLES], [header("max"), header("max")])
    assert [measure.reducer for measure in found] == ["max", "max"]
    assert [measure.reducer for measure in measures_of(plan, task, [SAMPLES], [header()])] == ["", ""]


def test_a_measure_that_no_log_has_is_an_error_with_its_line() -> None:
    plan = a_plan()
    task = EvaluationTask("t", "t.py", 17, measure="other")
    with pytest.raises(PlanError, match="no log has the measure `other`") as error:
        measures_of(plan, task, [SAMPLES], [header()])
    assert error.value.problems[0].line == 17
