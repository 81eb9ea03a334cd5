"""What functions computed of a value that does not change, so that a sweep of thousands of runs computes it once."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

__all__ = ["Memo"]

T = TypeVar("T")


class Memo:
    """Results by what was computed, and of which object; the owner is a value, so that no result becomes wrong.

    Objects count as the same by identity: comparing two runs takes longer than most of what is remembered.
    """

    def __init__(self) -> None:
        self._results: dict[Hashable, Any] = {}
        self._by_subject: dict[tuple[Hashable, int], tuple[object, Any]] = {}

    def once(self, key: Hashable, compute: Callable[[], T]) -> T:
        """What ``compute`` returned at its first call for this key."""
        try:
            result: T = self._results[key]
        except KeyError:
            result = compute()
            self._results[key] = result
        return result

    def once_of(self, key: Hashable, subject: object, compute: Callable[[], T]) -> T:
        """What ``compute`` returned at its first call for this key and this very object."""
        place = (key, id(subject))
        known = self._by_subject.get(place)
        if known is None:
            known = (subject, compute())  # as long as the object is kept, no other one has its identity
            self._by_subject[place] = known
        result: T = known[1]
        return result
