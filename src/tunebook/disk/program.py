"""Starts programs, the only module to do so: always with an argument list, never through a shell."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from tunebook.disk.interrupts import deferred
from tunebook.errors import TookTooLongError, ToolError

__all__ = ["Completed", "Conversation", "own_python_first", "programs_ended", "run_program", "start_detached"]

_running: set[subprocess.Popen[bytes]] = set()
_ending = threading.Event()


@dataclass(frozen=True)
class Completed:
    """The output of a program that has ended; ``returncode`` is negative if a signal ended it."""

    stdout: str
    stderr: str
    returncode: int


def own_python_first(env: Mapping[str, str]) -> dict[str, str]:
    """Returns the environment with the programs beside the Python that runs tunebook first in ``PATH``."""
    folder = str(Path(sys.executable).parent)
    return {**env, "PATH": os.pathsep.join([folder, env.get("PATH", os.defpath)])}


def run_program(
    argv: Sequence[str],
    *,
    timeout_s: float,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> Completed:
    """Runs a program to its end, without a keyboard; the caller judges the program's exit code.

    Raises:
        ToolError: it is missing or cannot be started.
        TookTooLongError: it did not end in time; it and its children were killed.
    """
    with _ended_if_interrupted(argv, cwd=cwd, env=env, output=subprocess.PIPE, errors=subprocess.PIPE) as process:
        try:
            with _listed(process):
                stdout, stderr = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired as error:
            _kill(process)
            raise TookTooLongError(f"`{argv[0]}` did not end within {timeout_s:g} s") from error
        except BaseException:
            _kill(process)
            raise
    return Completed(stdout.decode(errors="replace"), stderr.decode(errors="replace"), process.returncode)


@contextmanager
def _listed(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """A program that :func:`programs_ended` ends."""
    _running.add(process)
    try:
        if _ending.is_set():
            _kill(process)
        yield
    finally:
        _running.discard(process)


@contextmanager
def programs_ended() -> Iterator[None]:
    """A block in which no program of :func:`run_program` goes on: nobody waits for the other threads' answers."""
    _ending.set()
    try:
        for process in list(_running):
            if process.poll() is None:
                _kill(process)
        yield
    finally:
        _ending.clear()


def start_detached(argv: Sequence[str], *, cwd: Path, env: Mapping[str, str], output: Path) -> subprocess.Popen[bytes]:
    """Starts a program in a session of its own, which survives the end of this one.

    Args:
        argv: the program and its arguments.
        cwd: the directory in which it starts.
        env: its whole environment.
        output: the file for both of its output streams; it must not exist yet.

    Raises:
        ToolError: it is missing or cannot be started.
        OSError: ``output`` cannot be created.
    """
    with output.open("xb") as stream, deferred():  # an interrupted start is either none, or found by its environment
        try:
            return _start(argv, cwd=cwd, env=env, output=stream.fileno(), errors=subprocess.STDOUT)
        except ToolError:
            output.unlink(missing_ok=True)
            raise


class Conversation:
    """A program that answers each line with a line, until it is closed.

    Args:
        argv: the program and its arguments.
        env: its whole environment.
        errors: the file that its error output is written to.

    Raises:
        ToolError: it cannot be started.
    """

    def __init__(self, argv: Sequence[str], *, env: Mapping[str, str], errors: Path) -> None:
        with errors.open("ab") as stream:
            pipes = {"output": subprocess.PIPE, "errors": stream.fileno(), "keyboard": subprocess.PIPE}
            self._process = _ended_if_interrupted(argv, cwd=None, env=env, **pipes)
        self._questions = cast("IO[bytes]", self._process.stdin)
        self._answers = cast("IO[bytes]", self._process.stdout).fileno()
        self._rest = b""

    def ask(self, line: str, *, timeout_s: float) -> str:
        """Returns the answer.

        Raises:
            ToolError: the program has ended, or did not answer in time (it and its children are then killed).
        """
        try:
            self._questions.write(line.encode() + b"\n")
            self._questions.flush()
            return self._answer(time.monotonic() + timeout_s)
        except OSError as error:
            self.close()
            raise ToolError(f"the process ended ({self._process.returncode})") from error
        except BaseException:
            self.close()
            raise

    def _answer(self, deadline: float) -> str:
        while b"\n" not in self._rest:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._answers], [], [], left)[0]:
                raise ToolError("the process did not answer in time")
            part = os.read(self._answers, 1 << 16)
            if not part:
                raise ToolError(f"the process ended ({self._process.wait()})")
            self._rest += part
        answer, _, self._rest = self._rest.partition(b"\n")
        return answer.decode(errors="replace")

    def close(self) -> None:
        """Ends the program and its children; a second call does nothing."""
        _kill(self._process)
        with self._process:
            self._process.kill()


def _ended_if_interrupted(argv: Sequence[str], **options: Any) -> subprocess.Popen[bytes]:
    """Starts a program as :func:`_start` does; an interrupt that comes meanwhile ends the program as well."""
    process: subprocess.Popen[bytes] | None = None
    try:
        with deferred():
            process = _start(argv, **options)
    except KeyboardInterrupt:
        if process is not None:
            _kill(process)
        raise
    return process


def _start(
    argv: Sequence[str],
    *,
    cwd: Path | None,
    env: Mapping[str, str] | None,
    output: int,
    errors: int,
    keyboard: int = subprocess.DEVNULL,
) -> subprocess.Popen[bytes]:
    if cwd is not None and not cwd.is_dir():
        raise ToolError(f"`{argv[0]}` cannot be started in {cwd}: no such directory")
    try:
        return subprocess.Popen(
            argv, stdin=keyboard, stdout=output, stderr=errors, cwd=cwd, env=env, start_new_session=True
        )
    except FileNotFoundError as error:
        raise ToolError(f"the program `{argv[0]}` was not found", hint="install it, or add it to PATH") from error
    except (OSError, ValueError) as error:
        raise ToolError(f"`{argv[0]}` cannot be started: {error}") from error


def _kill(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
