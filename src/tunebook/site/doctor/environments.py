"""The Python environments of the jobs: each is started as a job would, and its packages must fit together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from tunebook.core.site import Site, environment_text, line_of
from tunebook.errors import Problem
from tunebook.site.doctor.diagnosis import Condition, Diagnosis, doubt, fine, not_checked, of_problem, wrong
from tunebook.site.environments import Use, complaints_about, shortened_line, start_environments
from tunebook.site.probe import Probed
from tunebook.tools.fitting import fit_of
from tunebook.tools.installing import code_digest, install_into

__all__ = ["diagnose_environments"]

_CPU_ONLY = "+cpu"
_NO_START = "correct the site settings, or make the environment; modules of a cluster exist on its own machines only"


def diagnose_environments(
    site: Site, uses: Sequence[Use], *, gpus: int, is_cluster: bool, timeout_s: float
) -> Iterator[Diagnosis]:
    """Starts every environment, imports the tools there, and compares versions.

    Args:
        uses: what each environment is for.
        gpus: the number of GPUs of this machine.
        is_cluster: whether jobs run on other machines.
        timeout_s: the longest that one environment may take.
    """
    started = start_environments(site, uses, timeout_s=timeout_s, with_packages=True)
    for environment, probed in started.items():
        own = [use for use in uses if use.environment == environment]
        names = ", ".join(use.label for use in own)
        name = f"{names}: {environment_text(environment) or 'the Python that runs tunebook'}"
        if probed.took_too_long:
            hint = "allow more time (`--timeout-s 300`): the first import from a network file system is slow"
            yield not_checked(f"{name} did not answer within {timeout_s:g} s", hint)
            continue
        if probed.failed:
            line = next((line for use in own if (line := line_of(site, use.key))), None)
            message = f"{name} cannot be started: {shortened_line(probed.failed)}"
            yield of_problem(Condition.PROBLEM, Problem(message, site.file, line, _NO_START))
            continue
        yield fine(f"{name} starts: {_contents(probed)}")
        yield from _of_uses(site, own, probed)
        yield from _of_versions(own, probed, name)
        yield from _of_code(own, probed, name)
        yield from _of_gpus(probed, name, gpus=gpus, wants=is_cluster and site.gpus != "0")


def _of_uses(site: Site, uses: Sequence[Use], probed: Probed) -> Iterator[Diagnosis]:
    """What the environment lacks, as `tunebook site` reports it; in brief if jobs may never run there."""
    for use in uses:
        if not use.is_certain and not any(package.module in probed.versions for package in use.packages):
            modules = ", ".join(package.module for package in use.packages)
            hint = "name an environment for the jobs in the site settings: `tunebook site init` finds those that fit"
            yield doubt(f"{use.label}: the Python that runs tunebook has none of these: {modules}", hint)
            continue
        for complaint in complaints_about(use, probed):
            condition = Condition.PROBLEM if complaint.is_error else Condition.WARNING
            problem = Problem(complaint.message, site.file, line_of(site, complaint.key), complaint.hint)
            yield of_problem(condition, problem)


def _contents(probed: Probed) -> str:
    versions = [f"{module} {version}" for module, version in probed.versions.items()]
    return ", ".join([f"Python {probed.python_version}", *versions])


def _of_versions(uses: Sequence[Use], probed: Probed, name: str) -> Iterator[Diagnosis]:
    """Versions that do not fit together, for each tool that is there."""
    packages = dict.fromkeys(package for use in uses for package in use.packages)
    there = [package for package in packages if package.module in probed.versions]
    errors: list[Problem] = []
    warnings: list[Problem] = []
    for package in there:
        fit = fit_of(package, probed.packages, probed.python_version)
        errors += [replace(error, message=f"{package.module}: {error.message}") for error in fit.errors]
        warnings += fit.warnings
    severe = Condition.PROBLEM if any(use.is_certain for use in uses) else Condition.WARNING
    for error in dict.fromkeys(errors):
        yield of_problem(severe, error, f"{name}: ")
    for warning in dict.fromkeys(warnings):
        yield of_problem(Condition.WARNING, warning, f"{name}: ")
    if there and not errors and not warnings:
        modules = ", ".join(package.module for package in there)
        yield fine(f"{name}: {modules} and what they need fit together")
    for module in probed.from_user_site:
        hint = "add `export PYTHONNOUSERSITE=1` below Modules in the site settings, then install what is missing"
        yield doubt(f"{name} imports {module} from ~/.local, not from the environment", hint)


def _of_code(uses: Sequence[Use], probed: Probed, name: str) -> Iterator[Diagnosis]:
    """Jobs run tunebook's modules of their own environment, which should be these."""
    if all(use.is_service for use in uses) or "tunebook" not in probed.versions or probed.code == code_digest():
        return
    command = install_into("tunebook").replace("pip install", "pip install --force-reinstall --no-deps", 1)
    message = f"{name} has another tunebook ({probed.versions['tunebook']}) than the one that runs here"
    yield doubt(f"{message}: jobs would run its code", f"in this environment: {command}")


def _of_gpus(probed: Probed, name: str, *, gpus: int, wants: bool) -> Iterator[Diagnosis]:
    """Whether torch can use the GPUs that jobs get."""
    torch = probed.packages.get("torch")
    if torch is None or probed.sees_gpu is None or probed.sees_gpu:
        return
    hint = "install torch for your CUDA version and driver: https://pytorch.org/get-started/locally"
    if gpus:
        yield wrong(f"{name}: torch {torch.version} cannot use the {gpus} GPU(s) of this machine", hint)
    elif wants and torch.version.endswith(_CPU_ONLY):
        yield wrong(f"{name}: torch {torch.version} computes on CPUs only, but jobs ask for GPUs", hint)
