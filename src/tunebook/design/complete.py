"""What a design leaves open and the site, or a sensible default, decides; every such decision is told."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from tunebook.core.site import Site
from tunebook.design.check import missing
from tunebook.design.reader import Read
from tunebook.design.values import Design
from tunebook.errors import Problem

__all__ = ["DEFAULTS", "Completed", "complete", "gpu_memory_gb"]

DEFAULTS = {"lora_rank": "8", "lr": "1e-4", "batch_size": "4", "epochs": "1"}
"""What ``--yes`` takes, and a session offers, for parameters that every training needs."""

_ASSUMED_GPU_GB = 80.0


@dataclass(frozen=True)
class Completed:
    """The design with nothing left open; decisions are pairs of what was decided and why."""

    design: Design
    decisions: tuple[tuple[str, str], ...]
    problems: tuple[Problem, ...]


def complete(read: Read, site: Site, *, defaults: bool) -> Completed:
    """Fills in the models' directories, the number of GPUs and, if wanted, :data:`DEFAULTS`."""
    design = read.design
    decisions: list[tuple[str, str]] = []
    problems: list[Problem] = []
    models = []
    for model in design.models:
        path = model.path or (str(PurePosixPath(site.models_dir, model.name)) if site.models_dir else "")
        if not model.path and path:
            decisions.append((f"model {model.name} at {path}", f"the models directory of {site.file}"))
        if not path:
            hint = f"write {model.name}=PATH, or name a models directory in claude.local.md"
            problems.append(read.place("model", model.name).problem(f"model `{model.name}` has no path", hint))
        models.append(replace(model, path=path))
    settings = dict(design.settings)
    if "gpus" not in settings:
        settings["gpus"], why = _gpus(site)
        decisions.append((f"GPUs = {settings['gpus']}", why))
    for key in missing(design) if defaults else ():
        if key in DEFAULTS:
            settings[key] = DEFAULTS[key]
            decisions.append((f"{design.column(key)} = {DEFAULTS[key]}", "nothing was said: the usual default"))
    completed = replace(design, models=tuple(models), settings=settings)
    return Completed(completed, tuple(decisions), tuple(problems))


def _gpus(site: Site) -> tuple[str, str]:
    if site.gpus:
        return site.gpus, f"the default of {site.file}"
    if site.account or site.partition or site.cluster:
        return "1", "a cluster's job: one GPU"
    if shutil.which("nvidia-smi"):
        return "1", "this machine has a GPU"
    return "0", "this machine has no GPU, and no cluster is described"


def gpu_memory_gb(site: Site) -> tuple[float, str]:
    """The memory of the GPUs that jobs get, and how it is known."""
    match = re.search(r"gpu(\d{2,3})\b|\b(\d{2,3})g(?:b)?\b", site.constraint, re.IGNORECASE)
    if match:
        return float(match[1] or match[2]), f"constraint {site.constraint}"
    return _ASSUMED_GPU_GB, "assumed"
