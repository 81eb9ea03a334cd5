"""A finding: one sentence or a few that the statistics support."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Finding"]


@dataclass(frozen=True)
class Finding:
    """A statement with its numbers.

    Attributes:
        kind: ``base``, ``best``, ``effect``, ``interaction``, ``seeds``, ``cost``, ``epochs``, ``training``,
            ``samples`` or ``caution``.
        text: plain text.
        significant: whether the test behind it was significant after correction; ``None`` without a test.
        task: the task that it is about; empty for all.
    """

    kind: str
    text: str
    significant: bool | None = None
    task: str = ""
