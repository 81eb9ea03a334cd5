"""``deviations.jsonl`` in a run's directory: where tunebook itself trained with other settings than the page gives."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tunebook.core.paths import DEVIATIONS

__all__ = ["Deviation", "read_deviation", "record_deviation"]


@dataclass(frozen=True)
class Deviation:
    """One change of a run's settings.

    Attributes:
        time: ISO 8601 with the time zone.
        reason: why, in one word: ``OUT_OF_GPU_MEMORY``.
        planned: the settings as the page gives them, those that were changed only.
        used: the same settings as they are now.
        inputs: the SHA-256 of the job's inputs with the change; with other inputs it does not hold.
    """

    time: str
    reason: str
    planned: Mapping[str, int] = field(default_factory=dict)
    used: Mapping[str, int] = field(default_factory=dict)
    inputs: str = ""

    def __str__(self) -> str:
        changes = (f"{key} {self.used[key]} in place of {self.planned[key]}" for key in self.planned)
        return f"{', '.join(changes)} ({self.reason})"


def record_deviation(directory: Path, deviation: Deviation) -> None:
    """Appends one line.

    Raises:
        OSError: it could not be written.
    """
    with (directory / DEVIATIONS).open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(asdict(deviation)) + "\n")


def read_deviation(directory: Path, inputs: str) -> Deviation | None:
    """The latest change that holds for these inputs; ``None`` if there is none, as nearly always."""
    try:
        text = (directory / DEVIATIONS).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    read = (_deviation(line) for line in reversed(text.splitlines()))
    return next((one for one in read if one is not None and one.inputs == inputs), None)


def _deviation(line: str) -> Deviation | None:
    """One line; a torn one is none."""
    try:
        document = json.loads(line)
        numbers = ({str(key): int(value) for key, value in document[name].items()} for name in ("planned", "used"))
        planned, used = numbers
        texts = (str(document[name]) for name in ("time", "reason", "inputs"))
        time, reason, inputs = texts
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return Deviation(time, reason, planned, used, inputs) if planned.keys() == used.keys() else None
