"""Absolute paths in a design, so that the plan means the same from every directory."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from tunebook.design.places import Text, place_of
from tunebook.design.values import Design, Factor, ListedRun

__all__ = ["absolute", "with_absolute_paths"]


def absolute(text: str, here: Path) -> str:
    """The path, relative to ``here``; symbolic links stay, and an empty text stays empty."""
    if not text:
        return text
    return Text(os.path.abspath(here / Path(text).expanduser()), place_of(text))  # noqa: PTH100  resolves no links


def with_absolute_paths(design: Design, here: Path) -> Design:
    """The design with absolute paths of models, data sets, scripts and weights."""
    return replace(
        design,
        models=tuple(replace(model, path=absolute(model.path, here)) for model in design.models),
        dataset=absolute(design.dataset, here),
        tasks=tuple(
            replace(task, script=absolute(task.script, here), dataset=absolute(task.dataset or "", here) or None)
            for task in design.tasks
        ),
        factors=tuple(_factor(factor, here) for factor in design.factors),
        base=_values(design.base, here),
        listed=tuple(ListedRun(_values(run.values, here), run.name) for run in design.listed),
        exclusions=tuple(_values(rule, here) for rule in design.exclusions),
        eval_only=tuple(replace(item, checkpoint=absolute(item.checkpoint, here)) for item in design.eval_only),
        settings=_values(design.settings, here),
    )


def _factor(factor: Factor, here: Path) -> Factor:
    if factor.key != "dataset":
        return factor
    return Factor(factor.key, tuple(absolute(level, here) for level in factor.levels))


def _values(values: Mapping[str, str], here: Path) -> Mapping[str, str]:
    return {key: absolute(text, here) if key == "dataset" else text for key, text in values.items()}
