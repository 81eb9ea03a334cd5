"""One job during a run: its verdict, its phase in this run, and what its executor reports."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from pathlib import Path

from tunebook.artifacts.outcome import read_outcome
from tunebook.artifacts.output import last_lines
from tunebook.artifacts.progress import Progress, read_last_loss, read_progress
from tunebook.core.input_digests import changed_inputs
from tunebook.core.jobs import Job, JobState, JobStatus
from tunebook.executors.base import Submitted
from tunebook.run.failures import Diagnosis, diagnose
from tunebook.run.report import JobReport
from tunebook.run.verdict import Evidence, Verdict

__all__ = ["JobInRun", "Phase"]

_TIME_LIMIT = "TIMEOUT"
_QUEUED = JobStatus(JobState.PENDING)


class Phase(Enum):
    """What this run has done with a job.

    ``SUBMITTED``, ``ADOPTED``, ``WATCHED`` and ``CANCELLED`` are in flight: the executor has the job.
    """

    IDLE = "nothing, or the job may be submitted again"
    SUBMITTED = "submitted it"
    ADOPTED = "asks for a submission of an earlier run, which may have ended since"
    WATCHED = "watches a submission of an earlier run"
    CANCELLED = "watches a submission that an earlier run set out to cancel"
    OVER = "submitted it, or tried to, and that is over: it is not submitted a second time"
    SEEN_ENDING = "saw a submission of an earlier run go on and end: a failure is not one of an earlier run"

    __hash__ = object.__hash__  # a sweep looks up millions; Enum's own is slow


_IN_FLIGHT = frozenset({Phase.SUBMITTED, Phase.ADOPTED, Phase.WATCHED, Phase.CANCELLED})
_ONCE_ENDED = {
    Phase.SUBMITTED: Phase.OVER,
    Phase.ADOPTED: Phase.IDLE,
    Phase.WATCHED: Phase.SEEN_ENDING,
    Phase.CANCELLED: Phase.IDLE,
}


@dataclass
class JobInRun:
    """One job during a run.

    Attributes:
        selected: whether the person asked for it.
        phase: what this run has done with it.
        status: the executor's latest report of a job in flight.
        misses: how many times in a row the executor did not know the job, or knew only that it has ended.
        not_reached: how many times in this run its pack ended before it started.
        note: why this run cannot start it.
    """

    job: Job
    experiment: Path
    selected: bool
    evidence: Evidence
    verdict: Verdict
    phase: Phase = Phase.IDLE
    status: JobStatus = _QUEUED
    misses: int = 0
    not_reached: int = 0
    note: str = ""
    tag: str = ""
    job_id: str = ""
    output: str = ""
    started: str = ""
    ended: str = ""
    diagnosis: Diagnosis = field(default_factory=Diagnosis)
    loss: float | None = None

    @property
    def in_flight(self) -> bool:
        """Whether the executor has it."""
        return self.phase in _IN_FLIGHT

    @property
    def is_running(self) -> bool:
        """Whether the executor reports that it runs; a job in flight that does not run waits in a queue."""
        return self.in_flight and self.status.state is JobState.RUNNING

    @property
    def has_failed(self) -> bool:
        """Whether it has failed, or nobody knows how it ended."""
        return self.verdict.state in {JobState.FAILED, JobState.UNKNOWN}

    @property
    def is_completed(self) -> bool:
        """Whether it is completed, and not submitted again."""
        return self.verdict.state is JobState.COMPLETED and not self.in_flight

    @property
    def state(self) -> JobState:
        """The state that is shown."""
        if not self.in_flight:
            return self.verdict.state
        if self.is_running:
            return JobState.RUNNING
        return JobState.PENDING

    @property
    def may_resume(self) -> bool:
        """Whether the latest submission was cut short with the inputs as they are: the next one may continue it."""
        entry = self.evidence.entry
        if entry is None or entry.is_open or changed_inputs(self.job, entry.inputs, self.evidence.inputs):
            return False
        is_cut_short = entry.cancelled or entry.was_interrupted or entry.last.reason.startswith(_TIME_LIMIT)
        return self.verdict.state is JobState.FAILED and is_cut_short

    @property
    def was_interrupted(self) -> bool:
        """Whether the cluster, or a restart of the machine, ended the latest submission."""
        return self.evidence.entry is not None and self.evidence.entry.was_interrupted

    def begin(self, tag: str) -> None:
        """Starts a new submission."""
        self.phase, self.status, self.misses = Phase.SUBMITTED, _QUEUED, 0
        self.tag = tag
        self.job_id = self.output = self.started = self.ended = self.note = ""

    def adopt(self, *, cancelled: bool) -> None:
        """Watches the submission of an earlier run, which may have set out to cancel it."""
        self.phase = Phase.ADOPTED
        if cancelled:
            self.phase = Phase.CANCELLED
        self.status = _QUEUED

    def goes_on(self, status: JobStatus) -> None:
        """Takes the executor's report of a job that is queued or runs."""
        self.status, self.misses = status, 0
        if self.phase is Phase.ADOPTED:
            self.phase = Phase.WATCHED

    def locate(self, found: Submitted) -> None:
        """Takes the executor's id, and the file with the output if the executor knows it."""
        self.job_id, self.output = found.job_id, found.output or self.output

    def end(self) -> None:
        """Ends the submission; its end is recorded, or about to be."""
        self.phase = _ONCE_ENDED[self.phase]
        self.note = ""

    def refuse(self, reason: str) -> None:
        """Records that it cannot start: a failure in this run only, since nothing ran."""
        self.phase, self.note = Phase.OVER, reason
        self.verdict = Verdict(JobState.FAILED, reason, rerun=True)

    def release(self) -> None:
        """Lets this run submit it again."""
        self.phase = Phase.IDLE

    def has_succeeded(self) -> bool:
        """Whether this submission's script wrote that it ended well; that is final, whatever the executor reports."""
        try:
            outcome = read_outcome(self.experiment / self.job.outcome)
        except OSError:
            return False
        return outcome is not None and outcome.tag == self.tag and outcome.exit_code == 0

    @property
    def lacks_files(self) -> bool:
        """Whether its script ended well, but not all that it left is visible: a shared disk may show it later."""
        outcome = self.evidence.own_outcome
        if outcome is None or outcome.exit_code != 0:
            return False
        return bool(self.evidence.missing) or bool(self.job.result and self.evidence.result is None)

    def learn(self, evidence: Evidence, verdict: Verdict) -> None:
        """Takes what was recorded; reads the end of the metrics, or of a failed job's output, once."""
        self.evidence, self.verdict = evidence, verdict
        entry, outcome = evidence.entry, evidence.own_outcome
        if entry is None:
            self.tag = self.job_id = self.output = self.started = self.ended = ""
        else:
            self.tag, self.output = entry.last.tag, entry.last.output
            self.job_id, self.started, self.ended = entry.last.job_id, entry.last.started, entry.last.ended
        if outcome is not None:
            self.started, self.ended = outcome.started, outcome.ended
            if entry is not None and outcome.tag != entry.last.tag:  # the script was started by hand since
                self.job_id, self.output = "", ""
        self.diagnosis, self.loss = Diagnosis(), None
        if verdict.state is JobState.FAILED:
            self.diagnosis = diagnose(verdict.reason, last_lines(self.output))
        elif verdict.state is JobState.COMPLETED:
            self.loss = self._last_loss()

    def learn_end(self, verdict: Verdict) -> None:
        """Takes what the executor says of the end, which nobody has recorded yet."""
        self.verdict = verdict
        if verdict.state is JobState.FAILED:
            self.diagnosis = diagnose(verdict.reason, last_lines(self.output))

    def report(self) -> JobReport:
        """Returns the job as a value."""
        state = self.state
        if self.in_flight:
            reason, ended, diagnosis = self.status.reason, "", Diagnosis()
        else:
            reason, ended, diagnosis = self.note or self.verdict.explanation, self.ended, self.diagnosis
        result = self.evidence.result if state is JobState.COMPLETED else None
        return JobReport(
            job=self.job,
            state=state,
            selected=self.selected,
            reason=reason,
            job_id=self.job_id,
            started=self.started,
            ended=ended,
            loss=self.loss,
            score=result.score if result else None,
            output=self.output,
            tail=diagnosis.lines,
            progress=self._progress() if state is JobState.RUNNING else None,
            node=self.status.node if self.is_running else "",
            kind=diagnosis.kind,
            advice=diagnosis.advice,
            deviation=self.evidence.deviation,
        )

    def _progress(self) -> Progress | None:
        """How far the training is; ``None`` if its metrics are those of an earlier submission."""
        if self.job.metrics is None:
            return None
        return read_progress(Path(self.job.metrics), since=self._start())

    def _last_loss(self) -> float | None:
        if self.job.metrics is None:
            return None
        return read_last_loss(self.job.metrics, since=self._start())

    def _start(self) -> datetime | None:
        with suppress(ValueError):
            return datetime.fromisoformat(self.started)
        return None
