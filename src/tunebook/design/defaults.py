"""Completes a design: the site settings or a default decide what it leaves open, and every decision is listed."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import PurePosixPath

from tunebook.core.plan import Model
from tunebook.core.site import Site
from tunebook.design.check import missing_parts
from tunebook.design.documents import place_of
from tunebook.design.factors import column_of
from tunebook.design.values import DesignInputs

__all__ = ["DEFAULTS", "complete"]

DEFAULTS = {"lora_rank": "8", "lr": "1e-4", "batch_size": "4", "epochs": "1"}
"""Values that ``--yes`` takes, and the questions offer, for parameters that every training needs."""


def complete(inputs: DesignInputs, site: Site, *, defaults: bool) -> DesignInputs:
    """Fills in the models' directories, the number of GPUs and, if wanted, :data:`DEFAULTS`."""
    design = inputs.design
    decisions, problems = [*inputs.decisions], [*inputs.problems]
    models: list[Model] = []
    for model in design.models:
        path = model.path
        if not path and site.models_dir:
            path = str(PurePosixPath(site.models_dir, model.name))
            decisions.append((f"model {model.name} at {path}", f"the models directory of {site.file}"))
        if not path:
            hint = f"write {model.name}=PATH, or name a models directory in claude.local.md"
            problems.append(place_of(model.name).problem(f"model `{model.name}` has no path", hint))
        models.append(replace(model, path=path))
    settings = dict(design.settings)
    if "gpus" not in settings:
        settings["gpus"], why = _gpus(site)
        decisions.append((f"GPUs = {settings['gpus']}", why))
    if defaults:
        for key in missing_parts(design):
            if key in DEFAULTS:
                settings[key] = DEFAULTS[key]
                decisions.append((f"{column_of(key)} = {DEFAULTS[key]}", "the usual default, since none was given"))
    completed = replace(design, models=tuple(models), settings=settings)
    return replace(inputs, design=completed, decisions=tuple(decisions), problems=tuple(problems))


def _gpus(site: Site) -> tuple[str, str]:
    """The number of GPUs of a run, and the reason."""
    if site.gpus:
        return site.gpus, f"the default of {site.file}"
    if site.account or site.partition or site.cluster:
        return "1", "one GPU for each job of a cluster"
    if shutil.which("nvidia-smi"):
        return "1", "this machine has a GPU"
    return "0", "this machine has no GPU, and the site settings describe no cluster"
