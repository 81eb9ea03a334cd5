"""Writes a crate: copies every file once, without secrets, and at last the records and the description of all."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tunebook.core.paths import ARCHIVE_RECORD, MANIFEST
from tunebook.core.secrets import REMOVED, secret_pattern
from tunebook.crate.actions import add_actions
from tunebook.crate.contents import files_of, place_of_output
from tunebook.crate.graph import METADATA, Graph
from tunebook.crate.left_out import left_out_of
from tunebook.crate.values import Content, CrateFile, CrateOptions, ExportedExperiment, Findings, Kind
from tunebook.disk.archive_output import ArchiveOutput, archive_output
from tunebook.disk.archive_record import ArchiveRecord, archive_text
from tunebook.disk.copied import PACKED, file_pieces, has_match, without_matches
from tunebook.disk.digests import file_digest
from tunebook.disk.manifest import Manifest, manifest_text, read_manifest
from tunebook.errors import VerificationError

__all__ = ["write_crate"]

_BEGINNING = 1 << 13  # bytes, in which a file that is not text has a zero
_MOST_SEARCHED = 1 << 24
"""Bytes of a file of a checkpoint: what trainers pickle beside the weights may hold their settings, with a token."""
_OF_SAMPLES = frozenset({Kind.EVALUATION, Kind.REPORT, Kind.DATA, Kind.OTHER})
"""Kinds of files with texts of data, models or persons: an address with a password may be an example there."""


def write_crate(
    experiment: ExportedExperiment,
    target: Path,
    options: CrateOptions,
    *,
    secrets: frozenset[str],
    overwrite: Callable[[Path], object] | None,
    progress: Callable[[int], object] = lambda _: None,
) -> tuple[Content, Findings]:
    """Writes the crate, and returns what is in it and what a person should know.

    Args:
        secrets: texts that no file of the crate may contain; tokens of known forms are recognized without them.
        overwrite: called before an earlier archive of this name is replaced; it raises an error for anything else.
        progress: gets the number of files so far.

    Raises:
        LinkError: a symbolic link leads out of the experiment.
        VerificationError: a file that cannot be changed contains a secret.
        ConflictError: the target exists, and ``overwrite`` is not given.
        OSError: a file cannot be read or written.
    """
    with archive_output(target, overwrite=overwrite) as output:
        writer = _Writer(experiment, output, secrets)
        for number, file in enumerate(files_of(experiment, options, writer.findings), start=1):
            writer.copy(file)
            progress(number)
        writer.find_left_out(options)
        writer.describe(options)
        return writer.content, writer.findings


class _Writer:
    def __init__(self, experiment: ExportedExperiment, output: ArchiveOutput, secrets: frozenset[str]) -> None:
        self._experiment = experiment
        self._output = output
        self._pattern = secret_pattern(secrets)
        self._own_pattern = secret_pattern(secrets, logins=True)
        self._graph = Graph(experiment.plan, description=_description(experiment), written=experiment.written)
        self._kinds: Counter[Kind] = Counter()
        self._size = 0
        self._digests: dict[str, str] = {}  # of the files that differ from their sources
        self.findings = Findings()

    @property
    def content(self) -> Content:
        """The content that was written so far."""
        return Content(self._kinds.total(), self._size, dict(self._kinds))

    def copy(self, file: CrateFile) -> None:
        """Copies a file; in a text, secrets are replaced."""
        try:
            status = os.stat(file.source)  # noqa: PTH116
            is_text = _is_text(file.source)
            if not is_text:
                self._refuse_secret(file, status.st_size)
        except FileNotFoundError:
            self.findings.vanished.append(file.path)
            return
        number = 0

        def count(found: int) -> None:
            nonlocal number
            number += found

        pieces = file_pieces(file.source)
        if is_text:
            pattern = self._pattern if file.kind in _OF_SAMPLES else self._own_pattern
            pieces = without_matches(pieces, pattern, count)
        copied = self._output.add(file.path, pieces, modified_s=status.st_mtime)
        if number:
            self.findings.redacted.append(file.path)
            self._digests[file.path] = copied.sha256
        self._count(file.kind, copied.size)
        self._graph.add_file(file, copied)

    def _refuse_secret(self, file: CrateFile, size: int) -> None:
        if file.kind is Kind.WEIGHTS and size > _MOST_SEARCHED:
            return
        found = has_match(file.source, self._pattern)
        if found is None:
            self.findings.unsearched.append(file.path)
        elif found:
            hint = "revoke the token; then evaluate again without it, or move the file out of the experiment"
            message = "contains a token or a password, and tunebook cannot take it out of such a file"
            raise VerificationError(message, file=file.source, hint=hint)

    def _count(self, kind: Kind, size: int) -> None:
        self._kinds[kind] += 1
        self._size += size

    def find_left_out(self, options: CrateOptions) -> None:
        """Records what is not in the crate; a person may have asked for a data set by its name."""
        for item in left_out_of(self._experiment, options):
            if self._graph.reference(_place(self._experiment, item.kind, item.path)) is None:
                self.findings.left_out.append(item)

    def describe(self, options: CrateOptions) -> None:
        """Writes what no file of the experiment says as it is in the crate."""
        experiment = self._experiment
        if experiment.jobs:
            self._add(MANIFEST, manifest_text(experiment.directory, self._manifest()))
        record = ArchiveRecord(
            experiment.written,
            tuple(experiment.ends.values()),
            tuple(self.findings.left_out),
            tuple(self.findings.redacted),
        )
        self._add(ARCHIVE_RECORD, archive_text(record))
        for run in experiment.plan.runs:
            folder = experiment.directories[run.name]
            if (experiment.directory / folder).is_dir():
                self._graph.add_run(experiment.plan, run, folder)
        if options.weights:
            self._add_checkpoints()
        for item in self.findings.left_out:
            self._graph.add_left_out(item, _place(experiment, item.kind, item.path))
        add_actions(self._graph, experiment)
        pieces = without_matches(self._graph.pieces(), self._own_pattern, lambda _: None)
        self._output.add(METADATA, pieces, modified_s=time.time())

    def _add(self, path: str, text: str) -> None:
        """Adds a text that was made for the crate."""
        content = self._own_pattern.sub(REMOVED, text.encode("utf-8", "surrogateescape"))
        copied = self._output.add(path, iter((content,)), modified_s=time.time())
        self._count(Kind.RECORD, copied.size)
        self._graph.add_file(CrateFile(path, f"{self._experiment.root}/{path}", Kind.RECORD), copied)

    def _manifest(self) -> Manifest:
        """The manifest with every result inside the crate; a script without its secrets is still as generated."""
        experiment = self._experiment
        known = read_manifest(experiment.directory)
        generated = dict(known.generated)
        for path, changed in self._digests.items():
            if path in generated and file_digest(f"{experiment.root}/{path}") in generated[path]:
                generated[path] = (*generated[path], changed)
        jobs = []
        for job in experiment.jobs:
            metrics = job.metrics and place_of_output(experiment, job, job.metrics)
            checkpoints = tuple(place_of_output(experiment, job, path) for path in job.checkpoints)
            jobs.append(replace(job, metrics=metrics, checkpoints=checkpoints))
        return Manifest(generated, tuple(jobs))

    def _add_checkpoints(self) -> None:
        experiment = self._experiment
        for job in experiment.jobs:
            for path in job.checkpoints:
                if os.path.isdir(path):  # noqa: PTH112
                    place = place_of_output(experiment, job, path)
                    self._graph.add_folder(place, f"Checkpoint of {job.run}", "a checkpoint", source=path)


def _is_text(path: str) -> bool:
    for piece in file_pieces(path):
        return b"\0" not in piece[:_BEGINNING] and not piece.startswith((b"PK", *PACKED))
    return True


def _place(experiment: ExportedExperiment, kind: str, path: str) -> str:
    """The absolute path of what is left out; models and data sets are named as the plan does."""
    known = {"model": experiment.models, "data": experiment.data}.get(kind, {})
    return str(known.get(path, path))


def _description(experiment: ExportedExperiment) -> str:
    plan = experiment.plan
    parts = [plan.question or plan.kind or f"The experiment {plan.name}."]
    unfinished = sum(end.state.value != "completed" for end in experiment.ends.values())
    parts.append(f"{len(plan.runs)} runs of language models, fine-tuned and evaluated with tunebook.")
    if unfinished:
        parts.append(f"{unfinished} of {len(experiment.ends)} jobs were not completed when this was exported.")
    return " ".join(parts)
