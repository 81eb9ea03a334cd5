"""The log that counts for an evaluation."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tunebook.analysis.collect.evaluations import key_of, pick_log
from tunebook.analysis.collect.read_logs import EvaluationLog
from tunebook.analysis.collect.source import JobFacts
from tunebook.analysis.records import EvaluationKey
from tunebook.core.jobs import Job, JobState, Stage
from tunebook.slurm.accounting import SlurmUse
from tunebook.tools.results import LogHeader, LogSubject

JOB = Job("r/eval/t_epoch0", "run", Stage.EVALUATION, "inspect", "r/eval", "r/eval/t.slurm", "r/eval/t.outcome.json")


def header(*, created: str = "2026-01-02T10:00:00+00:00", status: str = "success", **more: Any) -> LogHeader:
    values: dict[str, Any] = {
        "model": "hf/r_epoch0",
        "task": "t",
        "task_file": "/x/t.py",
        "samples": 4,
        "completed": 4,
    } | more
    return LogHeader(status, created, **values)


def log(path: str, **more: Any) -> EvaluationLog:
    return EvaluationLog(path, "1.1", "inspect-ai", header(**more))


def facts(state: JobState, *, started: str = "", reason: str = "") -> JobFacts:
    return JobFacts(JOB, state, reason, started=started, ended="2026-01-02T10:05:00Z")


def test_no_log_counts_before_the_job_is_completed_with_todays_files() -> None:
    logs = [log("r/eval/logs/a.eval")]
    for state, reason in (
        (JobState.PENDING, "its files changed since it ran"),
        (JobState.RUNNING, ""),
        (JobState.FAILED, "x"),
    ):
        choice = pick_log(logs, facts(state, reason=reason))
        assert choice.log is None
        assert state.value in choice.others[0].why
        assert choice.why == (reason or state.value)
    assert pick_log(logs, facts(JobState.COMPLETED)).log == logs[0]
    assert pick_log(logs, None).log == logs[0]


def test_logs_of_an_earlier_attempt_do_not_count() -> None:
    old, new = log("old.eval", created="2026-01-01T10:00:00+00:00"), log("new.eval")
    choice = pick_log([old, new], facts(JobState.COMPLETED, started="2026-01-02T09:59:59Z"))
    assert choice.log == new
    assert choice.others[0].why == "it is from an earlier attempt"
    alone = pick_log([old], facts(JobState.COMPLETED, started="2026-01-02T09:59:59Z"))
    assert (alone.log, alone.why) == (None, "it is from an earlier attempt")


def test_the_log_that_the_job_verified_counts() -> None:
    first, second = log("r/first.eval"), log("r/second.eval", created="2026-01-02T11:00:00+00:00")
    assert pick_log([first, second], facts(JobState.COMPLETED)).log == second
    choice = pick_log([first, second], facts(JobState.COMPLETED), "first.eval")
    assert choice.log == first
    assert choice.others[0].why == "the job verified another one"


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (log("a", status="error", error="boom\nmore"), "its status is error: boom"),
        (log("a", status="started"), "its status is started"),
        (log("a", completed=3), "3 of 4 samples were completed"),
        (log("a", samples=0, completed=0), "it has no samples"),
    ],
)
def test_an_incomplete_log_does_not_count(found: EvaluationLog, why: str) -> None:
    choice = pick_log([found], None)
    assert (choice.log, choice.others[0].why) == (None, why)


def test_a_log_belongs_to_the_planned_evaluation_of_its_task_and_epoch() -> None:
    planned = [EvaluationKey("run", "easy", 0), EvaluationKey("run", "easy", 1), EvaluationKey("run", "hard", 0)]
    base = EvaluationKey("base", "easy")
    assert key_of(LogSubject("easy", 1), "run", planned) == planned[1]
    assert key_of(LogSubject("easy", 7), "run", planned) is None
    assert key_of(LogSubject("hard"), "run", planned) == planned[2]  # there is only one that it can be
    assert key_of(LogSubject("easy"), "run", planned) is None
    assert key_of(LogSubject(None, 0), "run", planned) is None
    assert key_of(LogSubject("easy"), "base", [base]) == base


def test_slurms_count_of_a_jobs_time_comes_before_its_own() -> None:
    own = facts(JobState.COMPLETED, started="2026-01-02T10:04:00Z")
    assert own.elapsed_s == 60
    assert replace(own, slurm=SlurmUse(elapsed_s=75.0)).elapsed_s == 75
    assert facts(JobState.COMPLETED).elapsed_s is None
