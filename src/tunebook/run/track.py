"""One job while a run lasts."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from tunebook.artifacts.outcome import read_outcome
from tunebook.artifacts.output import last_lines
from tunebook.artifacts.progress import Progress, read_progress
from tunebook.core.jobs import Job, JobState
from tunebook.disk.ledger import INTERRUPTED
from tunebook.run.failures import Diagnosis, diagnose
from tunebook.run.report import JobReport
from tunebook.run.state import Evidence, Verdict

__all__ = ["Track"]

_RESUMABLE = INTERRUPTED | {"TIMEOUT"}


@dataclass
class Track:
    """What a run knows of a job, and does with it.

    Attributes:
        in_flight: whether the executor has it.
        running: whether the executor says that it runs; else it waits in a queue.
        submitted_here: whether this run started it, or tried to: it is not started twice.
        watched: whether it ended while this run looked: then a failure is not one of an earlier run.
        given_up: whether an earlier run set out to cancel it: it is then done again without being asked.
        note: what its executor or this run says of it and is not written down, such as why it cannot start.
        misses: how many times in a row the executor knew nothing of it, or only that it has ended.
        node: where it runs.
    """

    job: Job
    experiment: Path
    selected: bool
    evidence: Evidence
    verdict: Verdict
    tag: str = ""
    job_id: str = ""
    output: str = ""
    started: str = ""
    ended: str = ""
    in_flight: bool = False
    running: bool = False
    submitted_here: bool = False
    watched: bool = False
    given_up: bool = False
    note: str = ""
    misses: int = 0
    node: str = ""
    diagnosis: Diagnosis = field(default_factory=Diagnosis)
    loss: float | None = None

    def begin(self, tag: str) -> None:
        """A new submission."""
        self.tag = tag
        self.job_id = self.output = self.started = self.ended = self.note = self.node = ""
        self.submitted_here, self.in_flight = True, True
        self.given_up, self.running, self.misses = False, False, 0

    def has_succeeded(self) -> bool:
        """Whether this submission's script says that it ended well; that is final, whatever its executor says."""
        outcome = read_outcome(self.experiment / self.job.outcome)
        return outcome is not None and outcome.tag == self.tag and outcome.exit_code == 0

    def learn(self, evidence: Evidence, verdict: Verdict) -> None:
        """Takes over what was written down; reads the end of the metrics and of a failed job's output, once."""
        self.evidence, self.verdict = evidence, verdict
        entry, outcome = evidence.entry, evidence.own_outcome
        if entry is not None:
            self.tag, self.output = entry.last.tag, entry.last.output
            self.job_id, self.started, self.ended = entry.last.job_id, entry.last.started, entry.last.ended
        else:
            self.tag = self.job_id = self.output = self.started = self.ended = ""
        if outcome is not None:
            self.started, self.ended = outcome.started, outcome.ended
            if entry is not None and outcome.tag != entry.last.tag:
                self.job_id, self.output = "", ""
        failed = verdict.state is JobState.FAILED
        self.diagnosis = diagnose(verdict.reason, last_lines(self.output)) if failed else Diagnosis()
        progress = self._metrics() if verdict.state is JobState.COMPLETED else None
        self.loss = progress.loss if progress else None

    @property
    def may_resume(self) -> bool:
        """Whether the latest submission was cut short with the inputs as they are: the next one may go on from it."""
        entry = self.evidence.entry
        if entry is None or entry.is_open or entry.last.inputs != self.evidence.digest:
            return False
        return self.verdict.state is JobState.FAILED and entry.last.reason.partition(" ")[0] in _RESUMABLE

    @property
    def state(self) -> JobState:
        """The state as it is shown."""
        if self.in_flight:
            return JobState.RUNNING if self.running else JobState.PENDING
        return self.verdict.state

    def report(self) -> JobReport:
        """The job as a value."""
        progress = self._metrics() if self.state is JobState.RUNNING else None
        result = self.evidence.result if self.state is JobState.COMPLETED else None
        diagnosis = Diagnosis() if self.in_flight else self.diagnosis
        return JobReport(
            self.job,
            self.state,
            self.selected,
            self.note if self.in_flight else self.note or self.verdict.reason,
            self.job_id,
            self.started,
            "" if self.in_flight else self.ended,
            self.loss,
            result.score if result else None,
            self.output,
            diagnosis.lines,
            progress,
            self.node if self.state is JobState.RUNNING else "",
            diagnosis.kind,
            diagnosis.advice,
            self.evidence.deviation,
        )

    def _metrics(self) -> Progress | None:
        """What the training says of itself, unless an earlier one said it."""
        if self.job.metrics is None:
            return None
        try:
            since = datetime.fromisoformat(self.started) if self.started else None
        except ValueError:
            since = None
        return read_progress(Path(self.job.metrics), since=since)
