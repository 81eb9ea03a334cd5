"""Values that every tool takes from the plan and the site settings: paths, GPUs, host memory, time limits."""

from __future__ import annotations

import math
from pathlib import PurePosixPath

from tunebook.core.jobs import Resources
from tunebook.core.paths import expanded
from tunebook.core.plan import Plan, Run
from tunebook.core.plan.settings import effective
from tunebook.core.site import Site
from tunebook.core.units import clock_minutes, sbatch_time
from tunebook.tools.base import Context

__all__ = [
    "absolute_path",
    "dataset_keys",
    "dataset_path",
    "evaluation_time",
    "job_resources",
    "memory_gb",
    "model_directory",
    "model_path",
    "planned_gpus",
    "planned_precision",
    "training_estimate_min",
    "training_time",
]

_HEAD_ROOM = 2.0  # losing a job that runs longer than estimated costs more than a longer wait in the queue
_SHORTEST_MIN = 15.0
_DEFAULT_MIN = 60.0


def model_path(plan: Plan, site: Site, run: Run) -> str:
    """The path of the run's model: its checkpoint, its own bullet, or in the plan's or the site's models directory.

    Empty if it is unknown.
    """
    if run.checkpoint:
        return run.checkpoint
    model = plan.model_of(run)
    if model is not None:
        return model.path
    location = plan.models_location or site.models_dir
    if not location or not run.model:
        return ""
    return str(PurePosixPath(location, run.model))


def model_directory(context: Context, path: str) -> str:
    """The absolute path of a model's files: of the snapshot, where the plan names a Hugging Face cache entry."""
    facts = context.models.get(path)
    if facts is not None and not facts.flaws:
        return str(facts.directory)
    return absolute_path(context, path)


def absolute_path(context: Context, path: str) -> str:
    """A path of the plan from the root."""
    return context.memo.once(("absolute", path), lambda: str(context.experiment / expanded(path)))


def dataset_path(plan: Plan, run: Run) -> str:
    """The path of the run's data set: its own column, or the plan's; empty if neither is given."""
    written = plan.setting(run, "dataset")
    if written is not None:
        return str(written.value)
    return plan.dataset_path


def dataset_keys(path: str) -> dict[str, str]:
    """The keys of ``setup_finetune.yaml`` for a data set, from its absolute path."""
    data = PurePosixPath(path)
    return {
        "input_dir_base": str(data.parent),
        "input_formatting": "",
        "dataset_label": data.name.removesuffix(data.suffix),
        "dataset_ext": data.suffix,
    }


def planned_gpus(plan: Plan, site: Site) -> int:
    """GPUs of a training: the plan's number, or the site's, or one."""
    gpus = plan.value("gpus")
    if isinstance(gpus, int):
        return gpus
    return int(site.gpus or 1)


def planned_precision(plan: Plan, site: Site, run: Run) -> str:
    """``bf16`` or ``fp32``, the precision of a run's base weights in training and evaluation.

    Without the plan's word it is bf16 on GPUs and fp32 elsewhere.
    """
    written = effective(plan, run, "precision")
    if isinstance(written, str):
        return written
    return "bf16" if planned_gpus(plan, site) else "fp32"


def memory_gb(parameters_b: float, gpus: int, *, precision: str = "bf16", merges: bool = False) -> int:
    """Host memory in GB of a job with a model of this many billions of parameters.

    On a GPU the host holds the weights while they load and again while they are saved, for every process of a
    distributed run: in 16 bits, or in 32 for ``fp32``. Without one it holds weights and activations in 32 bits.
    Rounded up to a multiple of 8, at least 16.

    Args:
        merges: whether the job merges adapters, on a copy of the weights in 32 bits.
    """
    gb_per_billion = 12.0
    if gpus:
        gb_per_billion = 10.0 if precision == "fp32" or merges else 5.0
    elif merges:
        gb_per_billion = 16.0
    per_process = parameters_b * gb_per_billion
    return max(16, 8 * math.ceil((per_process * max(1, gpus) + 8) / 8))


def job_resources(site: Site, *, time: str, memory_gb: int, cpus: int, gpus: int) -> Resources:
    """A job's resources: the tool's estimates of time and size, and what the site settings say about the rest.

    Args:
        memory_gb: used unless the site settings give the memory of every job; so is ``cpus``.
    """
    return Resources(
        time=time,
        memory=site.mem or f"{memory_gb}G",
        cpus=int(site.cpus or cpus),
        gpus=gpus,
        gpu_type=site.gpu_type,
        gpu_syntax=site.gpu_syntax,
        account=site.account,
        partition=site.partition,
        constraint=site.constraint,
        qos=site.qos,
        mail_user=site.mail_user,
        mail_type=site.mail_type,
    )


def training_estimate_min(plan: Plan, run: Run) -> float | None:
    """The minutes that the plan estimates for a run's training; ``None`` without an estimate."""
    return run.estimate_min or plan.estimates.training_min.get(run.model)


def training_time(plan: Plan, site: Site, run: Run) -> str:
    """The time limit of a run's training in SLURM's notation."""
    return _time(training_estimate_min(plan, run), site)


def evaluation_time(plan: Plan, site: Site) -> str:
    """The time limit of an evaluation in SLURM's notation."""
    return _time(plan.estimates.evaluation_min, site)


def _shortest_min(site: Site) -> float:
    """The least time limit: of a queue for short tests, what it gives at most."""
    limits = [partition.time_min for partition in site.partitions if partition.time_min]
    return min([_SHORTEST_MIN, *limits])


def _time(estimate_min: float | None, site: Site) -> str:
    """Twice the estimate, at least 15 minutes or as long as the partition allows; otherwise the site's default."""
    if estimate_min:
        return sbatch_time(max(_shortest_min(site), _HEAD_ROOM * estimate_min))
    if site.time and clock_minutes(site.time) is not None:
        return site.time
    return sbatch_time(site.time_min or _DEFAULT_MIN)
