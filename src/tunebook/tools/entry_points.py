"""The entry points of the group ``tunebook.tools``, by which tools are found; importing this module loads no tool."""

from __future__ import annotations

import re
from importlib.metadata import EntryPoint

from tunebook.core.entry_points import damaged_packages, group_of

__all__ = ["damaged_tool_packages", "is_verb", "tool_entry_points", "tool_names"]

_GROUP = "tunebook.tools"
_VERB = re.compile(r"[A-Za-z0-9][\w.-]*", re.ASCII)


def tool_entry_points() -> tuple[EntryPoint, ...]:
    """The entry point of every installed tool."""
    return group_of(_GROUP)


def damaged_tool_packages() -> dict[str, str]:
    """Path to the reason why an installed package's entry points cannot be read."""
    return damaged_packages(_GROUP)


def is_verb(name: str) -> bool:
    """Whether a tool's short name can be a part of a verb and of a file's name."""
    return _VERB.fullmatch(name) is not None


def tool_names() -> tuple[str, ...]:
    """The short names of all registered tools; no tool is imported, so that ``--help`` stays fast."""
    return tuple(sorted({point.name for point in tool_entry_points() if is_verb(point.name)}))
