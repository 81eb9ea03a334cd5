"""Reads ``*.result.json``, in which an evaluation's script sums up the log that it verified."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tunebook.artifacts.text_files import read_document
from tunebook.core.json_text import UNFIT, finite_number
from tunebook.disk.read import is_no_file

__all__ = ["EvaluationResult", "LoggedScore", "read_result"]

_SPREADS = frozenset({"stderr", "std", "var"})  # metrics that say how uncertain a score is, not how high


@dataclass(frozen=True)
class LoggedScore:
    """One metric of one scorer, as the evaluation's log gives it; ``value`` is ``None`` if it is not a number."""

    scorer: str
    metric: str
    value: float | None


@dataclass(frozen=True)
class EvaluationResult:
    """The summary of an evaluation's log by its script.

    Attributes:
        status: the log's own word; ``success`` for an evaluation that ended well.
        samples: how many the evaluation has; ``completed`` of them were completed. ``None`` if the file does not say.
        log: the log's path.
    """

    status: str
    samples: int | None = None
    completed: int | None = None
    log: str = ""
    scores: tuple[LoggedScore, ...] = ()

    @property
    def score(self) -> float | None:
        """The headline score: the first metric that is not a measure of spread."""
        for score in self.scores:
            if score.metric not in _SPREADS and score.value is not None:
                return score.value
        return None

    def metric(self, name: str) -> float | None:
        """Returns the value of the first scorer's metric of this name."""
        return next((score.value for score in self.scores if score.metric == name), None)


def read_result(path: str | os.PathLike[str]) -> EvaluationResult | None:
    """Reads a result file; ``None`` if it is missing or no such file.

    Raises:
        OSError: it cannot be read now.
    """
    try:
        document = read_document(path)
        return EvaluationResult(
            status=str(document["status"]),
            samples=_count(document.get("samples")),
            completed=_count(document.get("completed")),
            log=str(document.get("log") or ""),
            scores=tuple(_scores(document)),
        )
    except UNFIT:
        return None
    except OSError as error:
        if is_no_file(error):
            return None
        raise


def _scores(document: Mapping[str, Any]) -> Iterator[LoggedScore]:
    for score in document.get("scores") or ():
        value = score.get("value")
        yield LoggedScore(str(score.get("scorer", "")), str(score.get("metric", "")), finite_number(value))


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) else None
