"""Talks to ``tunebook mcp`` through the client of the official SDK, over stdio, as an agent's program does."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import anyio
from mcp import Client, StdioServerParameters
from mcp.types import CallToolResult

from support.command_line import TUNEBOOK

__all__ = ["Progress", "Session", "talk", "text_of"]

_LIMIT_S = 600.0
_Result = TypeVar("_Result")


@dataclass
class Progress:
    """What a server reported while a tool worked."""

    values: list[float] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)

    async def take(self, progress: float, total: float | None, message: str | None) -> None:
        assert total is None or progress <= total
        self.values.append(progress)
        self.texts.append(message or "")


@dataclass(frozen=True)
class Session:
    """A client that is connected."""

    client: Client

    async def call(self, tool: str, *, progress: Progress | None = None, **arguments: Any) -> CallToolResult:
        told = None if progress is None else progress.take
        result = await self.client.call_tool(tool, arguments, progress_callback=told)
        assert isinstance(result, CallToolResult)
        return result

    async def document(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """The structured result of a call that is no tool error."""
        result = await self.call(tool, **arguments)
        assert not result.is_error, text_of(result)
        found: dict[str, Any] = result.structured_content
        return found

    async def states(self) -> set[str]:
        jobs = (await self.document("status"))["data"]["jobs"]
        return {job["state"] for job in jobs}

    async def until(self, is_reached: Callable[[set[str]], bool]) -> None:
        """Waits until the states of the jobs are what a test wants."""
        while not is_reached(await self.states()):  # noqa: ASYNC110  a server is asked
            await anyio.sleep(0.1)


def text_of(result: CallToolResult) -> str:
    """The text of a result."""
    return "\n".join(getattr(block, "text", "") for block in result.content)


@asynccontextmanager
async def _connected(directory: Path, mode: str, **environment: str) -> AsyncIterator[Session]:
    given = {name: value for name, value in os.environ.items() if not name.startswith(("VIRTUAL_ENV", "INSPECT"))}
    server = StdioServerParameters(
        command=str(TUNEBOOK), args=["mcp"], cwd=directory, env=given | environment, encoding_error_handler="strict"
    )
    async with Client(server, mode=mode) as client:
        yield Session(client)


def talk(
    directory: Path, conversation: Callable[[Session], Awaitable[_Result]], *, mode: str = "auto", **environment: str
) -> _Result:
    """Starts the server in a directory, holds a conversation, and closes the server's input."""

    async def whole() -> _Result:
        with anyio.fail_after(_LIMIT_S):
            async with _connected(directory, mode, **environment) as session:
                return await conversation(session)

    return anyio.run(whole)
