"""A process that has imported tunebook and forks a real process for every command, since starting one takes a second.

``python -m stress.zygote`` reads a line of JSON for each command: its words, its directory, its output and its limit.
It answers with the process id of a child that waits, and starts it at the line ``go``; then it answers how it ended.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

__all__ = ["Child", "Ended", "Zygote", "zygote"]

_PR_SET_PTRACER = 0x59616D61
_ANY = ctypes.c_ulong(-1)
_LONGEST_S = 300.0
_NEEDED = (
    *("support.bash_jobs", "tunebook.cli.main", "tunebook.cli.scaffold", "tunebook.api.scaffolding"),
    *("tunebook.executors.local", "tunebook.run.loop"),
)
_TESTS = Path(__file__).parents[1]


@dataclass(frozen=True)
class Ended:
    """How a command ended; ``code`` is negative for a signal."""

    code: int
    text: str
    seconds: float


class Zygote:
    """The other process, as the harness sees it."""

    def __init__(self, process: subprocess.Popen[str], output: Path) -> None:
        self._process = process
        self._output = output

    def start(self, verb: Sequence[str], folder: Path, *, limit: int = 0) -> Child:
        """Forks a process that waits to be let go.

        Args:
            verb: the arguments of the command line, without the directory; ``["run-jobs"]`` runs bash jobs.
            folder: the experiment's directory.
            limit: the size that a file may have, in bytes; 0 for any.
        """
        document = {"verb": list(verb), "folder": str(folder), "output": str(self._output), "limit": limit}
        _send(self._process, json.dumps(document))
        return Child(self._process, int(_receive(self._process)), self._output)

    def run(self, verb: Sequence[str], folder: Path, *, limit: int = 0) -> Ended:
        """Runs a command undisturbed."""
        return self.start(verb, folder, limit=limit).go()


class Child:
    """A forked command."""

    def __init__(self, process: subprocess.Popen[str], pid: int, output: Path) -> None:
        self._process = process
        self._output = output
        self.pid = pid

    def go(self, disturb: Callable[[], None] = lambda: None) -> Ended:
        """Lets it go, disturbs it, and waits for its end."""
        begun = time.monotonic()
        _send(self._process, "go")
        disturb()
        code = int(_receive(self._process))
        return Ended(code, self._output.read_text(errors="replace"), time.monotonic() - begun)

    def kill(self) -> None:
        """Kills it, if it has not ended."""
        try:
            os.kill(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            return


@contextmanager
def zygote(folder: Path) -> Iterator[Zygote]:
    """Starts the process; ``folder`` gets the output of its commands."""
    command = [sys.executable, "-m", "stress.zygote"]
    env = os.environ | {"PYTHONPATH": str(_TESTS), "OMP_NUM_THREADS": "1", "COLUMNS": "200"}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env) as process:
        try:
            yield Zygote(process, folder / "output.txt")
        finally:
            process.kill()


def _send(process: subprocess.Popen[str], line: str) -> None:
    stream = _stream(process.stdin)
    stream.write(f"{line}\n")
    stream.flush()


def _receive(process: subprocess.Popen[str]) -> str:
    answer = _stream(process.stdout).readline()
    if not answer:
        raise RuntimeError(f"the process that forks commands has ended ({process.wait()})")
    return answer


def _stream(stream: IO[str] | None) -> IO[str]:
    if stream is None:
        raise RuntimeError("it has no pipes")
    return stream


def _serve() -> None:
    for module in _NEEDED:
        importlib.import_module(module)
    answers = os.fdopen(os.dup(1), "w")
    while line := sys.stdin.readline():
        document = json.loads(line)
        waits, starts = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(starts)
            _become(document, waits)
        os.close(waits)
        answers.write(f"{pid}\n")
        answers.flush()
        sys.stdin.readline()
        os.write(starts, b"x")
        os.close(starts)
        answers.write(f"{_code_of(pid)}\n")
        answers.flush()


def _code_of(pid: int) -> int:
    deadline = time.monotonic() + _LONGEST_S
    while time.monotonic() < deadline:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.002)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return -signal.SIGALRM  # it hung


def _become(document: dict[str, object], waits: int) -> None:
    """Runs a command in place of this process, and never returns."""
    code = 70
    try:
        os.setsid()
        ctypes.CDLL(None).prctl(_PR_SET_PTRACER, _ANY, 0, 0, 0)
        output = os.open(str(document["output"]), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for target, source in ((0, nothing), (1, output), (2, output)):
            os.dup2(source, target)
        if document["limit"]:
            limit = int(str(document["limit"]))
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        os.read(waits, 1)
        code = _run([str(word) for word in list(document["verb"])], str(document["folder"]))  # type: ignore[call-overload]
    except BaseException:  # noqa: BLE001  what a person would see
        import traceback

        traceback.print_exc()
        code = 1
    finally:
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except OSError:
                continue
        os._exit(code)


def _run(verb: list[str], folder: str) -> int:
    from tunebook.disk import plan_file
    from tunebook.disk.plan_file import Patience

    plan_file.PATIENCE = Patience(quiet_s=0.0, end_s=0.0)
    if verb == ["run-jobs"]:
        return _run_jobs(Path(folder))
    from tunebook.cli.main import main

    sys.argv = ["tunebook", *verb, folder]
    try:
        main()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def _run_jobs(folder: Path) -> int:
    """Runs the bash jobs of an experiment, and answers errors as the command line does."""
    from support.bash_jobs import load_jobs
    from tunebook.cli.output import failed
    from tunebook.errors import TunebookError, os_problem
    from tunebook.executors.local import LocalExecutor
    from tunebook.run.loop import run_jobs
    from tunebook.run.select import LoopOptions

    try:
        report = run_jobs(
            load_jobs(folder), LocalExecutor(2, grace_s=5.0), experiment=folder, options=LoopOptions(poll_s=0.02)
        )
    except TunebookError as error:
        return int(failed(error, arguments=[]))
    except OSError as error:
        return int(failed(TunebookError([os_problem(error)]), arguments=[]))
    return int(report.exit_code)


if __name__ == "__main__":
    _serve()
