"""The installed tools, found through the entry point group ``tunebook.tools``, so that a package can add one."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import EntryPoint
from inspect import get_annotations
from typing import Any

from tunebook.core.entry_points import package_of
from tunebook.core.jobs import Stage
from tunebook.core.plugin_guard import guarded, lacking_words, output_aside, raised_words
from tunebook.errors import Problem
from tunebook.tools.base import EvaluationTool, Package, PreparationTool, Tool
from tunebook.tools.entry_points import damaged_tool_packages, is_verb, tool_entry_points
from tunebook.tools.results import EvaluationResults, TrainingResults

__all__ = ["BrokenTool", "Registry", "installed_tools"]

_CONTRACTS: dict[Stage, type] = {Stage.PREPARATION: PreparationTool, Stage.EVALUATION: EvaluationTool}
_VALUES = {
    "name": str,
    "short": str,
    "package": Package,
    "files": tuple,
    "editable": tuple,
    "services": tuple,
    "parameters": tuple,
    "task_form": str,
    "exact_match": str,
}
_RESULTS = {Stage.PREPARATION: TrainingResults, Stage.EVALUATION: EvaluationResults}


@dataclass(frozen=True)
class BrokenTool:
    """An entry point without a usable tool."""

    name: str
    distribution: str
    reason: str

    def __str__(self) -> str:
        return f"the tool `{self.name}` of the package {self.distribution} cannot be used: {self.reason}"

    def as_warning(self) -> Problem:
        """The warning where no plan needs it."""
        return Problem(str(self), hint="it is ignored; reinstall or remove its package")

    def is_named(self, name: str) -> bool:
        """Whether a plan that names ``name`` means this one: as its entry point does, or longer (``inspect-ai``)."""
        return name == self.name or name.startswith(f"{self.name}-")


@dataclass(frozen=True, eq=False)
class Registry:
    """The tools that a plan can name, tunebook's own first, and the entry points without a usable tool."""

    preparation: tuple[PreparationTool, ...] = ()
    evaluation: tuple[EvaluationTool, ...] = ()
    broken: tuple[BrokenTool, ...] = ()

    @property
    def tools(self) -> tuple[Tool, ...]:
        """Every usable tool, in the order of the stages."""
        return (*self.preparation, *self.evaluation)

    def names(self, stage: Stage) -> list[str]:
        """The names that a plan may give for a stage."""
        return [tool.name for tool in self.tools if tool.stage is stage]

    def preparation_tool(self, name: str) -> PreparationTool | None:
        """The preparation tool that a plan names so."""
        return next((tool for tool in self.preparation if tool.name == name.lower()), None)

    def evaluation_tool(self, name: str) -> EvaluationTool | None:
        """The evaluation tool that a plan names so."""
        return next((tool for tool in self.evaluation if tool.name == name.lower()), None)

    def broken_tool(self, name: str) -> BrokenTool | None:
        """The broken tool that a plan means by this name."""
        return next((tool for tool in self.broken if tool.is_named(name.lower())), None)


def installed_tools() -> Registry:
    """Every registered tool; one that cannot be imported or breaks the contract is listed as broken.

    The same registry as long as no package is installed or removed.
    """
    folders = [folder for folder in sys.path if os.path.isdir(folder)]  # noqa: PTH112  called for every parameter
    return _load_tools(tuple((folder, os.stat(folder).st_mtime_ns) for folder in folders))  # noqa: PTH116


@lru_cache(maxsize=1)
def _load_tools(installation: tuple[tuple[str, int], ...]) -> Registry:  # noqa: ARG001  identifies the installed state
    preparation: list[PreparationTool] = []
    evaluation: list[EvaluationTool] = []
    damaged = damaged_tool_packages()
    broken = [BrokenTool("unknown", path, f"its entry points: {reason}") for path, reason in damaged.items()]
    taken: set[str] = set()
    # Tunebook's own tools come first: no plug-in takes their names.
    for point in sorted(tool_entry_points(), key=lambda point: (package_of(point) != "tunebook", point.name)):
        tool, reason = _load(point)
        if not reason and not taken.isdisjoint({tool.name, tool.short}):
            reason = f"another tool has the name {tool.name} already"
        if reason:
            broken.append(BrokenTool(point.name, package_of(point), reason))
            continue
        taken |= {tool.name, tool.short}
        if tool.stage is Stage.PREPARATION:
            preparation.append(tool)
        else:
            evaluation.append(tool)
    return Registry(tuple(preparation), tuple(evaluation), tuple(broken))


def _load(point: EntryPoint) -> tuple[Any, str]:
    """The tool, and why it cannot be used; an empty reason if it can."""
    if not is_verb(point.name):
        return None, "its name has other characters than letters, digits, dots, dashes and underscores"
    try:
        with output_aside():
            tool = point.load()()
        reason = "; ".join(_breaches(tool, point.name))
        if not reason and package_of(point) != "tunebook":
            _guard(tool, f"the tool `{point.name}` of the package {package_of(point)}")
    # A plug-in is a stranger's code, and may do anything at import; SystemExit is not an Exception.
    except (Exception, SystemExit) as error:  # noqa: BLE001
        return None, raised_words(error)
    return tool, reason


def _guard(tool: Any, described: str) -> None:
    """Lets the tool's methods, and those of its results, raise nothing but errors that name the package."""
    guarded(tool, _CONTRACTS[tool.stage], described=described)
    if not type(tool.results).__module__.startswith("tunebook."):
        guarded(tool.results, _RESULTS[tool.stage], described=described)


def _breaches(tool: Any, entry_point: str) -> Iterator[str]:
    """How an object breaks the contract of its stage; empty if it keeps it."""
    stage = getattr(tool, "stage", None)
    if not isinstance(stage, Stage):
        yield "its `stage` is not a Stage"
        return
    contract = _CONTRACTS[stage]
    members = list(dict.fromkeys(name for base in contract.__mro__ for name in _members(base)))
    lacking = lacking_words(tool, members)
    if lacking:
        yield lacking
        return
    if tool.short != entry_point:
        yield f"its `short` is {tool.short!r}, but its entry point is called {entry_point!r}"
    yield from _wrong_members(tool, contract, members)


def _wrong_members(tool: Any, contract: type, members: Iterable[str]) -> Iterator[str]:
    types: dict[str, type] = {**_VALUES, "results": _RESULTS[tool.stage]}
    for name in members:
        value = getattr(tool, name)
        if name in types and not isinstance(value, types[name]):
            yield f"its `{name}` is not of the type {types[name].__name__}"
        if callable(getattr(contract, name, None)) and not callable(value):
            yield f"its `{name}` is not a method"


def _members(protocol: type) -> list[str]:
    names = [*get_annotations(protocol), *vars(protocol)]
    return [name for name in names if not name.startswith("_")]
