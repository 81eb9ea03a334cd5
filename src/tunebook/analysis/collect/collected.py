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

    @property
    def directories(self) -> dict[str, str]:
        """Run name to the name of its directory."""
        return {run.name: run.directory for run in self.runs}

    def shown(self, evaluation: EvaluationKey) -> str:
        """Names an evaluation: ``rank8_lr1e-5, capitalization, epoch 0``."""
        name = f"{self.directories[evaluation.run]}, {evaluation.task}"
        return name if evaluation.epoch < 0 else f"{name}, epoch {evaluation.epoch}"
