"""Training cost against final score, and the Pareto front."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tunebook.analysis.records import Interval, RunRecord
from tunebook.analysis.statistics.scores import ScoreTable
from tunebook.core.plan import RunType

__all__ = ["CostPoint", "compare_costs"]


@dataclass(frozen=True)
class CostPoint:
    """The cost of a run's training and its final score.

    Attributes:
        unit: ``GPU hours`` or ``hours`` of wall time.
        on_front: whether the run is Pareto-optimal: no other is at least as cheap and at least as good, and better in
            one of the two.
    """

    task: str
    measure: str
    run: str
    epoch: int
    cost: float
    unit: str
    score: float
    interval: Interval | None
    on_front: bool


def compare_costs(table: ScoreTable) -> tuple[CostPoint, ...]:
    """The runs whose cost and final score are known; a base model's training costs nothing here."""
    unit = "hours"
    if any(run.training is not None and run.training.gpu_hours is not None for run in table.runs):
        unit = "GPU hours"
    points: list[CostPoint] = []
    for run in table.runs:
        score, cost = table.finals.get(run.name), _cost(run, unit)
        if score is not None and score.value is not None and cost is not None:
            key = score.evaluation
            point = CostPoint(
                key.task, score.measure, run.name, key.epoch, cost, unit, score.value, score.interval, on_front=True
            )
            points.append(point)
    return tuple(replace(point, on_front=not _is_beaten(point, points)) for point in points)


def _cost(run: RunRecord, unit: str) -> float | None:
    if run.type is RunType.CONTROL:
        return 0.0
    if run.training is None:
        return None
    if unit == "GPU hours":
        return run.training.gpu_hours
    if run.training.elapsed_s is None:
        return None
    return run.training.elapsed_s / 3600


def _is_beaten(point: CostPoint, others: Sequence[CostPoint]) -> bool:
    for other in others:
        is_better = other.cost < point.cost or other.score > point.score
        if is_better and other.cost <= point.cost and other.score >= point.score:
            return True
    return False
