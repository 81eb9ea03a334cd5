"""The script of a training with TRL: what it starts, with which arguments and variables."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from support.patience import HANG_S
from support.scaffolding import replace, scaffolded
from tunebook.core.paths import PLAN_FILE

RUN = "rank8_lr1e-5"
TWO_GPUS = (("- **GPUs:** 1", "- **GPUs:** 2"), ("lora_finetune_single_device", "lora_finetune_distributed"))
RECORDER = """#!{python}
import json, os, sys
from pathlib import Path
obeyed = sorted(name for name in os.environ if name.startswith(("ACCELERATE_", "FSDP_")))
record = {{"program": Path(sys.argv[0]).name, "arguments": sys.argv[1:], "obeyed": obeyed}}
with open({log!r}, "a") as file:
    file.write(json.dumps(record) + "\\n")
if "--interrupted" in sys.argv:
    print("/state/checkpoint-6", end="")
"""


def calls(experiment: Path, folder: Path, **variables: str) -> list[dict[str, Any]]:
    """What the script of the first run starts; each program records its call, and does nothing else."""
    (experiment / "claude.local.md").write_text("# Site\n")
    assert scaffolded(experiment).exit_code == 0
    folder.mkdir()
    log = folder / "calls.jsonl"
    for name in ("python", "accelerate"):
        (folder / name).write_text(RECORDER.format(python=sys.executable, log=str(log)))
        (folder / name).chmod(0o755)
    environment = os.environ | {"PATH": f"{folder}:{os.environ['PATH']}"} | variables
    script = ["bash", str(experiment / RUN / "finetune.slurm")]
    subprocess.run(script, env=environment, check=True, capture_output=True, timeout=HANG_S)
    found = [json.loads(line) for line in log.read_text().splitlines()]
    return [call for call in found if "tunebook.tools.runtime.versions" not in call["arguments"]]


@pytest.fixture
def with_trl(experiment: Path) -> Path:
    replace(experiment / PLAN_FILE, "- **Model Preparation:** torchtune", "- **Model Preparation:** trl")
    return experiment


def test_one_process_is_started_without_a_launcher(with_trl: Path, tmp_path: Path) -> None:
    found = calls(with_trl, tmp_path / "bin")
    config = ["--config", str(with_trl / RUN / "sft.yaml")]
    assert {call["program"] for call in found} == {"python"}
    verbs = [call["arguments"][1:3] for call in found[1:]]
    job = "tunebook.tools.runtime.trl_job"
    training = ["tunebook.tools.runtime.trl_training", "--config"]
    assert verbs == [[job, "preflight"], [job, "begin"], training, [job, "finish"], [job, "prove"]]
    assert found[3]["arguments"][2:] == [*config, "--processes", "1"]


def test_a_process_for_each_gpu_is_launched_with_the_runs_own_configuration(with_trl: Path, tmp_path: Path) -> None:
    """And not with that of a person, nor with the variables of a person's shell."""
    for old, new in TWO_GPUS:
        replace(with_trl / PLAN_FILE, old, new)
    found = calls(with_trl, tmp_path / "bin", ACCELERATE_MIXED_PRECISION="bf16", FSDP_VERSION="1")
    (launch,) = [call for call in found if call["program"] == "accelerate"]
    launched = ["launch", "--config_file", str(with_trl / RUN / "accelerate.yaml")]
    assert launch["arguments"][:3] == launched
    assert launch["arguments"][-2:] == ["--processes", "2"]
    assert launch["obeyed"] == []


def test_an_interrupted_training_resumes_from_the_state_that_its_job_finds(with_trl: Path, tmp_path: Path) -> None:
    found = calls(with_trl, tmp_path / "bin", TUNEBOOK_RESUME="1")
    begin, training = found[2]["arguments"], found[3]["arguments"]
    assert begin[-1] == "--interrupted"
    assert training[-2:] == ["--resume", "/state/checkpoint-6"]
