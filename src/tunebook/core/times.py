"""Times as people read them, ``2026-11-28 17:40:05 +01:00``, and as programs do, ``2026-11-28T17:40:05+01:00``.

Both are of this machine's zone and name its offset. Records of jobs may have another zone: job scripts write UTC.
"""

from __future__ import annotations

from datetime import datetime

__all__ = ["local_iso", "local_text", "time_text"]


def time_text(moment: datetime) -> str:
    """A moment as people read it, in its own zone."""
    if moment.tzinfo is None:
        moment = moment.astimezone()
    text = moment.isoformat(" ", "seconds")
    return f"{text[:19]} {text[19:]}"


def local_text(time: str, *, otherwise: str | None = None) -> str:
    """A time in ISO 8601 as people read it.

    Args:
        otherwise: what is returned for a text that is not a time or names no offset; by default the text itself.
    """
    moment = _moment(time)
    if moment is None:
        return time if otherwise is None else otherwise
    return time_text(moment.astimezone())


def local_iso(time: str) -> str:
    """A time in ISO 8601 with this machine's offset; the text itself if it is not a time, or names no offset."""
    moment = _moment(time)
    return time if moment is None else moment.astimezone().isoformat(timespec="seconds")


def _moment(time: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(time)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None
