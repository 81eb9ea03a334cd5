"""Cautions appear where they apply, and only there."""

from __future__ import annotations

import pytest

from support.tables import Values, run_of, table_of
from tunebook.analysis.findings.catalogue import state_cautions
from tunebook.analysis.records import FactorUse
from tunebook.analysis.statistics.measure_results import analyze_measure

MANY = [1.0, 0.0] * 20
SEED = FactorUse("seed", "Seed", ("1", "2"), is_seed=True)
ONE_SEED = (
    "Each setting was trained once, with one seed: a difference between two settings may be due to chance in training. "
    "Only several seeds per setting can show it."
)


@pytest.mark.parametrize(
    ("values", "cautions"),
    [
        ({"a": MANY}, []),
        ({"a": [1.0, 0.0]}, ["task has 2 samples: only large differences can be detected."]),
        ({"a": MANY, "b": MANY}, [ONE_SEED]),
        (
            {"a": {0: MANY, 1: MANY}, "b": {0: MANY}},
            [
                ONE_SEED,
                "Runs differ in their last evaluated epoch on task, from epoch 0 to epoch 1; each is compared after its own.",
            ],
        ),
        (
            {"a": [1.0, *MANY], "b": MANY},
            [
                ONE_SEED,
                "1 comparison on task left out samples that only one of the two runs has, up to 1 sample.",
            ],
        ),
        (
            {"a": [1.0] * 40, "b": [1.0] * 40},
            [ONE_SEED, "2 runs answered every sample of task (m) correctly: the task is too easy to rank them."],
        ),
    ],
)
def test_cautions_follow_from_the_results(values: dict[str, Values | dict[int, Values]], cautions: list[str]) -> None:
    rate = FactorUse("lr", "Learning Rate", tuple(values))
    table = table_of(values, [run_of(name, {"lr": name}) for name in values])
    findings = list(state_cautions(analyze_measure(table, (rate,))))
    assert [finding.text for finding in findings] == cautions
    assert {finding.kind for finding in findings} <= {"caution"}


def test_several_seeds_and_a_varied_number_of_epochs_need_no_caution() -> None:
    runs = [run_of("a", {"seed": "1", "epochs": "1"}), run_of("b", {"seed": "2", "epochs": "1"})]
    epochs = FactorUse("epochs", "Epochs", ("1", "2"))
    table = table_of({"a": {0: MANY, 1: MANY}, "b": {0: MANY}}, runs)
    assert list(state_cautions(analyze_measure(table, (epochs, SEED)))) == []
