"""Ten kinds of experiment with made-up scores, as small as their question allows.

Each kind is a function without arguments; its scores are drawn with a seed of their own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import product
from types import MappingProxyType
from typing import Any

import numpy as np

from support.made_logs import MadeExperiment, MadeRun, MadeTask, samples_of
from tunebook.tools.results import Samples

__all__ = ["KINDS", "RANK", "RATE"]

RANK, RATE, SEED = "LoRA Rank", "Learning Rate", "Seed"
BASE = "tiny_base"


class _Maker:
    """Draws right and wrong answers to samples that differ in how hard they are."""

    def __init__(self, seed: int, samples: int) -> None:
        self.random = np.random.default_rng(seed)
        self.hard = self.random.normal(0, 1.5, samples)

    def answers(self, skill: float) -> list[float]:
        chances = 1 / (1 + np.exp(self.hard - skill))
        return list((self.random.random(len(chances)) < chances).astype(float))


def _name(cells: Mapping[str, str], model: str = "") -> str:
    short = {RANK: "rank", RATE: "lr", SEED: "seed"}
    return "_".join([*filter(None, [model]), *(short[column] + level for column, level in cells.items())])


def _grid(**columns: Sequence[str]) -> list[dict[str, str]]:
    names = {"rank": RANK, "rate": RATE, "seed": SEED}
    return [dict(zip(map(names.__getitem__, columns), cells, strict=True)) for cells in product(*columns.values())]


def _sweep(
    cells: Sequence[Mapping[str, str]], skill: Callable[[Mapping[str, str]], float], *, seed: int, samples: int
) -> MadeExperiment:
    """One task with right and wrong answers, and a base model that answers few samples correctly."""
    maker = _Maker(seed, samples)
    logs = {(BASE, "cap", -1): samples_of(maker.answers(-2.0))}
    runs = []
    for own in cells:
        runs.append(MadeRun(_name(own), own))
        logs[runs[-1].name, "cap", 0] = samples_of(maker.answers(skill(own)))
    return MadeExperiment(runs, logs)


def factorial_with_seeds() -> MadeExperiment:
    """Three ranks × two learning rates × three seeds; the rank matters, geometrically; runs vary between seeds."""
    noise = np.random.default_rng(5)

    def skill(cells: Mapping[str, str]) -> float:
        return 0.7 * math.log2(int(cells[RANK]) / 16) + noise.normal(0, 0.25)

    cells = _grid(rank=("4", "16", "64"), rate=("1e-5", "1e-4"), seed=("1", "2", "3"))
    hypotheses = (
        "**up:** lora_rank = 64 better than lora_rank = 4",
        "**far:** lora_rank = 64 > lora_rank = 4 by at least 60 points",
        "**rate:** lr = 1e-4 better than lr = 1e-5",
        "**same:** lr = 1e-4 = lr = 1e-5 within 8 points",
        "**wrong:** lora_rank = 4 better than lora_rank = 16",
    )
    return replace(_sweep(cells, skill, seed=11, samples=60), hypotheses=hypotheses)


def models_tasks_epochs() -> MadeExperiment:
    """Two models × two ranks, two tasks, three epochs; scores rise over the epochs."""
    makers = {"cap": _Maker(21, 40), "low": _Maker(22, 30)}
    runs, logs = [], {}
    for model, bonus in (("tiny", 0.0), ("small", 1.0)):
        for task, maker in makers.items():
            logs[f"{model}_base", task, -1] = samples_of(maker.answers(bonus - 2.0))
        for rank in ("4", "16"):
            run = MadeRun(f"{model}_rank{rank}", {RANK: rank}, model)
            runs.append(run)
            for epoch, (task, maker) in product(range(3), makers.items()):
                skill = bonus - 1.0 + 0.6 * epoch + (rank == "16") * 0.5
                logs[run.name, task, epoch] = samples_of(maker.answers(skill))
    return MadeExperiment(runs, logs, tasks=(MadeTask("cap"), MadeTask("low")), epochs=3)


def two_hundred_runs() -> MadeExperiment:
    """Five ranks × four learning rates × ten seeds."""
    noise = np.random.default_rng(6)

    def skill(cells: Mapping[str, str]) -> float:
        rank, rate = math.log2(int(cells[RANK])), math.log10(float(cells[RATE]))
        return 0.3 * (rank - 4) + 0.8 * (rate + 4) + noise.normal(0, 0.3)

    ranks, rates = ("4", "8", "16", "32", "64"), ("1e-5", "3e-5", "1e-4", "3e-4")
    cells = _grid(rank=ranks, rate=rates, seed=tuple(map(str, range(1, 11))))
    return _sweep(cells, skill, seed=31, samples=40)


def lower_is_better() -> MadeExperiment:
    """Three ranks × two learning rates, one seed; answers are numbers, and scores their errors, which have no limit."""
    random = np.random.default_rng(41)
    targets = [round(float(number), 2) for number in random.normal(100, 30, 50)]
    hard = random.gamma(2.0, 4.0, 50)
    runs, logs = [], {}
    logs[BASE, "cap", -1] = _number_samples(targets, hard * random.uniform(0.8, 1.6, 50) + 3)
    for cells in _grid(rank=("4", "16", "64"), rate=("1e-5", "1e-4")):
        factor = {"4": 1.0, "16": 0.75, "64": 0.6}[cells[RANK]]
        runs.append(MadeRun(_name(cells), cells))
        errors = hard * factor * random.uniform(0.5, 1.5, 50) + random.exponential(1.0, 50)
        logs[runs[-1].name, "cap", 0] = _number_samples(targets, errors, unparsed={"4": (7,)}.get(cells[RANK], ()))
    return MadeExperiment(runs, logs)


def _number_samples(targets: Sequence[float], errors: Any, unparsed: Sequence[int] = ()) -> Samples:
    """Answers that are off by these errors, every other one upwards; some answers have no number."""
    answers, logged = [], []
    for place, (target, error) in enumerate(zip(targets, errors, strict=True)):
        answer = round(target + (-1) ** place * round(float(error), 2), 2)
        is_parsed = place not in unparsed
        answers.append(f"about {answer}" if is_parsed else "I cannot tell.")
        logged.append(round(abs(answer - target), 2) if is_parsed else None)
    return samples_of({"mae": logged}, answers=tuple(answers), targets=tuple(map(str, targets)))


def _rounded(values: Any) -> list[float]:
    return [round(float(value), 2) for value in values]


def scorers_and_reducers() -> MadeExperiment:
    """Three scorers: shares of four repeats, a grade from 0 to 10 without a known direction, and an error."""
    random = np.random.default_rng(51)
    hard = random.normal(0, 1.0, 30)
    runs = [MadeRun(f"rank{rank}", {RANK: rank}) for rank in ("4", "16", "64")]
    logs = {}
    for number, name in enumerate((BASE, *(run.name for run in runs))):
        chances = np.repeat(1 / (1 + np.exp(hard - 0.8 * number + 1)), 4)
        values = {
            "exactly": list((random.random(120) < chances).astype(float)),
            "judge": _rounded(np.clip(np.repeat(5 - hard, 4) + random.normal(number / 2, 1, 120), 0, 10)),
            "distance_error": _rounded(np.exp(np.repeat(hard, 4) / 2 + random.normal(2 - number / 3, 0.5, 120))),
        }
        logs[name, "cap", -1 if name == BASE else 0] = samples_of(values, repeats=4)
    return MadeExperiment(runs, logs)


def incomplete_and_unbalanced() -> MadeExperiment:
    """A grid with seeds of which runs lack logs, one log has fewer samples, and some samples have no score."""
    noise = np.random.default_rng(7)

    def skill(cells: Mapping[str, str]) -> float:
        return 0.5 * math.log2(int(cells[RANK]) / 16) + (cells[RATE] == "1e-4") * 0.8 + noise.normal(0, 0.3)

    made = _sweep(
        _grid(rank=("4", "16", "64"), rate=("1e-5", "1e-4"), seed=("1", "2", "3")), skill, seed=61, samples=40
    )
    logs = dict(made.logs)
    for name in ("rank64_lr1e-5_seed1", "rank64_lr1e-5_seed2", "rank16_lr1e-4_seed3", "rank4_lr1e-4_seed2"):
        del logs[name, "cap", 0]
    fewer = logs["rank4_lr1e-5_seed1", "cap", 0].values["exactly"][:35]
    logs["rank4_lr1e-5_seed1", "cap", 0] = samples_of(fewer)
    holes: list[float | None] = list(logs["rank16_lr1e-5_seed2", "cap", 0].values["exactly"])
    holes[3] = holes[17] = None
    logs["rank16_lr1e-5_seed2", "cap", 0] = samples_of(holes)
    return MadeExperiment(made.runs, logs)


def all_at_chance() -> MadeExperiment:
    """Eight runs and their base model that toss a coin."""
    random = np.random.default_rng(77)
    cells = _grid(rank=("4", "8", "16", "32"), rate=("1e-5", "1e-4"))
    runs = [MadeRun(_name(own), own) for own in cells]
    keys = [(BASE, "cap", -1), *((run.name, "cap", 0) for run in runs)]
    return MadeExperiment(runs, {key: samples_of([float(bit) for bit in random.integers(0, 2, 50)]) for key in keys})


def crossover() -> MadeExperiment:
    """A higher rank helps at the low learning rate and harms at the high one: the main effects are near 0."""
    skills = {("4", "1e-5"): -1.5, ("64", "1e-5"): 1.5, ("4", "1e-3"): 1.5, ("64", "1e-3"): -1.5}
    cells = _grid(rank=("4", "64"), rate=("1e-5", "1e-3"))
    hypotheses = (
        "**low:** rank64_lr1e-5 better than rank4_lr1e-5",
        "**some:** rank64_lr1e-5 > rank4_lr1e-5 by at least 20 points",
        "**equal:** rank64_lr1e-5 = rank4_lr1e-3 within 25 points",
        "**rank:** lora_rank = 64 ≠ lora_rank = 4",
        "**wrong:** rank64_lr1e-3 better than rank4_lr1e-3",
    )
    made = _sweep(cells, lambda own: skills[own[RANK], own[RATE]], seed=81, samples=60)
    return replace(made, hypotheses=hypotheses)


def single_run() -> MadeExperiment:
    """One run and its base model."""
    return _sweep(({RANK: "8"},), lambda _: 1.0, seed=91, samples=25)


def risk() -> MadeExperiment:
    """Probabilities of an outcome of two runs, the second well calibrated, with a group of each sample."""
    random = np.random.default_rng(101)
    count = 80
    truth = random.normal(0, 1.5, count)
    outcome = (random.random(count) < 1 / (1 + np.exp(-truth))).astype(int).tolist()
    bands = tuple(map(str, random.choice(["young", "old"], count)))
    runs = [MadeRun(f"rank{rank}", {RANK: rank}) for rank in ("4", "16")]
    logs = {}
    for name, noise, sharp in ((BASE, 3.0, 2.5), ("rank4", 1.5, 1.5), ("rank16", 0.3, 1.0)):
        risks = 1 / (1 + np.exp(-sharp * (truth + random.normal(0, noise, count))))
        in_steps = [round(float(each) * 20) / 20 for each in risks]
        logs[name, "cap", -1 if name == BASE else 0] = _risk_samples(in_steps, outcome, bands)
    return MadeExperiment(runs, logs)


def _risk_samples(risks: Sequence[float], outcome: Sequence[int], bands: tuple[str, ...]) -> Samples:
    right = [float((risk >= 0.5) == bool(label)) for risk, label in zip(risks, outcome, strict=True)]
    return samples_of(
        {"choice": right},
        targets=tuple(map(str, outcome)),
        metadata={"band": bands},
        score_metadata={"choice/risk_score": tuple(risks), "choice/target": tuple(outcome)},
    )


KINDS: Mapping[str, Callable[[], MadeExperiment]] = MappingProxyType(
    {
        kind.__name__: kind
        for kind in (
            factorial_with_seeds,
            models_tasks_epochs,
            two_hundred_runs,
            lower_is_better,
            scorers_and_reducers,
            incomplete_and_unbalanced,
            all_at_chance,
            crossover,
            single_run,
            risk,
        )
    }
)
"""The kinds by their names."""
