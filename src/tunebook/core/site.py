"""The site settings as values: one cluster and one person, and every setting's name, section, format and default."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from tunebook.core.jobs import Stage
from tunebook.core.parameters import suggestion
from tunebook.core.quoting import SBATCH_MARKS, SBATCH_WORD
from tunebook.core.units import clock_minutes, minutes

__all__ = [
    "SETTINGS",
    "TOOL_ENVIRONMENT",
    "Environment",
    "NodeLimits",
    "Setting",
    "Site",
    "environment_text",
    "gpu_request",
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
class NodeLimits:
    """The most that one partition gives to a job, as ``tunebook site init`` found it; ``None`` is unknown, or no limit.

    Attributes:
        line: of the row in the site file.
        time_min: the longest time limit in minutes.
        gpus: on the node with most of them; so are ``cpus`` and ``memory_gb``.
    """

    partition: str
    line: int
    is_default: bool = False
    time_min: float | None = None
    gpus: int = 0
    cpus: int | None = None
    memory_gb: int | None = None


@dataclass(frozen=True)
class Site:
    """The site settings; an empty text is "unset".

    Attributes:
        file: the path of the file that they were read from; ``None`` without a file.
        lines: setting to its line in ``file``.
        time: in SLURM's notation, as the file has it.
        gpu_type: the kind of GPU that jobs request, as the cluster names it.
        gpu_syntax: ``gres``, ``gpus`` or ``gpus-per-node``: the option with which this cluster's jobs request GPUs.
        mps: ``yes`` if jobs that share a GPU may start CUDA MPS; ``no``, or empty, otherwise.
        tool_environments: a tool's name, in lower case, to the environment of its jobs, where it has one of its own.
        nodes: what the cluster's partitions give, from the table that ``tunebook site init`` wrote.
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
    gpu_type: str = ""
    gpu_syntax: str = "gres"
    mps: str = ""
    modules: tuple[str, ...] = ()
    training: Environment = field(default_factory=Environment)
    evaluation: Environment = field(default_factory=Environment)
    tool_environments: Mapping[str, Environment] = field(default_factory=lambda: MappingProxyType({}))
    output_dir_base: str = ""
    wandb_entity: str = ""
    wandb_project: str = ""
    nodes: tuple[NodeLimits, ...] = ()
    lines: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def time_min(self) -> float | None:
        """The default time limit in minutes."""
        return clock_minutes(self.time) or minutes(self.time)

    @property
    def partitions(self) -> tuple[NodeLimits, ...]:
        """The limits of the partitions that jobs go to: those that are set, or the cluster's default."""
        names = [name for name in self.partition.split(",") if name]
        return tuple(item for item in self.nodes if item.partition in names or (not names and item.is_default))

    def environment_for(self, tool: str, stage: Stage) -> Environment:
        """The environment of a tool's jobs: its own, or else that of its stage.

        Args:
            tool: as the plan names it; ``vllm`` for the server that evaluations start.
        """
        own = self.tool_environments.get(tool.lower())
        if own is not None:
            return own
        return self.training if stage is Stage.PREPARATION else self.evaluation


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
        """Whether it applies to clusters with SLURM only; the number of GPUs always applies."""
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
_WHOLE, _SIZE = "a whole number", "a size such as 32G"
_GPU_OPTION = "--gres, --gpus or --gpus-per-node, as in --gres=gpu:a100:1"
_GPU_KIND = "a kind of GPU as the cluster names it, such as a100"
_YES_NO = "yes or no"
_WORD = f"one word of letters, digits and {SBATCH_MARKS}"
_PATTERNS = {
    _WHOLE: re.compile(r"\d+"),
    _SIZE: re.compile(r"\d+[KMGT]?B?", re.IGNORECASE),
    _GPU_OPTION: re.compile("gres|gpus|gpus-per-node"),
    _GPU_KIND: re.compile(r"[A-Za-z][\w.-]*"),
    _YES_NO: re.compile("yes|no"),
    _WORD: SBATCH_WORD,
}
SETTINGS = (
    Setting("cluster", "Cluster", _HPC, "no cluster"),
    Setting("username", "Username", _HPC, "not used"),
    Setting("group", "Group", _HPC, "not used"),
    Setting("scratch", "Scratch directory", _HPC, "not used"),
    Setting("models_dir", "Models directory", _SHARED, "the plan names each model's path"),
    Setting("account", "Account", _SLURM, _CLUSTER, _WORD),
    Setting("partition", "Partition", _SLURM, _CLUSTER, _WORD),
    Setting("constraint", "Constraint", _SLURM, "any node of the partition", _WORD),
    Setting("qos", "QOS", _SLURM, _CLUSTER, _WORD),
    Setting("time", "Default time", _SLURM, "1 hour for a run without an estimate", "HH:MM:SS"),
    Setting("gpus", "Default GPUs", _SLURM, "1", _WHOLE),
    Setting("cpus", "Default CPUs", _SLURM, "4 for each GPU", _WHOLE),
    Setting("mem", "Default memory", _SLURM, "by the model's size", _SIZE),
    Setting("gpu_type", "GPU type", _SLURM, "any kind of GPU", _GPU_KIND),
    Setting("gpu_syntax", "GPU request syntax", _SLURM, "--gres", _GPU_OPTION),
    Setting("mps", "CUDA MPS", _SLURM, "no: runs that share a GPU take turns", _YES_NO),
    Setting("mail_user", "Mail user", _SLURM, "no mail", _WORD),
    Setting("mail_type", "Mail type", _SLURM, "END,FAIL where there is a mail user", _WORD),
    Setting("training", "Training", _PYTHON, "the Python that runs tunebook"),
    Setting("evaluation", "Evaluation", _PYTHON, "the Python that runs tunebook"),
    Setting("modules", "Modules", _MODULES, "none", "one command per line, without comments"),
    Setting("wandb_entity", "W&B entity", _WANDB, "not used"),
    Setting("wandb_project", "W&B project", _WANDB, "runs are not logged to Weights & Biases"),
    Setting("output_dir_base", "Output base directory", _OUTPUTS, "each run's own directory"),
)
_BY_KEY = {item.key: item for item in SETTINGS}
_STAGES = ("training", "evaluation")
TOOL_ENVIRONMENT = "environment."
"""How the key of a tool's own environment begins: ``environment.trl``."""


