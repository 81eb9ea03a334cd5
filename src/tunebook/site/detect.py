"""Detects each setting on a machine: candidates for its value, and whether a person has to choose."""

from __future__ import annotations

import configparser
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tunebook.disk.program import run_program
from tunebook.errors import ToolError
from tunebook.site.detect_slurm import SLURM_STEPS
from tunebook.site.finding import Candidate, Detected, Machine, Step
from tunebook.site.python import STAGES, conda_modules, loaded_pythons, stage_packages
from tunebook.site.storage import models_directory, scratch_directories

__all__ = ["settle"]

_ANSWER_S = 20.0
_OUTPUTS = "tunebook-outputs"


def settle(machine: Machine, choose: Callable[[Detected], Candidate]) -> tuple[tuple[Detected, Candidate], ...]:
    """Detects one setting after the other, since later ones depend on the values of earlier ones.

    Args:
        machine: the machine.
        choose: returns the value for a finding.

    Returns:
        Each finding and its value, in the order of the questions; settings that do not apply are left out.
    """
    settled = []
    for step in (*_STEPS_BEFORE, *(SLURM_STEPS if machine.cluster else (_local_gpus,)), *_STEPS_AFTER):
        finding = step(machine)
        if finding is not None:
            chosen = choose(finding)
            machine.values[finding.key] = chosen.value
            settled.append((finding, chosen))
    return tuple(settled)


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
    count = sum(line.startswith("GPU ") for line in answer.stdout.splitlines()) if answer.returncode == 0 else 0
    return Detected("gpus", (Candidate(str(min(1, count)), f"nvidia-smi lists {count} GPU(s)"),))


def _scratch(machine: Machine) -> Detected | None:
    found = tuple(Candidate(str(path), basis) for path, basis in scratch_directories(machine.here))
    if machine.cluster is None and not found:
        return None
    named = bool(found) and found[0].basis.startswith("$")
    question = "" if named or len(found) == 1 else "Which directory is your scratch space, for large outputs?"
    return Detected("scratch", found, question, "no writable scratch directory was found")


def _models(machine: Machine) -> Detected:
    here = machine.here
    scratch = machine.values.get("scratch", "")
    places = [here.directory, here.directory / "models", here.home, here.home / "models"]
    if scratch:
        places = [Path(scratch), Path(scratch).parent, *places]
    found = models_directory(places)
    if found is None:
        question = "Which directory holds the base models?" if machine.cluster else ""
        return Detected("models_dir", (), question, "no directory with models was found near scratch and home")
    directory, names = found
    shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")  # noqa: PLR2004  in a line
    return Detected("models_dir", (Candidate(str(directory), f"it contains {shown}"),))


def _environment(machine: Machine, stage: str) -> Detected:
    fitting = [item for item in machine.environments if item.fits(stage)]
    trained = machine.values.get("training")
    package = " or ".join(package.module for package in stage_packages(stage))
    own = next((item for item in fitting if item.prefix == machine.here.python), None)
    if machine.cluster is None and own is not None and not trained:
        return Detected(stage, (), missing=f"the Python that runs tunebook has {package}")
    fitting.sort(key=lambda item: item.text != trained)
    candidates = tuple(Candidate(item.text, item.description) for item in fitting)
    if not fitting:
        question = f"Which environment has {package}? A conda environment's name, or a virtual environment's path:"
        hint = f"no environment with {package} was found; jobs get the Python that runs tunebook"
        return Detected(stage, (), question if machine.cluster else "", hint)
    first = fitting[0]
    clear = len(fitting) == 1 or first.is_active or first.text == trained
    return Detected(stage, candidates, "" if clear else f"Which environment is for the {stage}?")


def _training(machine: Machine) -> Detected:
    return _environment(machine, "training")


def _evaluation(machine: Machine) -> Detected:
    return _environment(machine, "evaluation")


def _modules(machine: Machine) -> Detected | None:
    """Finds the module that provides conda, or the Python with which a virtual environment was made."""
    chosen = {machine.values.get(stage, "").partition(":")[0] for stage in STAGES}
    found = conda_modules(machine.here) if "conda" in chosen else ()
    found = found or (loaded_pythons(machine.here) if "venv" in chosen else ())
    if not found:
        return None
    candidates = tuple(Candidate(line, basis) for line, basis in found)
    clear = len(found) == 1 or found[0][1].startswith("loaded")
    return Detected("modules", candidates, "" if clear else "Which module provides conda?")


def _outputs(machine: Machine) -> Detected | None:
    scratch = machine.values.get("scratch")
    if not scratch:
        return None
    return Detected("output_dir_base", (Candidate(str(Path(scratch) / _OUTPUTS), "below the scratch directory"),))


def _wandb(machine: Machine, key: str) -> Detected | None:
    """Takes the shell's value, otherwise that of the settings file of ``wandb``, whose key is never read."""
    name = key.removeprefix("wandb_")
    variable = f"WANDB_{name.upper()}"
    if value := machine.here.env.get(variable):
        return Detected(key, (Candidate(value, f"${variable}"),))
    reader = configparser.ConfigParser(interpolation=None)
    path = machine.here.home / ".config" / "wandb" / "settings"
    with suppress(configparser.Error, UnicodeDecodeError):
        reader.read(path, encoding="utf-8")
    value = reader.get("default", name, fallback="")
    return Detected(key, (Candidate(value, str(path)),)) if value else None


def _wandb_entity(machine: Machine) -> Detected | None:
    return _wandb(machine, "wandb_entity")


def _wandb_project(machine: Machine) -> Detected | None:
    return _wandb(machine, "wandb_project")


_STEPS_BEFORE: tuple[Step, ...] = (_username, _group)
_STEPS_AFTER: tuple[Step, ...] = (
    _scratch,
    _models,
    _outputs,
    _training,
    _evaluation,
    _modules,
    _wandb_entity,
    _wandb_project,
)
