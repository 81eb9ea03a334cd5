"""Verifies that the site settings fit the cluster, the disk and the environments: all problems at once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tunebook.core.notes import UNCHECKED
from tunebook.core.paths import expanded
from tunebook.core.site import TOOL_ENVIRONMENT, Environment, Site, environment_text, line_of, setting, values_of
from tunebook.errors import Problem
from tunebook.site.machine import Surroundings
from tunebook.site.probe import Probed, probe
from tunebook.site.python import STAGES, stage_modules, stage_packages
from tunebook.site.verify_slurm import Complaint, slurm_complaints
from tunebook.slurm.cluster import Cluster
from tunebook.tools.environments import tool_packages, unknown_environments
from tunebook.tools.registry import installed_tools

__all__ = ["Verdict", "verify"]

_LONGEST = 300  # characters of a program's output in a message


@dataclass(frozen=True)
class Verdict:
    """Errors, warnings, and notes on what was verified."""

    errors: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()


def verify(
    site: Site,
    here: Surroundings,
    cluster: Cluster | None,
    *,
    no_cluster: str = "there is no SLURM on this machine",
    start_environments: bool = True,
) -> Verdict:
    """Compares each setting with what this machine says; nothing is written or submitted.

    Args:
        cluster: ``None`` without SLURM: a warning then says that its settings were not verified.
        no_cluster: the reason, without a cluster.
        start_environments: also imports the tools in the environments, which takes seconds.
    """
    complaints = [*_of_person(site, here), *_of_paths(site)]
    notes: list[str] = []
    if cluster is not None:
        found, notes = slurm_complaints(site, here, cluster)
        complaints += found
    else:
        complaints += _without_cluster(site, no_cluster)
    if start_environments:
        found, imported = _of_environments(site)
        complaints += found
        notes += imported
    else:
        notes.append(f"{UNCHECKED}the Python environments, which were not started")
    errors: list[Problem] = []
    warnings = list(unknown_environments(site))
    for complaint in complaints:
        problem = Problem(complaint.message, site.file, line_of(site, complaint.key), complaint.hint)
        if complaint.is_error:
            errors.append(problem)
        else:
            warnings.append(problem)
    return Verdict(tuple(errors), tuple(warnings), tuple(notes))


def _of_person(site: Site, here: Surroundings) -> Iterator[Complaint]:
    if site.username and site.username != here.user:
        yield Complaint("username", f"the settings are {site.username}'s, but you are {here.user}", is_error=False)


def _of_paths(site: Site) -> Iterator[Complaint]:
    for key in ("scratch", "models_dir"):
        value = getattr(site, key)
        if value and not Path(expanded(value)).is_dir():
            yield Complaint(key, f"{setting(key).label} {value} is not a directory on this machine", is_error=False)
    if site.output_dir_base:
        path = Path(expanded(site.output_dir_base))
        existing = path
        while not existing.exists():
            existing = existing.parent
        if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
            message = f"{path} cannot be created or written: {existing} is not a directory that you can write to"
            yield Complaint("output_dir_base", message, "checkpoints go there: name a directory of your own")


def _without_cluster(site: Site, why: str) -> Iterator[Complaint]:
    values = values_of(site)
    keys = [key for key in ("cluster", "account", "partition", "constraint", "qos") if values[key]]
    if keys:
        names = ", ".join(setting(key).label.lower() for key in keys)
        hint = "run this on a login node of the cluster"
        yield Complaint(keys[0], f"{why}: {names} could not be verified", hint, is_error=False)


def _of_environments(site: Site) -> tuple[list[Complaint], list[str]]:
    """Starts each environment once, both at the same time."""
    environments = {stage: getattr(site, stage) for stage in STAGES}
    of_tools = {tool: item for tool, item in site.tool_environments.items() if tool in tool_packages()}
    names: dict[Environment, list[str]] = {}
    for stage, environment in environments.items():
        names.setdefault(environment, ["tunebook"]).extend(stage_modules(stage))
    for tool, environment in of_tools.items():
        names.setdefault(environment, ["tunebook"]).append(tool_packages()[tool].module)
    with ThreadPoolExecutor(max_workers=2) as pool:
        answers = pool.map(lambda item: probe(item[0], modules=site.modules, names=item[1]), names.items())
    results = dict(zip(names, answers, strict=True))
    complaints: list[Complaint] = []
    notes: list[str] = []
    for stage, environment in environments.items():
        probed = results[environment]
        complaints += _of_environment(stage, environment, probed)
        name = environment_text(environment) or probed.python
        imported = [module for module in stage_modules(stage) if module in probed.versions]
        notes += [f"{stage}: {name} imports {module} {probed.versions[module]}" for module in imported]
    for tool, environment in of_tools.items():
        complaints += _of_tool(tool, environment, results[environment])
        module = tool_packages()[tool].module
        if module in results[environment].versions:
            version = results[environment].versions[module]
            notes.append(f"{tool}: {environment_text(environment)} imports {module} {version}")
    return complaints, notes


def _of_tool(tool: str, environment: Environment, probed: Probed) -> Iterator[Complaint]:
    """Finds what the environment of one tool lacks; a program that jobs start needs nothing of tunebook there."""
    key, name, package = f"{TOOL_ENVIRONMENT}{tool}", environment_text(environment), tool_packages()[tool]
    if probed.failed:
        yield Complaint(key, f"{tool}: {name} cannot be started: {_short(probed.failed)}")
        return
    is_service = any(package in item.services for item in installed_tools().tools)
    for module in (package.module,) if is_service else ("tunebook", package.module):
        if module in probed.errors:
            message = f"{tool}: {name} cannot import {module}: {_short(probed.errors[module])}"
            yield Complaint(key, message, f"in this environment: pip install '{package.requirement}'")


def _of_environment(stage: str, environment: Environment, probed: Probed) -> Iterator[Complaint]:
    """Finds missing packages: an error in an environment that the settings name, otherwise a warning.

    Plans can be written and scaffolded without the tools.
    """
    packages = stage_packages(stage)
    install = "pip install " + " or ".join(f"'{package.requirement}'" for package in packages)
    is_named = environment != Environment()
    if is_named:
        name, hint = environment_text(environment), f"in this environment: {install}"
    else:
        name, hint = "the Python that runs tunebook", f"{install}, or name another"
    if probed.failed:
        yield Complaint(stage, f"{stage}: {name} cannot be started: {_short(probed.failed)}")
        return
    modules = ["tunebook"]
    if not any(package.module in probed.versions for package in packages):
        modules += stage_modules(stage)  # one of several tools suffices: plans name the tool
    for module in modules:
        if module in probed.errors:
            message = f"{stage}: {name} cannot import {module}: {_short(probed.errors[module])}"
            yield Complaint(stage, message, hint, is_error=is_named)


def _short(text: str) -> str:
    line = " ".join(text.split())
    if len(line) > _LONGEST:
        return f"{line[:_LONGEST]} …"
    return line
