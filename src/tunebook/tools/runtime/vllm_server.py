"""Starts the server of vLLM for evaluations, waits until it is ready, watches it, and ends it whatever happens.

It ends the server, with all of its processes, when it gets a signal, when the process that started it is gone, and
when its own end comes. The file that it writes describes the service: see
:mod:`tunebook.tools.runtime.served_client`.

Runs inside jobs (``python -P -m tunebook.tools.runtime.vllm_server --service-file FILE … -- OPTIONS OF VLLM``), in the
environment of the evaluations; the server has an environment of its own.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from types import FrameType
from typing import Any

from tunebook.tools.runtime.steering import remove_steering, report_removed

__all__ = ["main", "server_environment"]

_MODULE = "vllm.entrypoints.openai.api_server"
_KEPT = (
    *("VLLM_CACHE_ROOT", "VLLM_CONFIG_ROOT", "VLLM_CPU_KVCACHE_SPACE", "VLLM_CPU_OMP_THREADS_BIND"),
    *("VLLM_CPU_NUM_OF_RESERVED_CPU", "VLLM_LOGGING_LEVEL", "VLLM_WORKER_MULTIPROC_METHOD", "VLLM_HOST_IP"),
)
_ATTEMPTS = 3  # another program may take the port between the choice and the start
_PORT_TAKEN = "address already in use"
_POLL_S = 0.2
_ANSWER_S = 5.0
_END_S = 6.0  # the wrapper of a shared allocation waits 10 s
_LAST_LINES = 20
_TAIL_BYTES = 65_536
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of Linux


class _EndError(Exception):
    """The server has ended, or could not be started; one line."""


class _StopError(Exception):
    """Somebody wants the server to end."""


@dataclass(frozen=True)
class _Wanted:
    """The server as it was asked for."""

    model: str
    precision: str
    max_rank: int
    options: Sequence[str]
    program: Sequence[str]
    log: Path
    seconds: float


def server_environment(environment: dict[str, str], venv: str) -> list[str]:
    """Makes an environment that of the server; returns the variables that were removed since they could steer it.

    Args:
        environment: is changed.
        venv: the virtual environment with vLLM; empty for the environment that is active.
    """
    removed = remove_steering(environment)
    for name in sorted(environment):
        if name.startswith("VLLM_") and name not in _KEPT:
            del environment[name]
            removed.append(name)
    environment |= {
        "VLLM_API_KEY": secrets.token_urlsafe(32),
        "VLLM_ALLOW_RUNTIME_LORA_UPDATING": "True",
        "VLLM_NO_USAGE_STATS": "1",
        "VLLM_PLUGINS": "",
        "PYTHONSAFEPATH": "1",  # as `-P`, which Pythons older than 3.11 refuse
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
    }
    if "SLURM_JOB_ID" not in environment:
        # On a machine that others use too, each server would choose the same cores for itself.
        environment.setdefault("VLLM_CPU_OMP_THREADS_BIND", "nobind")
    if venv:
        environment |= {"VIRTUAL_ENV": venv, "PATH": f"{venv}/bin:{environment.get('PATH', '')}"}
        environment.pop("PYTHONHOME", None)
    return removed


def _end_with_parent() -> None:
    """Asks the kernel to end the server when this process is killed; other systems than Linux cannot."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_DEATH_SIGNAL, signal.SIGTERM)


