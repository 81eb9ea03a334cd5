"""From the plan and the site to one run's settings: what ``setup_finetune.yaml`` says when nobody has edited it."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

from tunebook.core.check_training import STOCK_RECIPES
from tunebook.core.plan import Run
from tunebook.core.plan.settings import is_lora, run_settings
from tunebook.errors import PlanError
from tunebook.tools.base import Context
from tunebook.tools.plan_inputs import dataset_path, memory_gb, model_path, planned_gpus, training_time
from tunebook.tools.torchtune.models import TorchtuneModel
from tunebook.tools.torchtune.setup_file import Setup

__all__ = ["planned_setup"]

_DEFAULT_CPUS = 4


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
    gpus = planned_gpus(plan, site)
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
        "time": training_time(plan, site, run),
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
