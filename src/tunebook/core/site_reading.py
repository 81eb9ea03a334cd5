"""Reads the site settings from ``claude.local.md``: each value with its line, and what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from types import MappingProxyType

from tunebook.core.markdown import Bullet, MarkdownSection, Table, parse_markdown
from tunebook.core.paths import SITE_FILE
from tunebook.core.site import SETTINGS, Environment, NodeLimits, Site, gpu_request, setting
from tunebook.core.units import clock_minutes
from tunebook.errors import Problem

__all__ = ["ParsedSite", "parse_site"]

_ENVIRONMENTS = {
    "default conda environment": "conda",
    "conda environment": "conda",
    "training conda environment": "training_conda",
    "evaluation conda environment": "evaluation_conda",
    "virtual environment": "venv",
    "default virtual environment": "venv",
    "training virtual environment": "training_venv",
    "evaluation virtual environment": "evaluation_venv",
}
_ALIASES = {
    "user": "username",
    "default mem": "mem",
    "email": "mail_user",
    "gpu request": "gpu_syntax",
    "output_dir_base": "output_dir_base",
    "entity": "wandb_entity",
    "default project": "wandb_project",
    "project": "wandb_project",
}
_LABELS = {item.label.lower(): item.key for item in SETTINGS if item.key not in {"training", "evaluation", "modules"}}
_KEYS = _LABELS | _ALIASES | _ENVIRONMENTS
_CONDA = {key for key in _ENVIRONMENTS.values() if key.endswith("conda")}
_FOR_PEOPLE = {"cluster", "username", "group"}  # jobs do not use them; GitHub has a user name too
_UNSET = re.compile(r"(?:\(.*\)|<[^>]*>|-|none|n/a|)(?:\s+\(.*\))?", re.IGNORECASE)
_PLACEHOLDER = re.compile(r"`*<[^>]*>`*(?:\s.*)?")
_REMARK = re.compile(r"(?P<value>.*?\S)\s+\(.*\)")
_LIMITS = ("partition", "time limit", "gpus", "cpus per node", "memory per node")


@dataclass(frozen=True)
class ParsedSite:
    """The site settings, and what is wrong with them: errors, and warnings about names that look misspelt."""

    site: Site
    errors: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()


def parse_site(text: str, *, file: str = SITE_FILE) -> ParsedSite:
    """Reads the settings; everything else in the file is ignored, since it is a person's notes for other agents too."""
    reading = _Reading(file)
    for section in parse_markdown(text).walk():
        for bullet in section.bullets:
            reading.read_bullet(bullet)
        reading.read_modules(section)
        for table in section.tables:
            reading.nodes += _node_limits(table)
    reading.read_gpus()
    reading.check_values()
    names = {item.name for item in fields(Site)}
    site = Site(
        file=file,
        modules=tuple(reading.modules),
        training=reading.environment("training"),
        evaluation=reading.environment("evaluation"),
        nodes=tuple(reading.nodes),
        lines=MappingProxyType(reading.lines),
        **{key: value for key, value in reading.values.items() if key in names},
    )
    return ParsedSite(site, tuple(reading.errors), tuple(reading.warnings))


