"""Records what a run does: in the ledger, in a log for each tool, and in the run's own log."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from tunebook.core.input_digests import InputDigests
from tunebook.core.jobs import JobState
from tunebook.core.paths import RUN_LOG, tool_log
from tunebook.disk.ledger import Event, EventKind, LedgerEntry, LedgerReader, record
from tunebook.disk.log import Log
from tunebook.run.job_state import JobInRun

__all__ = ["Recorder"]


class Recorder:
    """Writes for one experiment and one executor; ``host`` alone sees the executor's jobs, unless it is empty."""

    def __init__(self, experiment: Path, executor: str, host: str, clock: Callable[[], datetime]) -> None:
        self._experiment = experiment
        self._executor = executor
        self._host = host
        self._clock = clock
        self._reader = LedgerReader(experiment)
        self._run = Log(experiment / RUN_LOG, clock)
        self._tools: dict[str, Log] = {}

    def log(self, action: str, description: str, **lines: str) -> None:
        """Adds an entry to the run's own log."""
        self._run.entry(action, description, **lines)

    def log_tool(self, tool: str, action: str, description: str, **lines: str) -> None:
        """Adds an entry to a tool's log."""
        if tool not in self._tools:
            self._tools[tool] = Log(self._experiment / tool_log("run", tool), self._clock)
        self._tools[tool].entry(action, description, **lines)

    def log_change(self, one: JobInRun, description: str, *, reason: str = "") -> None:
        """Adds a ``STATE_CHANGE`` of the job to its tool's log."""
        details = f"job {one.job_id or '-'}, tag {one.tag or '-'}"
        description = f"{one.job.name}: {description}"
        self.log_tool(one.job.tool, "STATE_CHANGE", description, details=details, explanation=reason)

    def now(self) -> str:
        """ISO 8601 with the time zone, to the second."""
        return self._clock().astimezone().isoformat(timespec="seconds")

    def entry(self, one: JobInRun) -> LedgerEntry | None:
        """The job's latest submission in the ledger, to which others may have written."""
        return self._reader.latest(one.job.name)

    def record(self, jobs: Sequence[JobInRun], kind: EventKind, *, reason: str = "") -> None:
        """Appends to the ledger what happened to the present submissions of these jobs."""
        record(self._experiment, *(self._event(one, kind, reason=reason) for one in jobs))

    def record_submitting(self, jobs: Sequence[JobInRun], inputs: Sequence[InputDigests]) -> None:
        """Appends to the ledger that these jobs are about to be submitted with inputs of these digests."""
        pairs = zip(jobs, inputs, strict=True)
        record(
            self._experiment, *(self._event(one, EventKind.SUBMITTING, inputs=digests.word) for one, digests in pairs)
        )

    def record_end(self, one: JobInRun, state: JobState, reason: str) -> None:
        """Appends to the ledger how a job ended."""
        record(self._experiment, self._event(one, EventKind.ENDED, state=state, reason=reason))

    def _event(
        self, one: JobInRun, kind: EventKind, *, inputs: str = "", state: JobState | None = None, reason: str = ""
    ) -> Event:
        return Event(
            time=self.now(),
            tag=one.tag,
            job=one.job.name,
            event=kind,
            job_id=one.job_id,
            executor=self._executor,
            host=self._host,
            output=one.output,
            inputs=inputs,
            state=state,
            reason=reason,
            started=one.started,
            ended=one.ended if kind is EventKind.ENDED else "",
        )