class _Server:
    """The running program; its processes are a group of their own."""

    def __init__(self, wanted: _Wanted, environment: Mapping[str, str]) -> None:
        self.name = f"base-{secrets.token_hex(6)}"  # no other server answers to it
        self.port = _free_port()
        self._wanted = wanted
        self._key = environment["VLLM_API_KEY"]
        command = [*wanted.program, "--model", wanted.model, "--served-model-name", self.name]
        command += ["--host", "127.0.0.1", "--port", str(self.port), *wanted.options]
        with wanted.log.open("wb") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=dict(environment),
                start_new_session=True,
                preexec_fn=_end_with_parent,  # noqa: PLW1509  this process has one thread
            )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def refuse_ended(self) -> None:
        """Raises _EndError if it has ended, with its last lines."""
        code = self._process.poll()
        if code is not None:
            raise _EndError(f"exit code {code}; {_reason(self._wanted.log)}")

    def wait_until_ready(self) -> dict[str, Any]:
        end = time.monotonic() + self._wanted.seconds
        while time.monotonic() < end:
            self.refuse_ended()
            models = self._get("/v1/models")
            for model in (models or {}).get("data", ()):
                if model.get("id") == self.name:
                    return self._description(model)
            time.sleep(_POLL_S)
        raise _EndError(f"it was not ready after {self._wanted.seconds:.0f} s; {_reason(self._wanted.log)}")

    def _description(self, model: dict[str, Any]) -> dict[str, Any]:
        return {
            "url": self.url,
            "key": self._key,
            "model": self.name,
            "path": self._wanted.model,
            "precision": self._wanted.precision,
            "longest": int(model["max_model_len"]),
            "max_rank": self._wanted.max_rank,
            "version": str((self._get("/version") or {}).get("version", "")),
        }

    def _get(self, path: str) -> Any:
        """The JSON of an answer; ``None`` without one. The standard library's client costs nothing while we wait."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=_ANSWER_S)
        try:
            connection.request("GET", path, headers={"Authorization": f"Bearer {self._key}"})
            response = connection.getresponse()
            return json.loads(response.read()) if response.status == HTTPStatus.OK else None
        except (OSError, HTTPException, ValueError):
            return None
        finally:
            connection.close()

    def end(self) -> None:
        """Ends all of its processes: first with a request, then by force."""
        group = self._process.pid
        with suppress(ProcessLookupError):
            os.killpg(group, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=_END_S)
        with suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)
        self._process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _last_lines(log: Path) -> list[str]:
    """The last lines of a log, which may be long after days."""
    with log.open("rb") as stream:
        stream.seek(max(0, log.stat().st_size - _TAIL_BYTES))
        text = stream.read().decode("utf-8", errors="replace")
    lines = [line.rstrip() for line in text.splitlines()]
    return [line for line in lines if line][-_LAST_LINES:]


def _reason(log: Path) -> str:
    """The line that says why: the last one that names an error, otherwise the last one."""
    lines = _last_lines(log)
    errors = [line for line in lines if "Error" in line or "error:" in line]
    return f"its last words: {(errors or lines or ['none'])[-1].strip()[:400]}"


def _started(wanted: _Wanted, environment: Mapping[str, str]) -> tuple[_Server, dict[str, Any]]:
    """A server that is ready; started again if another program took its port.

    Raises:
        _EndError: it ended before it was ready, or was not ready in time.
    """
    for attempt in range(1, _ATTEMPTS + 1):
        server = _Server(wanted, environment)
        try:
            return server, server.wait_until_ready()
        except _EndError as error:
            server.end()
            if _PORT_TAKEN not in "\n".join(_last_lines(wanted.log)).lower() or attempt == _ATTEMPTS:
                raise
            sys.stderr.write(f"tunebook: port {server.port} was taken ({error}): trying another one\n")
        except BaseException:
            server.end()
            raise
    raise AssertionError  # the last attempt returns or raises


def _watch(server: _Server, parent: int) -> None:
    """Returns when the process that started this one is gone; raises _EndError when the server has ended."""
    while os.getppid() == parent:
        server.refuse_ended()
        time.sleep(_POLL_S)


def _write(file: Path, document: dict[str, Any]) -> None:
    """Writes the description whole or not at all, for this user only: it has the key."""
    part = file.with_name(f"{file.name}.part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as stream:
        json.dump(document, stream)
    part.replace(file)


def _stop(number: int, _: FrameType | None) -> None:
    raise _StopError(number)


def _arguments(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tunebook.tools.runtime.vllm_server")
    parser.add_argument("--service-file", type=Path, required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--precision", required=True)
    parser.add_argument("--max-rank", type=int, default=0)
    parser.add_argument("--venv", default="")
    parser.add_argument("--conda-env", default="")
    parser.add_argument("--wait", type=float, default=3600.0)
    parser.add_argument("--module", default=_MODULE)
    parser.add_argument("options", nargs="*")
    return parser.parse_args(arguments)


def _program(given: argparse.Namespace) -> list[str]:
    python = ["python"]
    if given.venv:
        python = [f"{given.venv}/bin/python"]
    elif given.conda_env:
        python = ["conda", "run", "--no-capture-output", "-n", given.conda_env, "python"]
    return [*python, "-m", given.module]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the server until it ends or somebody ends it; the exit code is 0 if somebody did."""
    given = _arguments(sys.argv[1:] if arguments is None else arguments)
    parent = os.getppid()
    for number in _SIGNALS:
        signal.signal(number, _stop)
    environment = dict(os.environ)
    report_removed(server_environment(environment, given.venv))
    wanted = _Wanted(
        model=given.model,
        precision=given.precision,
        max_rank=given.max_rank,
        options=given.options,
        program=_program(given),
        log=given.service_file.with_suffix(".log"),
        seconds=given.wait,
    )
    return _serve(wanted, environment, given.service_file, parent)


def _serve(wanted: _Wanted, environment: Mapping[str, str], file: Path, parent: int) -> int:
    server: _Server | None = None
    try:
        server, description = _started(wanted, environment)
        _write(file, description)
        _watch(server, parent)
    except _StopError:
        return 0
    except (_EndError, OSError) as error:
        lines = _last_lines(wanted.log) if wanted.log.exists() else []
        sys.stderr.write("".join(f"vllm: {line}\n" for line in lines))
        sys.stderr.write(f"tunebook: the server of {wanted.model} has ended: {error}\n")
        _write(file, {"ended": str(error)})
        return 1
    finally:
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_IGN)  # nothing interrupts the end of the server
        if server is not None:
            server.end()
    return 0


if __name__ == "__main__":
    sys.exit(main())
