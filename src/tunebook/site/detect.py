"""Detects each setting on a machine: candidates for its value, and whether a person has to choose."""

from __future__ import annotations

import configparser
import itertools
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

from tunebook.core.site import TOOL_ENVIRONMENT
from tunebook.disk.program import run_program
from tunebook.errors import ToolError
from tunebook.site.detect_slurm import SLURM_STEPS, Step
from tunebook.site.machine import Candidate, Detected, Machine, Surroundings
from tunebook.site.python import (
    STAGES,
    Found,
    conda_modules,
    find_environments,
    loaded_pythons,
    stage_modules,
)
from tunebook.tools.environments import tool_packages

__all__ = ["settle"]

_ANSWER_S = 20.0
_OUTPUTS = "tunebook-outputs"
_SHOWN_MODELS = 3
_AT_MOST = 2000  # entries of one directory: a file system shared by thousands of people answers slowly
_ROOTS = ("scratch", "work", "lustre", "gpfs", "data")
_WEIGHTS = ("*.safetensors", "pytorch_model*.bin", "consolidated*.pth")


def settle(machine: Machine, choose: Callable[[Detected], Candidate]) -> tuple[tuple[Detected, Candidate], ...]:
    """Detects one setting after the other, since later ones depend on the values of earlier ones.

    Args:
        machine: the machine.
        choose: returns the value for a finding.

    Returns:
        Each finding and its value, in the order of the questions; settings that do not apply are left out.
    """
    settled = []
    for step in _steps(machine):
        finding = step(machine)
        if finding is None:
            continue
        if machine.cluster is None and not finding.candidates:
            finding = replace(finding, question="")  # a local site works without the values that were not found
        chosen = choose(finding)
        machine.values[finding.key] = chosen.value
        settled.append((finding, chosen))
    return tuple(settled)


def _steps(machine: Machine) -> tuple[Step, ...]:
    """The steps in the order of the questions."""
    search = cache(partial(find_environments, machine.here))
    middle: tuple[Step, ...] = (_local_gpus,)
    if machine.cluster:
        middle = SLURM_STEPS
    return (
        _username,
        _group,
        *middle,
        _scratch,
        _models,
        _outputs,
        partial(_environment, stage="training", search=search),
        partial(_environment, stage="evaluation", search=search),
        *(partial(_tool_environment, tool=name, search=search) for name in tool_packages()),
        _modules,
        partial(_wandb, name="entity"),
        partial(_wandb, name="project"),
    )


def _username(machine: Machine) -> Detected:
    return Detected("username", (Candidate(machine.here.user, "the account of this session"),))


def _group(machine: Machine) -> Detected:
    names = [name for name in machine.here.groups if name != machine.here.user]
    return Detected("group", tuple(Candidate(name, "a group of this session") for name in names))


def _local_gpus(machine: Machine) -> Detected:
    try:
        answer = run_program(["nvidia-smi", "--list-gpus"], timeout_s=_ANSWER_S, env=machine.here.env)
    except ToolError:
        return Detected("gpus", (Candidate("0", "nvidia-smi is not installed: no GPU"),))
    count = 0
    if answer.returncode == 0:
        count = sum(line.startswith("GPU ") for line in answer.stdout.splitlines())
    return Detected("gpus", (Candidate(str(min(1, count)), f"nvidia-smi lists {count} GPU(s)"),))


def _scratch(machine: Machine) -> Detected | None:
    found = _scratch_directories(machine.here)
    if machine.cluster is None and not found:
        return None
    is_named = bool(found) and found[0].basis.startswith("$")
    if is_named or len(found) == 1:
        return Detected("scratch", found)
    question = "Which directory is your scratch space, for large outputs?"
    return Detected("scratch", found, question, "no writable scratch directory was found")


def _models(machine: Machine) -> Detected:
    here = machine.here
    scratch = machine.values.get("scratch", "")
    places = [here.directory, here.directory / "models", here.home, here.home / "models"]
    if scratch:
        places = [Path(scratch), Path(scratch).parent, *places]
    directory, names = _models_directory(places)
    if names:
        shown = ", ".join(names[:_SHOWN_MODELS])
        if len(names) > _SHOWN_MODELS:
            shown += f" and {len(names) - _SHOWN_MODELS} more"
        return Detected("models_dir", (Candidate(str(directory), f"it contains {shown}"),))
    question = "Which directory holds the base models?"
    return Detected("models_dir", (), question, "no directory with models was found near scratch and home")


def _environment(machine: Machine, stage: str, search: Callable[[], tuple[Found, ...]]) -> Detected:
    fitting = [item for item in search() if item.fits(stage)]
    trained = machine.values.get("training")
    package = " or ".join(stage_modules(stage))
    own = {item.prefix for item in fitting} & {machine.here.python}
    if own and machine.cluster is None and not trained:
        return Detected(stage, missing=f"the Python that runs tunebook has {package}")
    if not fitting:
        question = f"Which environment has {package}? A conda environment's name, or a virtual environment's path:"
        missing = f"no environment with {package} was found; jobs get the Python that runs tunebook"
        return Detected(stage, (), question, missing)
    fitting.sort(key=lambda item: item.text != trained)
    first = fitting[0]
    question = f"Which environment is for the {stage}?"
    if len(fitting) == 1 or first.is_active or first.text == trained:
        question = ""
    return Detected(stage, tuple(item.candidate for item in fitting), question)


