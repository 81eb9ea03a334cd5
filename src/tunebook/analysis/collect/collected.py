"""Everything that an experiment's directory says, as one value, before any statistics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tunebook.analysis.collect.read_logs import EvaluationLog, UnreadableLog
from tunebook.analysis.records import EvaluationKey, EvaluationRecord, FactorUse, RunRecord, TaskUse
from tunebook.tools.results import LogHeader, Samples

__all__ = ["Collected"]


@dataclass(frozen=True)
class Collected:
    """An experiment's facts.

    Attributes:
        evaluations: in the matrix's order, those without a log too; not scored yet.
        samples: of each evaluation that has a log that counts; ``headers`` too.
        strays: logs in a run's directory that belong to no planned evaluation.
    """

    factors: tuple[FactorUse, ...]
    tasks: tuple[TaskUse, ...]
    runs: tuple[RunRecord, ...]
    evaluations: tuple[EvaluationRecord, ...]
    samples: Mapping[EvaluationKey, Samples]
    headers: Mapping[EvaluationKey, LogHeader]
    unreadable: tuple[UnreadableLog, ...]
    strays: tuple[EvaluationLog, ...]
