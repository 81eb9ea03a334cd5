"""The environments that jobs use, by the site settings: each is started once as a job would, and may lack packages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tunebook.core.jobs import Stage
from tunebook.core.site import TOOL_ENVIRONMENT, Environment, Site, environment_text
from tunebook.disk.threads import threads
from tunebook.site.probe import ANSWER_S, Probed, probe
from tunebook.site.python import STAGES, stage_packages
from tunebook.site.verify_slurm import Complaint
from tunebook.tools.base import Package, Tool
from tunebook.tools.environments import tool_packages
from tunebook.tools.installing import install_here, install_into
from tunebook.tools.registry import installed_tools

__all__ = [
    "Use",
    "complaints_about",
    "notes_on",
    "shortened_line",
    "start_environments",
    "uses_of_plan",
    "uses_of_site",
]

_AT_ONCE = 2
_LONGEST = 300  # characters of a program's output in a message


@dataclass(frozen=True)
class Use:
    """What the settings name an environment for.

    Attributes:
        key: the setting that names it: ``training``, ``evaluation`` or ``environment.trl``.
        label: for people: the stage or the tool.
        packages: jobs need one of them; the plan says which.
        is_service: whether the program is one that jobs start, which needs nothing of tunebook there.
        is_needed: whether the jobs of a plan need it.
    """

    key: str
    label: str
    environment: Environment
    packages: tuple[Package, ...]
    is_service: bool = False
    is_needed: bool = False

    @property
    def is_certain(self) -> bool:
        """Whether jobs will run there: the settings name it, or a plan needs it."""
        return self.is_needed or self.environment != Environment()

    @property
    def modules(self) -> list[str]:
        """The names that Python imports."""
        own = [] if self.is_service else ["tunebook"]
        return [*own, *(package.module for package in self.packages)]


def uses_of_site(site: Site) -> list[Use]:
    """Every environment that the site settings give, whatever a plan needs."""
    uses = [Use(key, key, getattr(site, key), stage_packages(key)) for key in STAGES]
    known, services = tool_packages(), _services(installed_tools().tools)
    for name, environment in site.tool_environments.items():
        if name in known:
            package = known[name]
            uses.append(Use(f"{TOOL_ENVIRONMENT}{name}", name, environment, (package,), package in services))
    return uses


def uses_of_plan(site: Site, tools: Iterable[Tool], services: Iterable[Package]) -> list[Use]:
    """The environments that the jobs of these tools get.

    Args:
        services: the programs that the jobs start.
    """
    uses = [_use(site, tool.name, tool.stage, tool.package, is_service=False) for tool in tools]
    names = [(package.distribution, package) for package in services]
    return [*uses, *(_use(site, name, Stage.EVALUATION, package, is_service=True) for name, package in names)]


def _use(site: Site, name: str, stage: Stage, package: Package, *, is_service: bool) -> Use:
    key = next(key for key, value in STAGES.items() if value is stage)
    if name.lower() in site.tool_environments:
        key = f"{TOOL_ENVIRONMENT}{name.lower()}"
    return Use(key, name, site.environment_for(name, stage), (package,), is_service, is_needed=True)


def _services(tools: Iterable[Tool]) -> frozenset[Package]:
    return frozenset(package for tool in tools for package in tool.services)


def start_environments(
    site: Site, uses: Iterable[Use], *, timeout_s: float = ANSWER_S, with_packages: bool = False
) -> dict[Environment, Probed]:
    """Starts each environment once, two at a time, and imports what it is used for.

    Args:
        timeout_s: the longest that one may take.
        with_packages: whether to list its packages as well.
    """
    names: dict[Environment, list[str]] = {}
    for use in uses:
        names.setdefault(use.environment, []).extend(use.modules)

    def start(environment: Environment) -> Probed:
        wanted = list(dict.fromkeys(names[environment]))
        return probe(environment, modules=site.modules, names=wanted, timeout_s=timeout_s, with_packages=with_packages)

    with threads(_AT_ONCE) as pool:
        return dict(zip(names, pool.map(start, names), strict=True))


def complaints_about(use: Use, probed: Probed) -> Iterator[Complaint]:
    """Finds missing packages: an error in an environment that the settings name or a plan needs, otherwise a warning.

    Plans can be written and scaffolded without the tools.
    """
    is_named = use.environment != Environment()
    requirements = [package.requirement for package in use.packages]
    name, hint = environment_text(use.environment), f"in this environment: {install_into(*requirements)}"
    if not is_named:
        name, hint = "the Python that runs tunebook", f"{install_here(*requirements)}, or name another"
    if probed.failed:
        yield Complaint(use.key, f"{use.label}: {name} cannot be started: {shortened_line(probed.failed)}")
        return
    modules = [] if use.is_service else ["tunebook"]
    if not any(package.module in probed.versions for package in use.packages):
        modules += [package.module for package in use.packages]  # one of several tools suffices: plans name the tool
    for module in modules:
        if module in probed.errors:
            message = f"{use.label}: {name} cannot import {module}: {shortened_line(probed.errors[module])}"
            yield Complaint(use.key, message, hint, is_error=use.is_certain)


def notes_on(use: Use, probed: Probed) -> Iterator[str]:
    """The packages that were imported, with their versions."""
    name = environment_text(use.environment) or probed.python
    for package in use.packages:
        if package.module in probed.versions:
            yield f"{use.label}: {name} imports {package.module} {probed.versions[package.module]}"


def shortened_line(text: str) -> str:
    """A program's output on one line, cut where it is long."""
    line = " ".join(text.split())
    if len(line) > _LONGEST:
        return f"{line[:_LONGEST]} …"
    return line
