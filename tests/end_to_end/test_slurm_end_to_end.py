"""The tiny experiment on a real SLURM, through the command line: the terminal is closed, and nothing is lost."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from support.bash_jobs import wait_until
from support.slurm_cluster import Cluster, empty_queue
from support.tiny_model import MODEL, build_tiny_model, write_tiny_experiment

pytestmark = pytest.mark.filterwarnings("ignore")  # Transformers, torchao and torch warn of one another
TUNEBOOK = Path(sys.executable).with_name("tunebook")
ORDER = {"pending": 0, "running": 1, "completed": 2}


def tunebook(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(TUNEBOOK), *arguments]
    return subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=300, check=False)


def states(directory: Path) -> dict[str, str]:
    document: dict[str, Any] = json.loads(tunebook(directory, "status", "--json").stdout)
    return {job["name"]: job["state"] for job in document["data"]["jobs"]}


def run_on_a_terminal_that_is_closed(directory: Path) -> str:
    """Starts ``run`` on a terminal, which hangs up as soon as a job runs; returns what was shown until then."""
    terminal, inside = pty.openpty()
    command = [str(TUNEBOOK), "run", "--poll-s", "0.5"]
    process = subprocess.Popen(
        command, cwd=directory, stdin=inside, stdout=inside, stderr=inside, start_new_session=True
    )
    os.close(inside)
    with process:
        try:
            wait_until(lambda: "running" in states(directory).values(), timeout_s=120)
            shown = os.read(terminal, 1 << 16).decode(errors="replace")
            process.send_signal(signal.SIGHUP)
            os.close(terminal)
            assert process.wait(timeout=60) != 0
        finally:
            process.kill()
    return shown


def test_from_plan_to_results_with_the_terminal_closed_in_the_middle(
    plain_slurm: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with empty_queue(plain_slurm, monkeypatch) as cluster:
        directory = tmp_path / "tiny"
        page = write_tiny_experiment(directory, build_tiny_model(tmp_path / MODEL))
        site = "# Site\n- **Default GPUs**: `0`\n- **Default memory**: `2G`\n- **Default CPUs**: `1`\n"
        (directory / "claude.local.md").write_text(site)
        scaffolded = tunebook(directory, "scaffold")
        assert scaffolded.returncode == 0, scaffolded.stdout + scaffolded.stderr
        shown = run_on_a_terminal_that_is_closed(directory)
        assert f"executor: slurm (auto: SLURM answers, cluster {cluster.name})" in shown.replace("\r\n", " ")

        before = states(directory)
        assert {"pending", "running"} & set(before.values())
        done = tunebook(directory, "run", "--poll-s", "0.5", "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        document = json.loads(done.stdout)
        assert document["data"]["submitted"] == []
        after = states(directory)
        assert set(after.values()) == {"completed"}
        assert all(ORDER[before[name]] <= ORDER[after[name]] for name in after)
        assert len(after) == 5
        scores = {job["run"]: job["score"] for job in document["data"]["jobs"] if job["stage"] == "evaluation"}
        assert all(0 <= score <= 1 for score in scores.values())
        lines = (directory / ".tunebook" / "ledger.jsonl").read_text().splitlines()
        ledger = [json.loads(line) for line in lines[1:]]  # the first says the format
        assert sum(line["event"] == "submitting" for line in ledger) == 5
        text = (directory / "experiment_summary.md").read_text()
        assert text.partition("## Status")[0] == page.partition("## Status")[0]
        assert len(re.findall(r"\| completed \| \d+ \| ", text)) == 5
