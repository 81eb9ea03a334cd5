"""Whether the packages of an environment fit together: tunebook's extras, and what the packages require themselves.

The ranges of versions are those of tunebook's own metadata (``pyproject.toml``), which its documentation explains.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires
from typing import TYPE_CHECKING

from tunebook.errors import Problem
from tunebook.tools.base import Package

if TYPE_CHECKING:
    from packaging.requirements import Requirement

__all__ = ["Fit", "Installed", "fit_of"]

_REASONS = {"torchao": "the last release of torchtune cannot be imported with torchao 0.12 or later"}
_DISPENSABLE = frozenset({"torchvision", "torchaudio", "torchcodec"})
"""Packages that are built for one version of torch; the server starts without them, but not with wrong ones."""


@dataclass(frozen=True)
class Installed:
    """A distribution in an environment: its version and what it requires, in the words of its metadata."""

    version: str
    requires: tuple[str, ...] = ()


@dataclass(frozen=True)
class Fit:
    """Misfits of a tool: errors against tunebook's own ranges, warnings against the packages' requirements."""

    errors: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()


def fit_of(package: Package, packages: Mapping[str, Installed], python: str) -> Fit:
    """Compares the packages of an environment with what a tool's jobs need there.

    Args:
        package: the tool's.
        packages: every distribution of the environment, by its name.
        python: the version of its Python, as in ``3.11.2``.
    """
    environment = _Environment(packages, python)
    name, _, extra = package.requirement.rstrip("]").partition("[")
    unmet = list(environment.unmet(_own_requirements(name), extra)) if extra else []
    reported = {needed.name.lower() for needed, _ in unmet}
    broken = [
        _broken(owner, needed, found)
        for owner, needed, found in environment.broken(package.distribution)
        if needed.name.lower() not in reported
    ]
    missing = [needed for needed, found in unmet if not found]
    errors = [_wrong(needed, found) for needed, found in unmet if found]
    return Fit((*_missing(missing), *errors), tuple(broken))


def _own_requirements(name: str) -> Sequence[str]:
    """What tunebook requires, by its metadata here; nothing for a package that is not installed here."""
    try:
        return requires(name) or ()
    except PackageNotFoundError:
        return ()


def _missing(needed: Sequence[Requirement]) -> Iterator[Problem]:
    """All missing packages in one problem, with one command."""
    if not needed:
        return
    names = ", ".join(item.name for item in needed)
    verb = "is" if len(needed) == 1 else "are"
    yield Problem(f"{names} {verb} missing", hint=_install(needed))


def _install(needed: Sequence[Requirement]) -> str:
    packages = " ".join(f"'{_with_extras(item)}{item.specifier}'" for item in needed)
    return f"in this environment: pip install {packages}"


def _with_extras(needed: Requirement) -> str:
    return f"{needed.name}[{','.join(sorted(needed.extras))}]" if needed.extras else needed.name


def _wrong(needed: Requirement, found: str) -> Problem:
    hint = _install([needed])
    reason = _REASONS.get(needed.name.lower(), f"tunebook is tested with {needed.specifier} only")
    return Problem(f"{needed.name} {found} does not fit: {reason}", hint=hint)


def _broken(owner: str, needed: Requirement, found: str) -> Problem:
    has = f"{needed.name} {found} is installed" if found else f"{needed.name} is missing"
    hint = _install([needed])
    if owner.lower() in _DISPENSABLE:
        hint = f"in this environment: pip uninstall {owner} (it is not needed)"
    return Problem(f"{owner} requires {needed.name}{needed.specifier}, but {has}", hint=hint)


class _Environment:
    """The packages of an environment, whose names are compared as installers compare them."""

    def __init__(self, packages: Mapping[str, Installed], python: str) -> None:
        from packaging.utils import canonicalize_name

        self._key = canonicalize_name
        self._packages = {str(self._key(name)): (name, installed) for name, installed in packages.items()}
        self._marks = {"python_full_version": python, "python_version": ".".join(python.split(".")[:2])}

    def unmet(self, requirements: Sequence[str], extra: str = "") -> Iterator[tuple[Requirement, str]]:
        """Yields the requirements that no installed package meets, with the installed version; empty if missing.

        Args:
            extra: only requirements of this extra count; without one, only those that always apply.
        """
        for needed in self._applicable(requirements, extra):
            _, installed = self._packages.get(str(self._key(needed.name)), ("", None))
            if installed is None:
                yield needed, ""
            elif not needed.specifier.contains(installed.version, prereleases=True):
                yield needed, installed.version

    def broken(self, distribution: str) -> Iterator[tuple[str, Requirement, str]]:
        """Yields the unmet requirements of a distribution and of all that it requires, with their owner."""
        waiting, seen = [str(self._key(distribution))], set[str]()
        while waiting:
            key = waiting.pop()
            if key in seen or key not in self._packages:
                continue
            seen.add(key)
            name, installed = self._packages[key]
            for needed, found in self.unmet(installed.requires):
                if found or str(self._key(needed.name)) not in _DISPENSABLE:
                    yield name, needed, found
            waiting += [str(self._key(needed.name)) for needed in self._applicable(installed.requires, "")]

    def _applicable(self, requirements: Sequence[str], extra: str) -> Iterator[Requirement]:
        from packaging.requirements import InvalidRequirement, Requirement

        for text in requirements:
            with suppress(InvalidRequirement):
                needed = Requirement(text)
                if self._applies(needed, extra):
                    yield needed

    def _applies(self, needed: Requirement, extra: str) -> bool:
        """Whether a requirement always applies; with an extra, whether it applies with that extra only."""
        if needed.marker is None:
            return not extra
        is_always = needed.marker.evaluate({**self._marks, "extra": ""})
        if not extra:
            return is_always
        return not is_always and needed.marker.evaluate({**self._marks, "extra": extra})
