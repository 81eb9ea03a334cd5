"""torchtune's parameters from the plan to ``finetune.yaml``, and what torchtune cannot honour."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.design_inputs import make_inputs
from support.plans import problems_of
from support.scaffolding import replace, scaffolded
from tunebook import api
from tunebook.core.paths import PLAN_FILE
from tunebook.errors import ExitCode, PlanError
from tunebook.tools.known_models import known_model
from tunebook.tools.model_facts import ModelFacts
from tunebook.tools.runtime.epoch_steps import steps_per_epoch
from tunebook.tools.torchtune.models import resolve_model

FIRST = "rank8_lr1e-5"
SEED = "- **Seed:** 14"
GPU = "- **GPUs:** 1"
SINGLE, DISTRIBUTED = "lora_finetune_single_device", "lora_finetune_distributed"
NAME = "Llama-3.2-1B-Instruct"

# Bullet of the plan, path in finetune.yaml, value there.
PARAMETERS: list[tuple[str, str, object]] = [
    ("LoRA Target Modules: k_proj, mlp", "model.lora_attn_modules", ["k_proj"]),
    ("LoRA Target Modules: k_proj", "model.apply_lora_to_mlp", False),
    ("Precision: fp32", "dtype", "fp32"),
    ("Max Gradient Norm: 0.5", "clip_grad_norm", 0.5),
    ("Warmup Ratio: 0.11", "lr_scheduler.num_warmup_steps", 7),  # of 240 examples / 4 = 60 steps, rounded up
    ("Optimizer: SGD", "optimizer._component_", "torch.optim.SGD"),
    ("Train On Input: yes", "dataset.train_on_input", True),
]


def with_bullet(experiment: Path, bullet: str) -> None:
    name, value = bullet.split(": ")
    replace(experiment / PLAN_FILE, SEED, f"{SEED}\n- **{name}:** {value}")


def value_at(experiment: Path, path: str, run: str = FIRST) -> Any:
    found = yaml.safe_load((experiment / run / "finetune.yaml").read_text())
    for part in path.split("."):
        found = found[part]
    return found


@pytest.mark.parametrize(("bullet", "path", "value"), PARAMETERS, ids=[f"{item[0]} {item[1]}" for item in PARAMETERS])
def test_a_parameter_of_the_plan_reaches_the_configuration_and_is_compared(
    experiment: Path, bullet: str, path: str, value: object
) -> None:
    with_bullet(experiment, bullet)
    assert scaffolded(experiment).exit_code is ExitCode.DONE
    assert value_at(experiment, path) == value
    config = experiment / FIRST / "finetune.yaml"
    key = f"{path.rpartition('.')[2]}: "
    line = next(line for line in config.read_text().splitlines() if line.strip().startswith(key.strip()))
    replace(config, f"{line}\n", f"{line.partition(':')[0]}: 3\n  # " if isinstance(value, list) else f"{key}3\n")
    assert any(path in warning.message or "read back" in warning.message for warning in scaffolded(experiment).warnings)


@pytest.mark.parametrize(
    ("column", "first", "second", "short"),
    [
        ("LoRA Target Modules", "q_proj", "q_proj, mlp", "targets"),
        ("Precision", "bf16", "fp32", "precision"),
        ("Max Gradient Norm", "1", "0.5", "clip"),
        ("Warmup Ratio", "0.1", "0.2", "wratio"),
        ("Optimizer", "adamw", "sgd", "optim"),
    ],
)
def test_a_parameter_may_vary_from_run_to_run(
    edited: Callable[..., str], column: str, first: str, second: str, short: str
) -> None:
    from support.plans import plan_of
    from tunebook.core.naming import run_directories

    text = edited(
        ("| Learning Rate | Batch Size | Type", f"| Learning Rate | {column} | Type"),
        ("| 1e-5 | 4 |", f"| 1e-5 | {first} |"),
        ("| 5e-5 | 4 |", f"| 5e-5 | {second} |"),
        ("**Batch sizes:** 4", "**Batch size:** 4"),
    )
    directories = list(run_directories(plan_of(text)).values())
    assert directories[0] == f"rank8_lr1e-5_{short}{first}"
    assert directories[1] == f"rank8_lr5e-5_{short}{second.replace(', ', '+')}"


def test_edited_settings_take_a_list_and_resolve_a_ratio_again(experiment: Path) -> None:
    scaffolded(experiment)
    changes = ["lora_target_modules=v_proj,mlp", "warmup_ratio=0.5", "optimizer=adam", "batch_size=8"]
    assert api.setup_finetune(experiment / FIRST, assignments=changes).exit_code is ExitCode.DONE
    assert value_at(experiment, "model.lora_attn_modules") == ["v_proj"]
    assert value_at(experiment, "lr_scheduler.num_warmup_steps") == 15  # half of 240 / 8
    assert value_at(experiment, "optimizer._component_") == "torch.optim.Adam"


def test_a_design_takes_every_parameter_by_its_key(tmp_path: Path) -> None:
    make_inputs(tmp_path)
    settings = ["lora_rank=8", "lr=1e-4", "batch_size=4", "epochs=1", "gpus=1", "optimizer=sgd", "precision=fp32"]
    options = {
        "question": ["Does it help?"],
        "model": [f"{NAME}={tmp_path / 'models' / NAME}"],
        "dataset": [str(tmp_path / "words.json")],
        "task": [f"capitalization={tmp_path / 'cap_task.py'}"],
        "factor": ["warmup_ratio=0.1,0.2"],
        "set": [*settings, "max_grad_norm=1", "lora_target_modules=q_proj, mlp"],
    }
    report = api.design(tmp_path / "exp", given=api.read_inputs(api.DesignSources(options=options)))
    assert [str(error) for error in report.errors] == []
    for line in ("- **Optimizer:** sgd", "- **Precision:** fp32", "- **Max Gradient Norm:** 1", "| Warmup Ratio |"):
        assert line in report.text
    assert "- **LoRA Target Modules:** q_proj, mlp" in report.text


FULL = "full_finetune_single_device"
# The edit of the plan, the bullets after the seed (line 88), the line of the problem, and its message.
REFUSED: dict[str, tuple[str, str, list[str], int, str]] = {
    "a warm-up twice": (GPU, GPU, ["Warmup Steps: 5", "Warmup Ratio: 0.1"], 90, "both Warmup Ratio and Warmup Steps"),
    "a warm-up as long as training": (GPU, GPU, ["Warmup Ratio: 0.999"], 89, "a warm-up of 60 steps does not fit"),
    "a warm-up of all steps": (GPU, GPU, ["Warmup Ratio: 1"], 89, "it must be a number of at least 0 and below 1"),
    "no attention": (GPU, GPU, ["LoRA target modules: mlp"], 89, "does not train adapters of mlp alone"),
    "another module": (GPU, GPU, ["LoRA target modules: o_proj"], 89, "it must be one or more of q_proj"),
    "adapters without LoRA": (SINGLE, FULL, ["LoRA target modules: q_proj"], 89, "cannot have LoRA Target Modules"),
    "another precision": (GPU, GPU, ["Precision: fp16"], 89, "it must be one of bf16, fp32"),
    "no norm at all": (GPU, GPU, ["Max Gradient Norm: 0"], 89, "it must be a number above 0"),
    "another optimizer": (GPU, GPU, ["Optimizer: lion"], 89, "it must be one of adamw, adam, sgd"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_settings_that_torchtune_cannot_honour_are_refused_with_their_line(
    edited: Callable[..., str], kind: str
) -> None:
    old, new, bullets, line, message = REFUSED[kind]
    lines = [f"- **{name}:** {value}" for name, value in (bullet.split(": ") for bullet in bullets)]
    text = edited((old, new), (SEED, "\n".join([SEED, *lines])))
    found = [problem for problem in problems_of(text) if message in problem.message]
    assert [problem.line for problem in found] == [line], problems_of(text)


@pytest.mark.parametrize(
    ("edits", "reason"),
    [
        ([("- **Splits:** train (240), validation (30), test (30)\n", "")], "number of training examples is not known"),
        (
            [("packing:** false", "packing:** true\n- **Max sequence length:** 64")],
            "packing decides how many there are",
        ),
    ],
)
def test_a_warmup_ratio_without_a_number_of_steps_is_an_error(
    experiment: Path, edits: list[tuple[str, str]], reason: str
) -> None:
    with_bullet(experiment, "Warmup Ratio: 0.1")
    for old, new in edits:
        replace(experiment / PLAN_FILE, old, new)
    errors = [str(error) for error in api.check(experiment).errors]
    assert any("Warmup Ratio is a share of all steps" in error and reason in error for error in errors), errors


def test_a_warmup_ratio_is_a_share_of_the_steps_with_the_data_that_are_there(experiment: Path) -> None:
    """The plan names no splits; the file has 240 examples: with batches of 4, 60 steps."""
    data = experiment / "words.json"
    splits = {"train": 240, "validation": 30, "test": 30}
    words = {
        split: [{"input": f"{split}{number}", "output": "x"} for number in range(count)]
        for split, count in splits.items()
    }
    data.write_text(json.dumps(words))
    replace(experiment / PLAN_FILE, "/scratch/gpfs/LAB/data/words_4L_80P_300.json", "words.json")
    replace(experiment / PLAN_FILE, "- **Splits:** train (240), validation (30), test (30)\n", "")
    with_bullet(experiment, "Warmup Ratio: 0.1")
    assert scaffolded(experiment).exit_code is ExitCode.DONE
    assert value_at(experiment, "lr_scheduler.num_warmup_steps") == 6


def test_an_adapter_of_the_output_layer_needs_a_builder_that_has_one(experiment: Path) -> None:
    with_bullet(experiment, "LoRA Target Modules: q_proj, output")
    errors = [str(error) for error in scaffolded(experiment).errors]
    assert any("no adapter for the output layer" in error and "llama3_2" in error for error in errors), errors


def test_settings_that_torchtune_cannot_honour_are_refused_in_an_edited_file(experiment: Path) -> None:
    scaffolded(experiment)
    with pytest.raises(PlanError, match="does not train adapters of mlp alone"):
        api.setup_finetune(experiment / FIRST, assignments=["lora_target_modules=mlp"])


# --- faults that no test noticed -------------------------------------------------------------------------------------


def test_steps_of_several_gpus_are_those_of_the_gpu_with_the_most_examples() -> None:
    """The sampler gives each of two GPUs 163 of 325 examples: the last one twice."""
    assert steps_per_epoch(325, batch_size=1, accumulation=1, gpus=2, drops_last=True) == 163


def test_an_alpha_that_is_not_whole_stays_as_it_is(experiment: Path) -> None:
    replace(experiment / PLAN_FILE, "Auto-set to 2 × rank", "1.3 × rank")
    assert scaffolded(experiment).exit_code is ExitCode.DONE
    assert value_at(experiment, "model.lora_alpha") == 10.4


@pytest.mark.parametrize(("window", "positions", "tokens"), [(4096, 32768, 4096), (None, 32768, 32768)])
def test_a_mistral_reads_no_further_than_its_window(window: int | None, positions: int, tokens: int) -> None:
    known = known_model("Mistral-7B-v0.1")
    assert known is not None
    config = {**known.config, "sliding_window": window, "max_position_embeddings": positions}
    model = resolve_model("mine", ModelFacts(config=config), lora=True)
    assert model.arguments["max_seq_len"] == tokens


@pytest.mark.parametrize(
    ("model", "gpus", "is_on"),
    [("Llama-3.1-8B-Instruct", 1, True), ("Llama-3.1-8B-Instruct", 0, False), (NAME, 1, False)],
)
def test_large_models_on_a_gpu_compute_activations_again(experiment: Path, model: str, gpus: int, is_on: bool) -> None:
    replace(experiment / PLAN_FILE, GPU, f"- **GPUs:** {gpus}")
    replace(experiment / PLAN_FILE, NAME, model)
    assert scaffolded(experiment).exit_code is ExitCode.DONE
    assert value_at(experiment, "enable_activation_checkpointing") is is_on


@pytest.mark.parametrize(("gpus", "is_fused", "precision"), [(1, True, "bf16"), (0, False, "fp32")])
def test_only_on_a_gpu_is_the_optimizer_fused_and_the_training_in_16_bits(
    experiment: Path, gpus: int, is_fused: bool, precision: str
) -> None:
    replace(experiment / PLAN_FILE, GPU, f"- **GPUs:** {gpus}")
    assert scaffolded(experiment).exit_code is ExitCode.DONE
    assert value_at(experiment, "optimizer.fused") is is_fused
    assert value_at(experiment, "dtype") == precision
