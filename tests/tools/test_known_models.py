"""The table of well-known models agrees with torchtune's own recipes and builders."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import yaml

from tunebook.tools.known_models import known_model

pytestmark = pytest.mark.filterwarnings("ignore")  # Transformers, torchao and torch warn of one another

_COMPONENTS = ("gemma2", "llama3", "llama3_1", "llama3_2", "mistral", "phi3", "qwen2")
# torchtune's argument to the field of config.json.
_FIELDS = {
    "vocab_size": "vocab_size",
    "num_layers": "num_hidden_layers",
    "num_heads": "num_attention_heads",
    "num_kv_heads": "num_key_value_heads",
    "embed_dim": "hidden_size",
    "intermediate_dim": "intermediate_size",
    "max_seq_len": "max_position_embeddings",
    "norm_eps": "rms_norm_eps",
    "rope_base": "rope_theta",
    "tie_word_embeddings": "tie_word_embeddings",
    "head_dim": "head_dim",
    "sliding_window_size": "sliding_window",
    "query_pre_attn_scalar": "query_pre_attn_scalar",
}
# torchtune 0.6.1 builds Phi-4 with the default base 10,000; the model's config.json says 250,000.
_WRONG_IN_TORCHTUNE = {("phi-4", "rope_base")}
_WITHOUT_A_RECIPE = {
    "Qwen2.5-1.5B": "torchtune.models.qwen2_5.qwen2_5_1_5b_base",
    "Qwen2.5-7B": "torchtune.models.qwen2_5.qwen2_5_7b_base",
    "Qwen2.5-14B": "torchtune.models.qwen2_5.qwen2_5_14b_base",
    "Qwen2.5-32B": "torchtune.models.qwen2_5.qwen2_5_32b_base",
    "Qwen2.5-72B": "torchtune.models.qwen2_5.qwen2_5_72b_base",
    "gemma-2-2b-it": "torchtune.models.gemma2.gemma2_2b",
    "gemma-2-9b-it": "torchtune.models.gemma2.gemma2_9b",
    "gemma-2-27b-it": "torchtune.models.gemma2.gemma2_27b",
}


def recipes() -> Iterator[tuple[str, str, Any]]:
    """Model, builder and checkpoint files of every recipe of torchtune for a model of the table."""
    package = importlib.util.find_spec("recipes")
    assert package is not None
    assert package.submodule_search_locations is not None
    for file in sorted(Path(package.submodule_search_locations[0]).glob("configs/*/*.yaml")):
        recipe = yaml.safe_load(file.read_text())
        if "model" not in recipe or "checkpointer" not in recipe:
            continue
        directory = PurePosixPath(recipe["checkpointer"]["checkpoint_dir"])
        name = directory.parent.name if directory.name == "original" else directory.name
        builder = recipe["model"]["_component_"]
        if known_model(name) and "qlora" not in builder:
            yield name, builder.replace("lora_", ""), recipe["checkpointer"]["checkpoint_files"]


def arguments_of(builder: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The arguments with which one of torchtune's named builders calls the builder of its family."""
    component = next(name for name in _COMPONENTS if name in builder.__globals__)
    signature = inspect.signature(builder.__globals__[component])
    found: dict[str, Any] = {}

    def record(**given: Any) -> None:
        bound = signature.bind(**given)
        bound.apply_defaults()
        found.update(bound.arguments)

    monkeypatch.setitem(builder.__globals__, component, record)
    builder()
    if "query_pre_attn_scalar" in found:  # None is the dimension of a head
        found["query_pre_attn_scalar"] = found["query_pre_attn_scalar"] or found["head_dim"]
    return found


BUILDERS = {name: builder for name, builder, _ in recipes()} | _WITHOUT_A_RECIPE


def test_torchtune_has_a_recipe_for_most_models_of_the_table() -> None:
    assert len(BUILDERS) >= 20


@pytest.mark.parametrize("name", sorted(BUILDERS))
def test_dimensions_are_those_of_torchtunes_builder(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module, _, function = BUILDERS[name].rpartition(".")
    arguments = arguments_of(getattr(importlib.import_module(module), function), monkeypatch)
    known = known_model(name)
    assert known is not None
    for argument, field in _FIELDS.items():
        if argument in arguments and (name, argument) not in _WRONG_IN_TORCHTUNE:
            assert known.config[field] == arguments[argument], field
    if "scale_factor" in arguments:
        assert known.config["rope_scaling"]["factor"] == arguments["scale_factor"]


def test_weight_files_are_as_many_as_torchtunes_recipes_list() -> None:
    checked = set()
    for name, _, files in recipes():
        known = known_model(name)
        assert known is not None
        if isinstance(files, dict):
            assert known.files == int(files["max_filename"]), name
        elif files[0].startswith("model"):
            assert known.files == len(files), name
        else:
            continue
        checked.add(name)
    assert {"Llama-3.2-1B-Instruct", "Qwen2.5-72B-Instruct", "gemma-2-9b"} <= checked


@pytest.mark.parametrize("size", ["0.5B", "1.5B", "3B", "7B", "14B", "32B", "72B"])
def test_a_qwen_has_as_many_weight_files_before_and_after_its_instruction_tuning(size: str) -> None:
    base, tuned = known_model(f"Qwen2.5-{size}"), known_model(f"Qwen2.5-{size}-Instruct")
    assert base is not None
    assert tuned is not None
    assert base.files == tuned.files


def test_the_second_and_the_third_mistral_differ_in_their_vocabulary_alone() -> None:
    second, third = known_model("Mistral-7B-Instruct-v0.2"), known_model("Mistral-7B-Instruct-v0.3")
    assert second is not None
    assert third is not None
    assert {**second.config, "vocab_size": third.config["vocab_size"]} == third.config
