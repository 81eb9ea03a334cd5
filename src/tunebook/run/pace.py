"""How long a monitor waits between two questions to its executor."""

from __future__ import annotations

__all__ = ["Pace"]

_TICK_S = 5.0
_SOON_S = 2.0
_LONGEST = 4
_GROWTH = 1.5


class Pace:
    """Asks every ``poll_s`` seconds, more seldom while nothing changes, and soon when a job has just ended.

    Args:
        poll_s: seconds.
        patient: whether the executor is a shared one, which is asked up to four times less often while nothing changes.

    Attributes:
        changed: whether something happened since the last wait.
        hurried: whether a job has ended whose own word is not there yet.
    """

    def __init__(self, poll_s: float, *, patient: bool) -> None:
        self._poll_s = poll_s
        self._patient = patient
        self._wait_s = poll_s
        self._silences = 0
        self.changed = True
        self.hurried = False

    def answered(self) -> None:
        """The executor answered."""
        self._silences = 0

    def silent(self) -> None:
        """It did not: it is asked again soon at first, and then ever later."""
        self._silences += 1

    def ticks(self) -> list[float]:
        """The next wait in seconds, in parts that are short enough to look at the jobs' own files in between."""
        wait = self._next()
        self.changed = self.hurried = False
        whole = int(wait // _TICK_S)
        rest = wait - whole * _TICK_S
        return [_TICK_S] * whole + ([rest] if rest > 0 or not whole else [])

    def _next(self) -> float:
        longest = _LONGEST * self._poll_s
        if self._silences:
            return min(longest, min(_TICK_S, self._poll_s) * 2.0 ** (self._silences - 1))
        if self.changed or not self._patient:
            self._wait_s = self._poll_s
        else:
            self._wait_s = min(longest, _GROWTH * self._wait_s)
        return min(_SOON_S, self._wait_s) if self.hurried else self._wait_s
