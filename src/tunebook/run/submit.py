"""Hands jobs to an executor so that none is lost and none is started twice, whenever the monitor ends."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from pathlib import Path

from tunebook.artifacts.output import last_lines
from tunebook.core.jobs import NEVER_RAN, JobState, JobStatus
from tunebook.core.paths import GIVEN_UP
from tunebook.disk.inputs import inputs_digest
from tunebook.disk.ledger import EventKind
from tunebook.errors import ExecutorError, QueueFullError, TunebookError, UnclearError
from tunebook.executors.base import Batch, Executor, Intake, Submitted
from tunebook.run.board import Board
from tunebook.run.failures import word_for
from tunebook.run.journal import Journal
from tunebook.run.report import JobReport
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
        remedy: is shown each job that has failed, may change its files so that it can succeed, and says what it
            changed; nothing, if it knows no help.

    Attributes:
        note: why what waits is not taken now; empty if nothing stands in the way.
    """

    def __init__(
        self,
        board: Board,
        executor: Executor,
        journal: Journal,
        experiment: Path,
        remedy: Callable[[JobReport], str] | None = None,
    ) -> None:
        self._board = board
        self._executor = executor
        self._journal = journal
        self._experiment = experiment
        self._remedy = remedy
        self._adopting: set[str] = set()
        self.note = ""

    def submit_waiting(self, limit: int | None, pause: Callable[[], bool]) -> tuple[list[str], bool]:
        """Hands over what the executor takes now.

        Whatever stands in the way of a job is its own failure, and the others go on.

        Args:
            limit: how many jobs the executor may have at a time; ``None`` is any number.
            pause: called behind each submission; ``False`` ends this, so that the executor is asked how its jobs are.

        Returns:
            The names of the jobs that it took, and whether ``pause`` has ended this.
        """
        submitted: list[str] = []
        self.note = ""
        while True:
            waiting = self._board.waiting(held=self._executor.holds_dependencies)
            if limit is not None:
                waiting = waiting[: max(0, limit - len(self._board.in_flight()))]
            intake = self._executor.plan([self._board.submission(track) for track in waiting]) if waiting else Intake()
            for name, reason in intake.refused.items():
                self._refuse(self._board.tracks[name], reason)
            if not intake.batches and not intake.refused:
                return submitted, False
            for batch in intake.batches:
                taken, more = self._submit(batch)
                submitted += taken
                if not more:
                    break
                if not pause():
                    return submitted, True
            if self.note:
                return submitted, False

    def _submit(self, batch: Batch) -> tuple[list[str], bool]:
        """One call of the executor; the names of what it took, and whether the next batch may be tried."""
        batch, inputs = self._with_inputs(batch.tagged(f"tunebook-{secrets.token_hex(8)}"))
        tracks = [self._board.tracks[member.job.name] for member in batch.members]
        if not tracks:
            return [], True
        for track, member in zip(tracks, batch.members, strict=True):
            track.begin(member.tag)
        self._journal.record_all(tracks, EventKind.SUBMITTING, inputs=inputs)
        try:
            answers = self._executor.submit(batch)
        except QueueFullError as error:
            self._take_back(tracks, str(error))
            self.note = str(error) if len(tracks) == 1 else ""
            return [], False
        except UnclearError as error:
            self.note = str(error)
            self._journal.tell("WARNING", f"nobody knows whether {len(tracks)} jobs were taken", explanation=self.note)
            return [], False
        except ExecutorError as error:
            self._journal.record_all(tracks, EventKind.REFUSED, reason=str(error))
            for track in tracks:
                track.in_flight = False
                self._refuse(track, str(error))
            return [], True
        for track, answer in zip(tracks, answers, strict=True):
            track.job_id, track.output = answer.job_id, answer.output
        self._journal.record_all(tracks, EventKind.SUBMITTED)
        self._tell_submitted(tracks)
        return [track.job.name for track in tracks], True

    def _with_inputs(self, batch: Batch) -> tuple[Batch, list[str]]:
        """The members whose inputs can be read, and the inputs' digests; the others are refused."""
        digests: dict[str, str] = {}
        for member in batch.members:
            try:
                digests[member.job.name] = inputs_digest(self._experiment, member.job)
            except OSError as error:
                problem = f"{error.filename or 'an input'}: {error.strerror}"
                self._refuse(self._board.tracks[member.job.name], problem)
        keep = [number for number, member in enumerate(batch.members) if member.job.name in digests]
        members = tuple(batch.members[number] for number in keep)
        indices = tuple(batch.indices[number] for number in keep) if batch.indices else ()
        return Batch(members, indices), [digests[member.job.name] for member in members]

    def _take_back(self, tracks: Sequence[Track], reason: str) -> None:
        """They were not taken, and wait again."""
        self._journal.record_all(tracks, EventKind.REFUSED, reason=reason)
        for track in tracks:
            track.in_flight = track.submitted_here = False
            self._board.look_again(track, self._journal.entry(track.job.name))

    def _tell_submitted(self, tracks: Sequence[Track]) -> None:
        first, last = tracks[0], tracks[-1]
        if len(tracks) == 1:
            what, details = first.job.name, f"script {first.job.script}, tag {first.tag}"
            result = f"job {first.job_id}, output {first.output or 'unknown'}"
        else:
            what, details = f"{len(tracks)} jobs as one array", ", ".join(track.job.name for track in tracks)
            result = f"jobs {first.job_id} to {last.job_id}"
        self._journal.tell_tool(
            first.job.tool, "SUBMIT_JOB", f"{what} to {self._executor.name}", details=details, result=result
        )

    def _refuse(self, track: Track, reason: str) -> None:
        """It cannot start: a failure of this run only, since nothing ran."""
        track.submitted_here = True
        track.note = reason
        track.verdict = Verdict(JobState.FAILED, reason, rerun=True)
        self._journal.tell_tool(track.job.tool, "REFUSED_JOB", track.job.name, explanation=reason)

    def take_up(self) -> None:
        """Takes over the jobs that an earlier monitor left: from now on they are polled like this one's own."""
        for track in self._board.tracks.values():
            entry = track.evidence.entry
            if entry is not None and entry.is_open and self._is_here(track):
                track.in_flight, track.running, track.given_up = True, False, entry.cancelled
                self._adopting.add(track.job.name)
            else:
                self._help(track)

    def find(self) -> None:
        """Asks for the jobs that were taken over, and for those that the executor gave no answer about.

        A job without an id that the executor knows nothing of was never started; should it turn up yet, its script
        sees that it was given up.

        Raises:
            ExecutorError: the executor could not be asked.
        """
        flying = self._board.in_flight()
        asked = [track for track in flying if not track.job_id or track.job.name in self._adopting]
        if not asked:
            return
        found = self._executor.find([self._board.submission(track) for track in asked])
        for track in asked:
            if track.tag in found:
                self._adopt(track, found[track.tag])
            elif not track.job_id and self.has_ended(track):
                self.finish(track, JobStatus(JobState.UNKNOWN))
            elif not track.job_id:
                self._give_up(track)
        self._adopting.clear()

    def _adopt(self, track: Track, found: Submitted) -> None:
        track.job_id, track.output = found.job_id, found.output or track.output
        self._journal.record(track, EventKind.SUBMITTED)
        details, result = f"tag {track.tag}", f"job {track.job_id}"
        self._journal.tell_tool(track.job.tool, "ADOPT_JOB", track.job.name, details=details, result=result)

    def _give_up(self, track: Track) -> None:
        marker = self._experiment / GIVEN_UP / track.tag
        marker.parent.mkdir(parents=True, exist_ok=True)
        marker.touch()
        self._take_back([track], "never started")

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
        if outcome is None and self._was_in_vain(track, status):
            self._take_back([track], "what it needs has failed")
            return
        if outcome is None:
            state = JobState.UNKNOWN if status.state is JobState.UNKNOWN else JobState.FAILED
            if state is JobState.FAILED:
                self._sweep(track)
            reason = status.reason or _LOST
            track.ended = status.ended or self._journal.now()
        else:
            state = JobState.COMPLETED if outcome.exit_code == 0 else JobState.FAILED
            reason = status.reason if _is_schedulers_word(status.reason) else ""
            reason = "" if state is JobState.COMPLETED else reason
        if state is JobState.FAILED and not _is_schedulers_word(reason):
            reason = word_for(last_lines(track.output)) or reason
        self._journal.record(track, EventKind.ENDED, state=state, reason=reason)
        track.in_flight, track.watched, track.note = False, not track.given_up, ""
        self._board.look_again(track, self._journal.entry(track.job.name))
        if track.may_resume and track.verdict.rerun:  # the cluster ended it: it is submitted again
            track.submitted_here = track.watched = False
        self._journal.change(track, track.verdict.state.value, reason=track.verdict.reason)
        self._help(track)

    def _help(self, track: Track) -> None:
        """Has a failure's cause removed, if that can be: the job is then submitted again."""
        if self._remedy is None or not track.selected or track.verdict.state is not JobState.FAILED:
            return
        try:
            change = self._remedy(track.report())
        except (TunebookError, OSError) as error:
            self._journal.tell("WARNING", f"{track.job.name} could not be helped", explanation=str(error))
            return
        if change:
            self._journal.change(track, "its settings were changed, and it is done again", reason=change)
            track.submitted_here = track.watched = False
            self._board.look_again(track, self._journal.entry(track.job.name))

    def awaits_judgement(self, track: Track) -> bool:
        """Whether a job that it needs, and that was submitted before it, has not been judged yet."""
        mine = self._journal.entry(track.job.name)
        needs = [self._journal.entry(name) for name in track.job.needs if self._board.tracks[name].in_flight]
        return any(mine is None or need is None or need.number < mine.number for need in needs)

    def _was_in_vain(self, track: Track, status: JobStatus) -> bool:
        """Whether the executor dropped it before it began, because what it waited for had failed."""
        entry = self._journal.entry(track.job.name)
        if not track.job.needs or (entry is not None and entry.cancelled):
            return False
        if status.reason == NEVER_RAN:
            return True
        if track.started or not (self._board.has_failed_need(track) or self._has_newer_need(track)):
            return False
        if status.state is JobState.UNKNOWN:  # dropped, and forgotten before anybody looked
            return True
        # Of a task of an array SLURM tells a time at which it began, all the same.
        return not status.started or status.reason.startswith("CANCELLED")

    def _has_newer_need(self, track: Track) -> bool:
        """Whether something that it needs was submitted again after it: what it waited for has failed."""
        mine = self._journal.entry(track.job.name)
        needs = [self._journal.entry(name) for name in track.job.needs]
        return any(mine is not None and need is not None and need.number > mine.number for need in needs)

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
        unknown = [self._board.submission(track) for track in flying if not track.job_id]
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
