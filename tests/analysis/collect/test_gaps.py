"""What is missing, and how to get it."""

from __future__ import annotations

import pytest

from tunebook.analysis.collect.differences import gaps_of
from tunebook.analysis.collect.source import Collected
from tunebook.analysis.records import EvaluationKey, EvaluationRecord, RunRecord, Training
from tunebook.core.jobs import JobState
from tunebook.core.plan import RunType


@pytest.mark.parametrize(
    ("state", "what", "hint"),
    [
        (JobState.FAILED, "its training failed: no memory", "`tunebook run --retry-failed` runs both again"),
        (JobState.RUNNING, "its training is running: no memory", "`tunebook run` runs the jobs that are left"),
    ],
)
def test_an_evaluation_waits_for_a_training_that_failed_until_that_is_run_again(
    state: JobState, what: str, hint: str
) -> None:
    run = RunRecord("a", "a", RunType.FINE_TUNED, "tiny", training=Training(state, reason="no memory"))
    evaluation = EvaluationRecord(EvaluationKey("a", "task", 0), JobState.PENDING)
    found = Collected(
        factors=(), tasks=(), runs=(run,), evaluations=(evaluation,), samples={}, headers={}, unreadable=(), strays=()
    )
    training, missing, _ = gaps_of(found)
    assert training.what == what
    assert missing.hint.endswith(hint)
