"""``tunebook check --deep`` as a person runs it, with processes of its own, on a plan with a tiny model."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from support.patience import HANG_S
from support.tiny_model import build_tiny_model, write_tiny_experiment

TITLES = (
    *("model function", "training tokens", "training steps", "checkpoints", "task", "prompts", "generation"),
    *("disk", "memory of the host", "time"),
)
TUNEBOOK = Path(sys.executable).with_name("tunebook")


@pytest.fixture(scope="module")
def experiment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("deep")
    write_tiny_experiment(directory / "experiment", build_tiny_model(directory / "model"))
    return directory / "experiment"


def deep(experiment: Path) -> dict[str, list[dict[str, Any]]]:
    """Each title's outcomes."""
    command = [str(TUNEBOOK), "check", str(experiment), "--deep", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    found: dict[str, list[dict[str, Any]]] = {}
    for outcome in json.loads(done.stdout)["data"]["deep"]:
        found.setdefault(outcome["title"], []).append(outcome)
    return found


def test_everything_passes_once_and_is_remembered(experiment: Path) -> None:
    first = deep(experiment)
    states = {title: {outcome["state"] for outcome in outcomes} for title, outcomes in first.items()}
    assert states.pop("scheduler's answer") <= {"passed", "not checked"}
    assert states == {title: {"passed"} for title in TITLES}
    assert all(outcome["figure"] for outcomes in first.values() for outcome in outcomes if not outcome["reason"])
    again = deep(experiment)
    assert all(outcome["cached"] for title in ("training steps", "task", "prompts") for outcome in again[title])
    assert not any(outcome["cached"] for outcome in again["disk"])
    assert not (experiment / "logs").exists()


def test_ctrl_c_ends_the_proof_and_its_processes(experiment: Path) -> None:
    (experiment / ".tunebook" / "passed_checks.json").unlink(missing_ok=True)
    command = [str(TUNEBOOK), "check", str(experiment), "--deep"]
    mark = {"TUNEBOOK_TAG": f"interrupted-{os.getpid()}"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | mark
    ) as running:
        deadline = time.monotonic() + HANG_S
        while not _workers(mark) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert _workers(mark)
        running.send_signal(signal.SIGINT)
        running.communicate(timeout=HANG_S)
    assert running.returncode == 130
    assert not _workers(mark)


def _workers(mark: dict[str, str]) -> list[str]:
    """The processes of the proofs that carry this mark in their environment."""
    ((name, value),) = mark.items()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes()
            environment = (process / "environ").read_bytes()
        except OSError:
            continue
        if b"tunebook.tools.deep.worker" in command and f"{name}={value}".encode() in environment:
            found.append(process.name)
    return found
