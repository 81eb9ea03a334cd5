"""The table of parameters that a plan has: the shared rows and those of the tools that it names."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from tunebook.core.parameters import Parameter, ParameterTable
from tunebook.core.plan import Tools
from tunebook.core.shared_parameters import SHARED_PARAMETERS
from tunebook.tools.registry import Registry, installed_tools

__all__ = ["every_parameter", "installed_parameters", "parameters_of"]


@lru_cache(maxsize=8)
def parameters_of(named: Tools, registry: Registry) -> ParameterTable:
    """The table for a plan that names these tools.

    A plan may name a tool that is not known; its parameters are not known then, and the table is not complete.
    """
    tools = (registry.preparation_tool(named.preparation), *map(registry.evaluation_tool, named.evaluation))
    table = SHARED_PARAMETERS
    for tool in tools:
        if tool is not None:
            table = table.with_rows(tool.parameters)
    return replace(table, is_complete=None not in tools)


def installed_parameters(named: Tools = Tools()) -> ParameterTable:  # noqa: B008  a frozen value
    """The table for a plan that names these tools, out of those that are installed."""
    return parameters_of(named, installed_tools())


def every_parameter() -> ParameterTable:
    """The shared rows unchanged, and the rows of all installed tools: the meaning of a key in any plan."""
    return _every_parameter(installed_tools())


@lru_cache(maxsize=1)
def _every_parameter(registry: Registry) -> ParameterTable:
    rows: dict[str, Parameter] = {}
    for tool in registry.tools:
        for parameter in tool.parameters:
            if SHARED_PARAMETERS.get(parameter.key) is None:
                rows.setdefault(parameter.key, parameter)
    return SHARED_PARAMETERS.with_rows(rows.values())
