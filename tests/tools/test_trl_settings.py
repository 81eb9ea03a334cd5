"""The reader of ``sft.yaml``: what TRL would ignore, convert or misunderstand is an error with file and line."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from support.trl_trainings import sft_settings, sft_text
from tunebook.tools.runtime import trl_job
from tunebook.tools.runtime.packing import packs
from tunebook.tools.runtime.trl_keys import DATA_SETTINGS, FIXED, OWN_SETTINGS, TRL_SETTINGS
from tunebook.tools.runtime.trl_settings import SettingsError, read_settings


@pytest.fixture
def text(tmp_path: Path) -> str:
    return sft_text(tmp_path, tmp_path / "model")


def problems(text: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        read_settings(text, file="sft.yaml")
    return str(caught.value).splitlines()


def line_of(text: str, key: str) -> int:
    return next(number for number, line in enumerate(text.splitlines(), 1) if line.strip().startswith(f"{key}:"))


WRONG = [
    ("per_device_train_batch_size", "8.5", "is `8.5`; allowed: a whole number of at least 1"),
    ("per_device_train_batch_size", "true", "is `true`; allowed: a whole number of at least 1"),
    ("seed", "1.5", "is `1.5`; allowed: a whole number of at least 0 and at most 4.29497e+09"),
    ("learning_rate", "-1", "is `-1`; allowed: a number above 0"),
    ("learning_rate", ".nan", "is `.nan`; allowed: a number above 0"),
    ("learning_rate", ".inf", "is `.inf`; allowed: a number above 0"),
    ("learning_rate", "'0.1'", "is `0.1`; allowed: a number above 0"),
    ("lora_dropout", "1", "is `1`; allowed: a number of at least 0 and below 1, or null"),
    ("lora_target_modules", "q_proj", "is `q_proj`; allowed: a list of texts, or null"),
    ("lora_target_modules", "[1]", "is no single value; allowed: a list of texts, or null"),
    ("lr_scheduler_type", "constant", "is `constant`; allowed: cosine or linear or constant_with_warmup"),
    ("dtype", "float16", "is `float16`; allowed: bfloat16 or float32"),
    ("use_peft", "'yes'", "is `yes`; allowed: true or false"),
    ("num_train_epochs", "0", "is `0`; allowed: a whole number of at least 1"),
    ("max_grad_norm", "null", "is `null`; allowed: a number of at least 0"),
    ("output_dir", "", "is ``; allowed: a text"),
]


@pytest.mark.parametrize(("key", "value", "message"), WRONG, ids=[f"{key}: {value}" for key, value, _ in WRONG])
def test_a_value_that_trl_would_take_is_an_error(text: str, key: str, value: str, message: str) -> None:
    number = line_of(text, key)
    lines = text.splitlines()
    end = next(index for index in range(number, len(lines) + 1) if index == len(lines) or lines[index][0] != "-")
    changed = "\n".join([*lines[: number - 1], f"{key}: {value}", *lines[end:]])
    assert problems(changed) == [f"sft.yaml:{number}: `{key}` {message}"]


def test_unknown_repeated_and_missing_keys_are_errors(text: str) -> None:
    number = len(text.splitlines()) + 1
    assert problems(text + "learning_rat: 1\n") == [f"sft.yaml:{number}: unknown key `learning_rat`"]
    assert problems(text + "bf16: true\n") == [
        f"sft.yaml:{number}: `bf16` cannot be set: it is false in every training of tunebook's; remove the line"
    ]
    first = line_of(text, "seed")
    assert problems(text + "seed: 3\n") == [f"sft.yaml:{number}: `seed` is given twice, first in line {first}"]
    assert problems(text.replace("seed: 14\ndata_seed: 14\n", "")) == [
        "sft.yaml: missing: seed, data_seed; every key must be there"
    ]
    assert problems(text.replace("  packed: false\n", "  paked: false\n")) == [
        f"sft.yaml:{line_of(text, 'packed')}: unknown key `data.paked`",
        "sft.yaml: missing: data.packed; every key must be there",
    ]


def test_an_exponent_is_a_number_as_people_write_it(text: str) -> None:
    """YAML 1.1 reads `1e-5` as a text."""
    settings = read_settings(text.replace("learning_rate: 0.01", "learning_rate: 1e-5"), file="sft.yaml")
    assert settings.trl["learning_rate"] == 1e-5


CONTRADICTIONS: list[tuple[dict[str, Any], str]] = [
    ({"use_peft": False}, "`lora_r` must be given with `use_peft: true`, and be null without it"),
    ({"lora_r": None}, "`lora_r` must be given with `use_peft: true`, and be null without it"),
    ({"tunebook__save": None}, "`tunebook.save` must be given with `use_peft: true`, and be null without it"),
    ({"lora_target_modules": ["lm_head"]}, "TRL cannot train an adapter of `lm_head`; remove it"),
    ({"eval_strategy": "steps"}, "`eval_steps` must be given with `eval_strategy: steps`, and be null without it"),
    ({"report_to": "wandb"}, "`project` must be given with `report_to: wandb`, and be null without it"),
    ({"data__packed": True, "max_length": None}, "packed data need a `max_length`"),
    ({"bnb_4bit_quant_type": "nf4"}, "it must be given with `load_in_4bit: true`, and be null without it"),
    ({"use_bnb_nested_quant": True}, "it needs `load_in_4bit: true`"),
    (
        {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4"},
        "4-bit weights need adapters (`use_peft: true`) and a GPU (`use_cpu: false`)",
    ),
    (
        {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4", "use_cpu": False, "tunebook__save": "merged"},
        "an adapter on 4-bit weights cannot be merged into them; allowed: adapter",
    ),
]


@pytest.mark.parametrize(("changes", "message"), CONTRADICTIONS)
def test_values_that_contradict_each_other_are_errors(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    found = problems(sft_text(tmp_path, tmp_path / "model", **changes))
    assert any(line.endswith(f": {message}") and line.startswith("sft.yaml:") for line in found), found


def test_a_job_with_wrong_settings_ends_with_their_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sft_settings(tmp_path, tmp_path / "model")
    path = tmp_path / "sft.yaml"
    path.write_text(path.read_text() + "seed: 1\n")
    assert trl_job.main(["preflight", "--config", str(path)]) == 1
    assert capsys.readouterr().err.startswith(f"tunebook: {path}:")


def test_a_missing_model_ends_the_job_before_anything_is_loaded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sft_settings(tmp_path, tmp_path / "model")
    assert trl_job.main(["preflight", "--config", str(tmp_path / "sft.yaml")]) == 1
    expected = f"tunebook: the model's directory {tmp_path / 'model'} has no config.json, or was not found\n"
    assert capsys.readouterr().err == expected


@pytest.mark.filterwarnings("ignore")
def test_every_key_is_one_of_trl_and_every_one_of_trl_that_trains_has_a_value() -> None:
    """A default of TRL that changes must change no training; a new key must be looked at."""
    from tunebook.tools.runtime.evaluated_model import without_old_torchao

    with without_old_torchao():
        from trl.trainer.model_config import ModelConfig
        from trl.trainer.sft_config import SFTConfig
    of_trl = {field.name for kind in (SFTConfig, ModelConfig) for field in fields(kind)}
    named = {setting.key for setting in TRL_SETTINGS} | FIXED.keys()
    assert named <= of_trl
    assert not FIXED.keys() & {setting.key for setting in TRL_SETTINGS}
    own = {setting.key for setting in (*DATA_SETTINGS, *OWN_SETTINGS)}
    assert not own & of_trl
    assert of_trl - named - WITHOUT_EFFECT == set()


WITHOUT_EFFECT = {
    # what is logged, pushed, or computed where nothing asks for it
    *("log_level", "log_level_replica", "log_on_each_node", "include_num_input_tokens_seen", "debug"),
    *("skip_memory_metrics", "trackio_space_id", "trackio_bucket_id", "trackio_static_space_id"),
    *("hub_token", "hub_private_repo", "hub_model_id", "hub_strategy", "hub_always_push", "hub_revision"),
    *("do_train", "do_eval", "do_predict", "local_rank", "model_revision"),
    # evaluations of Transformers' own, which do not run
    *("eval_delay", "prediction_loss_only", "eval_do_concat_batches", "eval_use_gather_object"),
    *("eval_accumulation_steps", "include_for_metrics", "batch_eval_metrics", "metric_for_best_model"),
    *("greater_is_better", "label_names"),
    # saving the state
    *("save_steps", "save_on_each_node", "enable_jit_checkpoint", "restore_callback_states_from_checkpoint"),
    "resume_from_checkpoint",
    # loading data: tunebook's own loader has no workers
    *("dataloader_persistent_workers", "dataloader_prefetch_factor", "dataloader_multiprocessing_context"),
    *("dataloader_in_order", "length_column_name", "dataset_text_field", "truncation_mode"),
    # how processes work together, which accelerate.yaml says
    *("accelerator_config", "parallelism_config", "fsdp_config", "ddp_find_unused_parameters", "ddp_bucket_cap_mb"),
    *("ddp_broadcast_buffers", "ddp_static_graph", "ddp_backend", "ddp_timeout"),
    # parts of settings that are off
    *("torch_compile_backend", "torch_compile_mode", "liger_kernel_config", "torch_empty_cache_steps"),
    *("packing_strategy", "model_init_kwargs", "bnb_4bit_quant_storage", "use_cache"),
    # other names of gradient_checkpointing and its arguments
    *("activation_checkpointing", "activation_checkpointing_kwargs"),
}


def test_packs_are_those_of_torchtune() -> None:
    """Whole examples, and texts that are cut; the labels of the padding are not learnt."""
    from torchtune.datasets import PackedDataset

    lengths = [3, 5, 8, 1, 7, 2, 2, 2, 8, 4]
    examples = [(list(range(10, 10 + size)), list(range(10, 10 + size))) for size in lengths]
    for splits in (False, True):
        data = [{"tokens": list(tokens), "labels": list(labels)} for tokens, labels in examples]
        if splits:
            data.append({"tokens": list(range(20)), "labels": list(range(20))})
        theirs = PackedDataset(data, max_seq_len=8, split_across_pack=splits)
        ours = packs([(item["tokens"], item["labels"]) for item in data], 8, splits=splits)
        assert len(ours) == len(theirs)
        for pack, other in zip(ours, theirs, strict=True):
            size = len(pack.tokens)
            assert other["tokens"][:size].tolist() == pack.tokens
            assert other["labels"][:size].tolist() == pack.labels
            assert other["labels"][size:].tolist() == [-100] * (len(other["labels"]) - size)
            assert other["input_pos"][:size].tolist() == [position % 8 for position in pack.positions]
