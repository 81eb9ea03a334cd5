"""From the plan and the site to one run's settings: what ``setup_finetune.yaml`` says when nobody has edited it."""

from __future__ import annotations

import math
from pathlib import Path, PurePosixPath
from typing import Any

from tunebook.core.check_training import STOCK_RECIPES
from tunebook.core.plan import Plan, Run
from tunebook.core.plan.settings import is_lora, run_settings
from tunebook.core.site import Site
from tunebook.core.units import clock_minutes, sbatch_time
from tunebook.errors import PlanError
from tunebook.tools.base import Context
from tunebook.tools.torchtune.models import TorchtuneModel
from tunebook.tools.torchtune.setup_file import Setup

__all__ = ["dataset_path", "evaluation_time", "memory_gb", "model_path", "planned_setup", "site_gpus"]

_HEAD_ROOM = 2.0  # a job that runs longer than estimated is worth more than the queue time saved
_SHORTEST_MIN = 15.0
_DEFAULT_MIN = 60.0
_DEFAULT_CPUS = 4


def model_path(plan: Plan, site: Site, run: Run) -> str:
    """Where the run's model is, as the page gives it: its bullet, else the page's or the site's models directory."""
    model = plan.model_of(run)
    if model is not None:
        return model.path
    location = plan.models_location or site.models_dir
    return str(PurePosixPath(location, run.model)) if location and run.model else ""


def dataset_path(plan: Plan, run: Run) -> str:
    """The run's data set: its own column, else the page's."""
    written = plan.setting(run, "dataset")
    return str(written.value) if written else (plan.dataset.path if plan.dataset else "")


def site_gpus(plan: Plan, site: Site) -> int:
    """How many GPUs a job gets: the page's number, else the site's, else one."""
    gpus = plan.value("gpus")
    return gpus if isinstance(gpus, int) else int(site.gpus or 1)


def memory_gb(parameters_b: float, gpus: int) -> int:
    """Host memory in GB.

    On a GPU the host holds the weights in 16 bits while they load and again while they are merged and saved, for every
    process of a distributed run; without one it holds weights and activations in 32 bits. Rounded up to a multiple of
    8, at least 16.
    """
    per_process = parameters_b * (5.0 if gpus else 12.0)
    return max(16, 8 * math.ceil((per_process * max(1, gpus) + 8) / 8))


def evaluation_time(plan: Plan, site: Site) -> str:
    """The time limit of an evaluation, with head-room."""
    return _time(plan.estimates.evaluation_min, site)


def _time(estimate_min: float | None, site: Site) -> str:
    """Twice the estimate, at least a quarter of an hour; without an estimate the site's default."""
    if estimate_min:
        return sbatch_time(max(_SHORTEST_MIN, _HEAD_ROOM * estimate_min))
    if site.time and clock_minutes(site.time) is not None:
        return site.time
    return sbatch_time(site.time_min or _DEFAULT_MIN)


def planned_setup(context: Context, run: Run, model: TorchtuneModel) -> Setup:
    """The run's settings.

    Raises:
        PlanError: the page leaves out something that cannot be guessed.
    """
    plan, site = context.plan, context.site
    settings = dict(run_settings(plan, run))
    recipe = str(settings.pop("recipe"))
    data = _absolute(context, dataset_path(plan, run))
    checkpoint = _absolute(context, model_path(plan, site, run))
    if not dataset_path(plan, run) or not model_path(plan, site, run):
        raise PlanError(
            f"run `{run.name}`: the page gives no path for its model or data", file=plan.file, line=run.line
        )
    gpus = site_gpus(plan, site)
    values: dict[str, Any] = {
        **{key: value for key, value in settings.items() if key not in {"dataset", "gpus"}},
        "my_wandb_project": site.wandb_project or None,
        "my_wandb_run_name": f"{plan.name}_{context.directories[run.name]}" if site.wandb_project else None,
        "input_dir_base": str(data.parent),
        "input_formatting": "",
        "dataset_label": data.name.removesuffix(data.suffix),
        "dataset_ext": data.suffix,
        "model_checkpoint": str(checkpoint),
        "run_val_every_n_steps": settings["run_val_every_n_steps"] or None,
        "output_dir_base": str(Path(site.output_dir_base).expanduser()) if site.output_dir_base else "",
        "conda_env": site.training.conda_env,
        "venv": str(Path(site.training.venv).expanduser()) if site.training.venv else "",
        "modules": site.modules,
        "account": site.account,
        "partition": site.partition,
        "constraint": site.constraint,
        "qos": site.qos,
        "time": _time(run.estimate_min or plan.estimates.training_min.get(run.model), site),
        "gpus": gpus,
        "cpus": int(site.cpus or _DEFAULT_CPUS * max(1, gpus)),
        "mem": site.mem or f"{memory_gb(model.parameters_b, gpus)}G",
        "custom_recipe": None if recipe in STOCK_RECIPES else recipe,
    }
    if not is_lora(recipe) and recipe in STOCK_RECIPES:
        values |= {"lora_rank": None, "lora_alpha": None, "lora_dropout": None}
    return Setup(**values)


def _absolute(context: Context, path: str) -> PurePosixPath:
    return PurePosixPath(context.experiment / Path(path).expanduser())
