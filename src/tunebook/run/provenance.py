"""Writes ``provenance.json`` into each run's directory: how every result of the run came about."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tunebook.artifacts.outcome import Outcome
from tunebook.artifacts.text_files import read_document
from tunebook.artifacts.versions import read_versions, versions_file
from tunebook.core.input_digests import InputDigests
from tunebook.core.jobs import Job, Stage
from tunebook.core.paths import PROOF, PROVENANCE
from tunebook.disk.atomic import write_text
from tunebook.disk.git import Commit, read_commit
from tunebook.disk.ledger import LedgerEntry
from tunebook.disk.schema import Schema
from tunebook.disk.submissions import SubmissionFacts, SubmissionRecord
from tunebook.run.job_state import JobInRun

__all__ = ["SCHEMA", "ProvenanceWriter", "Settings"]

SCHEMA = Schema(PROVENANCE, version=1, key="schema")
Settings = Callable[[Collection[str]], Mapping[str, Sequence[Mapping[str, str]]]]
"""Gets names of runs, and returns the settings in effect of each, with their sources."""
_KINDS = ("text", "data", "model")
_NOT_OF = {Stage.PREPARATION: "evaluation", Stage.EVALUATION: "preparation"}


class ProvenanceWriter:
    """Collects at each submission what is known only then, and writes the record of the run when a job ends.

    Args:
        settings: asked once for each run, when its first job is submitted.
    """

    def __init__(self, experiment: Path, settings: Settings | None) -> None:
        self._experiment = experiment
        self._settings = settings
        self._submissions = SubmissionRecord(experiment)
        self._commit: tuple[Commit | None] | None = None
        self._known: dict[str, Sequence[Mapping[str, str]]] = {}

    def submitting(self, jobs: Sequence[JobInRun]) -> None:
        """Records commit and settings of jobs that are about to be submitted.

        Raises:
            OSError: they cannot be written.
        """
        self._ask_settings({one.job.run for one in jobs})
        if self._commit is None:
            self._commit = (read_commit(self._experiment),)
        facts: list[tuple[str, SubmissionFacts]] = []
        for one in jobs:
            own = tuple(_settings_of(one.job, self._known.get(one.job.run, ())))
            facts.append((one.tag, SubmissionFacts(self._commit[0], own)))
        self._submissions.add(facts)

    def _ask_settings(self, runs: Collection[str]) -> None:
        missing = [run for run in runs if run not in self._known]
        if missing and self._settings is not None:
            self._known |= self._settings(missing)

    def ended(self, one: JobInRun) -> None:
        """Writes how the job's result came about into the record of its run, in place of an earlier result.

        Raises:
            LinkError: a symbolic link leads out of the experiment.
            NewerFormatError: a newer tunebook wrote the record.
            OSError: the record cannot be written.
        """
        job = one.job
        path = self._path(job)
        document = _read_record(path) or {SCHEMA.key: SCHEMA.version, "run": job.run, "jobs": {}}
        document = SCHEMA.upgraded(document, file=str(path.relative_to(self._experiment)))
        document["jobs"][job.name] = self._entry(one)
        text = json.dumps(document, ensure_ascii=False, indent=1) + "\n"
        write_text(path, text, within=self._experiment)

    def lacks(self, one: JobInRun) -> bool:
        """Whether a script that a person started has ended, and the record of its run does not have that."""
        outcome = one.evidence.own_outcome
        if outcome is None or outcome.tag:
            return False
        document = _read_record(self._path(one.job)) or {}
        known = document.get("jobs", {}).get(one.job.name, {})
        return (known.get("tag"), known.get("ended")) != ("", outcome.ended)

    def _path(self, job: Job) -> Path:
        return self._experiment / job.directory.partition("/")[0] / PROVENANCE

    def _entry(self, one: JobInRun) -> dict[str, Any]:
        """The record of the job's latest result, and of the submission that it belongs to."""
        job, outcome = one.job, one.evidence.own_outcome
        tag, digests = one.tag, InputDigests()
        if outcome is not None:
            tag, digests = outcome.tag, outcome.inputs
        submission = one.evidence.entry
        if submission is not None and submission.last.tag != tag:
            submission = None  # a person started the script
        if not digests and submission is not None:
            digests = submission.inputs
        return {
            "stage": job.stage.value,
            "task": job.task,
            "epoch": job.epoch,
            "state": one.verdict.state.value,
            "reason": one.verdict.reason,
            **_of_submission(submission),
            "tag": tag,
            "started": one.started or None,
            "ended": one.ended or None,
            **_of_outcome(outcome),
            "inputs": list(_inputs(job, digests)),
            **(self._submissions.get(tag) or SubmissionFacts()).document,
            "versions": read_versions(self._experiment / versions_file(job.outcome)),
            "deviation": one.evidence.deviation or None,
            **self._of_results(job),
        }

    def _of_results(self, job: Job) -> dict[str, Any]:
        """An evaluation's result, and a training's proof."""
        found = {"result": None, "proof": None}
        if job.result:
            found["result"] = _read(self._experiment / job.result)
        if job.metrics:
            found["proof"] = _read(Path(job.metrics).with_name(PROOF))
        return found


def _of_submission(entry: LedgerEntry | None) -> dict[str, Any]:
    if entry is None:
        return {"submitted": None, "executor": None, "job_id": None}
    return {"submitted": entry.submitted, "executor": entry.last.executor, "job_id": entry.last.job_id}


def _of_outcome(outcome: Outcome | None) -> dict[str, Any]:
    if outcome is None:
        return {"host": None, "exit_code": None}
    return {"host": outcome.host, "exit_code": outcome.exit_code}


def _settings_of(job: Job, settings: Sequence[Mapping[str, str]]) -> Iterator[Mapping[str, str]]:
    """The settings without those of the other stage."""
    other = _NOT_OF[job.stage]
    for setting in settings:
        if other not in setting["group"]:
            yield setting


def _inputs(job: Job, digests: InputDigests) -> Iterator[dict[str, str]]:
    numbers = (len(job.texts), len(job.data), len(job.models))
    kinds = [kind for kind, number in zip(_KINDS, numbers, strict=True) for _ in range(number)]
    for number, (kind, path) in enumerate(zip(kinds, job.inputs, strict=True)):
        digest = digests.contents[number] if number < len(digests.contents) else ""
        yield {"kind": kind, "path": path, "sha256": digest}


def _read(path: Path) -> Any:
    """A document that a job left, as it is; ``None`` if it is missing or unreadable."""
    try:
        return read_document(path)
    except (OSError, ValueError):
        return None


def _read_record(path: Path) -> Any:
    """The record; ``None`` if it is missing, unreadable or of another form."""
    document = _read(path)
    is_record = isinstance(document, dict) and isinstance(document.get("jobs"), dict) and SCHEMA.key in document
    return document if is_record else None
