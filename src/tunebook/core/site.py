"""The site: what ``claude.local.md`` says of one cluster and one person."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from types import MappingProxyType

from tunebook.core.markdown import Bullet, MarkdownSection, parse_markdown
from tunebook.core.units import clock_minutes, minutes
from tunebook.errors import Problem

__all__ = ["SITE_FILE", "Environment", "Site", "parse_site"]

SITE_FILE = "claude.local.md"


@dataclass(frozen=True)
class Environment:
    """How a job gets its Python: a conda environment, or a virtual environment's path, or neither."""

    conda_env: str = ""
    venv: str = ""


@dataclass(frozen=True)
class Site:
    """The settings in force; an empty text is "unset".

    Attributes:
        file: where they were read from; ``None`` if there is no site file.
        lines: setting to its line in ``file``.
        time: SLURM's notation, as the site writes it.
        gpu_syntax: ``gres`` or ``gpus``: how this cluster wants GPUs asked for.
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
        return clock_minutes(self.time) or minutes(self.time) if self.time else None


_KEYS = {
    "cluster": "cluster",
    "username": "username",
    "user": "username",
    "group": "group",
    "scratch directory": "scratch",
    "models directory": "models_dir",
    "account": "account",
    "partition": "partition",
    "constraint": "constraint",
    "qos": "qos",
    "default time": "time",
    "default gpus": "gpus",
    "default cpus": "cpus",
    "default memory": "mem",
    "default mem": "mem",
    "mail user": "mail_user",
    "email": "mail_user",
    "mail type": "mail_type",
    "gpu request syntax": "gpu_syntax",
    "gpu request": "gpu_syntax",
    "default conda environment": "conda",
    "conda environment": "conda",
    "training conda environment": "training_conda",
    "evaluation conda environment": "evaluation_conda",
    "virtual environment": "venv",
    "default virtual environment": "venv",
    "training virtual environment": "training_venv",
    "evaluation virtual environment": "evaluation_venv",
    "output base directory": "output_dir_base",
    "output_dir_base": "output_dir_base",
    "entity": "wandb_entity",
    "w&b entity": "wandb_entity",
    "default project": "wandb_project",
    "project": "wandb_project",
    "w&b project": "wandb_project",
}
_UNSET = re.compile(r"\(.*\)|<[^>]*>|-|none|n/a|", re.IGNORECASE)


def parse_site(text: str, *, file: str = SITE_FILE) -> tuple[Site, tuple[Problem, ...]]:
    """The site, and warnings: settings that cannot be read, and names that look misspelt.

    The file may hold anything else as well (it is a person's notes for other agents too); that is left alone.
    """
    found: dict[str, str] = {}
    lines: dict[str, int] = {}
    modules: list[str] = []
    problems: list[Problem] = []
    for section in parse_markdown(text).walk():
        for bullet in section.bullets:
            _take(bullet, found, lines, problems, file)
        if found_here := _module_lines(section):
            lines.setdefault("modules", section.code_blocks[0].line)
            modules.extend(found_here)
    _check_values(found, lines, problems, file)
    names = {item.name for item in fields(Site)}
    site = Site(
        file=file,
        modules=tuple(modules),
        training=_environment(found, "training"),
        evaluation=_environment(found, "evaluation"),
        lines=MappingProxyType(lines),
        **{key: value for key, value in found.items() if key in names},
    )
    return site, tuple(problems)


def _take(bullet: Bullet, found: dict[str, str], lines: dict[str, int], problems: list[Problem], file: str) -> None:
    key = _KEYS.get(bullet.key)
    if key is None:
        near = get_close_matches(bullet.key, _KEYS, n=1, cutoff=0.85)
        if near:
            hint = f"did you mean `{near[0]}`? It is not read as it stands"
            problems.append(Problem(f"unknown setting `{bullet.name}`", file, bullet.line, hint))
        return
    value = bullet.value.text
    raw = bullet.value.raw.strip().strip("`")
    if key not in found and not _UNSET.fullmatch(value) and not _UNSET.fullmatch(raw):
        found[key] = value
        lines[key] = bullet.line


def _module_lines(section: MarkdownSection) -> list[str]:
    if "module" not in section.title.lower():
        return []
    lines = [line.strip() for block in section.code_blocks for line in block.raw.splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def _environment(found: Mapping[str, str], stage: str) -> Environment:
    """The stage's own environment, else the common one; a stage's own conda environment beats a common venv."""
    if f"{stage}_conda" in found or f"{stage}_venv" in found:
        return Environment(found.get(f"{stage}_conda", ""), found.get(f"{stage}_venv", ""))
    return Environment(found.get("conda", ""), found.get("venv", ""))


def _check_values(found: dict[str, str], lines: Mapping[str, int], problems: list[Problem], file: str) -> None:
    """Values that cannot be meant are taken out again, and said."""
    if "gpu_syntax" in found:
        found["gpu_syntax"] = found["gpu_syntax"].strip("`- ").removeprefix("--").split("=")[0].split(":")[0]
    checks = {
        "gpus": (r"\d+", "a whole number"),
        "cpus": (r"\d+", "a whole number"),
        "mem": (r"\d+[KMGT]?B?", "a size such as 32G"),
        "gpu_syntax": (r"gres|gpus", "--gres or --gpus"),
    }
    for key, (pattern, allowed) in checks.items():
        if key in found and not re.fullmatch(pattern, found[key], re.IGNORECASE):
            problems.append(Problem(f"{key} is `{found.pop(key)}`; it must be {allowed}", file, lines[key]))
    if "time" in found and clock_minutes(found["time"]) is None and minutes(found["time"]) is None:
        problems.append(Problem(f"time is `{found.pop('time')}`; write HH:MM:SS", file, lines["time"]))
