"""Hands jobs to an executor so that none is lost and none is started twice, whenever the monitor ends."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from tunebook.artifacts.output import last_lines
from tunebook.core.input_digests import InputDigests
from tunebook.core.jobs import LOST, NOT_REACHED, JobState, JobStatus
from tunebook.core.paths import GIVEN_UP
from tunebook.disk.atomic import write_text
from tunebook.disk.fresh import relist
from tunebook.disk.inside import link_out
from tunebook.disk.interrupts import deferred, interruptible
from tunebook.disk.ledger import EventKind, LedgerEntry
from tunebook.errors import ExecutorError, QueueFullError, TunebookError, UnclearError, in_words
from tunebook.executors.base import Batch, Executor, Intake, Submitted
from tunebook.run.dropped import was_dropped
from tunebook.run.failures import word_of_end
from tunebook.run.job_places import folders_of_results, own_places
from tunebook.run.job_set import JobSet
from tunebook.run.job_state import JobInRun
from tunebook.run.provenance import ProvenanceWriter
from tunebook.run.recorder import Recorder
from tunebook.run.report import JobReport
from tunebook.run.verdict import Verdict

__all__ = ["Submitter"]

_MOST_NOT_REACHED = 10
"""Each pack that ends too early has run at least one of its jobs, unless something is wrong with all of them."""


class Submitter:
    """Submits, adopts, cancels and finishes the jobs of one run.

    Args:
        recorder: records each step before it is taken.
        provenance: records how results come about.
        experiment: absolute path.
        remedy: gets each job that has failed, may change its files so that it can succeed, and returns what it
            changed; empty if it cannot help.

    Attributes:
        note: why waiting jobs are not submitted now; empty if nothing prevents it.
    """

    def __init__(
        self,
        jobs: JobSet,
        executor: Executor,
        recorder: Recorder,
        *,
        experiment: Path,
        provenance: ProvenanceWriter,
        remedy: Callable[[JobReport], str] | None = None,
    ) -> None:
        self._jobs = jobs
        self._executor = executor
        self._recorder = recorder
        self._experiment = experiment
        self._provenance = provenance
        self._remedy = remedy
        self._adopting: set[str] = set()
        self._too_large: dict[frozenset[str], str] = {}  # refused in this round: the names, and why
        self._told: set[str] = set()
        self.note = ""

    def submit_waiting(self, limit: int | None, pause: Callable[[], bool]) -> tuple[list[str], bool]:
        """Submits what the executor takes now.

        A job that cannot be submitted fails by itself; the others are submitted.

        Args:
            limit: how many jobs the executor may have at a time; ``None`` is any number.
            pause: called after each submission; ``False`` ends this call, so that the executor is polled.

        Returns:
            The names of the jobs that it took, and whether ``pause`` has ended this call.
        """
        submitted: list[str] = []
        self.note = ""
        self._too_large.clear()
        while True:
            intake = self._intake(limit)
            for name, reason in intake.refused.items():
                self._refuse(self._jobs.by_name[name], reason)
            if not intake.batches and not intake.refused:
                return submitted, False
            for batch in intake.batches:
                if _names(batch) in self._too_large:  # the executor has not made it smaller
                    self._wait_because(self._too_large[_names(batch)])
                    break
                taken, more = self._submit(batch)
                submitted += taken
                if not more:
                    break
                if not pause():
                    return submitted, True
            if self.note:
                return submitted, False

    def _intake(self, limit: int | None) -> Intake:
        waiting = self._jobs.waiting(held=self._executor.holds_dependencies)
        if limit is not None:
            waiting = waiting[: max(0, limit - len(self._jobs.in_flight()))]
        if not waiting:
            return Intake()
        return self._executor.plan([self._jobs.submission(one) for one in waiting])

    def _submit(self, batch: Batch) -> tuple[list[str], bool]:
        """Submits one batch; returns the names of the jobs taken, and whether the next batch may be tried."""
        batch, digests = self._with_inputs(batch.tagged(f"tunebook-{secrets.token_hex(8)}"))
        jobs = []
        for member in batch.members:
            one = self._jobs.by_name[member.job.name]
            one.begin(member.tag)
            jobs.append(one)
        if not jobs:
            return [], True
        self._jobs.records.inputs.add([(one.job, inputs) for one, inputs in zip(jobs, digests, strict=True)])
        self._provenance.submitting(jobs)
        self._recorder.record_submitting(jobs, digests)
        try:
            answers = self._executor.submit(batch)
        except QueueFullError as error:
            self._take_back(jobs, str(error))
            if len(jobs) == 1 or batch.is_pack:
                self._wait_because(str(error))
            else:
                self._too_large[_names(batch)] = str(error)
            return [], False
        except UnclearError as error:
            self.note = str(error)
            self._recorder.log("WARNING", f"it is not known whether {len(jobs)} jobs were taken", explanation=self.note)
            return [], False
        except ExecutorError as error:
            self._recorder.record(jobs, EventKind.REFUSED, reason=str(error))
            for one in jobs:
                self._refuse(one, str(error))
            return [], True
        for one, answer in zip(jobs, answers, strict=True):
            one.job_id, one.output = answer.job_id, answer.output
        self._recorder.record(jobs, EventKind.SUBMITTED)
        self._log_submitted(jobs, is_pack=batch.is_pack)
        return [one.job.name for one in jobs], True

    def _wait_because(self, reason: str) -> None:
        """Notes why the executor takes no more now; the log tells each reason once."""
        self.note = reason
        if reason not in self._told:
            self._told.add(reason)
            self._recorder.log("WARNING", f"{self._executor.name} takes no more jobs now", explanation=reason)

    def _with_inputs(self, batch: Batch) -> tuple[Batch, list[InputDigests]]:
        """Returns the members that may start, and the digests of their inputs.

        Those whose inputs are unreadable are refused, and so are those that would write elsewhere by way of a link.
        """
        digests: dict[int, InputDigests] = {}
        seen: dict[str, str] = {}
        for position, member in enumerate(batch.members):
            try:
                found = self._jobs.records.reader.read(member.job, seen)
                problem = found.problem or link_out(own_places(member.job, self._experiment), self._experiment)
            except OSError as error:
                problem = in_words(error)
            if problem:
                self._refuse(self._jobs.by_name[member.job.name], problem)
            else:
                digests[position] = found.digests
        members = tuple(batch.members[position] for position in digests)
        indices: tuple[int, ...] = ()
        if batch.indices:
            indices = tuple(batch.indices[position] for position in digests)
        return replace(batch, members=members, indices=indices), list(digests.values())

    def _take_back(self, jobs: Sequence[JobInRun], reason: str) -> None:
        """Returns jobs that the executor does not have to those that wait."""
        self._recorder.record(jobs, EventKind.REFUSED, reason=reason)
        for one in jobs:
            self._retry(one)

    def _retry(self, one: JobInRun) -> None:
        one.release()
        self._jobs.look_again(one, self._recorder.entry(one))

    def _log_submitted(self, jobs: Sequence[JobInRun], *, is_pack: bool) -> None:
        first, last = jobs[0], jobs[-1]
        if len(jobs) == 1:
            what, details = first.job.name, f"script {first.job.script}, tag {first.tag}"
            result = f"job {first.job_id}, output {first.output or 'unknown'}"
        else:
            form = "pack, which shares one allocation," if is_pack else "array"
            what, details = f"{len(jobs)} jobs as one {form}", ", ".join(one.job.name for one in jobs)
            result = f"jobs {first.job_id} to {last.job_id}"
        self._recorder.log_tool(
            first.job.tool, "SUBMIT_JOB", f"{what} to {self._executor.name}", details=details, result=result
        )

    def _refuse(self, one: JobInRun, reason: str) -> None:
        one.refuse(reason)
        self._recorder.log_tool(one.job.tool, "REFUSED_JOB", one.job.name, explanation=reason)

    def resume(self) -> None:
        """Adopts the jobs that an earlier monitor left: from now on they are polled like this one's own."""
        for one in self._jobs.by_name.values():
            entry = one.evidence.entry
            if entry is not None and entry.is_open and self._is_here(one, entry):
                one.adopt(cancelled=entry.cancelled)
                self._adopting.add(one.job.name)
            else:
                if self._provenance.lacks(one):
                    self._record_provenance(one)
                self._help(one)

    def locate(self) -> None:
        """Asks for the jobs that were adopted, and for those about whose submission the executor gave no answer.

        A job without an id that the executor does not know was never started; if it starts later after all, its script
        sees that the submission was given up.

        Raises:
            ExecutorError: the executor could not be asked.
        """
        asked = [one for one in self._jobs.in_flight() if not one.job_id or one.job.name in self._adopting]
        found = self._find(asked)
        for one in asked:
            if one.tag in found:
                self._adopt(one)
            elif one.job_id:
                continue  # polling shows how it ended
            elif self.has_outcome(one):
                self.finish(one, JobStatus(JobState.UNKNOWN))
            else:
                self._give_up(one)
        self._adopting.clear()

    def _adopt(self, one: JobInRun) -> None:
        self._recorder.record([one], EventKind.SUBMITTED)
        details, result = f"tag {one.tag}", f"job {one.job_id}"
        self._recorder.log_tool(one.job.tool, "ADOPT_JOB", one.job.name, details=details, result=result)

    def _give_up(self, one: JobInRun, reason: str = "never started") -> None:
        write_text(self._experiment / GIVEN_UP / one.tag, "", within=self._experiment)
        self._take_back([one], reason)

    def _is_here(self, one: JobInRun, entry: LedgerEntry) -> bool:
        """Whether this executor can be asked for a job; another executor's job is neither lost nor submitted again."""
        if entry.is_of(self._executor.name, self._executor.host):
            return True
        reason = f"was submitted to {entry.place}, which cannot be asked from here; --retry-failed gives it up"
        one.verdict = Verdict(JobState.FAILED, reason)
        self._recorder.log_tool(one.job.tool, "FOREIGN_JOB", one.job.name, explanation=reason)
        return False

    def has_outcome(self, one: JobInRun) -> bool:
        """Whether the submission's own outcome is there now."""
        self._jobs.look_again(one, self._recorder.entry(one))
        if one.evidence.own_outcome is None or one.lacks_files:
            relist(folders_of_results(one.job, self._experiment))
            self._jobs.look_again(one, self._recorder.entry(one))
        return one.evidence.own_outcome is not None

    def finish(self, one: JobInRun, status: JobStatus) -> None:
        """Records how a job ended: by its own outcome, otherwise by its executor's report."""
        with deferred():  # a job that has ended is not one that an interrupt ended
            self._finish(one, status)

    def _finish(self, one: JobInRun, status: JobStatus) -> None:
        if not self.has_outcome(one):
            if was_dropped(one, status, self._jobs, self._recorder.entry):
                self._take_back([one], "a job that it needs has failed")
                return
            if self._was_not_reached(one, status):
                one.not_reached += 1
                self._give_up(one, NOT_REACHED)
                return
        state, reason = self._end(one, status)
        self._recorder.record_end(one, state, reason)
        one.end()
        self._jobs.look_again(one, self._recorder.entry(one))
        if one.was_interrupted and one.verdict.rerun:
            one.release()
        self._recorder.log_change(one, one.verdict.state.value, reason=one.verdict.reason)
        self._record_provenance(one)
        self._help(one)

    def _record_provenance(self, one: JobInRun) -> None:
        try:
            self._provenance.ended(one)
        except (TunebookError, OSError) as error:
            self._recorder.log(
                "WARNING", f"the provenance of {one.job.name} was not written", explanation=in_words(error)
            )

    def _end(self, one: JobInRun, status: JobStatus) -> tuple[JobState, str]:
        outcome = one.evidence.own_outcome
        if outcome is None:
            one.ended = status.ended or self._recorder.now()
            if status.state is JobState.UNKNOWN:
                return JobState.UNKNOWN, status.reason or LOST
            self._sweep(one)
        elif outcome.exit_code == 0:
            return JobState.COMPLETED, ""
        exit_code = None if outcome is None else outcome.exit_code
        reason = word_of_end(exit_code, status.reason, last_lines(one.output))
        if outcome is None and not reason:
            reason = status.reason or LOST
        return JobState.FAILED, reason

    def _help(self, one: JobInRun) -> None:
        """Lets the remedy remove the cause of a failure: the job is then submitted again."""
        if self._remedy is None or not one.selected or one.verdict.state is not JobState.FAILED:
            return
        try:
            change = self._remedy(one.report())
        except (TunebookError, OSError) as error:
            self._recorder.log("WARNING", f"{one.job.name} could not be changed", explanation=in_words(error))
            return
        if change:
            self._recorder.log_change(one, "its settings were changed, and it is submitted again", reason=change)
            self._retry(one)

    def _was_not_reached(self, one: JobInRun, status: JobStatus) -> bool:
        """Whether its pack ended before its turn came; a job to which that happens again and again fails."""
        entry = self._recorder.entry(one)
        is_cancelled = entry is not None and entry.cancelled
        return status.reason == NOT_REACHED and not is_cancelled and one.not_reached < _MOST_NOT_REACHED

    def _sweep(self, one: JobInRun) -> None:
        """Ends the processes that a job may have left whose script could not write its outcome."""
        try:
            self._executor.cancel([one.job_id] if one.job_id else [])
        except ExecutorError as error:
            message = f"remaining processes of {one.job.name} could not be ended"
            self._recorder.log("WARNING", message, explanation=str(error))

    def cancel_all(self) -> None:
        """Cancels the jobs in flight; kills them if a further signal arrives meanwhile.

        The intention is recorded first: a job that survives is found again, and not taken for a failure.

        Raises:
            TunebookError: the executor could not be asked, or its plug-in is broken.
            OSError: the intention could not be recorded; the jobs were cancelled all the same.
        """
        flying = self._jobs.in_flight()
        unrecorded = self._record_cancelling(flying)
        self._find([one for one in flying if not one.job_id or one.job.name in self._adopting])
        ids = [one.job_id for one in flying if one.job_id]
        try:
            with interruptible():
                self._executor.cancel(ids)
        except KeyboardInterrupt:
            self._executor.cancel(ids, at_once=True)
        statuses = self._executor.poll(ids)
        for one in flying:
            status = statuses.get(one.job_id, JobStatus(JobState.UNKNOWN))
            if not status.state.is_going:
                self.finish(one, status)
        if unrecorded is not None:
            raise unrecorded

    def _record_cancelling(self, jobs: Sequence[JobInRun]) -> OSError | None:
        """Records the cancelling of these jobs in advance; returns the error if that is impossible."""
        if not jobs:
            return None
        try:
            self._recorder.record(jobs, EventKind.CANCELLED)
            for one in jobs:
                self._recorder.log_tool(one.job.tool, "CANCEL_JOB", one.job.name, details=f"job {one.job_id or '-'}")
        except OSError as error:
            return error
        return None

    def _find(self, jobs: Sequence[JobInRun]) -> Mapping[str, Submitted]:
        """Gives the jobs that the executor knows its ids, and returns them by tag."""
        if not jobs:
            return {}
        found = self._executor.find([self._jobs.submission(one) for one in jobs])
        for one in jobs:
            if one.tag in found:
                one.locate(found[one.tag])
        return found


def _names(batch: Batch) -> frozenset[str]:
    return frozenset(member.job.name for member in batch.members)
