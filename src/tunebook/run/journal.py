"""What a run writes down as it goes: the ledger, a log for each tool, and its own log."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from tunebook.core.jobs import JobState
from tunebook.core.paths import RUN_LOG, tool_log
from tunebook.disk.ledger import Event, EventKind, LedgerEntry, LedgerReader, record
from tunebook.disk.log import Log
from tunebook.run.track import Track

__all__ = ["Journal"]


class Journal:
    """Writes for one experiment and one executor.

    Args:
        experiment: the experiment's directory.
        executor: the executor's name.
        host: the host that alone sees its jobs, or nothing.
        clock: local time.
    """

    def __init__(self, experiment: Path, executor: str, host: str, clock: Callable[[], datetime]) -> None:
        self._experiment = experiment
        self._executor = executor
        self._host = host
        self._clock = clock
        self._reader = LedgerReader(experiment)
        self._run = Log(experiment / RUN_LOG, clock)
        self._tools: dict[str, Log] = {}

    def tell(self, action: str, description: str, **lines: str) -> None:
        """An entry of the run's own log."""
        self._run.entry(action, description, **lines)

    def tell_tool(self, tool: str, action: str, description: str, **lines: str) -> None:
        """An entry of a tool's log."""
        if tool not in self._tools:
            self._tools[tool] = Log(self._experiment / tool_log("run", tool), self._clock)
        self._tools[tool].entry(action, description, **lines)

    def now(self) -> str:
        """ISO 8601 with the time zone, to the second."""
        return self._clock().astimezone().isoformat(timespec="seconds")

    def entry(self, job: str) -> LedgerEntry | None:
        """What the ledger says of a job now; others may have written to it."""
        return self._reader.latest(job)

    def record(
        self, track: Track, event: EventKind, *, inputs: str = "", state: JobState | None = None, reason: str = ""
    ) -> None:
        """Appends to the ledger what happened to the job's present submission."""
        record(self._experiment, self._event(track, event, inputs, state, reason))

    def record_all(
        self, tracks: Sequence[Track], event: EventKind, *, inputs: Sequence[str] = (), reason: str = ""
    ) -> None:
        """The same event for many jobs, at once."""
        digests = inputs or [""] * len(tracks)
        events = (
            self._event(track, event, digest, None, reason) for track, digest in zip(tracks, digests, strict=True)
        )
        record(self._experiment, *events)

    def _event(self, track: Track, event: EventKind, inputs: str, state: JobState | None, reason: str) -> Event:
        return Event(
            time=self.now(),
            tag=track.tag,
            job=track.job.name,
            event=event,
            job_id=track.job_id,
            executor=self._executor,
            host=self._host,
            output=track.output,
            inputs=inputs,
            state=state,
            reason=reason,
            started=track.started,
            ended=track.ended if event is EventKind.ENDED else "",
        )

    def change(self, track: Track, description: str, *, reason: str = "") -> None:
        """A ``STATE_CHANGE`` of the job in its tool's log."""
        details = f"job {track.job_id or '-'}, tag {track.tag or '-'}"
        self.tell_tool(
            track.job.tool, "STATE_CHANGE", f"{track.job.name}: {description}", details=details, explanation=reason
        )
