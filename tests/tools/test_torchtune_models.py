"""The builder for a model makes the very same model: logits of Transformers and of torchtune, family by family."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest

from tunebook.errors import PlanError
from tunebook.tools.known_models import KNOWN_MODELS
from tunebook.tools.model_facts import ModelFacts, read_model_facts
from tunebook.tools.torchtune.models import TorchtuneModel, resolve_model

pytestmark = pytest.mark.filterwarnings("ignore")  # Transformers, torchao and torch warn of one another

SMALL: dict[str, Any] = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 128,
    "max_position_embeddings": 256,
}
SCALED = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192,
    "rope_theta": 500_000.0,
}
FAMILIES = [
    ("Llama", {"tie_word_embeddings": True, "rope_parameters": SCALED}),
    ("Llama", {"tie_word_embeddings": False, "rope_parameters": {"rope_type": "default", "rope_theta": 10_000.0}}),
    ("Qwen2", {"tie_word_embeddings": True}),
    ("Qwen2", {"tie_word_embeddings": False}),
    ("Mistral", {"sliding_window": None}),
    (
        "Gemma2",
        {"head_dim": 32, "query_pre_attn_scalar": 32, "sliding_window": 4096, "hidden_activation": "gelu_pytorch_tanh"},
    ),
    ("Phi3", {"pad_token_id": 0}),
    ("Phi3", {"pad_token_id": 0, "num_key_value_heads": 4}),
]


def built(model: TorchtuneModel, **extra: Any) -> Any:
    module, _, name = model.builder.rpartition(".")
    return getattr(importlib.import_module(module), name)(**model.arguments, **extra)


def lora() -> dict[str, Any]:
    return {
        "lora_attn_modules": ["q_proj", "v_proj", "output_proj"],
        "apply_lora_to_mlp": True,
        "lora_rank": 4,
        "lora_alpha": 8,
    }


@pytest.mark.parametrize("with_lora", [True, False], ids=["lora", "full"])
@pytest.mark.parametrize(("family", "settings"), FAMILIES, ids=[f"{name}-{i}" for i, (name, _) in enumerate(FAMILIES)])
def test_torchtune_computes_what_transformers_computes(
    family: str,
    settings: dict[str, Any],
    with_lora: bool,
    tmp_path: Path,
) -> None:
    import torch
    import transformers
    from torchtune.training import FullModelHFCheckpointer

    torch.manual_seed(1)
    config = getattr(transformers, f"{family}Config")(**(SMALL | settings))
    original = getattr(transformers, f"{family}ForCausalLM")(config).to(torch.float32).eval()
    for parameter in original.parameters():  # weights of a size at which caps and scalings show
        torch.nn.init.normal_(parameter, std=0.4)
    original.tie_weights()
    original.save_pretrained(tmp_path)
    facts = read_model_facts(tmp_path)
    assert facts is not None
    found = resolve_model("small", facts, lora=with_lora)
    copy = built(found, **(lora() if with_lora else {})).eval()
    checkpointer = FullModelHFCheckpointer(
        checkpoint_dir=str(tmp_path),
        checkpoint_files=list(found.checkpoint_files),
        model_type=found.model_type,
        output_dir=str(tmp_path.with_name(tmp_path.name + "-out")),
    )
    missing, unexpected = copy.load_state_dict(checkpointer.load_checkpoint()["model"], strict=False)
    assert not unexpected
    assert all("lora" in key for key in missing)
    tokens = torch.randint(0, 128, (2, 40))
    with torch.no_grad():
        expected = original(tokens).logits
        torch.testing.assert_close(copy(tokens), expected, atol=2e-3, rtol=2e-3)
    assert expected.abs().max() > 3  # large enough for caps and scalings to show


@pytest.mark.parametrize("known", KNOWN_MODELS, ids=lambda known: known.names[0])
def test_every_well_known_model_is_built_with_torchtune(known: Any) -> None:
    """On the meta device, with two layers: the dimensions of the table are ones that the builders take."""
    import torch

    found = resolve_model(known.names[0], None, lora=True)
    assert len(found.checkpoint_files) == known.files
    arguments = dict(found.arguments) | ({"num_layers": 2} if found.arguments else {})
    with torch.device("meta"):
        model = built(TorchtuneModel(**{**vars(found), "arguments": arguments}), **lora())
    assert model.tok_embeddings.weight.shape[0] == known.config["vocab_size"]


@pytest.mark.parametrize(
    ("name", "parameters_b"),
    [
        ("Llama-3.2-1B-Instruct", 1.24),
        ("Llama-3.1-8B", 8.03),
        ("Qwen2.5-0.5B", 0.49),
        ("phi-4", 14.7),
        ("gemma-2-2b-it", 2.6),
    ],
)
def test_sizes_are_those_of_the_model_cards(name: str, parameters_b: float) -> None:
    assert resolve_model(name, None, lora=True).parameters_b == pytest.approx(parameters_b, rel=0.02)


def test_a_well_known_model_gets_its_named_builder() -> None:
    found = resolve_model("meta-llama/Llama-3.2-1B-Instruct", None, lora=True)
    assert (found.builder, dict(found.arguments)) == ("torchtune.models.llama3_2.lora_llama3_2_1b", {})
    assert resolve_model("Llama-3.2-3B", None, lora=False).builder == "torchtune.models.llama3_2.llama3_2_3b"


def test_the_configuration_wins_over_the_name() -> None:
    """A directory named after the 1B model that holds another one is built as what it is."""
    config = next(known.config for known in KNOWN_MODELS if "Llama-3.2-3B" in known.names)
    found = resolve_model("Llama-3.2-1B-Instruct", ModelFacts(config, ("model.safetensors",)), lora=True)
    assert found.builder.endswith("lora_llama3_2_3b")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"attention_bias": True}, "its attention_bias is True"),
        ({"head_dim": 128}, "its head_dim is 128"),
        ({"rope_scaling": {"rope_type": "yarn", "factor": 4.0}}, "is not the one of Llama 3.1"),
        ({"model_type": "mixtral"}, "its model_type is mixtral; torchtune 0.6.1 builds llama"),
        ({"quantization_config": {"bits": 4}}, "its weights are quantized"),
        ({"hidden_size": None}, ""),
    ],
)
def test_a_model_that_torchtune_cannot_build_is_refused_by_name(change: dict[str, Any], message: str) -> None:
    config = dict(next(known.config for known in KNOWN_MODELS if "Llama-3.2-1B" in known.names)) | change
    if change == {"hidden_size": None}:
        del config["hidden_size"]
        message = "hidden_size is missing"
    with pytest.raises(PlanError, match=message):
        resolve_model("x", ModelFacts(config), lora=True)


def test_an_unknown_model_gets_similar_names_and_what_to_write() -> None:
    with pytest.raises(PlanError) as caught:
        resolve_model("Llama-3.2-1C-Instruct", None, lora=True)
    assert "Llama-3.2-1B-Instruct" in caught.value.problems[0].message
    assert "config.json" in caught.value.problems[0].hint


def test_weight_files_follow_the_index_and_missing_ones_are_named(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors.index.json").write_text(
        '{"weight_map": {"a": "m-2.safetensors", "b": "m-1.safetensors"}}'
    )
    (tmp_path / "m-1.safetensors").write_text("")
    (tmp_path / "adapter_model.safetensors").write_text("")
    facts = read_model_facts(tmp_path)
    assert facts is not None
    assert facts.weight_files == ("m-1.safetensors", "m-2.safetensors")
    assert [flaw.message for flaw in facts.flaws if "weight file" in flaw.message] == [
        "cannot be loaded: weight file m-1.safetensors is not a safetensors file (0 bytes)",
        "cannot be loaded: weight file m-2.safetensors is missing",
    ]
