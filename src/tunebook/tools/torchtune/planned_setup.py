"""One run's settings as the plan and the site settings give them: ``setup_finetune.yaml`` before anybody edits it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from tunebook.core.parameters import Value
from tunebook.core.plan import Plan, Run
from tunebook.core.plan.settings import run_settings
from tunebook.core.site import Site
from tunebook.core.units import clock_minutes, sbatch_time
from tunebook.errors import PlanError
from tunebook.tools.base import Context
from tunebook.tools.torchtune.models import TorchtuneModel
from tunebook.tools.torchtune.recipes import STOCK_RECIPES
from tunebook.tools.torchtune.setup import Setup
from tunebook.tools.torchtune.setup_file import SETUP_KEYS

__all__ = ["dataset_path", "evaluation_time", "memory_gb", "model_path", "planned_setup", "site_gpus"]

_HEAD_ROOM = 2.0  # a job that runs longer than estimated is worth more than the queue time saved
_SHORTEST_MIN = 15.0
_DEFAULT_MIN = 60.0
_DEFAULT_CPUS = 4


def model_path(plan: Plan, site: Site, run: Run) -> str:
    """The path of the run's model: its bullet in the plan, otherwise in the plan's or the site's models directory."""
    model = plan.model_of(run)
    if model is not None:
        return model.path
    location = plan.models_location or site.models_dir
    if not location or not run.model:
        return ""
    return str(PurePosixPath(location, run.model))


def dataset_path(plan: Plan, run: Run) -> str:
    """The path of the run's data set: its own column, otherwise the plan's."""
    written = plan.setting(run, "dataset")
    if written is not None:
        return str(written.value)
    return plan.dataset.path if plan.dataset else ""


def site_gpus(plan: Plan, site: Site) -> int:
    """The number of GPUs of a job: the plan's, otherwise the site's, otherwise one."""
    gpus = plan.value("gpus")
    return gpus if isinstance(gpus, int) else int(site.gpus or 1)


def memory_gb(parameters_b: float, gpus: int, *, precision: str = "bf16") -> int:
    """Host memory in GB.

    On a GPU the host holds the weights while they load and again while they are merged and saved, for every process of
    a distributed run: in 16 bits, or in 32 for ``fp32``. Without one it holds weights and activations in 32 bits.
    Rounded up to a multiple of 8, at least 16.
    """
    gb_per_billion = 12.0
    if gpus:
        gb_per_billion = 10.0 if precision == "fp32" else 5.0
    per_process = parameters_b * gb_per_billion
    return max(16, 8 * math.ceil((per_process * max(1, gpus) + 8) / 8))


def evaluation_time(plan: Plan, site: Site) -> str:
    """The time limit of an evaluation, with head room."""
    return _time(plan.estimates.evaluation_min, site)


def _time(estimate_min: float | None, site: Site) -> str:
    """Twice the estimate, at least 15 minutes; without an estimate the site's default."""
    if estimate_min:
        return sbatch_time(max(_SHORTEST_MIN, _HEAD_ROOM * estimate_min))
    if site.time and clock_minutes(site.time) is not None:
        return site.time
    return sbatch_time(site.time_min or _DEFAULT_MIN)


def planned_setup(context: Context, run: Run, model: TorchtuneModel) -> Setup:
    """The run's settings: those of the plan, and what the site settings and the plan's paths give.

    Raises:
        PlanError: the plan leaves out something that cannot be guessed.
    """
    plan, site = context.plan, context.site
    data, checkpoint = dataset_path(plan, run), model_path(plan, site, run)
    if not data or not checkpoint:
        message = f"run `{run.name}`: the plan gives no path for its model or data"
        raise PlanError(message, file=plan.file, line=run.line)
    settings = dict(run_settings(plan, run))
    settings["run_val_every_n_steps"] = settings["run_val_every_n_steps"] or None
    settings["gpus"] = site_gpus(plan, site)
    settings |= _data_values(_absolute(context, data))
    settings |= _site_values(context, run)
    settings["model_checkpoint"] = str(_absolute(context, checkpoint))
    settings["time"] = _time(run.estimate_min or plan.estimates.training_min.get(run.model), site)
    settings |= _resource_values(site, model, settings)
    recipe = str(settings["recipe"])
    settings["custom_recipe"] = None if recipe in STOCK_RECIPES else recipe
    return Setup({key: settings[key] for key in SETUP_KEYS})


def _data_values(data: PurePosixPath) -> Mapping[str, Value]:
    return {
        "input_dir_base": str(data.parent),
        "input_formatting": "",
        "dataset_label": data.name.removesuffix(data.suffix),
        "dataset_ext": data.suffix,
    }


def _site_values(context: Context, run: Run) -> Mapping[str, Value]:
    site = context.site
    run_name = f"{context.plan.name}_{context.directories[run.name]}"
    return {
        "my_wandb_project": site.wandb_project or None,
        "my_wandb_run_name": run_name if site.wandb_project else None,
        "output_dir_base": str(Path(site.output_dir_base).expanduser()) if site.output_dir_base else "",
        "conda_env": site.training.conda_env,
        "venv": str(Path(site.training.venv).expanduser()) if site.training.venv else "",
        "modules": site.modules,
        "account": site.account,
        "partition": site.partition,
        "constraint": site.constraint,
        "qos": site.qos,
    }


def _resource_values(site: Site, model: TorchtuneModel, settings: Mapping[str, Value]) -> Mapping[str, Value]:
    gpus = settings["gpus"]
    assert isinstance(gpus, int)  # noqa: S101  the caller has set it
    memory = memory_gb(model.parameters_b, gpus, precision=str(settings["precision"]))
    return {"cpus": int(site.cpus or _DEFAULT_CPUS * max(1, gpus)), "mem": site.mem or f"{memory}G"}


def _absolute(context: Context, path: str) -> PurePosixPath:
    return PurePosixPath(context.experiment / Path(path).expanduser())
