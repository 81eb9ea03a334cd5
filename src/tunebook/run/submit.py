"""Hands jobs to an executor so that none is lost and none is started twice, whenever the monitor ends."""

from __future__ import annotations

import secrets
from pathlib import Path

from tunebook.core.job import JobState
from tunebook.disk.inputs import inputs_digest
from tunebook.disk.ledger import EventKind
from tunebook.errors import ExecutorError
from tunebook.executors.base import Executor, JobStatus, Submission, Submitted
from tunebook.run.board import Board
from tunebook.run.journal import Journal
from tunebook.run.output import out_of_memory
from tunebook.run.state import Verdict
from tunebook.run.track import Track

__all__ = ["Submitter"]

_LOST = "killed (no outcome file)"


class Submitter:
    """Starts, takes up, ends and writes off the jobs of one run.

    Args:
        board: the jobs.
        executor: where they run.
        journal: where it is written down, before it is done.
        experiment: absolute path of the experiment's directory.
    """

    def __init__(self, board: Board, executor: Executor, journal: Journal, experiment: Path) -> None:
        self._board = board
        self._executor = executor
        self._journal = journal
        self._experiment = experiment

    def has_room(self, track: Track) -> bool:
        """Whether the executor takes the job now; a job that it can never take is refused."""
        try:
            return self._executor.has_room(track.job)
        except ExecutorError as error:
            self._refuse(track, str(error))
            return False

    def submit(self, track: Track) -> bool:
        """Starts a job; whatever stands in the way is the job's own failure, and the others go on.

        The submission's tag is in the ledger before the executor hears of it.
        """
        try:
            inputs = inputs_digest(self._experiment, track.job)
        except OSError as error:
            self._refuse(track, f"{error.filename or 'an input'}: {error.strerror}")
            return False
        track.tag = f"tunebook-{secrets.token_hex(8)}"
        track.job_id = track.output = track.started = track.ended = track.note = ""
        track.submitted_here, track.given_up, track.running, track.misses = True, False, False, 0
        self._journal.record(track, EventKind.SUBMITTING, inputs=inputs)
        track.in_flight = True
        try:
            submitted = self._executor.submit(Submission(track.job, track.tag, self._experiment))
        except ExecutorError as error:
            self._journal.record(track, EventKind.REFUSED, reason=str(error))
            track.in_flight = False
            self._refuse(track, str(error))
            return False
        track.job_id, track.output = submitted.job_id, submitted.output
        self._journal.record(track, EventKind.SUBMITTED)
        self._journal.tell_tool(
            track.job.tool,
            "SUBMIT_JOB",
            f"{track.job.name} to {self._executor.name}",
            details=f"script {track.job.script}, tag {track.tag}",
            result=f"job {track.job_id}, output {track.output or 'unknown'}",
        )
        return True

    def _refuse(self, track: Track, reason: str) -> None:
        """It cannot start: a failure of this run only, since nothing ran."""
        track.submitted_here = True
        track.note = reason
        track.verdict = Verdict(JobState.FAILED, reason, rerun=True)
        self._journal.tell_tool(track.job.tool, "REFUSED_JOB", track.job.name, explanation=reason)

    def take_up(self) -> None:
        """Finds out what became of the jobs that an earlier monitor left.

        Raises:
            ExecutorError: the executor could not be asked; nothing is submitted then.
        """
        left = [track for track in self._board.tracks.values() if (entry := track.evidence.entry) and entry.is_open]
        for track in left:
            if track.evidence.own_outcome is not None:
                self.finish(track, JobStatus(JobState.UNKNOWN))
        here = [track for track in left if track.evidence.own_outcome is None and self._is_here(track)]
        found = self._executor.find([track.tag for track in here]) if here else {}
        for track in here:
            self._take_up(track, found.get(track.tag))

    def _take_up(self, track: Track, found: Submitted | None) -> None:
        """A job without an id that the executor knows nothing of was never started, unless it has ended just now."""
        entry = track.evidence.entry
        track.given_up = entry is not None and entry.cancelled
        if found is not None:
            track.job_id, track.output = found.job_id, found.output or track.output
            self._journal.record(track, EventKind.SUBMITTED)
            details, result = f"tag {track.tag}", f"job {track.job_id}"
            self._journal.tell_tool(track.job.tool, "ADOPT_JOB", track.job.name, details=details, result=result)
        elif not track.job_id:
            if self.has_ended(track):
                self.finish(track, JobStatus(JobState.UNKNOWN))
            else:
                self._journal.record(track, EventKind.REFUSED, reason="never started")
                self._board.look_again(track, self._journal.entry(track.job.name))
            return
        track.in_flight, track.running = True, False

    def _is_here(self, track: Track) -> bool:
        """Whether this executor can be asked for a job; what another one has is neither lost nor started again."""
        entry = track.evidence.entry
        if entry is None:
            return True
        last = entry.last
        if (last.executor, last.host) == (self._executor.name, self._executor.host):
            return True
        where = f"{last.executor} on {last.host}" if last.host else last.executor
        reason = f"was handed to {where}, which cannot be asked from here; --retry-failed gives it up"
        track.verdict = Verdict(JobState.FAILED, reason)
        self._journal.tell_tool(track.job.tool, "FOREIGN_JOB", track.job.name, explanation=reason)
        return False

    def has_ended(self, track: Track) -> bool:
        """Whether the submission's own outcome is there; read anew."""
        self._board.look_again(track, self._journal.entry(track.job.name))
        return track.evidence.own_outcome is not None

    def finish(self, track: Track, status: JobStatus) -> None:
        """Writes down how a job ended: its own outcome, else what its executor says."""
        entry = self._journal.entry(track.job.name)
        self._board.look_again(track, entry)
        outcome = track.evidence.own_outcome
        if outcome is None:
            self._sweep(track)
            state, reason = JobState.FAILED, status.reason or _LOST
            track.ended = status.ended or self._journal.now()
        else:
            state = JobState.COMPLETED if outcome.exit_code == 0 else JobState.FAILED
            reason = status.reason if _is_schedulers_word(status.reason) else ""
            reason = "" if state is JobState.COMPLETED else reason
        if state is JobState.FAILED and out_of_memory(track.output):
            reason = "OUT_OF_MEMORY"
        self._journal.record(track, EventKind.ENDED, state=state, reason=reason)
        track.in_flight, track.watched, track.note = False, not track.given_up, ""
        self._board.look_again(track, self._journal.entry(track.job.name))
        self._journal.change(track, track.verdict.state.value, reason=track.verdict.reason)

    def _sweep(self, track: Track) -> None:
        """A job that ended without its script's own end may have left processes behind."""
        try:
            self._executor.cancel([track.job_id] if track.job_id else [])
        except ExecutorError as error:
            self._journal.tell(
                "WARNING", f"what is left of {track.job.name} could not be ended", explanation=str(error)
            )

    def cancel_all(self) -> None:
        """Ends what is in flight. That it is meant is written down first: a job that is still there is found again."""
        flying = self._board.in_flight()
        for track in flying:
            self._journal.record(track, EventKind.CANCELLED)
            self._journal.tell_tool(track.job.tool, "CANCEL_JOB", track.job.name, details=f"job {track.job_id or '-'}")
        unknown = [track.tag for track in flying if not track.job_id]
        found = self._executor.find(unknown) if unknown else {}
        for track in flying:
            if track.tag in found:
                track.job_id, track.output = found[track.tag].job_id, found[track.tag].output
        ids = [track.job_id for track in flying if track.job_id]
        self._executor.cancel(ids)
        statuses = self._executor.poll(ids)
        for track in flying:
            status = statuses.get(track.job_id, JobStatus(JobState.UNKNOWN))
            if status.state not in {JobState.RUNNING, JobState.PENDING}:
                self.finish(track, status)


def _is_schedulers_word(reason: str) -> bool:
    """``TIMEOUT``, ``CANCELLED by 1000``: what a scheduler knows and an exit code does not."""
    return reason.partition(" ")[0].isupper()
