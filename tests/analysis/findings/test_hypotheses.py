"""The sentences on hypotheses say no more than their tests do."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tunebook.analysis.findings.hypotheses import change_sentences, explained_verdict, state_hypotheses
from tunebook.analysis.records import Family, Interval, Measure, TaskUse
from tunebook.analysis.statistics.claims import ClaimKind
from tunebook.analysis.statistics.frozen import Frozen, frozen_hypotheses
from tunebook.analysis.statistics.hypotheses import HypothesisResult, Verdict
from tunebook.core.hypothesis_grammar import parse_hypothesis
from tunebook.core.measures import Direction
from tunebook.disk.hypotheses_record import HypothesesVersion, Seen

TASKS = (TaskUse("caps", measures=(Measure("exact", Direction.HIGHER, is_share=True),)),)
BEFORE = Frozen(Seen.BEFORE_JOBS, "2026-01-01T10:00:00+00:00")
RESULT = HypothesisResult(
    name="H1",
    contrast="rank64 > rank4",
    frozen=BEFORE,
    verdict=Verdict.SUPPORTED,
    task="caps",
    other_task="caps",
    measure="exact",
    kind=ClaimKind.ABOVE,
    difference=0.2,
    interval=Interval(0.1, 0.3, "Newcombe"),
    left=0.7,
    right=0.5,
    n=100,
    runs=2,
    test="McNemar, exact, one-sided",
    generalizes="samples",
    p=0.001,
    p_holm=0.002,
    p_against=1.0,
    p_against_holm=1.0,
    significant=True,
    family=Family("hypotheses of the plan", 2, "Holm"),
)
AFTER = " after the correction for 2 tests"
UNCLEAR = replace(RESULT, verdict=Verdict.NOT_SUPPORTED, significant=False, p=0.2, p_holm=0.4)


def test_a_supported_hypothesis_comes_with_its_measure_estimate_interval_test_and_family() -> None:
    (finding,) = state_hypotheses([RESULT], TASKS)
    assert finding.text == (
        "H1 (“rank64 > rank4”) is supported. The two sides have 70.0 % and 50.0 % (exact on caps), a difference of "
        "+20.0 points (95 % interval 10.0 to 30.0); McNemar, exact, one-sided, p = 0.002 (Holm over 2 tests: hypotheses "
        "of the plan), 100 samples, 2 runs. The result generalizes to new test samples, not to retraining."
    )
    assert (finding.kind, finding.significant, finding.task) == ("hypothesis", True, "caps")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "not supported: the data are compatible with no difference"),
        ({"p": 0.03}, f"not supported: the data are compatible with no difference{AFTER}"),
        ({"difference": -0.1}, "not supported: the difference is in the other direction, which could be chance"),
        (
            {"difference": -0.1, "p_against": 0.03, "p_against_holm": 0.06},
            f"not supported: the difference is in the other direction, which could be chance{AFTER}",
        ),
        ({"margin": 0.1}, "not supported: the data are compatible with a difference that is smaller than claimed"),
        ({"margin": 0.3}, "not supported: the difference is smaller than claimed, which could be chance"),
        (
            {"kind": ClaimKind.WITHIN, "margin": 0.1},
            "not supported: the data are compatible with a difference of the margin or more",
        ),
        ({"verdict": Verdict.CONTRADICTED}, "contradicted: the difference is significant in the other direction"),
        (
            {"verdict": Verdict.CONTRADICTED, "margin": 0.1},
            "contradicted: the difference is significantly smaller than claimed",
        ),
        (
            {"verdict": Verdict.CONTRADICTED, "margin": 0.1, "kind": ClaimKind.WITHIN},
            "contradicted: the difference is significantly larger than the margin",
        ),
        ({"verdict": Verdict.NOT_TESTABLE, "reason": "rank4 has no score yet"}, "not testable: rank4 has no score yet"),
    ],
)
def test_verdicts_are_explained(changes: dict[str, Any], words: str) -> None:
    assert explained_verdict(replace(UNCLEAR, **changes)) == words


def test_what_was_left_out_and_what_else_differs_is_said() -> None:
    item = replace(RESULT, missing=("a",), left_out=("b", "c"), confounded=("Batch Size",), generalizes="seeds")
    (finding,) = state_hypotheses([item], TASKS)
    assert "The result generalizes to retraining, not to new test samples." in finding.text
    assert "It does without a, which has no score yet." in finding.text
    assert "It leaves out b, c: the other side has no run with the same levels of the other factors." in finding.text
    assert finding.text.endswith("The two sides also differ in Batch Size.")


def version(time: str, when: Seen, *texts: str, first_result: str = "") -> HypothesesVersion:
    return HypothesesVersion(time, when, "", texts, "10:30", first_result)


VERSIONS = (
    version("10:00", Seen.BEFORE_JOBS, "H1: a > b", "H2: b > c"),
    version("11:00", Seen.AFTER_JOB, "H1: a > b — words", "H3: c > d"),
    version("12:00", Seen.AFTER_RESULT, "H1: a > b — words", "H3: c > d", "H4: a ≠ d", first_result="11:30"),
)


def test_since_when_each_hypothesis_is_on_the_plan() -> None:
    now = [parse_hypothesis(text) for text in VERSIONS[-1].texts]
    found = {name: frozen for name, _, frozen in frozen_hypotheses(now, VERSIONS)}
    assert found == {
        "H1": Frozen(Seen.BEFORE_JOBS, "10:00"),
        "H3": Frozen(Seen.AFTER_JOB, "11:00"),
        "H4": Frozen(Seen.AFTER_RESULT, "12:00"),
        "H2 (removed)": Frozen(Seen.BEFORE_JOBS, "10:00", "11:00"),
    }
    assert {frozen for _, _, frozen in frozen_hypotheses(now, ())} == {Frozen()}


def test_changes_are_told_with_both_times_and_the_differences() -> None:
    first, second = change_sentences(VERSIONS)
    assert first == (
        "The hypotheses were changed after the first job (first job 10:30, change seen 11:00). Added: “H1: a > b — "
        "words”; “H3: c > d”. Removed: “H1: a > b”; “H2: b > c”."
    )
    assert second == (
        "The hypotheses were changed after the first result (first job 10:30, first result 11:30, change seen 12:00). "
        "Added: “H4: a ≠ d”."
    )


def test_a_hypothesis_that_was_added_later_is_exploratory() -> None:
    added = replace(RESULT, frozen=Frozen(Seen.AFTER_RESULT, "12:00"))
    removed = replace(RESULT, frozen=replace(BEFORE, removed="12:00"))
    later, gone = (finding.text for finding in state_hypotheses([added, removed], TASKS))
    assert later.startswith("H1 (“rank64 > rank4”, exploratory) is supported.")
    assert later.endswith("It was first seen after the first result, 12:00.")
    assert gone.endswith("It is no longer on the plan (seen 12:00).")
