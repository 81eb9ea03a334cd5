"""Verifies that the site settings fit the cluster, the disk and the environments: all problems at once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tunebook.core.notes import UNCHECKED
from tunebook.core.paths import expanded
from tunebook.core.site import Site, line_of, setting, values_of
from tunebook.errors import Problem
from tunebook.site.environments import complaints_about, notes_on, start_environments, uses_of_site
from tunebook.site.machine import Surroundings
from tunebook.site.verify_slurm import Complaint, slurm_complaints
from tunebook.slurm.cluster import Cluster
from tunebook.slurm.programs import ANSWER_S
from tunebook.tools.environments import unknown_environments

__all__ = ["NOT_STARTED", "Verdict", "verify"]

NOT_STARTED = f"{UNCHECKED}the Python environments, which were not started"


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
    start: bool = True,
    timeout_s: float = ANSWER_S,
) -> Verdict:
    """Compares each setting with what this machine says; nothing is written or submitted.

    Args:
        cluster: ``None`` without SLURM: a warning then says that its settings were not verified.
        no_cluster: the reason, without a cluster.
        start: also starts the environments and imports the tools, which takes seconds.
        timeout_s: the longest that one of SLURM's programs may take.
    """
    complaints = [*_of_person(site, here), *_of_paths(site)]
    notes: list[str] = []
    if cluster is not None:
        found, notes = slurm_complaints(site, here, cluster, timeout_s=timeout_s)
        complaints += found
    else:
        complaints += _without_cluster(site, no_cluster)
    if start:
        found, imported = _of_environments(site)
        complaints += found
        notes += imported
    else:
        notes.append(NOT_STARTED)
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
    """Starts each environment once, and finds what it lacks."""
    uses = uses_of_site(site)
    started = start_environments(site, uses)
    complaints: list[Complaint] = []
    notes: list[str] = []
    for use in uses:
        complaints += complaints_about(use, started[use.environment])
        notes += notes_on(use, started[use.environment])
    return complaints, notes
