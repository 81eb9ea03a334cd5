"""``doctor``: whether this installation, this machine and its cluster are fit for an experiment's jobs."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tunebook import __version__
from tunebook.api.loading import Loaded, find_site, load
from tunebook.api.site_checks import disk_supply
from tunebook.core.paths import PLAN_FILE, SITE_FILE, absolute_path
from tunebook.core.shortened import counted
from tunebook.core.site_reading import ParsedSite
from tunebook.disk.threads import threads
from tunebook.errors import ExitCode, Problem, UsageError
from tunebook.executors.gpus import find_gpus
from tunebook.site.doctor.diagnosis import Condition, Diagnosis, doubt, fine, not_checked, of_problem
from tunebook.site.doctor.disks import diagnose_disks
from tunebook.site.doctor.environments import diagnose_environments
from tunebook.site.doctor.scheduler import diagnose_scheduler
from tunebook.site.doctor.shell import diagnose_shell
from tunebook.site.environments import Use, uses_of_plan, uses_of_site
from tunebook.site.machine import Surroundings
from tunebook.tools.installing import own_source
from tunebook.tools.registry import installed_tools

__all__ = ["DoctorOptions", "DoctorReport", "Examined", "doctor"]


@dataclass(frozen=True, kw_only=True)
class DoctorOptions:
    """The options of ``doctor``.

    Attributes:
        timeout_s: the longest that one program, one environment or one file system may take to answer.
    """

    timeout_s: float = 120.0


@dataclass(frozen=True)
class Examined:
    """One subject with what was found about it, in the order of the looks."""

    subject: str
    diagnoses: tuple[Diagnosis, ...]


@dataclass(frozen=True)
class DoctorReport:
    """Everything that was found out.

    Attributes:
        directory: the experiment's directory, or the one that was named.
        has_plan: whether a correct plan is there, so that only what its jobs need was examined.
    """

    directory: Path
    has_plan: bool
    examined: tuple[Examined, ...]

    @property
    def diagnoses(self) -> tuple[Diagnosis, ...]:
        """All of them."""
        return tuple(diagnosis for part in self.examined for diagnosis in part.diagnoses)

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The problems."""
        return self._of(Condition.PROBLEM)

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """The warnings."""
        return self._of(Condition.WARNING)

    @property
    def exit_code(self) -> ExitCode:
        """1 if there is a problem."""
        return ExitCode.FAILED if self.errors else ExitCode.DONE

    def count(self, condition: Condition) -> int:
        """How many diagnoses have a condition."""
        return len(self._of(condition))

    def _of(self, condition: Condition) -> tuple[Problem, ...]:
        return tuple(item.problem for item in self.diagnoses if item.condition is condition)


def doctor(
    directory: Path = Path(),
    options: DoctorOptions | None = None,
    *,
    on_examined: Callable[[Examined], None] | None = None,
) -> DoctorReport:
    """Examines the installation, the site settings, the scheduler, the disks and the environments of the jobs.

    Nothing is written but a temporary file in each directory that jobs write to, which is removed again.

    Args:
        directory: an experiment's, or any other one; with a plan only what its jobs need is examined.
        on_examined: called for one subject after the other, as soon as it and those before it are examined.

    Raises:
        UsageError: the directory does not exist.
    """
    options = options or DoctorOptions()
    directory = absolute_path(directory)
    if not directory.is_dir():
        raise UsageError(f"{directory} is not a directory", hint="name the experiment's directory, or leave it out")
    parsed, loaded = find_site(directory), _plan(directory)
    installed_tools()  # before the threads: loading takes the output of the whole process aside
    looks = _looks(directory, parsed, loaded, options.timeout_s)
    examined: list[Examined] = []
    with threads(len(looks)) as pool:
        for subject, answers in [(subject, pool.submit(_all, look)) for subject, look in looks.items()]:
            examined.append(Examined(subject, answers.result()))
            if on_examined is not None:
                on_examined(examined[-1])
    return DoctorReport(directory, loaded is not None and not loaded.of_plan.errors, tuple(examined))


