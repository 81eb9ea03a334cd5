"""The site settings as values: one cluster and one person, and every setting's name, section, format and default."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from tunebook.core.parameters import suggestion
from tunebook.core.units import clock_minutes, minutes

__all__ = [
    "SETTINGS",
    "Environment",
    "Setting",
    "Site",
    "environment_text",
    "line_of",
    "read_assignments",
    "setting",
    "site_of",
    "values_of",
]


@dataclass(frozen=True)
class Environment:
    """How a job gets its Python: a conda environment, or a virtual environment's path, or neither."""

    conda_env: str = ""
    venv: str = ""


@dataclass(frozen=True)
class Site:
    """The site settings; an empty text is "unset".

    Attributes:
        file: the path of the file that they were read from; ``None`` without a file.
        lines: setting to its line in ``file``.
        time: in SLURM's notation, as the file has it.
        gpu_syntax: ``gres`` or ``gpus``: the option with which this cluster's jobs request GPUs.
    """

    file: str | None = None
    cluster: str = ""
    username: str = ""
    group: str = ""
    scratch: str = ""
    models_dir: str = ""
    account: str = ""
    partition: str = ""
    constraint: str = ""
    qos: str = ""
    time: str = ""
    gpus: str = ""
    cpus: str = ""
    mem: str = ""
    mail_user: str = ""
    mail_type: str = ""
    gpu_syntax: str = "gres"
    modules: tuple[str, ...] = ()
    training: Environment = field(default_factory=Environment)
    evaluation: Environment = field(default_factory=Environment)
    output_dir_base: str = ""
    wandb_entity: str = ""
    wandb_project: str = ""
    lines: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def time_min(self) -> float | None:
        """The default time limit in minutes."""
        return clock_minutes(self.time) or minutes(self.time)


@dataclass(frozen=True)
class Setting:
    """One setting.

    Attributes:
        key: its name in options and documents.
        label: its name in ``claude.local.md``; environments have two, one for conda and one for a path.
        section: the heading that it is written under.
        default: what applies where it is unset, in words.
        allowed: its values in words; empty if any value is allowed.
    """

    key: str
    label: str
    section: str
    default: str
    allowed: str = ""

    @property
    def is_of_slurm(self) -> bool:
        """Whether it matters only where there is SLURM; the number of GPUs matters everywhere."""
        return self.section == _SLURM and self.key != "gpus"

    def accepts(self, value: str) -> bool:
        """Whether the setting can have this value."""
        if self.key == "time":
            return clock_minutes(value) is not None or minutes(value) is not None
        pattern = _PATTERNS.get(self.allowed)
        return pattern is None or pattern.fullmatch(value) is not None


_HPC, _SHARED, _SLURM, _PYTHON = "HPC Environment", "Shared Resources", "SLURM Defaults", "Python Environments"
_MODULES, _WANDB, _OUTPUTS = "Module System", "Weights & Biases", "Experiments & Outputs"
_CLUSTER = "the cluster's default"
_WHOLE, _SIZE, _GPU_OPTION = "a whole number", "a size such as 32G", "--gres or --gpus"
_PATTERNS = {
    _WHOLE: re.compile(r"\d+"),
    _SIZE: re.compile(r"\d+[KMGT]?B?", re.IGNORECASE),
    _GPU_OPTION: re.compile("gres|gpus", re.IGNORECASE),
}

