"""check --deep: the scheduler is asked once about each distinct request, without submitting anything."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from support.deep import checks_of, here
from support.scaffolding import replace
from support.slurm_cluster import Cluster
from tunebook.core.jobs import Resources
from tunebook.errors import SlurmError
from tunebook.executors.registry import choose_executor
from tunebook.executors.slurm import SlurmExecutor

ANSWER = "scheduler's answer"
# Written down as it is asked; takes everything except one constraint and one time of trouble.
SBATCH = """#!/bin/bash
printf '%s\\n' "$*" >>"$ASKED"
case "$*" in
*gpu80*) echo 'sbatch: error: Batch job submission failed: Invalid feature specification' >&2; exit 1 ;;
*--time=0:59:59*) echo 'sbatch: error: Unable to contact slurm controller' >&2; exit 1 ;;
esac
echo "sbatch: Job 7 to start at 2026-01-01T00:00:00 using 1 processors" >&2
"""


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cluster of two programs; returns the file with the requests."""
    folder = tmp_path / "bin"
    folder.mkdir()
    programs = {"sbatch": SBATCH, "scontrol": "#!/bin/bash\necho 'ClusterName = played'\n"}
    for name, text in programs.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("ASKED", str(tmp_path / "asked"))
    return tmp_path / "asked"


def test_each_distinct_request_is_asked_once_and_a_refusal_is_an_error_in_slurms_words(
    experiment: Path, asked: Path
) -> None:
    checks = checks_of(experiment, ANSWER)
    results = [check.look(here) for check in checks]
    lines = asked.read_text().splitlines()
    assert len(lines) == len(checks) == len(set(lines)) < 18
    assert all("--test-only" in line and "--mem=16G" in line and "--gres=gpu:1" in line for line in lines)
    for result in results:
        (problem,) = result.errors
        assert "SLURM would refuse a job with account lab, constraint gpu80" in problem.message
        assert problem.message.endswith("Batch job submission failed: Invalid feature specification")


def test_a_request_that_slurm_takes_passes(experiment: Path, asked: Path) -> None:
    assert not asked.exists()
    replace(experiment / "claude.local.md", "`gpu80`", "(leave empty)")
    results = [check.look(here) for check in checks_of(experiment, ANSWER)]
    assert {(result.errors, result.figure) for result in results} == {((), "SLURM would take it")}


def test_a_controller_that_does_not_answer_is_no_refusal(asked: Path) -> None:
    assert not asked.exists()
    with pytest.raises(SlurmError, match="Unable to contact"):
        SlurmExecutor("played").refusal(Resources(time="0:59:59"))


def test_without_a_scheduler_nothing_counts_as_checked(experiment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    (check,) = checks_of(experiment, ANSWER)
    assert check.look(here).unchecked == "there is no scheduler here"


def test_a_real_slurm_refuses_what_no_node_has(cluster: Cluster) -> None:
    executor = choose_executor("auto").executor
    assert isinstance(executor, SlurmExecutor)
    assert cluster.conf.is_file()
    assert executor.refusal(Resources(time="0:01:00", memory="16M", cpus=1)) == ""
    words = executor.refusal(Resources(time="0:01:00", memory="16M", cpus=1, gpus=64))
    assert "configuration is not available" in words
