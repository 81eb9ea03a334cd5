"""Every kind of configuration that we generate passes torchtune's own validation, and its text is the snapshot's."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from support.scaffolding import replace, scaffolded
from tunebook.errors import ExitCode

pytestmark = pytest.mark.filterwarnings("ignore")  # torchao and torch warn of one another
TUNE = Path(sys.executable).with_name("tune")
PLAN = "experiment_summary.md"
GOLDEN = Path(__file__).parents[1] / "golden" / "torchtune"
NAME = "Llama-3.2-1B-Instruct"
Edits = list[tuple[str, str]]
FULL: Edits = [
    ("lora_finetune_single_device", "full_finetune_single_device"),
    ("- **LoRA alpha:** Auto-set to 2 × rank\n", ""),
    ("| LoRA Rank | Learning Rate | Batch Size |", "| Seed | Learning Rate | Batch Size |"),
    ("| LoRA Rank | 8, 16", "| Seed | 8, 16"),
    ("- **Seed:** 14\n", ""),
]


def after_seed(bullet: str) -> tuple[str, str]:
    """The edit that adds a bullet to the configuration."""
    name, value = bullet.split(": ")
    return "- **Seed:** 14", f"- **Seed:** 14\n- **{name}:** {value}"


GPUS: Edits = [
    ("lora_finetune_single_device", "lora_finetune_distributed"),
    ("- **GPUs:** 1", "- **GPUs:** 2"),
    after_seed("Save: adapter"),
]
KINDS: dict[str, Edits] = {
    "Llama 3.2 1B": [],
    "Llama 3.2 3B": [(NAME, "Llama-3.2-3B-Instruct")],
    "Llama 3.1 8B": [(NAME, "Llama-3.1-8B-Instruct")],
    "Llama 3 8B": [(NAME, "Meta-Llama-3-8B-Instruct")],
    "Qwen 2.5": [(NAME, "Qwen2.5-7B-Instruct")],
    "Qwen 2.5 tied": [(NAME, "Qwen2.5-0.5B-Instruct")],
    "Mistral": [(NAME, "Mistral-7B-Instruct-v0.3")],
    "Gemma 2": [(NAME, "gemma-2-2b-it")],
    "Phi 3": [(NAME, "Phi-3-mini-4k-instruct")],
    "Phi 4": [(NAME, "phi-4")],
    "two GPUs": GPUS,
    "no GPU": [("- **GPUs:** 1", "- **GPUs:** 0")],
    "all weights": FULL,
    "linear schedule, warm-up, packing": [
        (
            "- **Seed:** 14",
            "- **Seed:** 14\n- **Scheduler:** linear\n- **Warmup steps:** 5\n- **Max sequence length:** 512",
        ),
        ("packing:** false", "packing:** true"),
    ],
    "constant schedule, dropout": [
        ("- **Seed:** 14", "- **Seed:** 14\n- **Scheduler:** constant\n- **LoRA dropout:** 0.05")
    ],
    "validation": [("Validation during training:** no", "Validation during training:** every 10 steps")],
    "target modules": [after_seed("LoRA Target Modules: k_proj, mlp")],
    "output layer": [(NAME, "Qwen2.5-7B-Instruct"), after_seed("LoRA Target Modules: q_proj, output")],
    "precision": [after_seed("Precision: fp32")],
    "gradient norm": [after_seed("Max Gradient Norm: 1")],
    "warm-up ratio": [after_seed("Warmup Ratio: 0.1")],
    "SGD": [after_seed("Optimizer: SGD")],
    "Adam without a GPU": [("- **GPUs:** 1", "- **GPUs:** 0"), after_seed("Optimizer: adam")],
}


@pytest.fixture
def config(experiment: Path) -> Callable[[Edits], Path]:
    def make(edits: Edits) -> Path:
        for old, new in edits:
            replace(experiment / PLAN, old, new)
        report = scaffolded(experiment)
        assert report.exit_code is ExitCode.DONE, [str(error) for error in report.errors]
        return experiment / report.parts[0].runs[0] / "finetune.yaml"

    return make


@pytest.mark.parametrize("kind", KINDS)
def test_a_generated_configuration_is_valid_and_as_it_was(
    config: Callable[[Edits], Path], experiment: Path, kind: str
) -> None:
    """After a deliberate change: TUNEBOOK_UPDATE_GOLDEN=1 pytest -k as_it_was, and read the difference."""
    from omegaconf import DictConfig, OmegaConf
    from torchtune.config import validate

    path = config(KINDS[kind])
    loaded = OmegaConf.load(path)
    assert isinstance(loaded, DictConfig)
    validate(loaded)
    golden = GOLDEN / f"{re.sub('[^a-z0-9]+', '_', kind.lower())}.yaml"
    text = path.read_text().replace(str(experiment), "/EXPERIMENT")
    if os.environ.get("TUNEBOOK_UPDATE_GOLDEN"):
        golden.parent.mkdir(parents=True, exist_ok=True)
        golden.write_text(text)
    assert text == golden.read_text()


def test_tune_validate_takes_it_and_refuses_a_misspelt_key(config: Callable[[Edits], Path]) -> None:
    path = config([])
    done = subprocess.run([str(TUNE), "validate", str(path)], capture_output=True, text=True, check=False)
    assert "Config is well-formed!" in done.stdout
    replace(path, "lora_rank: 8", "lora_rnk: 8")
    done = subprocess.run([str(TUNE), "validate", str(path)], capture_output=True, text=True, check=False)
    assert "got an unexpected keyword argument 'lora_rnk'" in done.stdout + done.stderr