def gpu_request(text: str, *, is_number: bool) -> dict[str, str] | None:
    """Splits a request for GPUs into the settings that it gives: ``gpu_syntax``, ``gpu_type`` and ``gpus``.

    Args:
        text: an option such as ``--gres=gpu:a100:1``, where ``N`` stands for any number.
        is_number: whether it is a number such as ``1``, ``a100:1`` or ``1 GPU`` instead.

    Returns:
        The settings by key; ``None`` if it cannot be read.
    """
    request: dict[str, str] = {}
    amount = re.sub(r"(?<!\s)\s*GPUs?$", "", text.strip(), flags=re.IGNORECASE)
    if not is_number:
        option, _, amount = text.strip().lstrip("-").replace(" ", "=").partition("=")
        request["gpu_syntax"] = option
        if option == "gres":
            kind_of_resource, _, amount = amount.partition(":")
            if kind_of_resource not in {"", "gpu"}:
                return None
    *kinds, number = amount.split(":")
    if number in {"", "N", "n", "<N>", "<n>"} and not is_number:
        number = ""
    elif not number.isdigit():
        kinds, number = [*kinds, number], ""
    request |= {"gpu_type": ":".join(kinds), "gpus": number}
    if not all(setting(key).accepts(value) for key, value in request.items() if value) or (is_number and not number):
        return None
    return {key: value for key, value in request.items() if value}


def setting(key: str) -> Setting:
    """The setting with this key: one of ``SETTINGS``, or the environment of a tool."""
    if key.startswith(TOOL_ENVIRONMENT):
        tool = key.removeprefix(TOOL_ENVIRONMENT)
        return Setting(key, f"Environment of {tool}", _PYTHON, "that of its stage")
    return _BY_KEY[key]


def values_of(site: Site) -> dict[str, str]:
    """Each setting of a site as a text; empty is "unset"."""
    values = {key: getattr(site, key) for key in _BY_KEY if key not in {*_STAGES, "modules"}}
    values |= {key: environment_text(getattr(site, key)) for key in _STAGES}
    for tool, environment in site.tool_environments.items():
        values[f"{TOOL_ENVIRONMENT}{tool}"] = environment_text(environment)
    return values | {"modules": "\n".join(site.modules)}


def site_of(values: Mapping[str, str]) -> Site:
    """The inverse of :func:`values_of`; missing settings are unset."""
    special = {*_STAGES, "modules", "gpu_syntax"}
    plain: dict[str, Any] = {key: value for key, value in values.items() if key in _BY_KEY and key not in special}
    of_tools = {
        key.removeprefix(TOOL_ENVIRONMENT): _environment(value)
        for key, value in values.items()
        if key.startswith(TOOL_ENVIRONMENT) and value
    }
    return Site(
        modules=tuple(line for line in values.get("modules", "").split("\n") if line),
        training=_environment(values.get("training", "")),
        evaluation=_environment(values.get("evaluation", "")),
        tool_environments=MappingProxyType(of_tools),
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
    is_of_tool = key.startswith(TOOL_ENVIRONMENT)
    if is_of_tool or key in _STAGES:
        own = tuple(name for name in (f"{key}_conda", f"{key}_venv") if name in site.lines)
        names = own if own or is_of_tool else ("conda", "venv")
    return next((site.lines[name] for name in names if name in site.lines), None)


def read_assignments(assignments: Sequence[str]) -> dict[str, str]:
    """``key=value`` texts as values by key; ``modules`` may be repeated, one line each.

    Raises:
        ValueError: one of them has no ``=``, or names no setting.
    """
    values: dict[str, str] = {}
    for text in assignments:
        name, sign, value = text.partition("=")
        key, value = name.strip().lower(), value.strip()
        if not key.startswith(TOOL_ENVIRONMENT):  # the name of a tool may have a hyphen
            key = key.replace("-", "_")
        if not sign:
            raise ValueError(f"`{text}` is not KEY=VALUE")
        if key not in _BY_KEY and not key.startswith(TOOL_ENVIRONMENT):
            raise ValueError(f"unknown setting `{key}`: {suggestion(key, _BY_KEY)}")
        if key == "modules" and values.get(key):
            value = f"{values[key]}\n{value}"
        values[key] = value
    return values
