"""The loader of evaluations: adapters as they were trained, neutral generation, and refusals of what does not fit."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from support.evaluation_jobs import write_adapter
from support.tiny_model import build_tiny_model
from tunebook.tools.runtime import evaluated_model
from tunebook.tools.runtime.evaluated_model import keep_model, load_evaluated_model, model_in_effect
from tunebook.tools.runtime.generation import NEUTRAL, neutralized, stop_ids, write_generation_config

pytestmark = pytest.mark.filterwarnings("ignore")  # Transformers, torchao and torch warn of one another
SETTINGS = {"repetition_penalty": 1.9, "no_repeat_ngram_size": 1, "suppress_tokens": [5], "min_new_tokens": 3}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def tokens() -> Any:
    import torch

    return torch.arange(3, 43).reshape(2, 20)


def logits(model: Any, tokens: Any) -> Any:
    import torch

    with torch.inference_mode():
        return model(tokens).logits.float()


def trained(base: Path, adapter: Path) -> Any:
    """The model as it was trained, without PEFT: base weights and the product of the adapter's matrices, in fp32."""
    import torch
    from safetensors.torch import load_file
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    tensors = load_file(adapter / "adapter_model.safetensors")
    for name, first in tensors.items():
        if name.endswith("lora_A.weight"):
            module = name.removeprefix("base_model.model.").removesuffix(".lora_A.weight")
            second = tensors[name.replace("lora_A", "lora_B")]
            layer: Any = model.get_submodule(module)
            layer.weight.data += 2.0 * second @ first
    return model


@pytest.mark.parametrize("scale", [1.0, 1 / 6])
def test_an_adapter_is_evaluated_as_it_was_trained(tmp_path: Path, model: Path, tokens: Any, scale: float) -> None:
    import torch

    adapter = write_adapter(tmp_path / "adapter", model, scale=scale)
    wanted = logits(trained(model, adapter), tokens)
    found = logits(load_evaluated_model(adapter, precision="fp32"), tokens)
    assert torch.allclose(found, wanted, atol=1e-5)
    assert not torch.allclose(logits(load_evaluated_model(model, precision="fp32"), tokens), wanted, atol=1e-3)


def test_a_small_adapter_is_in_fp32_on_a_base_in_bf16_where_a_merge_would_lose_it(tmp_path: Path, model: Path) -> None:
    import torch

    adapter = write_adapter(tmp_path / "adapter", model, scale=1 / 600)
    loaded = load_evaluated_model(adapter, precision="bf16")
    layer = loaded.model.layers[0].self_attn.q_proj
    assert layer.base_layer.weight.dtype == torch.bfloat16
    seen = []
    layer.lora_B["default"].register_forward_hook(lambda _, given, result: seen.append((given[0].dtype, result.dtype)))
    value = torch.randn(1, 1, 64, dtype=torch.bfloat16)
    delta = layer.lora_B["default"](layer.lora_A["default"](value.float())) * layer.scaling["default"]
    layer(value)
    assert set(seen) == {(torch.float32, torch.float32)}
    before = layer.base_layer.weight
    product = layer.lora_B["default"].weight @ layer.lora_A["default"].weight * layer.scaling["default"]
    merged = (before.float() + product).to(torch.bfloat16)
    kept = (merged.float() - before.float()) @ value.float().flatten()
    assert (kept - delta.flatten()).norm() > 0.2 * delta.norm()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"r": 8}, "has rank 4, but its adapter_config.json says 8"),
        ({"target_modules": ["q_proj"]}, "has, which its adapter_config.json does not describe for"),
        ({"target_modules": ["q_proj", "v_proj", "k_proj"]}, "lacks 4 tensors"),
        ({"target_modules": ["nothing"]}, "cannot be put on"),
        ({"peft_type": "IA3"}, "peft_type is 'IA3'; allowed: LORA"),
        ({"base_model_name_or_path": "/nowhere"}, "the base model /nowhere of the adapter"),
    ],
)
def test_an_adapter_that_does_not_fit_is_refused(
    tmp_path: Path, model: Path, changes: dict[str, Any], message: str
) -> None:
    adapter = write_adapter(tmp_path / "adapter", model, changes=changes)
    with pytest.raises(ValueError, match=r"adapter") as found:
        load_evaluated_model(adapter, precision="fp32")
    assert message in str(found.value)


def test_an_adapter_of_another_base_is_refused(tmp_path: Path, model: Path) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    adapter = write_adapter(tmp_path / "adapter", model)
    tensors = load_file(adapter / "adapter_model.safetensors")
    name = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight"
    save_file(tensors | {name: torch.zeros(4, 96)}, adapter / "adapter_model.safetensors")
    with pytest.raises(ValueError, match=r"belongs to another base model: model.layers.0.*is \[4, 96\]"):
        load_evaluated_model(adapter, precision="fp32")


