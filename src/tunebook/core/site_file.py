"""``claude.local.md``: the site settings read from it, and its text, which reads back as the same settings."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from itertools import groupby
from types import MappingProxyType

from tunebook.core.markdown import (
    Bullet,
    MarkdownSection,
    backtick_fence,
    code_span,
    escape_cell,
    parse_markdown,
    table_row,
)
from tunebook.core.paths import SITE_FILE
from tunebook.core.site import SETTINGS, Environment, Setting, Site, setting, site_of, values_of
from tunebook.errors import PlanError, Problem

__all__ = ["parse_site", "site_text"]

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
_UNSET = re.compile(r"\(.*\)|<[^>]*>|-|none|n/a|", re.IGNORECASE)


@dataclass
class _Reading:
    """The settings found in one file, by key, and its problems."""

    file: str
    values: dict[str, str] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)
    modules: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def read_bullet(self, bullet: Bullet) -> None:
        key = _KEYS.get(bullet.key)
        if key is None:
            for near in get_close_matches(bullet.key, _KEYS, n=1, cutoff=0.85):
                hint = f"did you mean `{near}`? This line is not read"
                self.problems.append(Problem(f"unknown setting `{bullet.name}`", self.file, bullet.line, hint))
            return
        value = bullet.value.text
        raw = bullet.value.raw.strip().strip("`")
        is_unset = _UNSET.fullmatch(value) or _UNSET.fullmatch(raw)
        if key not in self.values and not is_unset:
            self.values[key] = value
            self.lines[key] = bullet.line

    def read_modules(self, section: MarkdownSection) -> None:
        if "module" not in section.title.lower():
            return
        for block in section.code_blocks:
            for line in map(str.strip, block.raw.splitlines()):
                if line and not line.startswith("#"):
                    self.modules.append(line)
                    self.lines.setdefault("modules", section.code_blocks[0].line)

    def drop_wrong_values(self) -> None:
        if "gpu_syntax" in self.values:
            option = self.values["gpu_syntax"].strip("`- ").removeprefix("--")
            self.values["gpu_syntax"] = option.split("=")[0].split(":")[0]
        for item in SETTINGS:
            if item.key in self.values and not item.accepts(self.values[item.key]):
                message = f"{item.label} is `{self.values.pop(item.key)}`; it must be {item.allowed}"
                self.problems.append(Problem(message, self.file, self.lines[item.key]))

    def environment(self, stage: str) -> Environment:
        """The stage's own environment, otherwise the common one; a stage's own conda beats a common virtual one."""
        own = Environment(self.values.get(f"{stage}_conda", ""), self.values.get(f"{stage}_venv", ""))
        common = Environment(self.values.get("conda", ""), self.values.get("venv", ""))
        return common if own == Environment() else own


def parse_site(text: str, *, file: str = SITE_FILE) -> tuple[Site, tuple[Problem, ...]]:
    """The site settings, and warnings: settings that cannot be read, and names that look misspelt.

    The file may contain anything else as well (it is a person's notes for other agents too); that is ignored.
    """
    reading = _Reading(file)
    for section in parse_markdown(text).walk():
        for bullet in section.bullets:
            reading.read_bullet(bullet)
        reading.read_modules(section)
    reading.drop_wrong_values()
    names = {item.name for item in fields(Site)}
    site = Site(
        file=file,
        modules=tuple(reading.modules),
        training=reading.environment("training"),
        evaluation=reading.environment("evaluation"),
        lines=MappingProxyType(reading.lines),
        **{key: value for key, value in reading.values.items() if key in names},
    )
    return site, tuple(reading.problems)


_HEAD = """\
# Site settings

Written by `tunebook site init`. Edit it freely: `tunebook site` shows the settings in effect, and checks them.
"""
_PARENTS = {"Shared Resources": "### ", "Experiments & Outputs": "## Common Paths\n\n### "}
_LOCAL = "There is no SLURM here: jobs run on this machine, one after the other.\n"


def site_text(
    values: Mapping[str, str], *, has_slurm: bool = True, tables: Mapping[str, Sequence[Sequence[str]]] | None = None
) -> str:
    """The file, in the order of :data:`tunebook.core.site.SETTINGS`.

    Args:
        values: settings by key; missing and empty ones are written as unset.
        has_slurm: without it, SLURM's settings appear only if they are set.
        tables: title to rows, the header first: what was found on the cluster, for people.

    Raises:
        PlanError: a value would not read back as it is: it contains a line break or another control character, has
            white space around it, is a word for "unset", or has the wrong type.
    """
    site = site_of(values)
    parts = [_HEAD]
    for section, items in groupby(SETTINGS, key=lambda item: item.section):
        body = "".join(_bullets(items, site, has_slurm=has_slurm))
        if section == "SLURM Defaults" and not has_slurm:
            body = f"{_LOCAL}\n{body}".rstrip("\n") + "\n"
        if not body.startswith("-"):
            body = f"\n{body}"
        if body.strip():
            parts.append(f"{_PARENTS.get(section, '## ')}{section}\n{body}")
    for title, rows in (tables or {}).items():
        if len(rows) > 1:
            parts.append(f"## {title}\n\n{_table(rows)}")
    text = "\n".join(parts)
    _prove(site, text)
    return text


def _bullets(items: Iterable[Setting], site: Site, *, has_slurm: bool) -> Iterable[str]:
    values = values_of(site)
    for item in items:
        value = values[item.key]
        if item.key == "modules":
            yield _fenced(site.modules)
        elif item.key == "training":
            yield from _environments(site)
        elif item.key != "evaluation" and (value or has_slurm or not item.is_of_slurm):
            yield from _bullet(item, value, has_slurm=has_slurm)


def _bullet(item: Setting, value: str, *, has_slurm: bool) -> Iterable[str]:
    if item.key != "gpu_syntax":
        text = code_span(value) if value else f"(unset: {item.default})"
        yield f"- **{item.label}**: {text}\n"
    elif has_slurm:
        yield f"- **{item.label}**: `--{value}`\n"


def _environments(site: Site) -> Iterable[str]:
    """The environments of both stages; both are written with the bullet ``Training`` of ``SETTINGS``."""
    if site.training == site.evaluation == Environment():
        yield "- **Default conda environment**: (unset: the Python that runs tunebook)\n"
    elif site.training == site.evaluation:
        yield from _environment("Default ", site.training)
    else:
        yield from _environment("Training ", site.training)
        yield from _environment("Evaluation ", site.evaluation)


def _environment(prefix: str, environment: Environment) -> Iterable[str]:
    if environment.conda_env:
        yield f"- **{prefix}conda environment**: {code_span(environment.conda_env)}\n"
    if environment.venv:
        yield f"- **{prefix}virtual environment**: {code_span(environment.venv)}\n"


def _fenced(lines: Sequence[str]) -> str:
    if not lines:
        return ""
    fence = backtick_fence("\n".join(lines), shortest=3)
    return "\n".join([f"{fence}bash", *lines, fence]) + "\n"


def _table(rows: Sequence[Sequence[str]]) -> str:
    header, *body = ([escape_cell(cell) for cell in row] for row in rows)
    return "\n".join([table_row(header), table_row(["---"] * len(header)), *map(table_row, body)]) + "\n"


def _prove(site: Site, text: str) -> None:
    """Reads the text again and compares.

    Raises:
        PlanError: a setting is not the same.
    """
    found = values_of(parse_site(text)[0])
    problems = []
    for key, value in values_of(site).items():
        is_printable = all(line.isprintable() for line in value.split("\n"))
        if found[key] != value or not is_printable:
            message = f"{setting(key).label} is {value!r}, which the site file cannot hold"
            allowed = setting(key).allowed or "one line of printable text, and no word for unset such as `none` or `-`"
            problems.append(Problem(message, SITE_FILE, hint=f"it must be {allowed}"))
    if problems:
        raise PlanError(problems)
