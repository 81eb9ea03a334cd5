"""Decides how long a monitor waits between two polls of its executor."""

from __future__ import annotations

__all__ = ["PollInterval"]

_TICK_S = 5.0
_SOON_S = 2.0
_LONGEST = 4
_GROWTH = 1.5


class PollInterval:
    """Polls every ``poll_s`` seconds, less often while nothing changes, and soon after a job has ended.

    Args:
        poll_s: seconds between two polls.
        patient: whether others share the executor: it is polled up to four times less often while nothing changes.

    Attributes:
        changed: whether something happened since the last wait.
        hurried: whether a job has ended whose outcome file is not there yet.
    """

    def __init__(self, poll_s: float, *, patient: bool) -> None:
        self._poll_s = poll_s
        self._patient = patient
        self._wait_s = poll_s
        self._silences = 0
        self.changed = True
        self.hurried = False

    def answered(self) -> None:
        """Records that the executor answered."""
        self._silences = 0

    def silent(self) -> None:
        """Records that it did not: it is polled again soon, and then less and less often."""
        self._silences += 1

    def ticks(self) -> list[float]:
        """Returns the next wait in seconds, in parts short enough to look at the jobs' own files in between."""
        wait = self._next()
        self.changed = self.hurried = False
        whole = int(wait // _TICK_S)
        rest = wait - whole * _TICK_S
        ticks = [_TICK_S] * whole
        if rest > 0 or not whole:
            ticks.append(rest)
        return ticks

    def _next(self) -> float:
        longest = _LONGEST * self._poll_s
        if self._silences:
            return min(longest, min(_TICK_S, self._poll_s) * 2.0 ** (self._silences - 1))
        if self.changed or not self._patient:
            self._wait_s = self._poll_s
        else:
            self._wait_s = min(longest, _GROWTH * self._wait_s)
        return min(_SOON_S, self._wait_s) if self.hurried else self._wait_s
