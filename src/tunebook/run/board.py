"""All jobs of a run: which are to be done, which may start now, and which wait for what will not come."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from tunebook.core.job import JobState, Stage
from tunebook.disk.ledger import LedgerEntry
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
            job.name: Track(job, job.name in selected, survey.evidence[job.name], survey.verdicts[job.name])
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

    def ready(self) -> list[Track]:
        """The jobs that may start now: evaluations first, since what they need is done."""
        ready = [track for track in self.tracks.values() if self._is_wanted(track) and self._has_all(track)]
        return sorted(ready, key=lambda track: track.job.stage is not Stage.EVALUATION)

    def not_retried(self) -> Iterator[Track]:
        """The jobs that failed in an earlier run, and are left alone."""
        for track in self.tracks.values():
            failed = track.verdict.state is JobState.FAILED and not track.verdict.rerun
            if track.selected and failed and not (track.in_flight or track.submitted_here or track.watched):
                yield track

    def _is_wanted(self, track: Track) -> bool:
        if not track.selected or track.in_flight or track.submitted_here:
            return False
        verdict = track.verdict
        if verdict.state is JobState.FAILED:
            return not track.watched and (verdict.rerun or self._retry_failed)
        return verdict.state is JobState.PENDING and verdict.rerun

    def _has_all(self, track: Track) -> bool:
        needs = [self.tracks[need] for need in track.job.needs]
        return all(need.verdict.state is JobState.COMPLETED and not need.in_flight for need in needs)

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
        if need.verdict.state is JobState.FAILED:
            return "training failed" if need.job.stage is Stage.PREPARATION else f"{need.job.name} failed"
        return f"waits for {need.job.name}, which is not asked for" if not need.selected else "its training is not done"
