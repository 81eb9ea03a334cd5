"""Every setting of a site in one table: its name in the file, its section, and what holds where it is unset."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tunebook.core.parameters import suggestion
from tunebook.core.site import Environment, Site

__all__ = ["SETTINGS", "Setting", "environment_text", "line_of", "read_assignments", "setting", "site_of", "values_of"]


@dataclass(frozen=True)
class Setting:
    """One setting.

    Attributes:
        key: its name in options and documents.
        label: its name in ``claude.local.md``; environments have two, one for conda and one for a path.
        section: the heading that it stands under.
        default: what holds where it is unset, in words.
        of_slurm: whether it matters only where there is SLURM.
    """

    key: str
    label: str
    section: str
    default: str
    of_slurm: bool = False


_HPC, _SHARED, _SLURM = "HPC Environment", "Shared Resources", "SLURM Defaults"
_PYTHON, _MODULES, _WANDB, _OUTPUTS = (
    "Python Environments",
    "Module System",
    "Weights & Biases",
    "Experiments & Outputs",
)
_CLUSTER = "the cluster's default"

SETTINGS = (
    Setting("cluster", "Cluster", _HPC, "no cluster"),
    Setting("username", "Username", _HPC, "not used"),
    Setting("group", "Group", _HPC, "not used"),
    Setting("scratch", "Scratch directory", _HPC, "not used"),
    Setting("models_dir", "Models directory", _SHARED, "the page names each model's path"),
    Setting("account", "Account", _SLURM, _CLUSTER, of_slurm=True),
    Setting("partition", "Partition", _SLURM, _CLUSTER, of_slurm=True),
    Setting("constraint", "Constraint", _SLURM, "any node of the partition", of_slurm=True),
    Setting("qos", "QOS", _SLURM, _CLUSTER, of_slurm=True),
    Setting("time", "Default time", _SLURM, "1 hour where a run has no estimate", of_slurm=True),
    Setting("gpus", "Default GPUs", _SLURM, "1"),
    Setting("cpus", "Default CPUs", _SLURM, "4 for each GPU", of_slurm=True),
    Setting("mem", "Default memory", _SLURM, "by the model's size", of_slurm=True),
    Setting("gpu_syntax", "GPU request syntax", _SLURM, "--gres", of_slurm=True),
    Setting("mail_user", "Mail user", _SLURM, "no mail", of_slurm=True),
    Setting("mail_type", "Mail type", _SLURM, "END,FAIL where there is a mail user", of_slurm=True),
    Setting("training", "Training", _PYTHON, "the Python that runs tunebook"),
    Setting("evaluation", "Evaluation", _PYTHON, "the Python that runs tunebook"),
    Setting("modules", "Modules", _MODULES, "none"),
    Setting("wandb_entity", "W&B entity", _WANDB, "not used"),
    Setting("wandb_project", "W&B project", _WANDB, "runs are not logged to Weights & Biases"),
    Setting("output_dir_base", "Output base directory", _OUTPUTS, "each run's own directory"),
)
_BY_KEY = {item.key: item for item in SETTINGS}
_ENVIRONMENTS = ("training", "evaluation")


def setting(key: str) -> Setting:
    """The setting with this key; the key is one of ours."""
    return _BY_KEY[key]


def values_of(site: Site) -> dict[str, str]:
    """Each setting of a site as a text; empty is "unset"."""
    values = {key: getattr(site, key) for key in _BY_KEY if key not in {*_ENVIRONMENTS, "modules"}}
    values |= {key: environment_text(getattr(site, key)) for key in _ENVIRONMENTS}
    return values | {"modules": "\n".join(site.modules)}


def site_of(values: Mapping[str, str]) -> Site:
    """The inverse of :func:`values_of`; settings that are not given are unset."""
    special = {*_ENVIRONMENTS, "modules", "gpu_syntax"}
    plain: dict[str, Any] = {key: value for key, value in values.items() if key in _BY_KEY and key not in special}
    return Site(
        modules=tuple(line for line in values.get("modules", "").split("\n") if line),
        training=_environment(values.get("training", "")),
        evaluation=_environment(values.get("evaluation", "")),
        gpu_syntax=values.get("gpu_syntax", "").removeprefix("--") or "gres",
        **plain,
    )


def environment_text(environment: Environment) -> str:
    """``conda:NAME`` or ``venv:PATH``; where both are set, conda is what a job activates."""
    if environment.conda_env:
        return f"conda:{environment.conda_env}"
    return f"venv:{environment.venv}" if environment.venv else ""


def _environment(text: str) -> Environment:
    """Without ``conda:`` or ``venv:`` in front, what holds a slash is a virtual environment's path."""
    kind, colon, name = text.partition(":")
    if colon and kind in {"conda", "venv"}:
        return Environment(conda_env=name) if kind == "conda" else Environment(venv=name)
    return Environment(venv=text) if "/" in text else Environment(conda_env=text)


def line_of(site: Site, key: str) -> int | None:
    """The line that a setting was read from."""
    names: tuple[str, ...] = (key,)
    if key in _ENVIRONMENTS:
        own = tuple(name for name in (f"{key}_conda", f"{key}_venv") if name in site.lines)
        names = own or ("conda", "venv")
    return next((site.lines[name] for name in names if name in site.lines), None)


def read_assignments(assignments: Mapping[str, str] | tuple[str, ...]) -> dict[str, str]:
    """``key=value`` texts as values by key; ``modules`` may be repeated, a line each.

    Raises:
        ValueError: one of them has no ``=``, or names no setting.
    """
    pairs = assignments.items() if isinstance(assignments, Mapping) else map(_pair, assignments)
    values: dict[str, str] = {}
    for key, value in pairs:
        if key not in _BY_KEY:
            raise ValueError(f"unknown setting `{key}`: {suggestion(key, _BY_KEY)}")
        values[key] = f"{values[key]}\n{value}" if key == "modules" and values.get(key) else value
    return values


def _pair(text: str) -> tuple[str, str]:
    key, sign, value = text.partition("=")
    if not sign:
        raise ValueError(f"`{text}` is not KEY=VALUE")
    return key.strip().replace("-", "_"), value.strip()
