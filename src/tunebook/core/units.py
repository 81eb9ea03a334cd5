"""Durations, as people write them, as numbers with a unit, and as SLURM reads them; and SLURM's sizes of memory."""

from __future__ import annotations

import math
import re

__all__ = [
    "clock_minutes",
    "megabytes",
    "minutes",
    "read_duration",
    "sbatch_time",
    "size_text",
    "spoken_duration",
    "spoken_minutes",
]

_UNITS_MIN = {"s": 1 / 60, "m": 1.0, "h": 60.0, "d": 1440.0}
_UNIT_BYTES = 1024
_UNITS_MB = {"K": 1 / 1024, "M": 1.0, "G": 1024.0, "T": 1024.0**2}
_SPOKEN = re.compile(
    r"(?<!\d)(\d+(?:\.\d+)?)\s*(d|h|m|s)(?:ays?|ours?|rs?|in(?:ute)?s?|ec(?:ond)?s?)?\b", re.IGNORECASE
)
# Words before a duration; units that are not read, and ranges.
_ABOUT = re.compile(r"(?:(?:about|approx(?:imately|\.)?|circa|ca\.|up to|at most)\s+|[~≈<≤]\s*)*", re.IGNORECASE)
_UNCLEAR = re.compile(
    r"\d\s*(?:w|weeks?|months?|years?)\b"
    r"|\d\s*[dhms][a-z]*\s*(?:-|–|—|to|or)\s*\d"
    # A rate: only that of a whole job is its time.
    r"|(?:\bper|\b(?:each|every)|/)\s*(?!(?:run|training|fine-?tuning|evaluation|eval|job|model|task)s?\b)[a-z\d]"
    # Another time for other runs.
    r"|\)\s*[,;/]\s*~?\d"
    r"|[×x*]\s*\d+\s*$",
    re.IGNORECASE,
)


_LONGEST_MIN = 1e9  # two thousand years; more is not a time of a job


def megabytes(text: str) -> float:
    """Megabytes of one of SLURM's sizes, which is in megabytes without a unit; 0 for other text."""
    match = re.fullmatch(r"(\d{1,15})([KMGT]?)B?", text.strip(), re.IGNORECASE)
    if match is None:
        return 0.0
    return float(match[1]) * _UNITS_MB[match[2].upper() or "M"]


def clock_minutes(text: str) -> float | None:
    """Minutes in SLURM's notation: ``MM``, ``MM:SS``, ``HH:MM:SS``, ``D-HH``, ``D-HH:MM``, ``D-HH:MM:SS``."""
    match = re.fullmatch(r"(?:(\d{1,9})-)?(\d{1,9})(?::(\d{1,9}))?(?::(\d{1,9}))?", text.strip())
    if not match:
        return None
    days, *clock = match.groups()
    first, second, third = (int(part or 0) for part in clock)
    if days is None and clock[2] is None:
        return first + second / 60
    return int(days or 0) * 1440 + first * 60 + second + third / 60


def minutes(text: str) -> float | None:
    """Minutes of the first duration in a text such as ``~8 min``, ``1 h 30 min``, ``90 s`` or ``0:59:00``."""
    text = text.strip().lstrip("~≈<").strip()
    if ":" in text.split(" ")[0]:
        return clock_minutes(text.split(" ")[0])
    total, end = None, 0
    for match in _SPOKEN.finditer(text):
        if total is not None and text[end : match.start()].strip(" ,and") != "":
            break
        total = (total or 0.0) + float(match[1]) * _UNITS_MIN[match[2].lower()]
        end = match.end()
    return total if total is None or total < _LONGEST_MIN else None


def read_duration(text: str) -> float | None:
    """Minutes of a text that begins with a duration, as a plan gives it; ``None`` if it may mean another time.

    ``~8 min per run`` is read; ``3 weeks``, ``2-3 hours`` and ``1:30`` (hours or minutes) are not.
    """
    text = _ABOUT.sub("", text.strip())
    first = text.split(" ")[0].rstrip(",;")
    if ":" in first:
        return clock_minutes(first) if first.count(":") > 1 else None
    begins = _SPOKEN.match(text)
    return minutes(text) if begins and not _UNCLEAR.search(text) else None


def sbatch_time(duration_min: float) -> str:
    """``[D-]HH:MM:SS`` for ``--time``, rounded up to whole minutes, at least one."""
    whole = max(1, -int(-duration_min // 1))
    days, rest = divmod(whole, 1440)
    clock = f"{rest // 60:02d}:{rest % 60:02d}:00"
    return f"{days}-{clock}" if days else clock


def spoken_duration(seconds: float) -> str:
    """``40s``, ``1m 20s``, ``2h 5m``."""
    whole = round(seconds)
    if whole < 60:  # noqa: PLR2004
        return f"{whole}s"
    if whole < 3600:  # noqa: PLR2004
        return f"{whole // 60}m {whole % 60}s"
    return f"{whole // 3600}h {whole % 3600 // 60}m"


def spoken_minutes(duration_min: float) -> str:
    """``30 s``, ``8 min``, ``2 min 30 s``, ``2 h 5 min``, as :func:`minutes` reads them; rounded up to seconds."""
    whole, seconds = divmod(max(1, math.ceil(duration_min * 60 - 1e-6)), 60)
    hours = 0
    if whole > 90:  # noqa: PLR2004
        hours, whole = divmod(whole, 60)
    parts = [(hours, "h"), (whole, "min"), (seconds, "s")]
    return " ".join(f"{number} {unit}" for number, unit in parts if number)


def size_text(size: int) -> str:
    """A number of bytes for people: ``512 bytes``, ``3.4 MiB``."""
    if size < _UNIT_BYTES:
        return f"{size:,} bytes"
    number, unit = float(size), ""
    for name in ("KiB", "MiB", "GiB", "TiB"):
        if number < _UNIT_BYTES:
            break
        number, unit = number / _UNIT_BYTES, name
    return f"{number:,.1f} {unit}"
