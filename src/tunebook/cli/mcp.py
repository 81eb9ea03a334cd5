"""``tunebook mcp``: serves the verbs to agents over the Model Context Protocol."""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, version

import typer

from tunebook import api
from tunebook.errors import ToolError

__all__ = ["register"]

_PACKAGE = "mcp"
_SUPPORTED = "2"  # the major version of the SDK


def register(app: typer.Typer) -> None:
    """Adds the verb."""

    @app.command()
    def mcp() -> None:
        """Serve check, scaffold, run, status, cancel and analyze to an agent, over the Model Context Protocol (stdio).

        The agent's program starts this command, and talks to it through its standard input and output.
        """
        _require_package()
        if sys.stdin.isatty():
            sys.stderr.write("tunebook mcp: an MCP client starts this command; Ctrl-C ends it\n")
        from tunebook.cli.served.server import serve

        serve()


def _require_package() -> None:
    """Checks that the SDK is installed, in a version whose interface is known.

    Raises:
        ToolError: it is not.
    """
    try:
        found = version(_PACKAGE)
    except PackageNotFoundError:
        raise ToolError(f"`tunebook mcp` needs the package {_PACKAGE}, which is not installed", hint=_hint()) from None
    if found.partition(".")[0] != _SUPPORTED:
        message = f"`tunebook mcp` needs the package {_PACKAGE} {_SUPPORTED}.x, but {found} is installed"
        raise ToolError(message, hint=_hint())


def _hint() -> str:
    return api.install_here("tunebook[mcp]")
