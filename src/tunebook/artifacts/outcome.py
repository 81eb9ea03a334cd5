"""Reads the outcome file that every job's script writes when it ends."""

from __future__ import annotations

import os
from dataclasses import dataclass

from tunebook.artifacts.text_files import MOST_DOCUMENT_BYTES
from tunebook.artifacts.times import elapsed_s
from tunebook.core.input_digests import InputDigests
from tunebook.core.json_text import UNFIT, parse_json
from tunebook.disk.read import is_no_file, read_text

__all__ = ["Outcome", "parse_outcome", "read_outcome"]

_NOT_RECORDED = InputDigests()


@dataclass(frozen=True)
class Outcome:
    """How a job's script ended.

    Attributes:
        tag: the submission that the script belongs to; empty if it was started by hand.
        started: ISO 8601 with the time zone; so is ``ended``.
        inputs: the digests of the job's inputs as they were when the script started.
    """

    exit_code: int
    started: str
    ended: str
    host: str
    tag: str = ""
    inputs: InputDigests = _NOT_RECORDED

    @property
    def elapsed_s(self) -> float | None:
        """Wall seconds from start to end; ``None`` if they are not known."""
        return elapsed_s(self.started, self.ended)


def read_outcome(path: str | os.PathLike[str]) -> Outcome | None:
    """Reads an outcome file; ``None`` if it is missing or no such file: then the job's end is unknown.

    Raises:
        OSError: it cannot be read now: a job may have ended.
    """
    try:
        text = read_text(path, most=MOST_DOCUMENT_BYTES)
    except OSError as error:
        if is_no_file(error):
            return None
        raise
    return None if text is None else parse_outcome(text)


def parse_outcome(text: str) -> Outcome | None:
    """Reads the text of an outcome file; ``None`` if it is not an outcome."""
    try:
        document = parse_json(text)
        return Outcome(
            exit_code=int(document["exit_code"]),
            started=str(document["started"]),
            ended=str(document["ended"]),
            host=str(document["host"]),
            tag=str(document.get("tag", "")),
            inputs=InputDigests(_texts(document.get("inputs")), _texts(document.get("places"))),
        )
    except UNFIT:
        return None


def _texts(values: object) -> tuple[str, ...]:
    return tuple(map(str, values)) if isinstance(values, list) else ()
