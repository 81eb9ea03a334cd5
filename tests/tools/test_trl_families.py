"""Families of models that TRL trains here, each with a tiny model of its own architecture; and several processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from support.patience import HANG_S
from support.tiny_model import build_family_model, build_tiny_model
from support.trl_trainings import SFT, logged, sft_settings, trained_with_trl
from tunebook.tools.runtime import trl_job
from tunebook.tools.runtime.job_errors import TrainingError

pytestmark = pytest.mark.filterwarnings("ignore")  # Transformers, PEFT and torch warn of one another

FUSED = ["qkv_proj", "o_proj", "gate_up_proj", "down_proj"]
LLAMA_3 = {
    "rope_theta": 5e5,
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
FAMILIES: dict[str, tuple[str, dict[str, Any], list[str]]] = {
    "Qwen 3": ("Qwen3", {"head_dim": 16, "tie_word_embeddings": True}, SFT["lora_target_modules"]),
    "Gemma 3": ("Gemma3", {"head_dim": 16, "sliding_window": 8}, SFT["lora_target_modules"]),
    "Llama 3": ("Llama", {"rope_parameters": LLAMA_3}, SFT["lora_target_modules"]),
    "OLMo 2": ("Olmo2", {}, SFT["lora_target_modules"]),
    "SmolLM3": ("SmolLM3", {}, SFT["lora_target_modules"]),
    "Mistral": ("Mistral", {"sliding_window": 8}, SFT["lora_target_modules"]),
    "Phi 4": ("Phi3", {"sliding_window": None}, FUSED),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_adapters_of_each_family_are_trained_and_evaluated_as_trained(tmp_path: Path, family: str) -> None:
    from safetensors import safe_open

    architecture, config, targets = FAMILIES[family]
    model = build_family_model(tmp_path / "model", architecture, **config)
    settings = sft_settings(
        tmp_path / "run",
        model,
        lora_target_modules=targets,
        num_train_epochs=1,
        tunebook__max_steps_per_epoch=2,
    )
    trained_with_trl(settings)
    with safe_open(settings.output / "epoch_0" / "adapter_model.safetensors", framework="pt") as tensors:
        names = set(tensors.keys())
    found = {name.split(".lora_")[0].rpartition(".")[2] for name in names}
    assert found == set(targets)
    assert len(names) == 2 * len(targets) * 2  # layers, and A and B
    trl_job.finish(settings)
    trl_job.prove(settings)


def test_packed_examples_that_a_model_does_not_keep_apart_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loss of the first batch is compared with that of its examples one by one."""
    from transformers import masking_utils

    settings = sft_settings(
        tmp_path / "run",
        build_family_model(tmp_path / "model", "Llama"),
        data__packed=True,
        max_length=128,
        num_train_epochs=1,
    )
    trained_with_trl(settings)
    trl_job.finish(settings)
    monkeypatch.setattr(masking_utils, "find_packed_sequence_indices", lambda _: None)
    with pytest.raises(TrainingError, match=r"the loss of the first batch is .* with its examples one by one"):
        trained_with_trl(settings)


def test_a_misspelt_target_is_an_error_before_the_first_step(tmp_path: Path) -> None:
    """PEFT skips it as soon as another one is found."""
    model = build_tiny_model(tmp_path / "model")
    settings = sft_settings(tmp_path / "run", model, lora_target_modules=["q_proj", "v_porj"])
    with pytest.raises(TrainingError, match=r"has no linear layer named v_porj; allowed: q_proj, k_proj, v_proj, "):
        trained_with_trl(settings)
    assert not (settings.output / "metrics.jsonl").exists()


def test_a_warm_up_of_the_whole_training_is_an_error(tmp_path: Path) -> None:
    settings = sft_settings(tmp_path / "run", build_tiny_model(tmp_path / "model"), warmup_steps=12)
    with pytest.raises(TrainingError, match="`warmup_steps` is 12, but training has 12 steps"):
        trained_with_trl(settings)


def test_examples_that_are_too_long_are_an_error_that_names_the_first(tmp_path: Path) -> None:
    """TRL drops prompts that are too long, and cuts answers, without a word."""
    settings = sft_settings(tmp_path / "run", build_tiny_model(tmp_path / "model"), max_length=50)
    with pytest.raises(ValueError, match=r"words.json, train, example \d: .* sequence length of 50 tokens"):
        trained_with_trl(settings)


def test_quantized_weights_without_a_gpu_are_an_error_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    quantized = {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4", "use_cpu": False, "dtype": "bfloat16"}
    settings = sft_settings(tmp_path, build_tiny_model(tmp_path / "model"), **quantized)
    with pytest.raises(TrainingError, match="`load_in_4bit` needs a GPU with CUDA, but torch finds none"):
        trained_with_trl(settings)
    capsys.readouterr()
    assert trl_job.main(["preflight", "--config", str(tmp_path / "sft.yaml")]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_adapters_that_the_trainer_has_cast_are_in_fp32_again(tmp_path: Path) -> None:
    """TRL rounds those of quantized models to bf16; on a CPU, that is done here. What they were is kept."""
    import torch

    from tunebook.tools.runtime.trl_training import set_up

    trainer = set_up(sft_settings(tmp_path, build_tiny_model(tmp_path / "model")))
    trained = {name: one for name, one in trainer.model.named_parameters() if one.requires_grad}
    first = {name: parameter.detach().clone() for name, parameter in trained.items()}
    for parameter in trained.values():
        parameter.data = parameter.data.to(torch.bfloat16)
    trainer._restore_adapters(first)
    assert {parameter.dtype for parameter in trained.values()} == {torch.float32}
    assert all(torch.equal(parameter, first[name]) for name, parameter in trained.items())


def launched(config: Path, processes: int, port: int) -> subprocess.CompletedProcess[str]:
    """The training with two processes of torch's launcher, which Accelerate's uses for several GPUs."""
    launcher = ["-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", str(port)]
    module = ["-m", "tunebook.tools.runtime.trl_training", "--config", str(config), "--processes", str(processes)]
    offline = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, *launcher, *module],
        env=os.environ | offline,
        capture_output=True,
        text=True,
        check=False,
        timeout=HANG_S,
    )


def test_two_processes_make_the_steps_of_one_with_batches_of_twice_the_size(tmp_path: Path) -> None:
    """Eleven examples: the last batch of one process has one, and that of the other has none."""
    import socket

    model = build_tiny_model(tmp_path / "model")
    common = {"gradient_accumulation_steps": 2, "eval_strategy": "epoch", "max_grad_norm": 0.5}
    one = sft_settings(tmp_path / "one", model, per_device_train_batch_size=4, **common)
    two = sft_settings(tmp_path / "two", model, per_device_train_batch_size=2, **common)
    trained_with_trl(one)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    done = launched(tmp_path / "two" / "sft.yaml", 2, port)
    assert done.returncode == 0, done.stderr
    for key in ("loss", "val_loss"):
        expected = [entry[key] for entry in logged(one, key)]
        assert [entry[key] for entry in logged(two, key)] == pytest.approx(expected, abs=1e-6)
    trl_job.finish(two)
    trl_job.prove(two)


def test_another_number_of_processes_than_asked_for_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Accelerate starts one process on a CPU, whatever its configuration says."""
    from tunebook.tools.runtime import trl_training

    sft_settings(tmp_path, build_tiny_model(tmp_path / "model"))
    assert trl_training.main(["--config", str(tmp_path / "sft.yaml"), "--processes", "2"]) == 1
    assert "2 processes should train together, but 1 do" in capsys.readouterr().err
