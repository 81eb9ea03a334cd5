"""The MCP server: offers the tools over standard input and output, and ends its runs before it ends."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
from mcp.server.mcpserver import MCPServer
from mcp.types import ToolAnnotations

from tunebook import __version__
from tunebook.cli.served.call import ended
from tunebook.cli.served.jobs import JobTools
from tunebook.cli.served.tools import analyze, check, check_deep, scaffold, status

__all__ = ["serve"]

_INSTRUCTIONS = """\
tunebook turns an experiment's plan (experiment_summary.md) into run directories, runs their jobs and analyzes them.
Order: check, scaffold, run, analyze; status at any time. Every result has `exit_code`: 0 done, 1 failed, 2 wrong
arguments, 3 the plan or the site settings are wrong (fix the lines that `errors` names), 4 unfinished, or edited files
were kept. Change the plan, never a generated file. Ask the person before `overwrite`, `repeat_completed`, `cancel`, and
before the first `run` of an experiment, which costs compute time.
"""
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_SIGNALLED = 128


def serve() -> None:
    """Serves until the client closes standard input, reads no answers any more, or a signal arrives."""
    jobs = JobTools()

    @asynccontextmanager
    async def life(_: MCPServer[None]) -> AsyncIterator[None]:
        async with anyio.create_task_group() as group:
            group.start_soon(_end_on_signals, jobs)
            try:
                yield
            finally:  # also if the server was stopped by an answer that nobody reads any more
                with anyio.CancelScope(shield=True):
                    await _end_runs(jobs)
                group.cancel_scope.cancel()

    server = MCPServer(
        "tunebook",
        title="tunebook",
        instructions=_INSTRUCTIONS,
        version=__version__,
        log_level="WARNING",
        lifespan=life,
    )
    _add_tools(server, jobs)
    try:
        server.run("stdio")
    except* BrokenPipeError:
        _forget_output()


def _forget_output() -> None:
    """Lets nothing more be written to a client that has gone, also not what is still buffered."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _add_tools(server: MCPServer[None], jobs: JobTools) -> None:
    reads = ToolAnnotations(read_only_hint=True, open_world_hint=False)
    adds = ToolAnnotations(read_only_hint=False, destructive_hint=False, idempotent_hint=True, open_world_hint=False)
    changes = ToolAnnotations(read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=False)
    server.add_tool(check, annotations=reads)
    server.add_tool(check_deep, annotations=adds)
    server.add_tool(scaffold, annotations=changes)
    server.add_tool(jobs.run, annotations=changes)
    server.add_tool(status, annotations=reads)
    server.add_tool(jobs.cancel, annotations=changes)
    server.add_tool(analyze, annotations=adds)


async def _end_runs(jobs: JobTools) -> None:
    """Stops the runs, and returns when their jobs on this machine have ended."""
    watched = jobs.watched
    for call in watched:
        call.stop()
    await ended(watched)


async def _end_on_signals(jobs: JobTools) -> None:
    """Ends the process with the signal's code; a further signal does not wait for the jobs to end.

    The thread that waits for the client's next line cannot be ended otherwise.
    """
    heard = [number for number in _SIGNALS if signal.getsignal(number) != signal.SIG_IGN]
    with anyio.open_signal_receiver(*heard) as signals:
        first = await anext(signals)
        async with anyio.create_task_group() as group:
            group.start_soon(_leave, jobs, first)
            await anext(signals)
            _exit(first)


async def _leave(jobs: JobTools, number: int) -> None:
    await _end_runs(jobs)
    _exit(number)


def _exit(number: int) -> None:
    sys.stderr.write("tunebook mcp: interrupted\n")
    sys.stderr.flush()
    os._exit(_SIGNALLED + number)
