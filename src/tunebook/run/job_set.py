"""All jobs of a run: finds those that may start now, and those that wait for a job that will not complete."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from tunebook.core.jobs import JobState, Stage
from tunebook.disk.ledger import LedgerEntry
from tunebook.executors.base import Need, Submission
from tunebook.run.gather import Survey
from tunebook.run.job_state import JobInRun, Phase
from tunebook.run.report import JobReport

__all__ = ["JobSet"]


class JobSet:
    """The jobs by name, each behind those that it needs.

    Args:
        selected: the names of the jobs that the person asked for.
        retry_failed: whether failures of earlier runs are submitted again.
    """

    def __init__(self, survey: Survey, experiment: Path, selected: frozenset[str], *, retry_failed: bool) -> None:
        self._experiment = experiment
        self._retry_failed = retry_failed
        self.records = survey.records
        self._dependents: dict[str, list[JobInRun]] = {}
        self.by_name: dict[str, JobInRun] = {}
        for job in survey.jobs:
            evidence, verdict = survey.evidence[job.name], survey.verdicts[job.name]
            one = JobInRun(job, experiment, job.name in selected, evidence, verdict)
            one.learn(evidence, verdict)
            self.by_name[job.name] = one
            for need in job.needs:
                self._dependents.setdefault(need, []).append(one)

    def in_flight(self) -> list[JobInRun]:
        """The jobs that the executor has."""
        return [one for one in self.by_name.values() if one.in_flight]

    def waiting(self, *, held: bool) -> list[JobInRun]:
        """The jobs that may be submitted now.

        Evaluations come first, since the jobs that they need are completed. If the executor holds jobs until others
        are completed (``held``), jobs behind those that it has come last.
        """
        evaluations: list[JobInRun] = []
        trainings: list[JobInRun] = []
        dependent: list[JobInRun] = []
        for one in self.by_name.values():
            if not self.is_wanted(one):
                continue
            if not self._has_all(one):
                if held and self._is_coming(one):
                    dependent.append(one)
            elif one.job.stage is Stage.EVALUATION:
                evaluations.append(one)
            else:
                trainings.append(one)
        return [*evaluations, *trainings, *dependent]

    def submission(self, one: JobInRun) -> Submission:
        """Returns the job as an executor gets it."""
        awaited = [need for need in self._needs(one) if need.in_flight]
        return Submission(
            one.job,
            self._experiment,
            one.tag,
            after=tuple(need.job_id for need in awaited),
            needs=tuple(Need(str(self._experiment / need.job.outcome), need.tag) for need in awaited),
            resume=one.may_resume,
            job_id=one.job_id,
        )

    def not_retried(self) -> Iterator[JobInRun]:
        """The jobs that failed in an earlier run, and are left alone."""
        for one in self.by_name.values():
            if one.selected and one.has_failed and not one.verdict.rerun and one.phase is Phase.IDLE:
                yield one

    def _needs(self, one: JobInRun) -> list[JobInRun]:
        return [self.by_name[name] for name in one.job.needs]

    def is_wanted(self, one: JobInRun) -> bool:
        """Whether this run submits the job once those that it needs are completed."""
        if not one.selected or one.phase not in {Phase.IDLE, Phase.SEEN_ENDING}:
            return False
        if one.has_failed:
            return one.phase is Phase.IDLE and (one.verdict.rerun or self._retry_failed)
        return one.verdict.state is JobState.PENDING and one.verdict.rerun

    def _has_all(self, one: JobInRun) -> bool:
        return all(need.is_completed for need in self._needs(one))

    def _is_coming(self, one: JobInRun) -> bool:
        """Whether each job that it needs is completed or in the executor's hands, and at least one is there.

        A job that the executor did not know, or that has ended without a trace, is in nobody's hands: a job that is
        submitted behind it might start at once.
        """
        there = 0
        for need in self._needs(one):
            if need.in_flight and need.job_id and not need.misses:
                there += 1
            elif not need.is_completed:
                return False
        return there > 0

    def has_failed_need(self, one: JobInRun) -> bool:
        """Whether a job that it needs has failed, or nobody knows how that job ended."""
        return any(need.has_failed and not need.in_flight for need in self._needs(one))

    def look_again(self, one: JobInRun, entry: LedgerEntry | None) -> None:
        """Reads again what was recorded of a job, and judges it and all jobs that need it."""
        evidence = self.records.gather(one.job, entry)
        needs = [(need.evidence, need.verdict) for need in self._needs(one)]
        one.learn(evidence, self.records.judge(one.job, evidence, needs))
        for dependent in self._dependents.get(one.job.name, ()):
            if not dependent.in_flight:
                self.look_again(dependent, dependent.evidence.entry)

    def reports(self) -> tuple[JobReport, ...]:
        """Every job as a value; jobs that cannot start in this run name the reason."""
        blocked: dict[str, str] = {}
        for name, one in self.by_name.items():
            if one.phase in {Phase.IDLE, Phase.SEEN_ENDING}:
                one.note = ""
            if self.is_wanted(one) and not self._has_all(one):
                blocked[name] = self._first_obstacle(one, blocked)
                one.note = blocked[name]
        return tuple(one.report() for one in self.by_name.values())

    def lasting_obstacle(self, one: JobInRun) -> str:
        """Returns why the jobs that it needs will not complete in this run; empty if they may."""
        for name in one.job.needs:
            need = self.by_name[name]
            if need.verdict.ask or need.is_completed:
                continue
            reason = self.lasting_obstacle(need)
            if not self.is_wanted(need):
                reason = self._obstacle(need, {})
            if reason:
                return reason
        return ""

    def _first_obstacle(self, one: JobInRun, blocked: Mapping[str, str]) -> str:
        for need in self._needs(one):
            reason = self._obstacle(need, blocked)
            if reason:
                return reason
        return ""

    def _obstacle(self, need: JobInRun, blocked: Mapping[str, str]) -> str:
        """Returns why a needed job will not complete in this run; empty if it is completed or still may be."""
        if need.in_flight or need.is_completed:
            return ""
        if self.is_wanted(need):
            return blocked.get(need.job.name, "")
        if need.verdict.state is JobState.UNKNOWN:
            return f"nobody knows how {need.job.name} ended"
        if need.verdict.state is JobState.FAILED:
            return "training failed" if need.job.stage is Stage.PREPARATION else f"{need.job.name} failed"
        if not need.selected:
            return f"waits for {need.job.name}, which was not selected"
        return "its training is not completed"
