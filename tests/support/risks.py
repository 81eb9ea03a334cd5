"""Experiments whose logs have predicted probabilities of an outcome, and samples made up of risks and numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from support.eval_logs import write_log
from support.sweeps import Sweep, SweepRun
from tunebook.analysis.collect.derived import add_derived
from tunebook.analysis.collect.source import Collected
from tunebook.analysis.records import EvaluationKey, Measure, RunRecord, TaskUse
from tunebook.core.measures import Direction
from tunebook.core.plan import RunType
from tunebook.tools.results import Samples

__all__ = ["RIGHT", "collected", "number_samples", "risk_experiment", "risk_samples", "risks_and_outcomes"]

RIGHT = Measure("risk", Direction.HIGHER, is_share=True)
_AGES = ("18-39", "40-64", "65+")


def risks_and_outcomes(n: int, skill: float, seed: int = 0) -> tuple[Any, Any]:
    """Predicted probabilities that know the outcome the better, the greater the skill; the outcomes do not vary."""
    import numpy as np

    latent = np.random.default_rng(11).normal(0, 1.2, n)
    outcomes = (np.random.default_rng(12).random(n) < 1 / (1 + np.exp(-1.5 * latent))).astype(int)
    noise = np.random.default_rng(100 + seed).normal(0, 1, n)
    return 1 / (1 + np.exp(-(skill * latent + noise * 0.7))), outcomes


def risk_samples(
    risks: Sequence[float | None],
    outcomes: Sequence[int],
    *,
    groups: Mapping[str, Sequence[str | None]] | None = None,
    repeats: int = 1,
) -> Samples:
    """Samples with the metadata of a scorer ``risk``; each is asked ``repeats`` times, one after the other."""
    n = len(risks) // repeats
    texts = ("",) * len(risks)
    right = tuple(float((risk or 0) >= 0.5) == outcome for risk, outcome in zip(risks, outcomes, strict=True))
    return Samples(
        tuple(str(place // repeats) for place in range(len(risks))),
        tuple(range(1, repeats + 1)) * n,
        texts,
        tuple("Yes" if outcome else "No" for outcome in outcomes),
        texts,
        texts,
        {"risk": tuple(map(float, right))},
        metadata={name: tuple(column) for name, column in (groups or {}).items()},
        score_metadata={
            "risk/risk_score": tuple(None if risk is None else float(risk) for risk in risks),
            "risk/options": (["No", "Yes"],) * len(risks),
        },
    )


def number_samples(answers: Sequence[str], targets: Sequence[str], errors: Sequence[float | None] = ()) -> Samples:
    """Samples of a scorer ``mae`` with these answers and logged errors."""
    texts = ("",) * len(answers)
    ids = tuple(map(str, range(len(answers))))
    values = {"mae": tuple(errors) or (None,) * len(answers)}
    return Samples(ids, (1,) * len(answers), texts, tuple(targets), tuple(answers), texts, values)


def collected(
    samples: Mapping[str, Samples],
    *,
    base: str | None = "base",
    measure: Measure = RIGHT,
    wanted: Measure | None = None,
) -> Collected:
    """The facts about one task: a run called like the base is a control, all others are fine-tuned from it."""
    runs = []
    for name in samples:
        kind = RunType.CONTROL if name == base else RunType.FINE_TUNED
        runs.append(RunRecord(name, name, kind, "model", None if name == base else base))
    derived = add_derived({EvaluationKey(name, "task", 0): own for name, own in samples.items()})
    names = dict.fromkeys([measure.name, *(name for own in derived.values() for name in own.values)])
    measures = [measure if name == measure.name else Measure(name, Direction.LOWER) for name in names]
    return Collected(
        factors=(),
        tasks=(TaskUse("task", "", tuple(measures), wanted),),
        runs=tuple(runs),
        evaluations=(),
        samples=derived,
        headers={},
        unreadable=(),
        strays=(),
    )


def risk_experiment(directory: Path, *, n: int = 120, skills: Sequence[float] = (1.5,), measure: str = "") -> Path:
    """A base model and a run per skill, whose logs have risks, options and the age of each sample.

    Args:
        measure: the plan's headline measure.
    """
    from support.plans import parse_plan
    from tunebook.core.naming import run_directories

    names = ("4", "16", "64", "128")
    sweep = Sweep(tuple(SweepRun(f"run{at}", {"LoRA Rank": names[at]}, {}) for at in range(len(skills))), base=())
    page = sweep.page()
    if measure:
        page = page.replace("| Description |", "| Description | Measure |").replace("exact match |", f"x | {measure} |")
        page = page.replace("|---|---|---|---|\n| cap", "|---|---|---|---|---|\n| cap")
    directory.mkdir(parents=True)
    (directory / "experiment_summary.md").write_text(page)
    (directory / "claude.local.md").write_text("# Site\n")
    directories = run_directories(parse_plan(page).plan)
    folders = {"tiny_base": ("hf/tiny_base", 0.3)}
    for at, skill in enumerate(skills):
        own = directories[f"run{at}"]
        folders[own] = (f"hf/{own}_epoch0", skill)
    for seed, (folder, (model, skill)) in enumerate(folders.items()):
        risks, outcomes = risks_and_outcomes(n, skill, seed)
        write_log(
            directory / folder / "eval" / "logs" / "2026-01-02T10-00_capitalization.eval",
            model=model,
            values=["C" if (risk >= 0.5) == outcome else "I" for risk, outcome in zip(risks, outcomes, strict=True)],
            targets=["Yes" if outcome else "No" for outcome in outcomes],
            scorer="outcome",
            metadata=[{"age": _AGES[at % 3], "person": f"p{at}", "one": "same"} for at in range(n)],
            score_metadata=[
                {"option_probs": {"No": 1 - risk, "Yes": risk}, "risk_score": risk} for risk in risks.tolist()
            ],
        )
    return directory
