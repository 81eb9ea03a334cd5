"""Absolute paths in a design, so that the plan means the same from every directory."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from tunebook.core.plan import EvaluationTask
from tunebook.design.documents import Text, place_of
from tunebook.design.values import Design, Factor

__all__ = ["absolute", "with_absolute_paths"]


def absolute(text: str, here: Path) -> str:
    """The path, relative to ``here``; symbolic links stay, and an empty text stays empty."""
    if not text:
        return text
    return Text(os.path.abspath(here / Path(text).expanduser()), place_of(text))  # noqa: PTH100  resolves no links


def with_absolute_paths(design: Design, here: Path) -> Design:
    """The design with absolute paths of models, data sets, scripts and weights."""

    def at(text: str) -> str:
        return absolute(text, here)

    def values(texts: Mapping[str, str]) -> Mapping[str, str]:
        if "dataset" in texts:
            return {**texts, "dataset": at(texts["dataset"])}
        return texts

    def levels(factor: Factor) -> Factor:
        if factor.key == "dataset":
            return replace(factor, levels=tuple(map(at, factor.levels)))
        return factor

    def located(task: EvaluationTask) -> EvaluationTask:
        return replace(task, script=at(task.script), dataset=at(task.dataset or "") or None)

    return replace(
        design,
        models=tuple(replace(model, path=at(model.path)) for model in design.models),
        dataset=at(design.dataset),
        tasks=tuple(map(located, design.tasks)),
        factors=tuple(map(levels, design.factors)),
        base=values(design.base),
        listed=tuple(replace(run, values=values(run.values)) for run in design.listed),
        exclusions=tuple(map(values, design.exclusions)),
        eval_only=tuple(replace(item, checkpoint=at(item.checkpoint)) for item in design.eval_only),
        settings=values(design.settings),
    )
