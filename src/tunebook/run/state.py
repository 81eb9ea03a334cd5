"""What is known of each job, decided from what was written down: pure, and the same after any crash."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from tunebook.artifacts.outcome import Outcome
from tunebook.artifacts.result import EvaluationResult
from tunebook.core.jobs import Job, JobState, Stage
from tunebook.disk.ledger import EventKind, LedgerEntry

__all__ = ["CANCELLED", "Evidence", "Verdict", "judge"]

CANCELLED = "CANCELLED"
_LOST = "killed (no outcome file)"
_CHANGED = "its files changed since it ran"
_SIGNALLED = 128
_MOST_INTERRUPTIONS = 3


@dataclass(frozen=True)
class Evidence:
    """All that was written down of one job.

    Attributes:
        entry: the ledger's latest submission.
        outcome: the outcome file, whoever started the script.
        digest: of the inputs as they are now; empty if one is missing.
        problem: which input is missing.
        missing: checkpoints that do not exist.
        result: an evaluation's result file.
        deviation: which of the page's settings a training did not get, in words.
    """

    entry: LedgerEntry | None = None
    outcome: Outcome | None = None
    digest: str = ""
    problem: str = ""
    missing: tuple[str, ...] = ()
    result: EvaluationResult | None = None
    deviation: str = ""

    @property
    def own_outcome(self) -> Outcome | None:
        """The outcome, if it is the end of the latest submission, or of a script started by hand after it."""
        entry, outcome = self.entry, self.outcome
        if entry is None or outcome is None or outcome.tag == entry.last.tag:
            return outcome
        by_hand = not outcome.tag and not entry.is_open
        return outcome if by_hand and _is_before(entry.submitted, outcome.ended) else None


@dataclass(frozen=True)
class Verdict:
    """A job's state.

    Attributes:
        rerun: whether it is done (again) without a person asking for it; failures are not.
        ask: whether the executor must be asked what became of it.
    """

    state: JobState
    reason: str = ""
    rerun: bool = False
    ask: bool = False


def judge(job: Job, evidence: Evidence, needs: Sequence[tuple[Evidence, Verdict]] = ()) -> Verdict:
    """Decides a job's state.

    Args:
        job: the job.
        evidence: what was written down of it.
        needs: the same of the jobs it needs, which were judged before.

    Returns:
        ``COMPLETED`` only if its script ended with 0, ran with the inputs as they are now and left what it should, and
        what it needs has not been done again since.
    """
    outcome = evidence.own_outcome
    verdict = _from_ledger(evidence) if outcome is None else _from_outcome(job, evidence, outcome)
    if verdict.state is not JobState.COMPLETED:
        return verdict
    stale = [reason for need, result in needs if (reason := _made_stale_by(evidence, need, result))]
    return _again(stale[0]) if stale else verdict


def _again(reason: str = "") -> Verdict:
    return Verdict(JobState.PENDING, reason, rerun=True)


def _from_ledger(evidence: Evidence) -> Verdict:
    """Without an outcome: never submitted, still there, or gone."""
    entry = evidence.entry
    if entry is None:
        return _again(evidence.problem)
    if entry.is_open:
        return Verdict(JobState.RUNNING if entry.last.event is EventKind.RUNNING else JobState.PENDING, ask=True)
    if entry.cancelled:
        return Verdict(JobState.FAILED, CANCELLED, rerun=True)
    if entry.last.state is JobState.COMPLETED:
        return _again("its outcome file is gone")
    if entry.last.inputs != evidence.digest:
        return _again(evidence.problem or _CHANGED)
    return _ended(entry)


def _ended(entry: LedgerEntry) -> Verdict:
    """What the monitor wrote down of the end of a job that has no outcome."""
    if entry.was_interrupted:
        return _interrupted(entry)
    state = JobState.UNKNOWN if entry.last.state is JobState.UNKNOWN else JobState.FAILED
    return Verdict(state, entry.last.reason or _LOST)


def _interrupted(entry: LedgerEntry) -> Verdict:
    """Done again without being asked, some times."""
    if entry.interruptions < _MOST_INTERRUPTIONS:
        return Verdict(JobState.FAILED, entry.last.reason, rerun=True)
    return Verdict(JobState.FAILED, f"{entry.last.reason}, {entry.interruptions + 1} times in a row")


def _from_outcome(job: Job, evidence: Evidence, outcome: Outcome) -> Verdict:
    entry = evidence.entry
    ran_with = outcome.inputs
    if not ran_with and entry is not None and entry.last.tag == outcome.tag:
        ran_with = entry.last.inputs
    if not ran_with:
        return _again("what it ran with was not recorded")
    if ran_with != evidence.digest:
        return _again(evidence.problem or _CHANGED)
    if outcome.exit_code != 0:
        return _failed(entry, outcome)
    if evidence.missing:
        return Verdict(JobState.FAILED, f"its checkpoint {evidence.missing[0]} is missing")
    wrong = _wrong_result(evidence.result) if job.stage is Stage.EVALUATION and job.result else ""
    return Verdict(JobState.FAILED, wrong) if wrong else Verdict(JobState.COMPLETED)


def _failed(entry: LedgerEntry | None, outcome: Outcome) -> Verdict:
    """A script that did not end with 0; its executor may have queued it again since, if nobody has looked."""
    mine = entry if entry is not None and entry.last.tag == outcome.tag else None
    if mine is not None and mine.cancelled:
        return Verdict(JobState.FAILED, CANCELLED, rerun=True)
    if mine is not None and mine.was_interrupted:
        return _interrupted(mine)
    is_open = mine is not None and mine.is_open
    return Verdict(JobState.FAILED, _told(entry, outcome) or _exit_reason(outcome.exit_code), ask=is_open)


def _told(entry: LedgerEntry | None, outcome: Outcome) -> str:
    """The reason that the monitor found when the job ended, which may say more than the exit code."""
    return entry.last.reason if entry is not None and entry.last.tag == outcome.tag else ""


def _exit_reason(code: int) -> str:
    try:
        name = signal.Signals(code - _SIGNALLED).name
    except ValueError:
        return f"exit code {code}"
    return f"exit code {code} ({name})"


def _wrong_result(result: EvaluationResult | None) -> str:
    """Why an evaluation that ended with 0 has not succeeded."""
    if result is None:
        return "it wrote no readable result"
    if result.status != "success":
        return f"its log says {result.status}"
    if not result.samples or result.completed is None:
        return "its result does not say that samples were completed"
    if result.completed < result.samples:
        return f"{result.completed} of {result.samples} samples completed"
    return ""


def _made_stale_by(evidence: Evidence, need: Evidence, verdict: Verdict) -> str:
    """Why what a job made is not worth anything any more: what it needs was, or will be, done again."""
    if verdict.rerun or verdict.state in {JobState.PENDING, JobState.RUNNING}:
        return "what it needs is to be done again"
    again = "what it needs was done again since"
    mine, other = _number(evidence), _number(need)
    if mine is not None and other is not None:
        return again if mine < other else ""
    if evidence.outcome is None or need.outcome is None:
        return again
    return "" if _is_before(need.outcome.ended, evidence.outcome.started) else again


def _number(evidence: Evidence) -> int | None:
    """The submission's place in the ledger, if the latest one is what the evidence is of."""
    entry, outcome = evidence.entry, evidence.own_outcome
    if entry is None or (outcome is not None and outcome.tag != entry.last.tag):
        return None
    return entry.number


def _is_before(first: str, second: str) -> bool:
    """Whether one ISO 8601 time is not after the other; times without a zone, and what is no time, are not."""
    try:
        return datetime.fromisoformat(first).replace(microsecond=0) <= datetime.fromisoformat(second)
    except (ValueError, TypeError):
        return False