def test_weights_that_are_missing_are_not_invented(tmp_path: Path, model: Path) -> None:
    from safetensors.torch import load_file, save_file

    other = Path(shutil.copytree(model, tmp_path / "other"))
    tensors = load_file(other / "model.safetensors")
    del tensors["model.layers.1.mlp.up_proj.weight"]
    save_file(tensors, other / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ValueError, match=r"lacks the tensor model.layers.1.mlp.up_proj.weight"):
        load_evaluated_model(other, precision="fp32")


def test_greedy_answers_are_those_without_the_models_own_settings(tmp_path: Path, model: Path, tokens: Any) -> None:
    """The settings of a model's ``generation_config.json`` would change them."""
    from transformers import AutoModelForCausalLM

    other = Path(shutil.copytree(model, tmp_path / "other"))
    own = json.loads((model / "generation_config.json").read_text())
    (other / "generation_config.json").write_text(json.dumps(own | SETTINGS))
    options = {"attention_mask": tokens != 0, "max_new_tokens": 8, "do_sample": False}
    plain = load_evaluated_model(model, precision="fp32").generate(tokens, **options)
    loaded = load_evaluated_model(other, precision="fp32")
    assert loaded.generate(tokens, **options).tolist() == plain.tolist()
    with_own: Any = AutoModelForCausalLM.from_pretrained(other)
    assert with_own.generate(tokens, **options).tolist() != plain.tolist()
    assert model_in_effect(other, loaded, precision="fp32")["neutralized"] == SETTINGS


def test_a_model_that_was_kept_is_taken_once_and_only_while_its_files_are_the_same(tmp_path: Path) -> None:
    directory = build_tiny_model(tmp_path / "kept")
    keep_model(directory, precision="fp32")
    ((_, kept),) = evaluated_model._kept.values()
    assert load_evaluated_model(directory, precision="fp32") is kept
    assert load_evaluated_model(directory, precision="fp32") is not kept
    keep_model(directory, precision="fp32")
    ((_, kept),) = evaluated_model._kept.values()
    keep_model(directory, precision="fp32")
    assert evaluated_model._kept[str(directory), "fp32"][1] is kept
    (directory / "config.json").touch()
    assert load_evaluated_model(directory, precision="fp32") is not kept


def test_neutral_values_are_transformers_own_defaults() -> None:
    from transformers import GenerationConfig

    defaults: Any = GenerationConfig._get_default_generation_params()
    assert defaults["top_k"] == 50
    assert neutralized({name: value for name, value in defaults.items() if name != "top_k"}) == {}
    assert {name for name in NEUTRAL if name not in defaults} == set()


def test_a_temperature_draws_from_all_tokens_whatever_the_model_asks_for(tmp_path: Path, model: Path) -> None:
    """Transformers' own default draws from the 50 most probable ones."""
    import torch

    other = Path(shutil.copytree(model, tmp_path / "other"))
    (other / "generation_config.json").write_text(json.dumps({"top_k": 20, "top_p": 0.5, "min_p": 0.9}))
    torch.manual_seed(1)
    loaded = load_evaluated_model(other, precision="fp32", sampling=True)
    given = torch.full((1500, 2), 7)
    drawn = loaded.generate(
        given, attention_mask=torch.ones_like(given), max_new_tokens=1, do_sample=True, temperature=100.0
    )
    assert len(set(drawn[:, -1].tolist())) > 200


def test_the_token_that_ends_an_answer_stops_generation_and_is_written_into_the_checkpoint(
    tmp_path: Path, model: Path
) -> None:
    """The model's own settings name another token only."""
    from transformers import AutoTokenizer, GenerationConfig

    other = Path(shutil.copytree(model, tmp_path / "other"))
    (other / "generation_config.json").write_text(json.dumps({"eos_token_id": 0, "bos_token_id": 1, **SETTINGS}))
    loaded = load_evaluated_model(other, precision="fp32", sampling=True)
    assert loaded.generation_config.eos_token_id == [2, 0]
    assert loaded.generation_config.top_k == 0
    assert model_in_effect(other, loaded, precision="fp32")["stop_tokens"] == {"<|im_end|>": 2, "<|endoftext|>": 0}
    write_generation_config(other, stop_ids(AutoTokenizer.from_pretrained(other), other))
    written = json.loads((other / "generation_config.json").read_text())
    assert written == {"bos_token_id": 1, "eos_token_id": [2, 0], "do_sample": False}
    assert GenerationConfig.from_pretrained(other).repetition_penalty in {None, 1.0}
