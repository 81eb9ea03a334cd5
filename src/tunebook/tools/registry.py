"""Which tools there are: found through the entry point group ``tunebook.tools``, so that a package can add one."""

from __future__ import annotations

from importlib.metadata import entry_points

from tunebook.core.jobs import Stage
from tunebook.errors import ToolError
from tunebook.tools.base import Tool

__all__ = ["installed_tools", "tool_names"]


def installed_tools() -> tuple[Tool, ...]:
    """Every registered tool, by stage and name.

    Raises:
        ToolError: a package registers a tool that cannot be imported.
    """
    tools: list[Tool] = []
    for point in entry_points(group="tunebook.tools"):
        try:
            tools.append(point.load()())
        except ImportError as error:
            message = f"the tool `{point.name}` cannot be loaded: {error}"
            raise ToolError(message, hint="reinstall its package") from None
    return tuple(sorted(tools, key=lambda tool: (tool.stage is Stage.EVALUATION, tool.name)))


def tool_names(tools: tuple[Tool, ...], stage: Stage) -> list[str]:
    """The names that the page may give for a stage."""
    return [tool.name for tool in tools if tool.stage is stage]
