"""A training that the cluster interrupts resumes from its last epoch's checkpoint, with real torchtune."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from support.bash_jobs import wait_until
from support.patience import HANG_S
from support.tiny_model import MODEL, build_tiny_model, write_tiny_experiment
from tunebook.executors.environment import RESUME, job_environment
from tunebook.tools.runtime.torchtune_job import begin

TUNEBOOK = Path(sys.executable).with_name("tunebook")
STEPS = 40  # of one epoch


@pytest.fixture(scope="module")
def scaffolded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two epochs of one rank; nothing has run yet."""
    directory = tmp_path_factory.mktemp("resume") / "tiny"
    write_tiny_experiment(
        directory,
        build_tiny_model(directory.parent / MODEL),
        ("- **Epochs:** 1", "- **Epochs:** 2"),
        ("- **Epochs to evaluate:** last", "- **Epochs to evaluate:** 1"),
    )
    done = subprocess.run([str(TUNEBOOK), "scaffold"], cwd=directory, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return directory


def train(run: Path, **environment: str) -> subprocess.Popen[str]:
    """Starts the run's script as its executor does."""
    return subprocess.Popen(
        ["bash", str(run / "finetune.slurm")],
        cwd=run,
        env=job_environment("") | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def metrics(run: Path) -> list[dict[str, Any]]:
    path = run / "artifacts" / "metrics.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    return [json.loads(line) for line in lines if line.endswith("}")]


def interrupted_in_the_second_epoch(run: Path) -> None:
    """Trains until the second epoch is under way, and ends the job as a cluster does."""
    shutil.rmtree(run / "artifacts", ignore_errors=True)
    with train(run) as job:
        wait_until(lambda: any(entry["epoch"] == 1 for entry in metrics(run)))
        job.send_signal(signal.SIGTERM)
        shown, _ = job.communicate(timeout=HANG_S)
    assert job.returncode == 128 + signal.SIGTERM, shown
    assert not (run / "artifacts" / "epoch_1").exists()


def test_it_resumes_after_the_last_whole_epoch_and_ends_as_without_interruption(scaffolded: Path) -> None:
    run = scaffolded / "rank4"
    with train(run) as job:
        shown, _ = job.communicate(timeout=HANG_S)
    assert job.returncode == 0, shown
    whole = metrics(run)
    assert [entry["step"] for entry in whole] == list(range(1, 2 * STEPS + 1))

    interrupted_in_the_second_epoch(run)
    first = (run / "artifacts" / "epoch_0" / "adapter_model.safetensors").stat().st_mtime_ns
    with train(run, **{RESUME: "1"}) as job:
        shown, _ = job.communicate(timeout=HANG_S)
    assert job.returncode == 0, shown
    resumed = metrics(run)
    assert [entry["step"] for entry in resumed] == list(range(1, 2 * STEPS + 1))
    assert (run / "artifacts" / "epoch_0" / "adapter_model.safetensors").stat().st_mtime_ns == first
    assert [entry["lr"] for entry in resumed] == [entry["lr"] for entry in whole]
    assert [entry["loss"] for entry in resumed] == pytest.approx([entry["loss"] for entry in whole], rel=1e-6)
    assert not (run / "artifacts" / "recipe_state").exists()
    assert json.loads((run / "finetune.outcome.json").read_text())["exit_code"] == 0


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The files of an attempt that was interrupted while it wrote its second epoch's checkpoint."""
    import torch

    output = tmp_path / "artifacts"
    for name in ("recipe_state", "epoch_0", "epoch_1"):
        (output / name).mkdir(parents=True)
        (output / name / "part.safetensors").touch()
    (output / "epoch_0" / "adapter").mkdir()
    (output / "epoch_0" / "adapter" / "adapter_model.pt").touch()
    torch.save({"epochs_run": 1}, output / "recipe_state" / "recipe_state.pt")
    entries = [{"step": step, "epoch": (step - 1) // 2} for step in range(1, 5)]
    (output / "metrics.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in entries) + '{"step": 5, "ep')
    (output / "inputs.sha256").write_text("abc")
    path = tmp_path / "finetune.yaml"
    path.write_text(json.dumps({"output_dir": str(output)}))
    return path


@pytest.mark.parametrize(
    "recipe",
    [
        "tunebook/tools/runtime/torchtune_recipe.py",
        "full_finetune_distributed",
    ],
)
def test_files_of_a_half_written_epoch_are_removed(config: Path, recipe: str) -> None:
    assert begin(config, inputs="abc", interrupted=True, recipe=recipe) == (recipe, "resume_from_checkpoint=True")
    output = config.parent / "artifacts"
    assert sorted(path.name for path in output.glob("epoch_*")) == ["epoch_0"]
    assert (output / "epoch_0" / "adapter_model.pt").is_file()
    assert [json.loads(line)["step"] for line in (output / "metrics.jsonl").read_text().splitlines()] == [1, 2]


@pytest.mark.parametrize(("inputs", "interrupted"), [("other", True), ("", True), ("abc", False)])
def test_with_other_files_or_without_an_interruption_it_starts_from_scratch(
    config: Path, inputs: str, interrupted: bool
) -> None:
    assert begin(config, inputs=inputs, interrupted=interrupted, recipe="full_finetune_distributed") == ()
    assert not (config.parent / "artifacts" / "recipe_state").exists()
    assert (config.parent / "artifacts" / "inputs.sha256").read_text() == inputs


def test_a_torn_state_is_ignored(config: Path) -> None:
    (config.parent / "artifacts" / "recipe_state" / "recipe_state.pt").write_bytes(b"PK torn")
    assert begin(config, inputs="abc", interrupted=True, recipe="full_finetune_distributed") == ()
