"""How far the best setting's value is from its true value, raw and corrected, and how often a difference is found.

Prints for several designs the mean of: the value of the setting that is chosen less its true value (the selection
effect), the same for the corrected value, and the share of experiments in which some setting differs significantly
from the best one. The figures are in the docstrings of ``statistics/ranking.py``. Takes about a minute.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tunebook.analysis.records import EvaluationKey, FactorUse, Measure, RunRecord
from tunebook.analysis.statistics.pairwise import compare_runs
from tunebook.analysis.statistics.ranking import rank_settings
from tunebook.analysis.statistics.scores import ScoreTable, compute_score
from tunebook.analysis.statistics.settings import have_replicates, settings_of
from tunebook.core.measures import Direction
from tunebook.core.plan import RunType
from tunebook.tools.results import Samples

_MEASURE = Measure("exact", Direction.HIGHER, is_share=True)


@dataclass(frozen=True)
class Design:
    """Settings that are equally good, but for the first, which is better by ``gain`` (in logits)."""

    settings: int
    seeds: int
    samples: int
    gain: float = 0.0


DESIGNS = (
    Design(10, 1, 100),
    Design(10, 1, 100, 0.5),
    Design(10, 1, 100, 1.5),
    Design(50, 1, 100),
    Design(6, 3, 100),
    Design(6, 3, 100, 0.5),
    Design(6, 3, 100, 1.5),
)


def simulate(design: Design, random: Any) -> tuple[float, float, bool]:
    """One experiment: raw error, corrected error, and whether a setting differs significantly from the best one."""
    hardness = random.normal(size=design.samples) * 1.5
    truth = []
    runs, values = [], {}
    for setting in range(design.settings):
        skill = design.gain if setting == 0 else 0.0
        for seed in range(design.seeds):
            luck = 0.2 * random.normal() if design.seeds > 1 else 0.0
            chances = 1 / (1 + np.exp(hardness - skill - luck))
            name = f"s{setting}r{seed}"
            runs.append(RunRecord(name, name, RunType.FINE_TUNED, "m", levels={"lr": str(setting), "seed": str(seed)}))
            values[name] = (random.random(design.samples) < chances).astype(float)
        truth.append(_true_value(skill, 0.2 if design.seeds > 1 else 0.0))
    table = _table(runs, values)
    factors = (
        FactorUse("lr", "Learning Rate", tuple(map(str, range(design.settings)))),
        FactorUse("seed", "Seed", tuple(map(str, range(design.seeds))), is_seed=True),
    )
    settings = settings_of(table, factors)
    comparisons = compare_runs(table, has_replicates=have_replicates(settings))
    best, *others = rank_settings(table, settings, comparisons)
    true_value = truth[int(best.levels["lr"])]
    return best.value - true_value, (best.corrected or 0.0) - true_value, any(item.significant for item in others)


def _true_value(skill: float, luck: float) -> float:
    """The mean chance over all samples and seeds."""
    points, weights = np.polynomial.hermite_e.hermegauss(41)
    chances = 1 / (1 + np.exp(points * np.hypot(1.5, luck) - skill))
    return float((weights * chances).sum() / weights.sum())


def _table(runs: list[RunRecord], values: dict[str, Any]) -> ScoreTable:
    samples, scores = {}, []
    for name, own in values.items():
        ids = tuple(map(str, range(len(own))))
        texts = ("",) * len(own)
        key = EvaluationKey(name, "task", 0)
        samples[key] = Samples(ids, (1,) * len(own), texts, ids, texts, texts, {"exact": tuple(own.tolist())})
        scores.append(compute_score(key, "exact", samples[key], ()))
    return ScoreTable("task", _MEASURE, tuple(scores), samples, runs)


def main() -> None:
    """All designs."""
    for design in DESIGNS:
        random = np.random.default_rng(5)
        repetitions = 300 if design.settings < 50 else 100  # noqa: PLR2004
        raw, corrected, found = zip(*(simulate(design, random) for _ in range(repetitions)), strict=True)
        print(
            f"{design}: raw {np.mean(raw):+.4f}, corrected {np.mean(corrected):+.4f} (sd {np.std(raw):.3f}, "
            f"{np.std(corrected):.3f}), found {np.mean(found):.3f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
