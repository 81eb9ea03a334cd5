"""Decides the state of each job from what was recorded of it: pure, and the same after any crash."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from tunebook.artifacts.outcome import Outcome
from tunebook.artifacts.result import EvaluationResult
from tunebook.core.input_digests import InputDigests, changed_inputs
from tunebook.core.jobs import LOST, Job, JobState
from tunebook.disk.ledger import EventKind, LedgerEntry

__all__ = ["CANCELLED", "Evidence", "Verdict", "judge"]

CANCELLED = "CANCELLED"
_MOST_NAMES = 3
_OVERWRITTEN = (
    "another training has overwritten its checkpoints: give experiments that share an output directory different names"
)
_SIGNALLED = 128
_MOST_INTERRUPTIONS = 3

_NO_DIGESTS = InputDigests()


@dataclass(frozen=True)
class Evidence:
    """Everything that was recorded of one job.

    Attributes:
        entry: the ledger's latest submission.
        outcome: the outcome file, whoever started the script.
        inputs: the digests of the inputs as they are now.
        problem: the text that cannot be read, and why.
        unread: data sets and models that cannot be read here: whether they changed is unknown.
        trained: the one digest of the inputs of the training whose checkpoints exist; empty if it is not known.
        missing: checkpoints that do not exist.
        result: an evaluation's result file.
        deviation: the plan's settings that a training did not get, in words.
        unseen: why nothing could be read now; empty if everything was.
    """

    entry: LedgerEntry | None = None
    outcome: Outcome | None = None
    inputs: InputDigests = _NO_DIGESTS
    problem: str = ""
    unread: tuple[str, ...] = ()
    trained: str = ""
    missing: tuple[str, ...] = ()
    result: EvaluationResult | None = None
    deviation: str = ""
    unseen: str = ""

    @property
    def own_outcome(self) -> Outcome | None:
        """The outcome, if the latest submission wrote it, or a script that was started by hand after that."""
        entry, outcome = self.entry, self.outcome
        if entry is None or outcome is None or outcome.tag == entry.last.tag:
            return outcome
        by_hand = not outcome.tag and not entry.is_open
        if by_hand and _is_before(entry.submitted, outcome.ended):
            return outcome
        return None


@dataclass(frozen=True)
class Verdict:
    """A job's state.

    Attributes:
        rerun: whether the job is submitted (again) without being asked; failed jobs are not.
        ask: whether the executor must be asked how the job ended.
        changed: the paths of the inputs that changed since the job ran with those of the digests ``before``.
        details: what changed in them, as far as it is known.
    """

    state: JobState
    reason: str = ""
    rerun: bool = False
    ask: bool = False
    changed: tuple[str, ...] = ()
    before: InputDigests = _NO_DIGESTS
    details: str = ""

    @property
    def explanation(self) -> str:
        """The reason with its details."""
        return ": ".join(filter(None, (self.reason, self.details)))


def judge(job: Job, evidence: Evidence, needs: Sequence[tuple[Evidence, Verdict]] = ()) -> Verdict:
    """Decides a job's state; ``needs`` are evidence and verdict of the jobs that it needs.

    It is ``COMPLETED`` only if the script ended with 0, ran with the inputs as they are now and left its checkpoints or
    a complete result, and if no job that it needs has run since.
    """
    if evidence.unseen:
        return _not_known(evidence, evidence.unseen)
    outcome = evidence.own_outcome
    verdict = _from_ledger(job, evidence) if outcome is None else _from_outcome(job, evidence, outcome)
    if verdict.state is not JobState.COMPLETED:
        return verdict
    for need, result in needs:
        if need.unseen:
            return _not_known(evidence, need.unseen)
        reason = _made_stale_by(evidence, need, result)
        if reason:
            return _again(reason)
    return verdict


def _not_known(evidence: Evidence, why: str) -> Verdict:
    """Decides for a job whose files cannot be read now: what has ended is not run again, what runs is still watched."""
    is_open = evidence.entry is not None and evidence.entry.is_open
    return Verdict(JobState.UNKNOWN, f"its files cannot be read now: {why}", ask=is_open)


def _again(reason: str = "") -> Verdict:
    return Verdict(JobState.PENDING, reason, rerun=True)


def _if_changed(job: Job, evidence: Evidence, before: InputDigests) -> Verdict | None:
    """Decides for a job that ran with other inputs than those of today; ``None`` for the same inputs."""
    if evidence.problem:
        return _again(evidence.problem)
    changed = changed_inputs(job, before, evidence.inputs)
    if not changed:
        return None
    if changed == job.inputs and len(before.contents) != len(changed):
        return _again("it ran with another set of input files")
    reason = f"{_named(changed)} changed since it ran"
    return Verdict(JobState.PENDING, reason, rerun=True, changed=changed, before=before)


def _named(paths: Sequence[str]) -> str:
    """Names inputs as a person knows them: a job's own files by their name, others by the last part of their path."""
    names = [path.rstrip("/").rpartition("/")[2] for path in paths]
    names = list(dict.fromkeys(names))
    if len(names) > _MOST_NAMES:
        names[_MOST_NAMES - 1 :] = [f"{len(names) - _MOST_NAMES + 1} more"]
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def _from_ledger(job: Job, evidence: Evidence) -> Verdict:
    """Decides without an outcome: the job was never submitted, is in the executor's hands, or is gone."""
    entry = evidence.entry
    if entry is None:
        return _again(evidence.problem)
    if entry.is_open:
        state = JobState.RUNNING if entry.last.event is EventKind.RUNNING else JobState.PENDING
        return Verdict(state, ask=True)
    if entry.last.state is JobState.COMPLETED and not entry.cancelled:
        return _again("its outcome file is missing")
    return _if_changed(job, evidence, entry.inputs) or _if_interrupted(entry) or _ended(entry)


