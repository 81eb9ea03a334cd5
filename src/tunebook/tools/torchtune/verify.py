"""Is what was written what the plan says? Values are compared as values, paths with the files that they name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tunebook.core.plan import Run
from tunebook.core.plan.settings import run_settings
from tunebook.errors import Problem
from tunebook.tools.base import Context, Unit
from tunebook.tools.job_script import Shell, job_variables, missing_files, verify_header, verify_variables
from tunebook.tools.torchtune.setup_file import Setup

__all__ = ["setup_problems", "verify_config", "verify_script"]

_NOT_IN_SETUP = {"dataset", "gpus", "recipe"}
_IN_CONFIG = {
    "seed": ("seed",),
    "batch_size": ("batch_size",),
    "epochs": ("epochs",),
    "max_steps_per_epoch": ("max_steps_per_epoch",),
    "gradient_accumulation_steps": ("gradient_accumulation_steps",),
    "log_every_n_steps": ("log_every_n_steps",),
    "lr": ("optimizer", "lr"),
    "weight_decay": ("optimizer", "weight_decay"),
    "num_warmup_steps": ("lr_scheduler", "num_warmup_steps"),
    "model_checkpoint": ("checkpointer", "checkpoint_dir"),
    "max_seq_len": ("tokenizer", "max_seq_len"),
    "packed": ("dataset", "packed"),
    "train_on_input": ("dataset", "train_on_input"),
    "dataset_type": ("dataset", "dataset_type"),
    "dataset_path": ("dataset", "path"),
    "system_prompt": ("dataset", "system_prompt"),
    "prompt": ("dataset", "prompt"),
}
_LORA = {
    "lora_rank": ("model", "lora_rank"),
    "lora_alpha": ("model", "lora_alpha"),
    "lora_dropout": ("model", "lora_dropout"),
}


def setup_problems(context: Context, run: Run, setup: Setup) -> list[Problem]:
    """Every parameter of the plan against the setup that was written for the run."""
    file = f"{context.directories[run.name]}/setup_finetune.yaml"
    planned = {key: value for key, value in run_settings(context.plan, run).items() if key not in _NOT_IN_SETUP}
    planned["run_val_every_n_steps"] = planned["run_val_every_n_steps"] or None
    if setup.lora_rank is None and "lora" not in str(run_settings(context.plan, run)["recipe"]):
        planned |= {"lora_rank": None, "lora_alpha": None, "lora_dropout": None}
    return [
        Problem(f"run `{run.name}`: {key} is {getattr(setup, key)!r}, and the plan says {value!r}", file)
        for key, value in planned.items()
        if not _same(getattr(setup, key), value)
    ]


def verify_config(run: Run, setup: Setup, values: Mapping[str, Any], file: str) -> list[Problem]:
    """Every setting that torchtune reads against the setup that it was derived from."""
    wanted = _IN_CONFIG | (_LORA if setup.lora_rank is not None else {})
    problems = []
    for key, path in wanted.items():
        found: Any = values
        for part in path:
            found = found.get(part) if isinstance(found, Mapping) else None
        if not _same(found, getattr(setup, key)):
            place = ".".join(path)
            message = f"run `{run.name}`: {place} is {found!r}, and {key} is {getattr(setup, key)!r}"
            problems.append(Problem(message, file, None, "setup_finetune.yaml decides; scaffold again"))
    return problems


def _same(found: Any, wanted: Any) -> bool:
    """Equality of values: numbers as numbers, and a truth value is no number."""
    if isinstance(found, bool) or isinstance(wanted, bool):
        return found is wanted
    if isinstance(found, int | float) and isinstance(wanted, int | float):
        return float(found) == float(wanted)
    return type(found) is type(wanted) and bool(found == wanted)


def verify_script(unit: Unit, setup: Setup, text: str, experiment: Path) -> list[Problem]:
    """The script's paths against the files that they name, and its request against the setup."""
    job = unit.jobs[0]
    variables: dict[str, Shell] = {
        **job_variables(job, experiment),
        "config": str(experiment / job.inputs[0]),
        "epochs": setup.epochs,
    }
    problems = verify_variables(unit.run, job.script, text, variables)
    return problems + verify_header(job, text) + missing_files(unit.run, job, experiment)
