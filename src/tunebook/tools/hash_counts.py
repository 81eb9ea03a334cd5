"""Counts how often texts occur again, in eight bytes per text."""

from __future__ import annotations

from array import array
from hashlib import blake2b

__all__ = ["HashCounts"]

_BUCKETS = 256


class HashCounts:
    """The hashes of the texts that were added; only one of 256 parts of them is compared at a time."""

    def __init__(self) -> None:
        self._buckets = [array("Q") for _ in range(_BUCKETS)]

    def add(self, text: str) -> None:
        """Adds one text."""
        digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        self._buckets[digest[0]].append(int.from_bytes(digest, "big"))

    def total(self) -> int:
        """How many texts were added."""
        return sum(map(len, self._buckets))

    def distinct(self) -> int:
        """How many different texts were added."""
        return sum(len(set(bucket)) for bucket in self._buckets)

    def common(self, other: HashCounts) -> int:
        """How many different texts were added to both."""
        return sum(
            len(set(mine).intersection(theirs)) for mine, theirs in zip(self._buckets, other._buckets, strict=True)
        )

    def found_in(self, other: HashCounts) -> int:
        """How many of the texts that were added, each as often as it was added, were added to the other."""
        found = 0
        for mine, theirs in zip(self._buckets, other._buckets, strict=True):
            known = set(theirs)
            found += sum(text in known for text in mine)
        return found
