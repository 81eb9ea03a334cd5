"""Curves from every source, and the log that counts."""

from __future__ import annotations

import json

import pytest

from tunebook.analysis.curves import read_job_output, read_metrics, read_torchtune_log
from tunebook.analysis.eval_logs import LogHeader
from tunebook.analysis.matching import choose_log, key_of
from tunebook.analysis.records import EvaluationKey
from tunebook.analysis.sample_logs import as_number
from tunebook.analysis.training import JobFacts, elapsed_s
from tunebook.core.job import Job, JobState, Stage
from tunebook.core.plan import EvaluationTask

JOB = Job("r/eval/t_epoch0", "run", Stage.EVALUATION, "inspect", "r/eval", "r/eval/t.slurm", "r/eval/t.outcome.json")


def metrics(*records: dict[str, object]) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def test_a_curve_has_training_and_validation_apart() -> None:
    found = read_metrics(
        metrics(
            {"step": 1, "epoch": 0, "total_steps": 2, "loss": 2.0, "lr": 0.1, "time": "2026-01-01T00:00:00+00:00"},
            {"step": 1, "val_loss": 1.9, "time": "2026-01-01T00:00:03+00:00"},
            {"step": 2, "epoch": 0, "total_steps": 2, "loss": 1.0, "lr": 0.2, "time": "2026-01-01T00:00:05.5+00:00"},
        )
    )
    curve = found.curve
    assert (curve.steps, curve.losses, curve.learning_rates) == ((1, 2), (2.0, 1.0), (0.1, 0.2))
    assert (curve.validation_steps, curve.validation_losses) == ((1,), (1.9,))
    assert (curve.seconds, found.total_steps, found.restarts) == ((0.0, 5.5), 2, 0)


def test_what_a_later_attempt_logged_again_counts() -> None:
    records: list[dict[str, object]] = [{"step": step, "loss": 9.0} for step in (1, 2, 3, 4)]
    records += [{"step": 3, "loss": 1.0}, {"step": 4, "loss": 0.5}]
    found = read_metrics(metrics(*records))
    assert found.curve.losses == (9.0, 9.0, 1.0, 0.5)
    assert found.restarts == 1


def test_torn_lines_and_losses_that_are_no_numbers() -> None:
    lines = metrics({"step": 1, "loss": None, "diverged": True}, {"step": 2, "loss": 1.0}) + '{"step": 3, "lo'
    found = read_metrics(lines)
    assert (found.curve.losses, found.diverged, found.unreadable) == ((None, 1.0), 1, 1)
    assert read_metrics("").curve.steps == ()
    assert read_metrics("[]\nnull\n1\n").unreadable == 3


def test_torchtunes_own_logs_are_read() -> None:
    """The lines are those of torchtune 0.6.1's DiskLogger and StdoutLogger, and of its progress bar."""
    line = "Step 7 | loss:1.25 lr:2e-05 tokens_per_second_per_gpu:812.5 peak_memory_active:1.5 \n"
    curve = read_torchtune_log(f"Writing logs to x\n{line}").curve
    assert (curve.steps, curve.losses, curve.learning_rates) == ((7,), (1.25,), (2e-05,))
    assert (curve.tokens_per_second, curve.memory_gb) == ((812.5,), (1.5,))
    assert read_job_output(line).curve == curve
    bar = "1|1|Loss: 2.5:  10%|█ | 1/10\r1|2|Loss: nan: 20%|██ | 2/10\r"
    found = read_job_output(bar)
    assert (found.curve.steps, found.curve.losses, found.curve.epochs) == ((1, 2), (2.5, None), (0, 0))
    assert found.diverged == 1


def log(path: str, *, created: str = "2026-01-02T10:00:00+00:00", status: str = "success", **more: object) -> LogHeader:
    values = {"model": "hf/r_epoch0", "task": "t", "task_file": "/x/t.py", "samples": 4, "completed": 4} | more
    return LogHeader(path, 1, 1, status, created, **values)  # type: ignore[arg-type]


def facts(state: JobState, *, started: str = "", reason: str = "") -> JobFacts:
    return JobFacts(JOB, state, reason, started=started, ended="2026-01-02T10:05:00Z")