SETTINGS = (
    Setting("cluster", "Cluster", _HPC, "no cluster"),
    Setting("username", "Username", _HPC, "not used"),
    Setting("group", "Group", _HPC, "not used"),
    Setting("scratch", "Scratch directory", _HPC, "not used"),
    Setting("models_dir", "Models directory", _SHARED, "the plan names each model's path"),
    Setting("account", "Account", _SLURM, _CLUSTER),
    Setting("partition", "Partition", _SLURM, _CLUSTER),
    Setting("constraint", "Constraint", _SLURM, "any node of the partition"),
    Setting("qos", "QOS", _SLURM, _CLUSTER),
    Setting("time", "Default time", _SLURM, "1 hour for a run without an estimate", "HH:MM:SS"),
    Setting("gpus", "Default GPUs", _SLURM, "1", _WHOLE),
    Setting("cpus", "Default CPUs", _SLURM, "4 for each GPU", _WHOLE),
    Setting("mem", "Default memory", _SLURM, "by the model's size", _SIZE),
    Setting("gpu_syntax", "GPU request syntax", _SLURM, "--gres", _GPU_OPTION),
    Setting("mail_user", "Mail user", _SLURM, "no mail"),
    Setting("mail_type", "Mail type", _SLURM, "END,FAIL where there is a mail user"),
    Setting("training", "Training", _PYTHON, "the Python that runs tunebook"),
    Setting("evaluation", "Evaluation", _PYTHON, "the Python that runs tunebook"),
    Setting("modules", "Modules", _MODULES, "none", "one command per line, without comments"),
    Setting("wandb_entity", "W&B entity", _WANDB, "not used"),
    Setting("wandb_project", "W&B project", _WANDB, "runs are not logged to Weights & Biases"),
    Setting("output_dir_base", "Output base directory", _OUTPUTS, "each run's own directory"),
)
_BY_KEY = {item.key: item for item in SETTINGS}
_STAGES = ("training", "evaluation")


def setting(key: str) -> Setting:
    """The setting with this key, which must be one of ``SETTINGS``."""
    return _BY_KEY[key]


def values_of(site: Site) -> dict[str, str]:
    """Each setting of a site as a text; empty is "unset"."""
    values = {key: getattr(site, key) for key in _BY_KEY if key not in {*_STAGES, "modules"}}
    values |= {key: environment_text(getattr(site, key)) for key in _STAGES}
    return values | {"modules": "\n".join(site.modules)}


def site_of(values: Mapping[str, str]) -> Site:
    """The inverse of :func:`values_of`; missing settings are unset."""
    special = {*_STAGES, "modules", "gpu_syntax"}
    plain: dict[str, Any] = {key: value for key, value in values.items() if key in _BY_KEY and key not in special}
    return Site(
        modules=tuple(line for line in values.get("modules", "").split("\n") if line),
        training=_environment(values.get("training", "")),
        evaluation=_environment(values.get("evaluation", "")),
        gpu_syntax=values.get("gpu_syntax", "").removeprefix("--") or "gres",
        **plain,
    )


def environment_text(environment: Environment) -> str:
    """``conda:NAME`` or ``venv:PATH``; where both are set, jobs activate conda."""
    if environment.conda_env:
        return f"conda:{environment.conda_env}"
    if environment.venv:
        return f"venv:{environment.venv}"
    return ""


def _environment(text: str) -> Environment:
    """Without ``conda:`` or ``venv:`` in front, a text with a slash is the path of a virtual environment."""
    kind, colon, name = text.partition(":")
    if colon and kind == "conda":
        return Environment(conda_env=name)
    if colon and kind == "venv":
        return Environment(venv=name)
    if "/" in text:
        return Environment(venv=text)
    return Environment(conda_env=text)


def line_of(site: Site, key: str) -> int | None:
    """The line that a setting was read from."""
    names: tuple[str, ...] = (key,)
    if key in _STAGES:
        own = tuple(name for name in (f"{key}_conda", f"{key}_venv") if name in site.lines)
        names = own or ("conda", "venv")
    return next((site.lines[name] for name in names if name in site.lines), None)


def read_assignments(assignments: Sequence[str]) -> dict[str, str]:
    """``key=value`` texts as values by key; ``modules`` may be repeated, one line each.

    Raises:
        ValueError: one of them has no ``=``, or names no setting.
    """
    values: dict[str, str] = {}
    for text in assignments:
        name, sign, value = text.partition("=")
        key, value = name.strip().replace("-", "_"), value.strip()
        if not sign:
            raise ValueError(f"`{text}` is not KEY=VALUE")
        if key not in _BY_KEY:
            raise ValueError(f"unknown setting `{key}`: {suggestion(key, _BY_KEY)}")
        if key == "modules" and values.get(key):
            value = f"{values[key]}\n{value}"
        values[key] = value
    return values
