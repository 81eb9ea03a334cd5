"""The digests of a job's inputs as a value: compares those that a job ran with and those of today."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from tunebook.core.jobs import Job

__all__ = ["UNREADABLE", "InputDigests", "changed_inputs", "digests_from_word"]

UNREADABLE = "-"
"""What scripts write in place of the digest of an input that they could not read."""


@dataclass(frozen=True)
class InputDigests:
    """The digests of all inputs of one job; false if none were recorded.

    Attributes:
        contents: the SHA-256 of each input, in the order of ``Job.inputs``; ``-`` for one that could not be read.
        places: the SHA-256 of the path of each data set and model, as the job names it. Where a content could not be
            read, another place is taken for another content.
    """

    contents: tuple[str, ...] = ()
    places: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.contents)

    @property
    def word(self) -> str:
        """All digests as one word, for the ledger; :func:`digests_from_word` reads it."""
        return ":".join((",".join(self.contents), ",".join(self.places)))

    @property
    def combined(self) -> str:
        """One digest of all, as scripts compute ``inputs_digest``; empty if an input could not be read."""
        if not self.contents or UNREADABLE in self.contents:
            return ""
        return hashlib.sha256("".join(f"{digest}\n" for digest in self.contents).encode()).hexdigest()


def digests_from_word(word: str) -> InputDigests:
    """Reads :attr:`InputDigests.word`; false digests for an empty word."""
    contents, _, places = word.partition(":")
    return InputDigests(_split(contents), _split(places))


def _split(word: str) -> tuple[str, ...]:
    return tuple(word.split(",")) if word else ()


def changed_inputs(job: Job, before: InputDigests, now: InputDigests) -> tuple[str, ...]:
    """Returns the paths of the inputs that differ; all of them if the job had another number of inputs.

    A data set or a model that cannot be read on this machine counts as unchanged as long as it has the same place.
    """
    counts = (len(before.contents), len(before.places))
    if counts != (len(now.contents), len(now.places)) or counts[0] != len(job.inputs):
        return job.inputs
    changed: list[str] = []
    for number, path in enumerate(job.inputs):
        if not _is_same(number - len(job.texts), number, before, now):
            changed.append(path)
    return tuple(changed)


def _is_same(place: int, number: int, before: InputDigests, now: InputDigests) -> bool:
    one, other = before.contents[number], now.contents[number]
    if UNREADABLE not in {one, other}:
        return one == other
    if place < 0:
        return False  # a text that cannot be read
    return before.places[place] == now.places[place]
