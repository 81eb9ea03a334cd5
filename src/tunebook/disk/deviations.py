"""Records in ``deviations.jsonl`` where tunebook itself trained a run with other settings than the plan's."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tunebook.core.json_text import UNFIT
from tunebook.core.paths import DEVIATIONS
from tunebook.disk.append import append_lines
from tunebook.disk.json_lines import read_documents

__all__ = ["Deviation", "read_deviation", "record_deviation"]


@dataclass(frozen=True)
class Deviation:
    """One change of a run's settings.

    Attributes:
        time: ISO 8601 with the time zone.
        reason: why, in one word: ``OUT_OF_GPU_MEMORY``.
        planned: the plan's values of the settings that were changed.
        used: the values of the same settings with which the run is trained.
        inputs: the digest of the job's texts with the change; it does not apply to other texts.
    """

    time: str
    reason: str
    planned: Mapping[str, int] = field(default_factory=dict)
    used: Mapping[str, int] = field(default_factory=dict)
    inputs: str = ""

    def __str__(self) -> str:
        changes = (f"{key} {self.used[key]} in place of {self.planned[key]}" for key in self.planned)
        return f"{', '.join(changes)} ({self.reason})"


def record_deviation(experiment: Path, directory: str, deviation: Deviation) -> None:
    """Appends one line to the record in a run's directory.

    Raises:
        OSError: it could not be written.
    """
    line = json.dumps(asdict(deviation)) + "\n"
    append_lines(experiment / directory / DEVIATIONS, line.encode(), within=experiment)


def read_deviation(directory: Path, inputs: str) -> Deviation | None:
    """Returns the latest change that applies to texts of this digest; ``None`` in nearly all runs."""
    found = None
    for document in read_documents(directory / DEVIATIONS):
        deviation = _deviation(document)
        if deviation is not None and deviation.inputs == inputs:
            found = deviation
    return found


def _deviation(document: Any) -> Deviation | None:
    """One line's document; ``None`` for another form."""
    try:
        planned, used = _numbers(document["planned"]), _numbers(document["used"])
        deviation = Deviation(document["time"], document["reason"], planned, used, document["inputs"])
    except UNFIT:
        return None
    if planned.keys() != used.keys():
        return None
    return deviation


def _numbers(values: Mapping[str, int]) -> dict[str, int]:
    return {key: int(value) for key, value in values.items()}
