"""Reads the site settings from ``claude.local.md``: each value with its line, and what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any

from tunebook.core.encoding import readable, wrong_byte
from tunebook.core.markdown import Bullet, MarkdownSection, Table, TextBlock, parse_markdown
from tunebook.core.paths import SITE_FILE
from tunebook.core.secrets import literal_secret
from tunebook.core.site import SETTINGS, TOOL_ENVIRONMENT, Environment, NodeLimits, Site, gpu_request, setting
from tunebook.core.site_values import (
    PATH_KEYS,
    doubt_about,
    is_placeholder,
    normalized,
    path_objection,
    written_value,
)
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
_OF_TOOL = re.compile(r"(?P<tool>[\w.-]+) (?P<kind>conda|virtual) environment")
_FOR_PEOPLE = {"cluster", "username", "group"}  # jobs do not use them; GitHub has a user name too
_MODULE_COMMAND = re.compile(r"(?:\$ )?(?:module|ml) [a-z]+\b.*")
_SHELL_COMMAND = re.compile(r"(?:\$ )?(?:export|source|spack|unset|eval|\.) \S.*")
_WRITTEN_SETTING = re.compile(r"(?:#SBATCH\s+--)?(?P<name>[A-Za-z][\w& -]*+)\s*[:=]\s*(?P<value>\S.*)")
_NEAR = 0.8  # how alike a name and a misspelt one are
_OF_STAGES = ("default", "training", "evaluation")
_MODULES = ("module", "modules", "module lines")
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
    reading.refuse_other_encodings(text)
    for section in parse_markdown(readable(text)).walk():
        for bullet in section.bullets:
            reading.read_bullet(bullet)
        reading.read_modules(section)
        reading.read_tables(section)
        reading.name_unread(section)
    reading.read_gpus()
    reading.check_values()
    names = {item.name for item in fields(Site)}
    plain: dict[str, Any] = {key: value for key, value in reading.values.items() if key in names}
    site = Site(
        file=file,
        modules=tuple(reading.modules),
        training=reading.environment("training"),
        evaluation=reading.environment("evaluation"),
        tool_environments=MappingProxyType(reading.tool_environments()),
        nodes=tuple(reading.nodes),
        lines=MappingProxyType(reading.lines),
        **plain,
    )
    warnings = (*reading.warnings, *_unseen_partitions(site))
    return ParsedSite(site, tuple(reading.errors), warnings)


def _unseen_partitions(site: Site) -> Iterator[Problem]:
    """Warns of partitions that are not in the table: `site init` saw none of that name, and nothing is compared."""
    seen = [limits.partition for limits in site.nodes]
    for name in filter(None, site.partition.split(",")):
        if seen and name not in seen:
            message = f"partition `{name}` is not in the table of the partitions seen, so no job is compared with it"
            hint = f"seen: {', '.join(seen)}; `tunebook site` asks the cluster for it"
            yield Problem(message, site.file, site.lines.get("partition"), hint)


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

    def refuse_other_encodings(self, text: str) -> None:
        wrong = wrong_byte(text)
        if wrong is not None:
            line, byte = wrong
            problem = Problem(f"not UTF-8: byte 0x{byte:02x}", self.file, line, "save the file as UTF-8")
            self.errors.append(problem)

    def read_bullet(self, bullet: Bullet) -> None:
        key = _key_of(bullet.key)
        if key is None and bullet.key in _MODULES:
            hint = "write the commands in a code block below `## Module System`"
            self.warnings.append(Problem(f"`{bullet.name}` is not read here", self.file, bullet.line, hint))
        elif key is None:
            for near in get_close_matches(bullet.key, _KEYS, n=1, cutoff=0.85):
                hint = f"did you mean `{near}`? This line is not read"
                self.warnings.append(Problem(f"unknown setting `{bullet.name}`", self.file, bullet.line, hint))
        else:
            self._take(key, bullet)

    def _take(self, key: str, bullet: Bullet) -> None:
        value = normalized(key, written_value(bullet.value))
        if not value:
            return
        if is_placeholder(key, value):
            if key not in _FOR_PEOPLE:
                message = f"{bullet.name} is `{value}`, which looks like a placeholder: it counts as unset"
                hint = "write the value, or `none`"
                self.warnings.append(Problem(message, self.file, bullet.line, hint))
            return
        first = self.values.setdefault(key, value)
        line = self.lines.setdefault(key, bullet.line)
        if first != value and key not in _FOR_PEOPLE:
            message = f"{bullet.name} is `{value}` here and `{first}` on line {line}"
            self.errors.append(Problem(message, self.file, bullet.line, "remove one of the two lines"))

    def read_tables(self, section: MarkdownSection) -> None:
        """Partitions, and settings in the first two columns of other tables."""
        for table in section.tables:
            limits = list(_node_limits(table))
            self.nodes += limits
            if limits or len(table.header) < 2:  # noqa: PLR2004  a name and a value
                continue
            for cells in (table.header, *(row.cells for row in table.rows)):
                key = _key_of(cells[0].key)
                if key is not None:
                    self._take(key, Bullet(cells[0].text, cells[1], cells[0].line, is_item=False))

    def read_modules(self, section: MarkdownSection) -> None:
        """The commands of a section on modules: lines of code, and commands in bullets and paragraphs."""
        if "module" not in section.title.lower():
            return
        for line, text, is_code in _lines(section):
            is_command = _MODULE_COMMAND.fullmatch(text) or _SHELL_COMMAND.fullmatch(text)
            if not text.startswith("#") and (is_code or is_command):
                self._take_module(text.removeprefix("$ "), line)
        for bullet in section.bullets:
            if _SHELL_COMMAND.match(bullet.name):  # an assignment looks like the name of a setting and its value
                message = f"`{bullet.name} = {bullet.value.text}` is not read as a module line"
                self.errors.append(Problem(message, self.file, bullet.line, "write shell commands in a code block"))

    def _take_module(self, command: str, line: int) -> None:
        if is_placeholder("modules", command):
            message = f"the module line `{command}` holds a placeholder: it is left out"
            self.warnings.append(Problem(message, self.file, line, "write the module's name, or remove the line"))
            return
        secret = literal_secret(command)
        if secret:
            message = f"a module line holds a secret ({secret}), which would be copied into every job script"
            hint = "keep it in a file that only you can read, and write `export NAME=$(cat FILE)`; see SECURITY.md"
            self.errors.append(Problem(message, self.file, line, hint))
            return
        self.modules.append(command)
        self.lines.setdefault("modules", line)
        self._refuse_control_characters("a module line", command, line)

    def name_unread(self, section: MarkdownSection) -> None:
        """Warns of lines that look like settings where none are read: in paragraphs, in code, and other modules."""
        is_read = "module" in section.title.lower()
        for line, text, _ in _lines(section):
            setting_line = _WRITTEN_SETTING.fullmatch(text)
            named = setting_line["name"].rstrip().replace("-", " ").lower() if setting_line else ""
            hint = f"write it as a bullet: `- **{named.capitalize()}**: VALUE`"
            if not is_read and _MODULE_COMMAND.fullmatch(text):
                hint = "write it in a code block below `## Module System`"
            elif named not in _LABELS and f"default {named}" not in _LABELS:
                continue
            self.warnings.append(Problem(f"`{text}` is not read as a setting", self.file, line, hint))

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
            if key.endswith("conda") and "/" not in value and re.search(r"\s", value):
                hint = "write the name in backticks; what follows them is a remark"
                self._error(key, value, "one word, the name of a conda environment", hint)
            is_environment = key.endswith(("conda", "venv"))
            if key in PATH_KEYS or (is_environment and "/" in value):
                self._object(key, value, *path_objection(value, is_environment=is_environment))
            is_error, meaning, hint = doubt_about(key, value)
            if is_error:
                self._object(key, value, meaning, hint)
            elif meaning:
                problem = Problem(f"{_name(key)} is `{value}`, which {meaning}", self.file, self.lines[key], hint)
                self.warnings.append(problem)
        for item in SETTINGS:
            value = self.values.get(item.key, "")
            if not value.isprintable():
                del self.values[item.key]  # the error is there already, and no tool may meet such a value
            elif value and not item.accepts(value):
                self._error(item.key, self.values.pop(item.key), item.allowed)

    def _object(self, key: str, value: str, problem: str, hint: str) -> None:
        if problem:
            message = f"{_name(key)} is `{value}`, which {problem}"
            self.errors.append(Problem(message, self.file, self.lines[key], hint))

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

    def tool_environments(self) -> dict[str, Environment]:
        """The tools that have an environment of their own."""
        found: dict[str, Environment] = {}
        for key in self.values:
            tool = key.removeprefix(TOOL_ENVIRONMENT).removesuffix("_conda").removesuffix("_venv")
            if key.startswith(TOOL_ENVIRONMENT):
                own = f"{TOOL_ENVIRONMENT}{tool}"
                found[tool] = Environment(self.values.get(f"{own}_conda", ""), self.values.get(f"{own}_venv", ""))
        return found


def _key_of(name: str) -> str | None:
    """The key of a setting by its name in the file; a misspelt stage is not taken for a tool."""
    known = _KEYS.get(name)
    tool = _OF_TOOL.fullmatch(name)
    if known is not None or tool is None or get_close_matches(tool["tool"], _OF_STAGES, n=1, cutoff=_NEAR):
        return known
    kind = "conda" if tool["kind"] == "conda" else "venv"
    return f"{TOOL_ENVIRONMENT}{tool['tool']}_{kind}"


def _name(key: str) -> str:
    if key.startswith(TOOL_ENVIRONMENT):
        tool, _, kind = key.removeprefix(TOOL_ENVIRONMENT).rpartition("_")
        return f"{tool} {'conda' if kind == 'conda' else 'virtual'} environment"
    labels = {name: label for label, name in _KEYS.items()}
    return next((item.label for item in SETTINGS if item.key == key), labels.get(key, key))


def _lines(section: MarkdownSection) -> Iterator[tuple[int, str, bool]]:
    """Number, text, and whether it is code, of each line in a section's code, paragraphs and bullets without a name."""
    for code in section.code_blocks:
        for number, text in enumerate(code.raw.splitlines(), start=code.line + 1):  # below the fence
            yield number, text.strip(), bool(text.strip())
    for block in section.blocks:
        if isinstance(block, TextBlock) and not block.is_code and not block.is_html:
            for number, text in enumerate(block.raw.splitlines(), start=block.line):
                yield number, text.strip(), False
        elif isinstance(block, Bullet) and not block.name:
            yield block.line, block.value.value, False


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
            gpus=max((int(number) for number in re.findall(r"(?<!\d)(\d{1,9}) ×", gpus)), default=0),
            cpus=_number(cpus),
            memory_gb=_number(memory),
        )


def _number(text: str) -> int | None:
    digits = re.match(r"\d{1,9}(?!\d)", text)
    return int(digits[0]) if digits else None