def test_no_log_counts_before_the_job_is_completed_with_todays_files() -> None:
    logs = [log("r/eval/logs/a.eval")]
    for state, reason in (
        (JobState.PENDING, "its files changed since it ran"),
        (JobState.RUNNING, ""),
        (JobState.FAILED, "x"),
    ):
        choice = choose_log(logs, facts(state, reason=reason))
        assert choice.log is None
        assert state.value in choice.others[0].why
        assert choice.why == (reason or state.value)
    assert choose_log(logs, facts(JobState.COMPLETED)).log == logs[0]
    assert choose_log(logs, None).log == logs[0]


def test_logs_of_an_earlier_attempt_do_not_count() -> None:
    old, new = log("old.eval", created="2026-01-01T10:00:00+00:00"), log("new.eval")
    choice = choose_log([old, new], facts(JobState.COMPLETED, started="2026-01-02T09:59:59Z"))
    assert choice.log == new
    assert choice.others[0].why == "it is of an earlier attempt"
    alone = choose_log([old], facts(JobState.COMPLETED, started="2026-01-02T09:59:59Z"))
    assert (alone.log, alone.why) == (None, "it is of an earlier attempt")


def test_the_log_that_the_job_verified_counts() -> None:
    first, second = log("r/first.eval"), log("r/second.eval", created="2026-01-02T11:00:00+00:00")
    assert choose_log([first, second], facts(JobState.COMPLETED)).log == second
    choice = choose_log([first, second], facts(JobState.COMPLETED), "first.eval")
    assert choice.log == first
    assert choice.others[0].why == "the job verified another"


@pytest.mark.parametrize(
    ("header", "why"),
    [
        (log("a", status="error", error="boom\nmore"), "its status is error: boom"),
        (log("a", status="started"), "its status is started"),
        (log("a", completed=3), "3 of 4 samples were completed"),
        (log("a", samples=0, completed=0), "it has no samples"),
    ],
)
def test_what_is_not_complete_does_not_count(header: LogHeader, why: str) -> None:
    choice = choose_log([header], None)
    assert (choice.log, choice.others[0].why) == (None, why)


def test_a_log_is_told_by_script_function_and_epoch() -> None:
    tasks = [EvaluationTask("easy", "/x/t.py", 1, "t"), EvaluationTask("hard", "/x/other.py", 2)]
    planned = [EvaluationKey("run", "easy", 0), EvaluationKey("run", "easy", 1), EvaluationKey("run", "hard", 0)]
    assert key_of(log("a"), "run", tasks, planned) == planned[0]
    assert key_of(log("a", model="hf/r_epoch1"), "run", tasks, planned) == planned[1]
    assert key_of(log("a", model="hf/r_epoch7"), "run", tasks, planned) is None
    assert key_of(log("a", task_file="other.py", task="anything"), "run", tasks, planned) == planned[2]
    assert key_of(log("a", task_file="strange.py", task="anything"), "run", tasks, planned) is None
    assert key_of(log("a", model="openai/run"), "base", tasks, [EvaluationKey("base", "easy")]) == EvaluationKey(
        "base", "easy"
    )


def test_elapsed_time_is_the_jobs_own() -> None:
    assert elapsed_s(facts(JobState.COMPLETED, started="2026-01-02T10:04:00Z")) == 60
    assert elapsed_s(facts(JobState.COMPLETED, started="2026-01-02T11:04:00Z")) is None  # a clock went backwards
    assert elapsed_s(facts(JobState.COMPLETED)) is None
    assert elapsed_s(None) is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("C", 1),
        ("I", 0),
        ("P", 0.5),
        ("N", 0),
        (True, 1),
        (0, 0),
        ("0.75", 0.75),
        ("yes", 1),
        ("c", None),
        ("maybe", None),
        (None, None),
    ],
)
def test_scorers_values_are_numbers_or_nothing(value: object, expected: float | None) -> None:
    from inspect_ai.scorer import value_to_float

    assert as_number(value) == expected
    if expected is not None:
        assert value_to_float()(value) == expected  # type: ignore[arg-type]
    assert as_number(float("nan")) is None
    assert as_number([1]) is None


def test_the_first_job_is_the_first_in_any_time_zone() -> None:
    from tunebook.analysis.analyze import _moment

    times = ["2026-01-02T09:30:00+00:00", "2026-01-02T10:00:00+01:00", "2026-01-02T08:00:00-05:00"]
    assert sorted(times, key=_moment) == [times[1], times[0], times[2]]
