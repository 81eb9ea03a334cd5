"""The program that starts the server of vLLM, waits for it, and ends it; a played server stands in for vLLM."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from support.patience import HANG_S
from tunebook.tools.runtime.served_client import Client, ServedError, read_service, wait_for_service

TESTS = Path(__file__).parent.parent
Start = Callable[..., "Started"]


class Started:
    """The running program, and the places of what it writes."""

    def __init__(self, folder: Path, *, options: tuple[str, ...], wait_s: float, venv: str, **faults: Any) -> None:
        self.service = folder / "service.json"
        self.report = folder / "report.json"
        command = [sys.executable, "-P", "-m", "tunebook.tools.runtime.vllm_server"]
        command += ["--service-file", str(self.service), "--model", "/models/base", "--precision", "fp32"]
        command += ["--max-rank", "8", "--wait", str(wait_s), "--venv", venv]
        command += ["--module", "support.played_vllm", "--", *options]
        self.played = {"PLAYED": json.dumps(faults | {"report": str(self.report)}), "PYTHONPATH": str(TESTS)}
        self.steering = {"VLLM_USE_V1": "0", "HF_ENDPOINT": "https://example.org", "VLLM_CACHE_ROOT": str(folder)}
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        surroundings = os.environ | self.played | self.steering | {"PATH": path, "http_proxy": "http://127.0.0.1:9"}
        self.command, self.surroundings = command, surroundings
        self.process: subprocess.Popen[str] | None = None

    def start(self, *, inside: str = "") -> Started:
        command = ["bash", "-c", inside, "job", *self.command] if inside else self.command
        self.process = subprocess.Popen(command, env=self.surroundings, stderr=subprocess.PIPE, text=True)
        return self

    def ended(self) -> tuple[int, str]:
        assert self.process is not None
        _, errors = self.process.communicate(timeout=HANG_S)
        return self.process.returncode, errors

    def pids(self) -> list[int]:
        found: list[int] = json.loads(self.report.read_text())["pids"]
        return found


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + HANG_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[Started] = []

    def begin(
        *, options: tuple[str, ...] = (), wait_s: float = HANG_S, venv: str = "", inside: str = "", **faults: Any
    ) -> Started:
        started.append(Started(tmp_path, options=options, wait_s=wait_s, venv=venv, **faults))
        return started[-1].start(inside=inside)

    yield begin
    for one in started:
        if one.process is not None:
            one.process.kill()
            one.process.communicate()
        for pid in one.pids() if one.report.exists() else ():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def test_a_server_that_is_ready_is_described_and_ends_with_all_its_processes(start: Start) -> None:
    program = start(options=("--dtype", "float32"))
    service = wait_for_service(program.service, seconds=HANG_S)
    assert stat.S_IMODE(program.service.stat().st_mode) == 0o600  # it has the key
    assert (service.path, service.precision, service.longest, service.max_rank) == ("/models/base", "fp32", 100, 8)
    report = json.loads(program.report.read_text())
    assert report["options"] == ["--dtype", "float32"]
    assert not any(service.key in argument for argument in report["arguments"])  # other users see command lines
    assert report["arguments"][report["arguments"].index("--host") + 1] == "127.0.0.1"
    variables = report["variables"]
    assert not {"VLLM_USE_V1", "HF_ENDPOINT"} & variables.keys()
    assert (variables["VLLM_ALLOW_RUNTIME_LORA_UPDATING"], variables["HF_HUB_OFFLINE"]) == ("True", "1")
    assert variables["VLLM_CPU_OMP_THREADS_BIND"] == "nobind"  # servers beside it would choose the same cores
    assert variables["VLLM_CACHE_ROOT"] == program.steering["VLLM_CACHE_ROOT"]
    with Client(program.service) as client:
        client.load_adapter("a", Path("/adapters/a"))
    assert program.process is not None
    program.process.terminate()
    code, errors = program.ended()
    assert code == 0, errors
    ignored = errors.partition("ignored variables: ")[2].splitlines()[0].split(", ")
    assert {"HF_ENDPOINT", "VLLM_USE_V1"} <= set(ignored)  # a shell may have others too
    until(lambda: not any(is_alive(pid) for pid in program.pids()))


def test_a_server_that_ends_at_its_start_is_a_failure_with_its_reason(start: Start) -> None:
    program = start(dies_at_start="the model is too large")
    code, errors = program.ended()
    assert code == 1
    assert "the server of /models/base has ended: exit code 1; its last words: ValueError: the model is too" in errors
    with pytest.raises(ServedError, match=r"the server has ended: exit code 1; .* the model is too large"):
        wait_for_service(program.service, seconds=HANG_S)


def test_a_server_that_is_not_ready_in_time_is_ended(start: Start) -> None:
    program = start(wait_s=0.5, starts_after_s=HANG_S)
    code, errors = program.ended()
    assert (code, "it was not ready after 0 s" in errors) == (1, True)
    until(lambda: not any(is_alive(pid) for pid in program.pids()) if program.report.exists() else True)


def test_a_port_that_another_program_took_is_given_up_for_another(start: Start, tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    program = start(port_taken=str(tmp_path / "taken"))
    service = wait_for_service(program.service, seconds=HANG_S)
    with socket.create_connection(("127.0.0.1", int(service.url.rpartition(":")[2])), timeout=HANG_S):
        pass


def test_a_server_that_ends_in_the_middle_is_recorded_with_its_last_words(start: Start) -> None:
    program = start(dies_after=1)
    wait_for_service(program.service, seconds=HANG_S)
    with Client(program.service) as client:
        name = client.service.model
        client.complete(name, [5, 6], {"max_tokens": 3})
        with pytest.raises(ServedError, match=r"the server has ended: exit code 3; .* out of memory in the middle"):
            client.complete(name, [5, 6], {"max_tokens": 3})
    assert program.ended()[0] == 1
    with pytest.raises(ServedError, match="out of memory in the middle"):
        read_service(program.service)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_server_ends_when_the_job_that_started_it_is_gone(start: Start, number: signal.Signals) -> None:
    program = start(inside='"$@" & wait')
    wait_for_service(program.service, seconds=HANG_S)
    assert program.process is not None
    program.process.send_signal(number)
    until(lambda: not any(is_alive(pid) for pid in program.pids()))


def test_the_servers_own_environment_is_used(start: Start, tmp_path: Path) -> None:
    """A virtual environment by its path, before everything of the environment that is active."""
    programs = tmp_path / "venv" / "bin"
    programs.mkdir(parents=True)
    (programs / "python").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (programs / "python").chmod(0o755)
    program = start(venv=str(tmp_path / "venv"))
    wait_for_service(program.service, seconds=HANG_S)
    variables = json.loads(program.report.read_text())["variables"]
    assert variables["PATH"].startswith(f"{programs}:")
    assert variables["VIRTUAL_ENV"] == str(tmp_path / "venv")
