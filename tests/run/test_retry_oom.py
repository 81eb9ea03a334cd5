"""``run --retry-oom``: the same effective batch in less memory, and a deviation that everybody can see."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.tiny_model import MODEL, build_tiny_model, write_tiny_experiment
from tunebook import api
from tunebook.core.paths import DEVIATIONS
from tunebook.disk.deviations import Deviation, read_deviation, record_deviation
from tunebook.tools.torchtune.tool import TorchtuneTool

GOLDEN = Path(__file__).parents[1] / "golden" / "capitalization_sweep"
TUNEBOOK = Path(sys.executable).with_name("tunebook")
# What torch raises on a GPU that is too small, from a recipe of one's own.
RECIPE = """\
import sys
from pathlib import Path
from omegaconf import OmegaConf
config = OmegaConf.load(sys.argv[sys.argv.index("--config") + 1])
if config.batch_size > 2:
    import torch
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 1 GiB")
folder = Path(config.output_dir) / "epoch_0"
folder.mkdir(parents=True, exist_ok=True)
(folder / "model.safetensors").write_bytes(b"weights")
print("batch", config.batch_size, "accumulation", config.gradient_accumulation_steps)
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_model(tmp_path_factory.mktemp("model") / MODEL)


@pytest.fixture
def sweep(model: Path, tmp_path: Path) -> Path:
    """A scaffolded training with a batch of 8, of which two fit."""
    directory = tmp_path / "too_large"
    write_tiny_experiment(directory, model, ("lora_finetune_single_device", "recipes_of_mine.small_gpu"))
    (directory / "recipes_of_mine").mkdir()
    (directory / "recipes_of_mine" / "small_gpu.py").write_text(RECIPE)
    done = tunebook(directory, "scaffold")
    assert done.returncode == 0, done.stdout + done.stderr
    return directory


def tunebook(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(TUNEBOOK), *arguments]
    paths = os.pathsep.join([str(directory), os.environ.get("PYTHONPATH", "")])
    env = {**os.environ, "PYTHONPATH": paths}
    return subprocess.run(command, cwd=directory, env=env, capture_output=True, text=True, check=False)


def settings_told(sweep: Path) -> list[str]:
    """The deviations from the plan's settings that an analysis reports."""
    return [
        item.what
        for item in api.analyze(sweep, api.AnalyzeOptions(write=False)).analysis.deviations
        if item.kind == "setting"
    ]


def training(document: dict[str, Any]) -> dict[str, Any]:
    return next(job for job in document["data"]["jobs"] if job["stage"] == "preparation")


def test_the_effective_batch_stays_and_the_deviation_is_recorded(sweep: Path) -> None:
    failed = tunebook(sweep, "run-torchtune", "--run", "rank4", "--executor", "local")
    assert failed.returncode == 1
    assert "OUT_OF_GPU_MEMORY" in failed.stdout
    assert "CUDA out of memory. Tried to allocate 2.00 GiB" in failed.stdout
    assert f"tunebook run {sweep} --retry-oom" in failed.stdout

    done = tunebook(sweep, "run-torchtune", "--run", "rank4", "--executor", "local", "--retry-oom", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    told = "batch_size 2 in place of 8, gradient_accumulation_steps 4 in place of 1 (OUT_OF_GPU_MEMORY)"
    job = training(json.loads(done.stdout))
    assert (job["state"], job["deviation"]) == ("completed", told)
    config = yaml.safe_load((sweep / "rank4" / "finetune.yaml").read_text())
    assert (config["batch_size"], config["gradient_accumulation_steps"]) == (2, 4)
    assert len((sweep / "rank4" / DEVIATIONS).read_text().splitlines()) == 2

    changed = "(changed by `tunebook run`: OUT_OF_GPU_MEMORY)"
    assert settings_told(sweep) == [
        f"setup_finetune.yaml says batch_size: 2, the plan says 8 {changed}",
        f"setup_finetune.yaml says gradient_accumulation_steps: 4, the plan says 1 {changed}",
    ]
    assert f"| tunebook: {told} |" in (sweep / "experiment_summary.md").read_text()
    assert f"Explanation: {told}" in (sweep / "run-torchtune.log").read_text()

    again = json.loads(tunebook(sweep, "run-torchtune", "--run", "rank4", "--executor", "local", "--json").stdout)
    assert again["data"]["submitted"] == []
    assert training(again)["deviation"] == told

    setup = sweep / "rank4" / "setup_finetune.yaml"
    setup.write_text(setup.read_text().replace("batch_size: 2", "batch_size: 1"))
    assert settings_told(sweep)[0] == "setup_finetune.yaml says batch_size: 1, the plan says 8"


def test_a_batch_of_one_is_not_halved_and_the_failure_stays(sweep: Path) -> None:
    recipe = sweep / "recipes_of_mine" / "small_gpu.py"
    recipe.write_text(recipe.read_text().replace("config.batch_size > 2", "config.batch_size > 0"))
    assert tunebook(sweep, "setup-finetune", "rank4", "--set", "batch_size=1").returncode == 0
    done = tunebook(sweep, "run-torchtune", "--run", "rank4", "--executor", "local", "--retry-oom", "--json")
    assert done.returncode == 1
    job = training(json.loads(done.stdout))
    assert (job["state"], job["kind"], job["deviation"]) == ("failed", "OUT_OF_GPU_MEMORY", None)


def test_a_configuration_that_was_edited_by_hand_is_left_alone_and_reported(sweep: Path) -> None:
    config = sweep / "rank4" / "finetune.yaml"
    config.write_text(config.read_text() + "# mine\n")
    before = (sweep / "rank4" / "setup_finetune.yaml").read_text()
    assert tunebook(sweep, "run-torchtune", "--run", "rank4", "--executor", "local", "--retry-oom").returncode == 1
    assert (sweep / "rank4" / "setup_finetune.yaml").read_text() == before
    assert "a derived file was edited by hand" in (sweep / "run-experiment.log").read_text()


@pytest.mark.parametrize(
    ("batch", "steps", "expected"),
    [(8, 1, (4, 2)), (4, 2, (2, 4)), (6, 1, (3, 2)), (5, 1, (1, 5)), (9, 2, (3, 6)), (2, 1, (1, 2)), (1, 8, None)],
)
def test_the_smaller_batch_divides_the_effective_one(batch: int, steps: int, expected: tuple[int, int] | None) -> None:
    text = (GOLDEN / "rank8_lr1e-5" / "setup_finetune.yaml").read_text()
    planned = {"batch_size": 4, "gradient_accumulation_steps": 1}
    wanted = {"batch_size": batch, "gradient_accumulation_steps": steps}
    changes = [f"{key}={value}" for key, value in wanted.items() if value != planned[key]]
    text = TorchtuneTool().edit(text, changes, file="setup", experiment=Path())
    found = TorchtuneTool().shrink(text, file="setup")
    assert (tuple(found.after.values()) if found else None) == expected


def test_a_deviation_holds_for_its_own_files_only_and_a_torn_line_loses_no_other(tmp_path: Path) -> None:
    deviation = Deviation("2026-01-01T00:00:00+00:00", "OUT_OF_GPU_MEMORY", {"batch_size": 4}, {"batch_size": 2}, "abc")
    record_deviation(tmp_path, "", deviation)
    with (tmp_path / DEVIATIONS).open("a") as stream:
        stream.write('{"time": "2026')
    assert read_deviation(tmp_path, "abc") == deviation
    assert read_deviation(tmp_path, "other") is None
    assert read_deviation(tmp_path / "nowhere", "abc") is None
