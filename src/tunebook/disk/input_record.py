"""``.tunebook/inputs.jsonl``: the inputs with which jobs were submitted, so that a later change can be described."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tunebook.core.input_digests import UNREADABLE, InputDigests
from tunebook.core.jobs import Job
from tunebook.core.paths import INPUTS
from tunebook.disk.append import append_lines
from tunebook.disk.inputs import InputReader
from tunebook.disk.json_lines import read_documents
from tunebook.disk.schema import head_line, is_head

__all__ = ["InputRecord", "RecordedInput"]

_FORMAT = 1
_HEAD = head_line(_FORMAT)
_SAME_IN_ALL = "\n# ---- the same in every script"
"""Below this line of a script there are commands, which no setting changes."""


@dataclass(frozen=True)
class RecordedInput:
    """An input as it was when a job was submitted.

    Attributes:
        path: as the job named it.
        text: what its digest was made of, without the commands of scripts; empty for a data file.
    """

    path: str
    text: str = ""


class InputRecord:
    """The inputs of earlier submissions by their digests; read when it is first needed, and only appended to."""

    def __init__(self, experiment: Path, reader: InputReader) -> None:
        self._experiment = experiment
        self._path = experiment / INPUTS
        self._reader = reader
        self._known: dict[str, RecordedInput] | None = None

    def add(self, pairs: Sequence[tuple[Job, InputDigests]]) -> None:
        """Records the inputs of jobs that are about to be submitted, each content once.

        Raises:
            OSError: the record cannot be written.
        """
        known = self._entries()
        lines: list[str] = []
        for job, digests in pairs:
            for number, digest in enumerate(digests.contents):
                if digest == UNREADABLE or digest in known:
                    continue
                known[digest] = RecordedInput(job.inputs[number], self.text(job, number))
                lines.append(json.dumps({"sha256": digest, **vars(known[digest])}) + "\n")
        if lines:
            append_lines(self._path, "".join(lines).encode(), within=self._experiment, head=_HEAD)

    def get(self, digest: str) -> RecordedInput | None:
        """What was recorded for a digest."""
        return self._entries().get(digest)

    def text(self, job: Job, number: int) -> str:
        """What an input's digest is made of today; empty for a data file, and if it cannot be read."""
        try:
            material = self._reader.material(job, number)
        except OSError:
            return ""
        text = (material or b"").decode("utf-8", "replace")
        if job.inputs[number] == job.script:
            text = text.partition(_SAME_IN_ALL)[0]
        return text

    def _entries(self) -> dict[str, RecordedInput]:
        if self._known is None:
            self._known = _read(self._path)
        return self._known


def _read(path: Path) -> dict[str, RecordedInput]:
    known: dict[str, RecordedInput] = {}
    for document in read_documents(path):
        if is_head(document, _FORMAT, INPUTS):
            continue
        with suppress(KeyError, TypeError):  # a line of another form
            known[document["sha256"]] = RecordedInput(str(document["path"]), str(document["text"]))
    return known