_Look = Callable[[], Iterable[Diagnosis]]


def _all(look: _Look) -> tuple[Diagnosis, ...]:
    return tuple(look())


def _looks(directory: Path, parsed: ParsedSite, loaded: Loaded | None, timeout_s: float) -> dict[str, _Look]:
    """The examinations by subject, each independent of the others."""
    site, here = parsed.site, Surroundings.here(directory)
    return {
        "Installation": _installation,
        "Experiment": partial(_experiment, parsed, loaded),
        "Scheduler": partial(diagnose_scheduler, site, here, timeout_s=timeout_s),
        "Disk": partial(_disks, directory, parsed, loaded, timeout_s),
        "Variables that jobs inherit": partial(diagnose_shell, here.env, site),
        "Environments of the jobs": partial(_environments, parsed, loaded, timeout_s),
    }


def _plan(directory: Path) -> Loaded | None:
    return load(directory) if (directory / PLAN_FILE).is_file() else None


def _installation() -> Iterator[Diagnosis]:
    source = own_source()
    origin = f", from {source}" if source else ""
    yield fine(f"tunebook {__version__}{origin}; Python {platform.python_version()}")
    for broken in installed_tools().broken:
        yield of_problem(Condition.WARNING, broken.as_warning())


def _experiment(parsed: ParsedSite, loaded: Loaded | None) -> Iterator[Diagnosis]:
    """The plan and the site settings, as far as they can be read."""
    if loaded is None:
        yield fine("there is no plan here: every tool is examined")
    elif loaded.of_plan.errors:
        number = counted(len(loaded.of_plan.errors), "error")
        yield doubt(f"the plan has {number}: every tool is examined", "`tunebook check` lists them")
    else:
        named = ", ".join(tool.name for tool in loaded.tools)
        yield fine(f"{PLAN_FILE} can be read; its jobs need {named}")
    if parsed.site.file:
        yield fine(f"the site settings are in {parsed.site.file}")
    for problem in parsed.errors:
        yield of_problem(Condition.PROBLEM, problem)
    for problem in parsed.warnings:
        if parsed.site.file:
            yield of_problem(Condition.WARNING, problem)
        else:
            yield fine(f"there is no {SITE_FILE}: local defaults apply", "`tunebook site init` writes one")


def _disks(directory: Path, parsed: ParsedSite, loaded: Loaded | None, timeout_s: float) -> Iterator[Diagnosis]:
    yield from diagnose_disks(directory, parsed.site, timeout_s=timeout_s)
    if loaded is None or loaded.of_plan.errors:
        return
    need = disk_supply(loaded.context)
    if need.problem is not None:
        yield of_problem(Condition.PROBLEM if need.is_certain else Condition.WARNING, need.problem)
    elif need.unknown:
        yield not_checked(f"the plan's checkpoints: {need.figure}, but {need.unknown}", "run this where jobs run")
    else:
        yield fine(f"the plan's checkpoints: {need.figure}")


def _environments(parsed: ParsedSite, loaded: Loaded | None, timeout_s: float) -> Iterable[Diagnosis]:
    site = parsed.site
    return diagnose_environments(
        site,
        _uses(parsed, loaded),
        gpus=len(find_gpus()),
        is_cluster=bool(site.cluster or site.partition or site.account),
        timeout_s=timeout_s,
    )


def _uses(parsed: ParsedSite, loaded: Loaded | None) -> list[Use]:
    if loaded is None or loaded.of_plan.errors:
        return uses_of_site(parsed.site)
    asked = loaded.context.plan.value("inference")
    services = [item for tool in loaded.evaluations for item in tool.services if item.distribution == asked]
    return uses_of_plan(parsed.site, loaded.tools, services)
