"""The tools and programs that may have a Python environment of their own, as the site settings name them."""

from __future__ import annotations

from collections.abc import Iterator

from tunebook.core.site import TOOL_ENVIRONMENT, Site, line_of
from tunebook.errors import Problem
from tunebook.tools.base import Package
from tunebook.tools.registry import installed_tools

__all__ = ["tool_packages", "unknown_environments"]


def tool_packages() -> dict[str, Package]:
    """Each tool, and each program that tools start, with the package that its own environment has."""
    found: dict[str, Package] = {}
    for tool in installed_tools().tools:
        found[tool.name] = tool.package
        for service in tool.services:
            found[service.distribution] = service
    return found


def unknown_environments(site: Site) -> Iterator[Problem]:
    """Warnings: environments of the site settings that no tool uses."""
    known = tool_packages()
    for tool in site.tool_environments:
        if tool not in known:
            message = f"an environment is given for {tool}, but no tool has this name: the line has no effect"
            line = line_of(site, f"{TOOL_ENVIRONMENT}{tool}")
            yield Problem(message, site.file, line, f"write one of these: {', '.join(known)}")
