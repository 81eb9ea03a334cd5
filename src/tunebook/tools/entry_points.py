"""The entry points of the group ``tunebook.tools``, by which tools are found; importing this module loads no tool."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points

__all__ = ["tool_entry_points", "tool_names"]


def tool_entry_points() -> tuple[EntryPoint, ...]:
    """The entry point of every installed tool."""
    return tuple(entry_points(group="tunebook.tools"))


def tool_names() -> tuple[str, ...]:
    """The short names of all registered tools; no tool is imported, so that ``--help`` stays fast."""
    return tuple(sorted({point.name for point in tool_entry_points()}))