def _ended(entry: LedgerEntry) -> Verdict:
    """Decides by what the monitor recorded of the end of a job that wrote no outcome."""
    state = JobState.FAILED
    if entry.last.state is JobState.UNKNOWN:
        state = JobState.UNKNOWN
    return Verdict(state, entry.last.reason or LOST)


def _if_interrupted(entry: LedgerEntry) -> Verdict | None:
    """Decides for a job that was ended through no fault of its own; ``None`` for every other.

    It is submitted again without being asked: always if a person had ended it, and a few times in a row if the cluster
    or a restart of the machine did.
    """
    if entry.cancelled:
        return Verdict(JobState.FAILED, CANCELLED, rerun=True)
    if not entry.was_interrupted:
        return None
    if entry.interruptions < _MOST_INTERRUPTIONS:
        return Verdict(JobState.FAILED, entry.last.reason, rerun=True)
    return Verdict(JobState.FAILED, f"{entry.last.reason}, {entry.interruptions + 1} times in a row")


def _from_outcome(job: Job, evidence: Evidence, outcome: Outcome) -> Verdict:
    own = evidence.entry
    ran_with = outcome.inputs
    if own is not None and own.last.tag == outcome.tag:
        ran_with = ran_with or own.inputs
    else:
        own = None  # a person started the script, or an earlier submission wrote the outcome
    stale = _if_stale(job, evidence, own, ran_with)
    if stale is not None:
        return stale
    if outcome.exit_code != 0:
        return _failed(own, outcome)
    return _if_ended_well(job, evidence, ran_with)


def _if_stale(job: Job, evidence: Evidence, own: LedgerEntry | None, ran_with: InputDigests) -> Verdict | None:
    """Decides for a script that did not run with the inputs of today; ``None`` if it did."""
    if job.inputs and not ran_with:
        return _again("the inputs with which it ran were not recorded")
    changed = _if_changed(job, evidence, ran_with)
    if changed is None and own is not None and _started_with_another_script(job, own.inputs, ran_with):
        return _again("its script changed between its submission and its start")
    return changed


def _if_ended_well(job: Job, evidence: Evidence, ran_with: InputDigests) -> Verdict:
    """Decides for a script that ended with 0: whether it left what it should."""
    if evidence.missing:
        return Verdict(JobState.FAILED, f"its checkpoint {evidence.missing[0]} is missing")
    if evidence.trained and ran_with.combined and evidence.trained != ran_with.combined:
        return Verdict(JobState.FAILED, _OVERWRITTEN)
    if job.result:
        return _from_result(evidence.result)
    return Verdict(JobState.COMPLETED)


def _started_with_another_script(job: Job, submitted: InputDigests, started: InputDigests) -> bool:
    """Whether the script was edited while the job waited: a scheduler runs the copy that it took at the submission."""
    if job.script not in job.texts or not submitted or len(submitted.contents) != len(started.contents):
        return False
    number = job.texts.index(job.script)
    return submitted.contents[number] != started.contents[number]


def _failed(own: LedgerEntry | None, outcome: Outcome) -> Verdict:
    """Decides for a script that did not end with 0; ``own`` is its submission, ``None`` if it was started by hand."""
    if own is None:
        return Verdict(JobState.FAILED, _exit_reason(outcome.exit_code))
    interrupted = _if_interrupted(own)
    if interrupted is not None:
        return interrupted
    # The monitor's reason may say more than the exit code. Without a recorded end, nobody has looked yet: the executor
    # may have queued the job again.
    reason = own.last.reason or _exit_reason(outcome.exit_code)
    return Verdict(JobState.FAILED, reason, ask=own.is_open)


def _exit_reason(code: int) -> str:
    try:
        name = signal.Signals(code - _SIGNALLED).name
    except ValueError:
        return f"exit code {code}"
    return f"exit code {code} ({name})"


def _from_result(result: EvaluationResult | None) -> Verdict:
    """Decides for an evaluation that ended with 0."""
    if result is None:
        reason = "it wrote no readable result"
    elif result.status != "success":
        reason = f"its log says {result.status}"
    elif not result.samples or result.completed is None:
        reason = "its result does not say that samples were completed"
    elif result.completed < result.samples:
        reason = f"{result.completed} of {result.samples} samples completed"
    else:
        return Verdict(JobState.COMPLETED)
    return Verdict(JobState.FAILED, reason)


def _made_stale_by(evidence: Evidence, need: Evidence, verdict: Verdict) -> str:
    """Returns why a job's results are out of date: a job that it needs ran, or will run, after it."""
    if verdict.rerun or verdict.state.is_going:
        return "a job that it needs is run again"
    again = "a job that it needs has run again since"
    own_number, need_number = _number(evidence), _number(need)
    if own_number is not None and need_number is not None:
        return again if own_number < need_number else ""
    if evidence.outcome and need.outcome and _is_before(need.outcome.ended, evidence.outcome.started):
        return ""
    return again


def _number(evidence: Evidence) -> int | None:
    """Returns the submission's place in the ledger, unless the outcome is not that of the latest submission."""
    entry, outcome = evidence.entry, evidence.own_outcome
    if entry is None or (outcome is not None and outcome.tag != entry.last.tag):
        return None
    return entry.number


def _is_before(first: str, second: str) -> bool:
    """Whether one ISO 8601 time is not after the other; ``False`` for times without a zone and for other text."""
    try:
        return datetime.fromisoformat(first).replace(microsecond=0) <= datetime.fromisoformat(second)
    except (ValueError, TypeError):
        return False
