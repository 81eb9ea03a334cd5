"""One run's settings as the plan and the site settings give them: ``setup_finetune.yaml`` before anybody edits it."""

from __future__ import annotations

from collections.abc import Mapping

from tunebook.core.jobs import Stage
from tunebook.core.parameters import Value
from tunebook.core.paths import expanded
from tunebook.core.plan import Run
from tunebook.core.plan.settings import run_settings
from tunebook.errors import PlanError
from tunebook.tools.base import Context
from tunebook.tools.plan_inputs import (
    absolute_path,
    dataset_keys,
    dataset_path,
    memory_gb,
    model_directory,
    model_path,
    planned_gpus,
    planned_precision,
    training_time,
)

__all__ = ["planned_settings"]

_DEFAULT_CPUS = 4


def planned_settings(context: Context, run: Run, *, parameters_b: float, save: str | None) -> dict[str, Value]:
    """The run's settings: those of the plan, and what the site settings and the plan's paths give.

    Args:
        parameters_b: billions of parameters of the model.
        save: the form of checkpoints; ``None`` where all weights are trained.

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
    settings["gpus"] = planned_gpus(plan, site)
    settings |= context.memo.once(("data", data), lambda: dataset_keys(absolute_path(context, data)))
    settings |= context.memo.once("site", lambda: _site_values(context))
    settings["my_wandb_run_name"] = None
    if site.wandb_project:
        settings["my_wandb_run_name"] = f"{plan.name}_{context.directories[run.name]}"
    settings["model_checkpoint"] = model_directory(context, checkpoint)
    settings["time"] = training_time(plan, site, run)
    settings["save"] = save
    precision = planned_precision(plan, site, run)
    memory = memory_gb(parameters_b, planned_gpus(plan, site), precision=precision, merges=save == "merged")
    settings["mem"] = site.mem or f"{memory}G"
    settings["cpus"] = int(site.cpus or _DEFAULT_CPUS * max(1, planned_gpus(plan, site)))
    return settings


def _site_values(context: Context) -> Mapping[str, Value]:
    site = context.site
    environment = site.environment_for(context.plan.tools.preparation, Stage.PREPARATION)
    return {
        "my_wandb_project": site.wandb_project or None,
        "output_dir_base": site.output_dir_base and expanded(site.output_dir_base),
        "conda_env": environment.conda_env,
        "venv": environment.venv and expanded(environment.venv),
        "modules": site.modules,
        "account": site.account,
        "partition": site.partition,
        "constraint": site.constraint,
        "qos": site.qos,
    }
