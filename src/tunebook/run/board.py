"""All jobs of a run: which are to be done, which may start now, and which wait for what will not come."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from tunebook.core.jobs import JobState, Stage
from tunebook.disk.ledger import LedgerEntry
from tunebook.executors.base import Submission
from tunebook.run.evidence import Survey, gather
from tunebook.run.report import JobReport
from tunebook.run.state import judge
from tunebook.run.track import Track

__all__ = ["Board"]


class Board:
    """The jobs by name, each behind those that it needs.

    Args:
        survey: what was written down of them.
        experiment: the experiment's directory.
        selected: the names of those that are asked for.
        retry_failed: whether failures of earlier runs are done again.
    """

    def __init__(self, survey: Survey, experiment: Path, selected: frozenset[str], *, retry_failed: bool) -> None:
        self._experiment = experiment
        self._retry_failed = retry_failed
        self.tracks: Mapping[str, Track] = {
            job.name: Track(job, experiment, job.name in selected, survey.evidence[job.name], survey.verdicts[job.name])
            for job in survey.jobs
        }
        self._dependents: dict[str, list[Track]] = {}
        for track in self.tracks.values():
            track.learn(track.evidence, track.verdict)
            for need in track.job.needs:
                self._dependents.setdefault(need, []).append(track)

    def in_flight(self) -> list[Track]:
        """The jobs that the executor has."""
        return [track for track in self.tracks.values() if track.in_flight]

    def waiting(self, *, held: bool) -> list[Track]:
        """The jobs that may be submitted now.

        Evaluations come first, since what they need is done; last, if the executor has jobs ``held`` until others are
        completed, come those that need a job which it has.
        """
        wanted = [track for track in self.tracks.values() if self._is_wanted(track)]
        ready = [track for track in wanted if self._has_all(track)]
        ready.sort(key=lambda track: track.job.stage is not Stage.EVALUATION)
        return ready + [track for track in wanted if held and self._is_coming(track)]

    def submission(self, track: Track) -> Submission:
        """The job as an executor is given it."""
        after = [need.job_id for name in track.job.needs if (need := self.tracks[name]).in_flight]
        return Submission(track.job, self._experiment, track.tag, tuple(after), track.may_resume)

    def not_retried(self) -> Iterator[Track]:
        """The jobs that failed in an earlier run, and are left alone."""
        for track in self.tracks.values():
            ended = track.verdict.state in {JobState.FAILED, JobState.UNKNOWN}
            failed = ended and not track.verdict.rerun
            if track.selected and failed and not (track.in_flight or track.submitted_here or track.watched):
                yield track

    def _is_wanted(self, track: Track) -> bool:
        if not track.selected or track.in_flight or track.submitted_here:
            return False
        verdict = track.verdict
        if verdict.state in {JobState.FAILED, JobState.UNKNOWN}:
            return not track.watched and (verdict.rerun or self._retry_failed)
        return verdict.state is JobState.PENDING and verdict.rerun

    def _has_all(self, track: Track) -> bool:
        needs = [self.tracks[need] for need in track.job.needs]
        return all(need.verdict.state is JobState.COMPLETED and not need.in_flight for need in needs)

    def _is_coming(self, track: Track) -> bool:
        """Whether all that it needs is done or in the executor's hands, and something is in those.

        A job that the executor did not know, or that has ended without a trace, is in nobody's hands: what is submitted
        behind it might start at once.
        """
        needs = [self.tracks[need] for need in track.job.needs]
        there = [need.in_flight and bool(need.job_id) and not need.misses for need in needs]
        done = [need.verdict.state is JobState.COMPLETED and not need.in_flight for need in needs]
        return any(there) and all(one or other for one, other in zip(there, done, strict=True))

    def has_failed_need(self, track: Track) -> bool:
        """Whether something that it needs has failed, or is gone."""
        needs = [self.tracks[need] for need in track.job.needs]
        lost = {JobState.FAILED, JobState.UNKNOWN}
        return any(need.verdict.state in lost and not need.in_flight for need in needs)

    def look_again(self, track: Track, entry: LedgerEntry | None) -> None:
        """Reads anew what was written down of a job, and judges it and all that need it."""
        self._judge(track, entry)
        for dependent in self._dependents.get(track.job.name, ()):
            if not dependent.in_flight:
                self.look_again(dependent, dependent.evidence.entry)

    def _judge(self, track: Track, entry: LedgerEntry | None) -> None:
        evidence = gather(track.job, self._experiment, entry)
        needs = [self.tracks[need] for need in track.job.needs]
        track.learn(evidence, judge(track.job, evidence, [(need.evidence, need.verdict) for need in needs]))

    def reports(self) -> tuple[JobReport, ...]:
        """Every job as a value; those that wait in vain say what for."""
        hopeless: dict[str, str] = {}
        for name, track in self.tracks.items():
            track.note = track.note if track.in_flight or track.submitted_here else ""
            if self._is_wanted(track) and not self._has_all(track):
                reasons = (self._hopeless(self.tracks[need], hopeless) for need in track.job.needs)
                hopeless[name] = next((reason for reason in reasons if reason), "")
                track.note = hopeless[name]
        return tuple(track.report() for track in self.tracks.values())

    def _hopeless(self, need: Track, hopeless: Mapping[str, str]) -> str:
        """Why what is needed will not be done in this run; empty if it is done or may yet be."""
        if need.in_flight or (need.verdict.state is JobState.COMPLETED):
            return ""
        if self._is_wanted(need):
            return hopeless.get(need.job.name, "")
        if need.verdict.state is JobState.UNKNOWN:
            return f"nobody knows how {need.job.name} ended"
        if need.verdict.state is JobState.FAILED:
            return "training failed" if need.job.stage is Stage.PREPARATION else f"{need.job.name} failed"
        return f"waits for {need.job.name}, which is not asked for" if not need.selected else "its training is not done"