@dataclass
class _Reading:
    """The settings found in one file, by key, and its problems."""

    file: str
    values: dict[str, str] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)
    modules: list[str] = field(default_factory=list)
    nodes: list[NodeLimits] = field(default_factory=list)
    errors: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)

    def read_bullet(self, bullet: Bullet) -> None:
        key = _KEYS.get(bullet.key)
        if key is None:
            for near in get_close_matches(bullet.key, _KEYS, n=1, cutoff=0.85):
                hint = f"did you mean `{near}`? This line is not read"
                self.warnings.append(Problem(f"unknown setting `{bullet.name}`", self.file, bullet.line, hint))
            return
        value = _value(bullet)
        if not value:
            return
        first = self.values.setdefault(key, value)
        line = self.lines.setdefault(key, bullet.line)
        if first != value and key not in _FOR_PEOPLE:
            message = f"{bullet.name} is `{value}` here and `{first}` on line {line}"
            self.errors.append(Problem(message, self.file, bullet.line, "remove one of the two lines"))

    def read_modules(self, section: MarkdownSection) -> None:
        if "module" not in section.title.lower():
            return
        for block in section.code_blocks:
            for line in map(str.strip, block.raw.splitlines()):
                if line and not line.startswith("#"):
                    self.modules.append(line)
                    self.lines.setdefault("modules", section.code_blocks[0].line)
                    self._refuse_control_characters("a module line", line, self.lines["modules"])

    def read_gpus(self) -> None:
        """Splits the request for GPUs, such as ``--gres=gpu:a100:1``, into its option, the kind and the number."""
        for key in ("gpu_syntax", "gpus"):
            written = self.values.get(key)
            request = gpu_request(written, is_number=key == "gpus") if written else None
            if request is None:
                continue  # unset, or wrong: the check of values reports that
            for name, value in request.items():
                known = self.values.get(name, value)
                if known != value and name != key:
                    line = self.lines[name]
                    message = (
                        f"{setting(key).label} is `{written}`, but {setting(name).label} is {known} on line {line}"
                    )
                    self.errors.append(Problem(message, self.file, self.lines[key], "make the two agree"))
                self.values[name] = value
                self.lines.setdefault(name, self.lines[key])

    def check_values(self) -> None:
        for key, value in self.values.items():
            self._refuse_control_characters(_name(key), value, self.lines[key])
            if key in _CONDA and "/" not in value and re.search(r"\s", value):
                hint = "write the name in backticks; what follows them is a remark"
                self._error(key, value, "one word, the name of a conda environment", hint)
        for item in SETTINGS:
            value = self.values.get(item.key, "")
            if value.isprintable() and value and not item.accepts(value):
                self._error(item.key, self.values.pop(item.key), item.allowed)

    def _error(self, key: str, value: str, allowed: str, hint: str = "") -> None:
        message = f"{_name(key)} is `{value}`; it must be {allowed}"
        self.errors.append(Problem(message, self.file, self.lines[key], hint))

    def _refuse_control_characters(self, name: str, value: str, line: int) -> None:
        if not value.isprintable():
            message = f"{name} is {value!r}, with a control character"
            self.errors.append(Problem(message, self.file, line, "write it with printable characters only"))

    def environment(self, stage: str) -> Environment:
        """The stage's own environment, otherwise the common one; a stage's own conda beats a common virtual one."""
        own = Environment(self.values.get(f"{stage}_conda", ""), self.values.get(f"{stage}_venv", ""))
        common = Environment(self.values.get("conda", ""), self.values.get("venv", ""))
        return common if own == Environment() else own


def _name(key: str) -> str:
    labels = {name: label for label, name in _KEYS.items()}
    return next((item.label for item in SETTINGS if item.key == key), labels.get(key, key))


def _value(bullet: Bullet) -> str:
    """The value, without a remark behind it; empty for a placeholder and the words for unset."""
    raw, value = bullet.value.raw.strip(), bullet.value.value
    if _UNSET.fullmatch(value) or _UNSET.fullmatch(raw.strip("`")) or _PLACEHOLDER.fullmatch(raw):
        return ""
    remark = _REMARK.fullmatch(value)
    if remark and not raw.startswith("`"):
        return remark["value"]
    return value


def _node_limits(table: Table) -> Iterator[NodeLimits]:
    """The rows of the table of partitions that ``tunebook site init`` writes."""
    columns = [cell.key for cell in table.header]
    if not set(_LIMITS) <= set(columns):
        return
    for row in table.rows:
        name, time, gpus, cpus, memory = (row.cells[columns.index(column)].text for column in _LIMITS)
        yield NodeLimits(
            partition=name.removesuffix(" (default)"),
            line=row.line,
            is_default=name.endswith(" (default)"),
            time_min=clock_minutes(time),
            gpus=max((int(number) for number in re.findall(r"(\d+) ×", gpus)), default=0),
            cpus=_number(cpus),
            memory_gb=_number(memory),
        )


def _number(text: str) -> int | None:
    digits = re.match(r"\d+", text)
    return int(digits[0]) if digits else None
