"""The one place that starts a program, always with an argument list and never through a shell."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tunebook.errors import ToolError

__all__ = ["Completed", "run_program", "start_detached"]


@dataclass(frozen=True)
class Completed:
    """What a program said; ``returncode`` is negative if a signal ended it."""

    stdout: str
    stderr: str
    returncode: int


def run_program(
    argv: Sequence[str],
    *,
    timeout_s: float,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> Completed:
    """Runs a program to its end, without a keyboard; a failure of the program itself is the caller's to judge.

    Raises:
        ToolError: it is missing, cannot be started, or did not end in time (it and its children are then killed).
    """
    process = _start(argv, cwd=cwd, env=env, output=subprocess.PIPE, errors=subprocess.PIPE)
    with process:
        try:
            stdout, stderr = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired as error:
            _kill(process)
            raise ToolError(f"`{argv[0]}` did not end within {timeout_s:g} s") from error
        except BaseException:
            _kill(process)
            raise
    return Completed(stdout.decode(errors="replace"), stderr.decode(errors="replace"), process.returncode)


def start_detached(argv: Sequence[str], *, cwd: Path, env: Mapping[str, str], output: Path) -> subprocess.Popen[bytes]:
    """Starts a program in a session of its own, which the end of this one does not touch.

    Args:
        argv: the program and its arguments.
        cwd: where it starts.
        env: its whole environment.
        output: a file that must not exist yet; both of its output streams go there.

    Raises:
        ToolError: it is missing or cannot be started.
        OSError: ``output`` cannot be made.
    """
    with output.open("xb") as stream:
        try:
            return _start(argv, cwd=cwd, env=env, output=stream.fileno(), errors=subprocess.STDOUT)
        except ToolError:
            output.unlink(missing_ok=True)
            raise


def _start(
    argv: Sequence[str], *, cwd: Path | None, env: Mapping[str, str] | None, output: int, errors: int
) -> subprocess.Popen[bytes]:
    if cwd is not None and not cwd.is_dir():
        raise ToolError(f"`{argv[0]}` cannot be started in {cwd}: no such directory")
    try:
        return subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=output, stderr=errors, cwd=cwd, env=env, start_new_session=True
        )
    except FileNotFoundError as error:
        raise ToolError(f"the program `{argv[0]}` was not found", hint="install it, or add it to PATH") from error
    except (OSError, ValueError) as error:
        raise ToolError(f"`{argv[0]}` cannot be started: {error}") from error


def _kill(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
