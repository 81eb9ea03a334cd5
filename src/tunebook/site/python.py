"""Finds Python environments and module files, and which of them a job can use."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tunebook.core.jobs import Stage
from tunebook.core.site import Environment, environment_text
from tunebook.disk.atomic import read_text
from tunebook.disk.program import run_program
from tunebook.errors import ToolError
from tunebook.site.surroundings import Surroundings
from tunebook.tools.base import Package
from tunebook.tools.registry import installed_tools

__all__ = ["STAGES", "Found", "conda_modules", "find_environments", "loaded_pythons", "stage_packages"]

STAGES = {"training": Stage.PREPARATION, "evaluation": Stage.EVALUATION}
"""The settings that name an environment, with the stage whose jobs use it."""

_ANSWER_S = 60.0
_COLLECTIONS = (".venvs", "venvs", ".virtualenvs", "envs")
_PYTHON_WORD = re.compile(r"python", re.IGNORECASE)
_CONDA_WORD = re.compile(r"conda|mamba|miniforge", re.IGNORECASE)


def stage_packages(setting: str) -> tuple[Package, ...]:
    """The packages of the registered tools of a stage; a job's environment needs that of the plan's tool."""
    return tuple(tool.package for tool in installed_tools().tools if tool.stage is STAGES[setting])


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
    def description(self) -> str:
        """The packages in it, in words."""
        active = "active, " if self.is_active else ""
        packages = ", ".join(sorted(self.packages)) or "none of the tools"
        return f"{active}has {packages}"

    def fits(self, setting: str) -> bool:
        """Whether it has a package of the stage's tools."""
        return any(package.module in self.packages for package in stage_packages(setting))


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
    workon = here.env.get("WORKON_HOME")
    collections = [here.home / name for name in _COLLECTIONS] + ([Path(workon)] if workon else [])
    single = [*active, here.python, here.directory / ".venv", here.directory / "venv"]
    for prefix in (*single, *(path for folder in collections for path in _below(folder))):
        if (prefix / "pyvenv.cfg").is_file() and (prefix / "bin" / "activate").is_file():
            yield Environment(venv=str(prefix)), prefix


def _below(folder: Path) -> list[Path]:
    with suppress(OSError):
        return sorted(folder.iterdir())
    return []


def _conda(here: Surroundings) -> Iterator[tuple[Environment, Path]]:
    """Yields the environments that conda lists; without conda, those in its list in the home directory."""
    roots, prefixes = _asked(here)
    if not prefixes:
        listed = read_text(here.home / ".conda" / "environments.txt") or ""
        prefixes = [Path(line.strip()) for line in listed.splitlines() if line.strip()]
    for prefix in prefixes:
        if (prefix / "conda-meta").is_dir():
            yield Environment(conda_env=_conda_name(prefix, roots)), prefix


def _asked(here: Surroundings) -> tuple[list[Path], list[Path]]:
    program = here.env.get("CONDA_EXE") or shutil.which("conda", path=here.env.get("PATH", ""))
    if not program:
        return [], []
    with suppress(ToolError, ValueError):
        answer = run_program([program, "info", "--json"], timeout_s=_ANSWER_S, env=here.env)
        told = json.loads(answer.stdout)
        if isinstance(told, dict):
            roots = [Path(str(path)) for path in told.get("envs_dirs") or []]
            return roots, [Path(str(path)) for path in told.get("envs") or []]
    return [], []


def _conda_name(prefix: Path, roots: Iterable[Path]) -> str:
    """Returns the name for ``conda activate``, or the path of an environment outside conda's own directories."""
    own = prefix.parent in set(roots) or prefix.parent.name == "envs"
    return prefix.name if own else str(prefix)


def _packages(prefix: Path) -> frozenset[str]:
    names = ["tunebook", *(package.module for setting in STAGES for package in stage_packages(setting))]
    libraries = list(prefix.glob("lib/python*/site-packages"))
    return frozenset(name for name in names if any(_holds(library, name) for library in libraries))


def _holds(library: Path, name: str) -> bool:
    """Whether a package is installed, editable installations included."""
    return (library / name).is_dir() or next(library.glob(f"{name}-*.dist-info"), None) is not None


def conda_modules(here: Surroundings) -> tuple[tuple[str, str], ...]:
    """Returns ``module load`` lines that provide conda, each with how it was found, loaded modules first.

    Empty if the shell has conda by other means.
    """
    if loaded := _loaded(here, _CONDA_WORD):
        return loaded
    if here.env.get("CONDA_EXE") or shutil.which("conda", path=here.env.get("PATH", "")):
        return ()
    return tuple((f"module load {name}", "listed by `module avail`") for name in _available(here))


def loaded_pythons(here: Surroundings) -> tuple[tuple[str, str], ...]:
    """Returns ``module load`` lines of the loaded Python modules: a virtual environment was made with one of them."""
    return _loaded(here, _PYTHON_WORD)


def _loaded(here: Surroundings, word: re.Pattern[str]) -> tuple[tuple[str, str], ...]:
    names = [name for name in here.env.get("LOADEDMODULES", "").split(":") if word.search(name)]
    return tuple((f"module load {name}", "loaded in this shell") for name in reversed(names))


def _available(here: Surroundings) -> list[str]:
    """Lists conda's modules of Lmod or Environment Modules: versions marked as default first, then the newest."""
    lmod, modules = here.env.get("LMOD_CMD"), here.env.get("MODULES_CMD")
    if not (lmod or modules):
        return []
    argv = [lmod, "bash", "-t", "avail"] if lmod else [str(modules), "bash", "avail", "-t"]
    try:
        answer = run_program(argv, timeout_s=_ANSWER_S, env=here.env)
    except ToolError:
        return []
    lines = [line.strip() for line in (answer.stderr + "\n" + answer.stdout).splitlines()]
    names = [line for line in lines if re.fullmatch(r"[\w.+/-]+(\([^)]*\))?", line) and _CONDA_WORD.search(line)]
    full = sorted((name for name in names if not name.endswith("/")), key=_natural, reverse=True)
    marked = [name for name in full if "(" in name and re.search(r"\b(D|default)\b", name)]
    return list(dict.fromkeys(name.partition("(")[0] for name in (*marked, *full)))


def _natural(name: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]
