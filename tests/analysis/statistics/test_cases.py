"""Samples to look at: wrong in all runs, fixed or broken by fine-tuning."""

from __future__ import annotations

from support.tables import run_of, table_of
from tunebook.analysis.records import Measure
from tunebook.analysis.statistics.cases import find_changes, select_cases
from tunebook.core.measures import Direction


def test_samples_are_wrong_fixed_or_broken() -> None:
    runs = [run_of("a", base="base"), run_of("b", base="base"), run_of("base")]
    table = table_of({"a": [1.0, 0.0, 1.0, 0.0], "b": [1.0, 0.0, 0.0, 0.0], "base": [0.0, 1.0, 0.0, 0.0]}, runs)
    found = {(case.kind, case.sample): case.runs for case in select_cases(table, find_changes(table))}
    assert found == {
        ("all wrong", "3"): ("a", "b", "base"),
        ("fixed", "0"): ("a", "b"),
        ("fixed", "2"): ("a",),
        ("broken", "1"): ("a", "b"),
    }


def test_numbers_are_neither_right_nor_wrong() -> None:
    table = table_of({"a": [0.5, 0.2], "base": [0.1, 0.2]}, [run_of("a", base="base"), run_of("base")])
    assert find_changes(table) is None
    assert select_cases(table, None) == ()


def test_the_right_answer_of_an_error_is_0() -> None:
    runs = [run_of("a", base="base"), run_of("base")]
    values = {"a": [0.0, 1.0, 1.0], "base": [1.0, 1.0, 0.0]}
    table = table_of(values, runs, measure=Measure("error", Direction.LOWER))
    found = {(case.kind, case.sample) for case in select_cases(table, find_changes(table))}
    assert found == {("all wrong", "1"), ("fixed", "0"), ("broken", "2")}
    assert find_changes(table_of(values, runs, measure=Measure("length"))) is None
