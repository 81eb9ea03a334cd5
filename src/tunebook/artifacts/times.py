"""Times as jobs write them: ISO 8601, with the time zone."""

from __future__ import annotations

from datetime import datetime

from tunebook.core.json_text import finite_number

__all__ = ["elapsed_s", "timestamp_s"]


def timestamp_s(time: object) -> float | None:
    """Returns a time in seconds, from ISO 8601 or from a number of seconds; ``None`` for anything else."""
    if isinstance(time, str):
        try:
            return datetime.fromisoformat(time).timestamp()
        except (ValueError, OverflowError, OSError):  # also a moment that the system's clock cannot have
            return None
    return finite_number(time)


def elapsed_s(started: str, ended: str) -> float | None:
    """Returns the seconds between a job's start and end; ``None`` if one is unknown or the clock went backwards."""
    start, end = timestamp_s(started), timestamp_s(ended)
    if start is None or end is None or end < start:
        return None
    return end - start
