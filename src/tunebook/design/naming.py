"""Names of the experiment and of its runs, where a person gives none."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date
from pathlib import PurePosixPath

from tunebook.core.naming import as_component, run_labels
from tunebook.core.plan import Plan, Run
from tunebook.design.values import MODEL, Design
from tunebook.tools.parameters import every_parameter

__all__ = ["FreeNames", "control_name", "experiment_name", "with_names"]

_WORDS = {"lora_rank": "lora", MODEL: "model"}
_MOST_WORDS = 3


def experiment_name(design: Design, day: date) -> str:
    """``capitalization_lora_comparison_2025-10-22``; ``_sweep_`` if several things vary."""
    words = [_WORDS.get(key) or every_parameter().by_key(key).short or key for key in _varied_keys(design)]
    kind = {0: [], 1: ["comparison"]}.get(len(words), ["sweep"])
    if not words:
        words = ["finetuning" if design.is_trained else "models"]
    task = [task.name for task in design.tasks[:1]]
    return as_component("_".join([*task, *words[:_MOST_WORDS], *kind, f"{day:%Y-%m-%d}"]))


def _varied_keys(design: Design) -> list[str]:
    keys = [*design.factor_keys]
    for run in design.listed:
        keys += run.values
    if len(design.models) > 1:
        keys.append(MODEL)
    return list(dict.fromkeys(keys))


class FreeNames:
    """Gives out names that differ by more than case, since directories may follow from them."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = {name.lower() for name in taken}

    def take(self, name: str) -> str:
        """The name, or the first of ``name-2``, ``name-3`` … that is free."""
        candidate, number = str(name), 2
        while candidate.lower() in self._taken:
            candidate, number = f"{name}-{number}", number + 1
        self._taken.add(candidate.lower())
        return candidate


def with_names(plan: Plan, given: Sequence[str]) -> tuple[Run, ...]:
    """The runs with the names that are given, or with names by convention: ``{model}_rank8_lr1e-5``.

    Args:
        given: one name per run; an empty one is by convention.
    """
    labels = run_labels(plan)
    names = FreeNames()
    # Names that are given come first, so that no name by convention takes one of them.
    taken = [names.take(name) if name else "" for name in given]
    runs: list[Run] = []
    for run, name in zip(plan.runs, taken, strict=True):
        usual = "_".join([_stem(run.model), *(labels[run.name] or _rank_and_rate(plan, run))])
        runs.append(replace(run, name=name or names.take(usual)))
    return tuple(runs)


def _stem(model: str) -> str:
    """A model's name as a part of a run's name."""
    return as_component(PurePosixPath(model).name).lstrip(".-") or "model"


def _rank_and_rate(plan: Plan, run: Run) -> list[str]:
    """The labels of a run's name where nothing varies."""
    labels: list[str] = []
    for key in ("lora_rank", "lr"):
        written = plan.setting(run, key)
        if written:
            labels.append(f"{plan.parameters.by_key(key).short}{written.text}")
    return labels


def control_name(model: str) -> str:
    """The name of a control run by convention."""
    return f"{_stem(model)}_base"
