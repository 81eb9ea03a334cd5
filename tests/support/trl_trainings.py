"""Trainings of a tiny model with TRL in the test's own process: from settings to the trainer, and through it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tunebook.tools.runtime.trl_settings import Settings, read_settings

__all__ = ["SFT", "first_adapters", "logged", "sft_settings", "sft_text", "trained_with_trl", "write_words"]

_WORDS = ("house", "table", "water", "stone", "cloud", "a", "extraordinary", "be", "mountains", "sky", "tree")

SFT: Mapping[str, Any] = {
    "model_name_or_path": "",
    "dtype": "float32",
    "attn_implementation": "sdpa",
    "use_peft": True,
    "lora_r": 4,
    "lora_alpha": 8,
    "lora_dropout": 0.0,
    "lora_target_modules": ["q_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
    "load_in_4bit": False,
    "bnb_4bit_quant_type": None,
    "use_bnb_nested_quant": False,
    "output_dir": "",
    "seed": 14,
    "data_seed": 14,
    "num_train_epochs": 2,
    "per_device_train_batch_size": 2,
    "per_device_eval_batch_size": 2,
    "gradient_accumulation_steps": 1,
    "max_length": 256,
    "optim": "adamw_torch",
    "learning_rate": 0.01,
    "lr_scheduler_type": "cosine",
    "warmup_steps": 0,
    "weight_decay": 0.01,
    "adam_beta1": 0.9,
    "adam_beta2": 0.999,
    "adam_epsilon": 1e-8,
    "max_grad_norm": 0.0,
    "eval_strategy": "no",
    "eval_steps": None,
    "logging_steps": 1,
    "report_to": "none",
    "project": None,
    "run_name": None,
    "gradient_checkpointing": False,
    "use_cpu": True,
    "data": {
        "path": "",
        "dataset_type": "instruct",
        "system_prompt": "",
        "prompt": "Capitalize the given word: {input}",
        "train_on_input": False,
        "packed": False,
    },
    "tunebook": {"max_steps_per_epoch": None, "save": "adapter", "wandb_entity": None},
}
"""The settings of a small training; ``sft_settings`` fills in the places."""


def write_words(path: Path, examples: int = 11) -> Path:
    """A data set with three splits of word pairs."""
    words = [{"input": word, "output": word.capitalize()} for word in _WORDS * 4]
    path.write_text(json.dumps({"train": words[:examples], "validation": words[:7], "test": words[:5]}))
    return path


def sft_text(directory: Path, model: Path, *, examples: int = 11, **changes: Any) -> str:
    """The text of an ``sft.yaml`` in a directory, with its data beside it; keys of the sections are ``data_path`` etc.

    Args:
        changes: values by key; a key of a section is given as ``data__prompt``.
    """
    import yaml

    values = json.loads(json.dumps(dict(SFT)))
    values |= {"model_name_or_path": str(model), "output_dir": str(directory / "output")}
    values["data"]["path"] = str(write_words(directory / "words.json", examples))
    for name, value in changes.items():
        section, _, key = name.rpartition("__")
        place = values[section] if section else values
        assert key in place, f"sft.yaml has no {name}"
        place[key] = value
    return yaml.safe_dump(values, sort_keys=False)


def sft_settings(directory: Path, model: Path, **changes: Any) -> Settings:
    """Writes ``sft.yaml``, and reads it as the job does."""
    directory.mkdir(parents=True, exist_ok=True)
    text = sft_text(directory, model, **changes)
    (directory / "sft.yaml").write_text(text)
    return read_settings(text, file="sft.yaml")


def trained_with_trl(settings: Settings, *, resume: Path | None = None) -> Any:
    """The trainer after all epochs."""
    from tunebook.tools.runtime.trl_training import set_up, train

    trainer = set_up(settings)
    train(trainer, resume=resume)
    return trainer


def first_adapters(trainer: Any) -> dict[str, Any]:
    """The live adapters, copied, by the names of Transformers' modules."""
    found = {}
    for name, tensor in trainer.model.state_dict().items():
        if ".lora_" in name:
            short = name.removeprefix("base_model.model.").replace(".default.", ".")
            found[short] = tensor.detach().clone()
    return found


def logged(settings: Settings, key: str = "loss") -> list[dict[str, Any]]:
    """The lines of the metrics that have a key."""
    lines = (settings.output / "metrics.jsonl").read_text().splitlines()
    return [entry for entry in map(json.loads, lines) if key in entry]