def _tool_environment(machine: Machine, tool: str, search: Callable[[], tuple[Found, ...]]) -> Detected | None:
    """Finds an environment with a tool that the environment of its stage lacks; nothing if no other one has it."""
    package = tool_packages()[tool]
    fitting = [item for item in search() if item.has(package)]
    usual = {machine.values.get(stage, "") for stage in STAGES}
    if "" in usual:
        usual |= {item.text for item in search() if item.prefix == machine.here.python}
    if not fitting or any(item.text in usual for item in fitting):
        return None
    question = ""
    if len(fitting) > 1:
        question = f"Which environment is for {tool}?"
    return Detected(f"{TOOL_ENVIRONMENT}{tool}", tuple(item.candidate for item in fitting), question)


def _modules(machine: Machine) -> Detected | None:
    """Finds the module that provides conda, or the Python with which a virtual environment was made."""
    names = [key for key in machine.values if key in STAGES or key.startswith(TOOL_ENVIRONMENT)]
    kinds = {machine.values[name].partition(":")[0] for name in names}
    found: tuple[Candidate, ...] = ()
    if "conda" in kinds:
        found = conda_modules(machine.here)
    if "venv" in kinds and not found:
        found = loaded_pythons(machine.here)
    if not found:
        return None
    if len(found) == 1 or found[0].basis.startswith("loaded"):
        return Detected("modules", found)
    return Detected("modules", found, "Which module provides conda?")


def _outputs(machine: Machine) -> Detected | None:
    scratch = machine.values.get("scratch")
    if not scratch:
        return None
    return Detected("output_dir_base", (Candidate(str(Path(scratch) / _OUTPUTS), "below the scratch directory"),))


def _wandb(machine: Machine, name: str) -> Detected | None:
    """Takes the shell's value, otherwise that of the settings file of ``wandb``, whose API key is never read."""
    variable = f"WANDB_{name.upper()}"
    value, basis = machine.here.env.get(variable, ""), f"${variable}"
    if not value:
        reader = configparser.ConfigParser(interpolation=None)
        path = machine.here.home / ".config" / "wandb" / "settings"
        with suppress(configparser.Error, UnicodeDecodeError):
            reader.read(path, encoding="utf-8")
        value, basis = reader.get("default", name, fallback=""), str(path)
    if not value:
        return None
    return Detected(f"wandb_{name}", (Candidate(value, basis),))


# --- directories, with a bounded look at the usual places -----------------------------------------------------------


def _scratch_directories(here: Surroundings) -> tuple[Candidate, ...]:
    """Returns this user's writable scratch directories, the likeliest first.

    Directories that the shell names come before those that are found: ``/scratch/USER``, up to two levels further down.
    """
    names = [name for name in here.env if "SCRATCH" in name.upper()]
    names.sort(key=lambda name: (name.upper() != "SCRATCH", name))
    bases: dict[Path, str] = {}
    for name in names:
        bases.setdefault(Path(here.env[name]), f"${name}")
    for path in _of_user(here):
        bases.setdefault(path, "a directory of this user's")
    candidates = []
    for path, basis in bases.items():
        if path.is_absolute() and path.is_dir() and os.access(path, os.W_OK | os.X_OK):
            candidates.append(Candidate(str(path), basis))
    return tuple(candidates)


def _of_user(here: Surroundings) -> Iterator[Path]:
    for name in _ROOTS:
        level = [here.root / name]
        for _ in range(3):
            below: list[Path] = []
            for path in level:
                yield path / here.user
                below += _directories(path)
            level = below[:_AT_MOST]


def _directories(path: Path) -> list[Path]:
    """Returns the directories in a directory by name, without hidden ones; nothing for an unreadable directory."""
    with suppress(OSError), os.scandir(path) as entries:
        first = itertools.islice(entries, _AT_MOST)
        return sorted(path / entry.name for entry in first if entry.is_dir() and not entry.name.startswith("."))
    return []


def _models_directory(places: Iterable[Path]) -> tuple[Path, list[str]]:
    """Returns the directory with the most models, in one of the places or directly below, and the models' names.

    A model is a directory with a ``config.json`` and weight files. Without models the names are empty.
    """
    best, most = Path(), list[str]()
    seen: set[Path] = set()
    for place in places:
        for holder in (place, *_directories(place)):
            if holder in seen:
                continue
            seen.add(holder)
            names = [path.name for path in _directories(holder) if _is_model(path)]
            if len(names) > len(most):
                best, most = holder, names
    return best, most


def _is_model(path: Path) -> bool:
    with suppress(OSError):
        return (path / "config.json").is_file() and any(next(path.glob(name), None) for name in _WEIGHTS)
    return False
