"""The records of a job decide its state: evidence in, verdict out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tunebook.artifacts.outcome import Outcome
from tunebook.artifacts.result import EvaluationResult
from tunebook.core.input_digests import InputDigests
from tunebook.core.jobs import RESTARTED, Job, JobState, Stage
from tunebook.disk.ledger import Event, EventKind, LedgerEntry
from tunebook.run.verdict import Evidence, Verdict, judge

TODAY, OLD = InputDigests(("digest",)), InputDigests(("old",))
TRAINING = Job("a/finetune", "a", Stage.PREPARATION, "toy", "a", "a/f.slurm", "a/f.outcome.json", ("a/f.yaml",))
EVALUATION = Job(
    "a/eval",
    "a",
    Stage.EVALUATION,
    "toy",
    "a",
    "a/e.slurm",
    "a/e.outcome.json",
    ("a/e.slurm",),
    result="a/e.result.json",
)
START, END, LATER = "2025-10-22T12:00:00+00:00", "2025-10-22T13:00:00+00:00", "2025-10-22T14:00:00+00:00"


def outcome(tag: str = "second", *, code: int = 0, inputs: InputDigests = TODAY, ended: str = END) -> Outcome:
    return Outcome(code, START, ended, "node", tag, inputs)


def entry(kind: EventKind = EventKind.ENDED, *, state: JobState | None = None, reason: str = "") -> LedgerEntry:
    """The second submission of a job."""
    event = Event(END, "second", TRAINING.name, kind, inputs=TODAY.word, state=state, reason=reason)
    return LedgerEntry(7, event, submitted=START)


def told(verdict: Verdict) -> tuple[JobState, str, bool]:
    return verdict.state, verdict.reason, verdict.rerun


@pytest.mark.parametrize(
    ("evidence", "expected"),
    [
        (Evidence(entry(), outcome(), TODAY), (JobState.COMPLETED, "", False)),
        # An earlier submission has succeeded; the latest one was killed before it could write anything.
        (
            Evidence(entry(state=JobState.FAILED, reason="TIMEOUT"), outcome("first"), TODAY),
            (JobState.FAILED, "TIMEOUT", False),
        ),
        # The latest submission still runs: the outcome of an earlier one does not end it.
        (Evidence(entry(EventKind.RUNNING), outcome("first"), TODAY), (JobState.RUNNING, "", False)),
        # A script that was started by hand after the submission ended counts, one from before does not.
        (
            Evidence(entry(state=JobState.FAILED, reason="TIMEOUT"), outcome("", ended=LATER), TODAY),
            (JobState.COMPLETED, "", False),
        ),
        (
            Evidence(
                entry(state=JobState.FAILED, reason="TIMEOUT"),
                outcome("", ended="2025-10-22T11:00:00+00:00"),
                TODAY,
            ),
            (JobState.FAILED, "TIMEOUT", False),
        ),
        (
            Evidence(entry(), outcome(inputs=OLD), TODAY),
            (JobState.PENDING, "f.yaml changed since it ran", True),
        ),
        (Evidence(entry(), outcome(code=143), TODAY), (JobState.FAILED, "exit code 143 (SIGTERM)", False)),
        (
            Evidence(entry(), outcome(), TODAY, missing=("/ck/epoch_0",)),
            (JobState.FAILED, "its checkpoint /ck/epoch_0 is missing", False),
        ),
    ],
)
def test_only_an_outcome_of_the_latest_submission_decides(
    evidence: Evidence, expected: tuple[JobState, str, bool]
) -> None:
    assert told(judge(TRAINING, evidence)) == expected


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        (EvaluationResult("success", 100, 100), ""),
        (EvaluationResult("success", 100, 99), "99 of 100 samples completed"),
        (EvaluationResult("success", 100, 0), "0 of 100 samples completed"),
        (EvaluationResult("success", 0, 0), "its result does not say that samples were completed"),
        (EvaluationResult("success", 100, None), "its result does not say that samples were completed"),
        (EvaluationResult("success", None, 100), "its result does not say that samples were completed"),
        (EvaluationResult("error", 100, 100), "its log says error"),
        (None, "it wrote no readable result"),
    ],
)
def test_an_evaluation_without_all_its_samples_has_failed(result: EvaluationResult | None, reason: str) -> None:
    verdict = judge(EVALUATION, Evidence(entry(), outcome(), TODAY, result=result))
    state = JobState.FAILED if reason else JobState.COMPLETED
    assert told(verdict) == (state, reason, False)


@pytest.mark.parametrize("reason", ["NODE_FAIL", RESTARTED])
def test_a_job_that_is_interrupted_too_often_is_not_submitted_again(reason: str) -> None:
    interrupted = entry(state=JobState.FAILED, reason=reason)
    often = LedgerEntry(interrupted.number, interrupted.last, interrupted.submitted, interruptions=3)
    for outcome_file in (None, outcome(code=143)):
        again = judge(TRAINING, Evidence(interrupted, outcome_file, TODAY))
        assert told(again) == (JobState.FAILED, reason, True)
    assert told(judge(TRAINING, Evidence(often, None, TODAY))) == (
        JobState.FAILED,
        f"{reason}, 4 times in a row",
        False,
    )


@pytest.mark.parametrize(
    ("started", "expected"),
    [
        (LATER, (JobState.PENDING, "a job that it needs has run again since", True)),
        ("2025-10-22T11:00:00+00:00", (JobState.COMPLETED, "", False)),
    ],
    ids=["after the evaluation", "before the evaluation"],
)
def test_a_training_that_was_started_by_hand_is_compared_by_time_with_its_evaluation(
    started: str, expected: tuple[JobState, str, bool]
) -> None:
    """Its latest submission has failed, and is older than the evaluation's whenever the script was started."""
    early = "2025-10-22T10:00:00+00:00"
    failed = Event(early, "first", TRAINING.name, EventKind.ENDED, inputs=TODAY.word, state=JobState.FAILED)
    training = Evidence(
        LedgerEntry(3, failed, submitted=early),
        Outcome(0, started, started, "node", "", TODAY),
        TODAY,
    )
    needed = judge(TRAINING, training)
    assert needed.state is JobState.COMPLETED
    evaluation = Evidence(entry(), outcome(), TODAY, result=EvaluationResult("success", 100, 100))
    assert told(judge(EVALUATION, evaluation, [(training, needed)])) == expected


def test_a_script_that_was_edited_while_its_job_waited_runs_again() -> None:
    """SLURM runs the copy that it took when the job was submitted."""
    job = replace(TRAINING, texts=(TRAINING.script,))
    late = Evidence(entry(), outcome(inputs=OLD), OLD)  # submitted with today's script
    assert told(judge(job, late)) == (JobState.PENDING, "its script changed between its submission and its start", True)
    assert judge(TRAINING, late).state is JobState.COMPLETED  # a configuration is read when the job starts


def test_checkpoints_that_another_training_wrote_are_not_its_own() -> None:
    own = Evidence(entry(), outcome(), TODAY, trained=TODAY.combined)
    assert judge(TRAINING, own).state is JobState.COMPLETED
    other = judge(TRAINING, replace(own, trained=OLD.combined))
    assert (other.state, other.rerun) == (JobState.FAILED, False)
    assert other.reason.startswith("another training has overwritten its checkpoints")
