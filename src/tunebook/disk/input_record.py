"""``.tunebook/inputs.jsonl``: the inputs with which jobs were submitted, so that a later change can be described."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tunebook.core.input_digests import UNREADABLE, InputDigests
from tunebook.core.jobs import Job
from tunebook.core.paths import INPUTS
from tunebook.disk.inputs import InputReader
from tunebook.disk.json_lines import KeyedDocuments
from tunebook.disk.schema import LineSchema

__all__ = ["InputRecord", "RecordedInput"]

_SCHEMA = LineSchema(INPUTS, version=1)
_LONGEST_TEXT = 1 << 21  # bytes; nobody reads the differences of longer ones
_SAME_IN_ALL = "\n# ---- the same in every script"
"""Below this line of a script there are commands, which no setting changes."""


@dataclass(frozen=True)
class RecordedInput:
    """An input as it was when a job was submitted.

    Attributes:
        path: as the job named it.
        text: what its digest was made of, without the commands of scripts; empty for a data file and a long text.
    """

    path: str
    text: str = ""


class InputRecord:
    """The inputs of earlier submissions by their digests; only appended to."""

    def __init__(self, experiment: Path, reader: InputReader) -> None:
        self._documents = KeyedDocuments(experiment, _SCHEMA, "sha256")
        self._reader = reader

    def add(self, pairs: Sequence[tuple[Job, InputDigests]]) -> None:
        """Records the inputs of jobs that are about to be submitted, each content once.

        Raises:
            OSError: the record cannot be written.
        """
        new: dict[str, tuple[Job, int]] = {}
        for job, digests in pairs:
            for number, digest in enumerate(digests.contents):
                if digest != UNREADABLE and digest not in self._documents:
                    new.setdefault(digest, (job, number))
        if new:
            self._documents.append(self._document(digest, *place) for digest, place in new.items())

    def _document(self, digest: str, job: Job, number: int) -> dict[str, str]:
        return {"sha256": digest, "path": job.inputs[number], "text": self.text(job, number)}

    def get(self, digest: str) -> RecordedInput | None:
        """The input that was recorded for a digest."""
        document = self._documents.get(digest)
        if document is None or "path" not in document or "text" not in document:
            return None
        return RecordedInput(str(document["path"]), str(document["text"]))

    def text(self, job: Job, number: int) -> str:
        """The text of today's digest of an input; empty for a data file, a long text, and if it cannot be read."""
        try:
            material = self._reader.material(job, number)
        except OSError:
            return ""
        if material is None or len(material) > _LONGEST_TEXT:
            return ""
        text = material.decode("utf-8", "replace")
        if job.inputs[number] == job.script:
            text = text.partition(_SAME_IN_ALL)[0]
        return text
