"""Finds Python environments and module files, and which of them a job can use."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tunebook.core.jobs import Stage
from tunebook.core.json_text import parse_json
from tunebook.core.site import Environment, environment_text
from tunebook.disk.program import run_program
from tunebook.disk.read import read_text
from tunebook.errors import ToolError
from tunebook.site.machine import Candidate, Surroundings
from tunebook.tools.base import Package
from tunebook.tools.environments import tool_packages
from tunebook.tools.registry import installed_tools

__all__ = [
    "STAGES",
    "Found",
    "conda_modules",
    "find_environments",
    "loaded_pythons",
    "stage_modules",
    "stage_packages",
]

STAGES = {"training": Stage.PREPARATION, "evaluation": Stage.EVALUATION}
"""The settings that name an environment, with the stage whose jobs use it."""

_ANSWER_S = 60.0
_COLLECTIONS = (".venvs", "venvs", ".virtualenvs", "envs")
_PYTHON_WORD = re.compile(r"python", re.IGNORECASE)
_CONDA_WORD = re.compile(r"conda|mamba|miniforge", re.IGNORECASE)
_MODULE = re.compile(r"[\w.+/-]*[\w.+-](\([^)]*\))?")


def stage_packages(setting: str) -> tuple[Package, ...]:
    """The packages of the registered tools of a stage; a job's environment needs that of the plan's tool."""
    return tuple(tool.package for tool in installed_tools().tools if tool.stage is STAGES[setting])


def stage_modules(setting: str) -> list[str]:
    """The names under which Python imports these packages."""
    return [package.module for package in stage_packages(setting)]


@dataclass(frozen=True)
class Found:
    """An environment, and which of the tools' packages and tunebook it has."""

    environment: Environment
    prefix: Path
    packages: frozenset[str]
    is_active: bool = False

    @property
    def text(self) -> str:
        """The environment as the settings write it."""
        return environment_text(self.environment)

    @property
    def candidate(self) -> Candidate:
        """The environment as a setting's value, with the packages in it."""
        basis = "has " + (", ".join(sorted(self.packages)) or "none of the tools")
        if self.is_active:
            basis = f"active, {basis}"
        return Candidate(self.text, basis)

    def fits(self, setting: str) -> bool:
        """Whether it has a package of the stage's tools."""
        return not self.packages.isdisjoint(stage_modules(setting))

    def has(self, package: Package) -> bool:
        """Whether it has this package."""
        return package.module in self.packages


def find_environments(here: Surroundings) -> tuple[Found, ...]:
    """Returns conda and virtual environments, the active one first, then those with the most packages."""
    active = {Path(here.env[name]) for name in ("VIRTUAL_ENV", "CONDA_PREFIX") if here.env.get(name)}
    found: dict[Path, Found] = {}
    for environment, prefix in (*_virtual(here, active), *_conda(here)):
        real = prefix.resolve()
        if real not in found:
            found[real] = Found(environment, prefix, _packages(prefix), prefix in active)
    return tuple(sorted(found.values(), key=lambda item: (not item.is_active, -len(item.packages))))


def _virtual(here: Surroundings, active: Iterable[Path]) -> Iterator[tuple[Environment, Path]]:
    prefixes = [*active, here.python, here.directory / ".venv", here.directory / "venv"]
    collections = [str(here.home / name) for name in _COLLECTIONS]
    for folder in (*collections, here.env.get("WORKON_HOME")):
        if folder:
            with suppress(OSError):
                prefixes += sorted(Path(folder).iterdir())
    for prefix in prefixes:
        if (prefix / "pyvenv.cfg").is_file() and (prefix / "bin" / "activate").is_file():
            yield Environment(venv=str(prefix)), prefix


def _conda(here: Surroundings) -> Iterator[tuple[Environment, Path]]:
    """Yields the environments that conda lists; without conda, those in its list in the home directory."""
    answer = _conda_info(here)
    roots = [Path(root) for root in answer.get("envs_dirs") or []]
    prefixes = answer.get("envs") or (read_text(here.home / ".conda" / "environments.txt") or "").splitlines()
    for text in prefixes:
        prefix = Path(text.strip())
        if text.strip() and (prefix / "conda-meta").is_dir():
            # Outside of conda's own directories ``conda activate`` needs the path.
            is_named = prefix.parent in roots or prefix.parent.name == "envs"
            name = prefix.name if is_named else str(prefix)
            yield Environment(conda_env=name), prefix


def _conda_program(here: Surroundings) -> str | None:
    return here.env.get("CONDA_EXE") or shutil.which("conda", path=here.env.get("PATH", ""))


def _conda_info(here: Surroundings) -> dict[str, list[str]]:
    program = _conda_program(here)
    if program:
        with suppress(ToolError, ValueError):
            answer = run_program([program, "info", "--json"], timeout_s=_ANSWER_S, env=here.env)
            document = parse_json(answer.stdout)
            if isinstance(document, dict):
                return document
    return {}


def _packages(prefix: Path) -> frozenset[str]:
    """Returns which packages are installed, editable installations included."""
    names = ["tunebook", *(package.module for package in tool_packages().values())]
    found = set()
    for library in prefix.glob("lib/python*/site-packages"):
        for name in names:
            if (library / name).is_dir() or next(library.glob(f"{name}-*.dist-info"), None):
                found.add(name)
    return frozenset(found)


def conda_modules(here: Surroundings) -> tuple[Candidate, ...]:
    """Returns ``module load`` lines that provide conda, loaded modules first.

    Empty if the shell has conda by other means.
    """
    loaded = _loaded(here, _CONDA_WORD)
    if loaded or _conda_program(here):
        return loaded
    return tuple(Candidate(f"module load {name}", "listed by `module avail`") for name in _available(here))


def loaded_pythons(here: Surroundings) -> tuple[Candidate, ...]:
    """Returns ``module load`` lines of the loaded Python modules: a virtual environment was made with one of them."""
    return _loaded(here, _PYTHON_WORD)


def _loaded(here: Surroundings, word: re.Pattern[str]) -> tuple[Candidate, ...]:
    names = here.env.get("LOADEDMODULES", "").split(":")
    return tuple(Candidate(f"module load {name}", "loaded in this shell") for name in names[::-1] if word.search(name))


def _available(here: Surroundings) -> list[str]:
    """Lists conda's modules of Lmod or Environment Modules: versions marked as default first, then the newest."""
    lmod, modules = here.env.get("LMOD_CMD"), here.env.get("MODULES_CMD")
    if lmod:
        argv = [lmod, "bash", "-t", "avail"]
    elif modules:
        argv = [modules, "bash", "avail", "-t"]
    else:
        return []
    try:
        answer = run_program(argv, timeout_s=_ANSWER_S, env=here.env)
    except ToolError:
        return []
    marked: list[str] = []
    others: list[str] = []
    for line in f"{answer.stderr}\n{answer.stdout}".splitlines():
        name, _, marks = line.strip().partition("(")
        if _MODULE.fullmatch(line.strip()) and _CONDA_WORD.search(name):
            group = marked if re.search(r"\b(D|default)\b", marks) else others
            group.append(name)
    marked.sort(key=_natural, reverse=True)
    others.sort(key=_natural, reverse=True)
    return list(dict.fromkeys(marked + others))


def _natural(name: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]
