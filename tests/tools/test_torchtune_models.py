"""The builder for a model makes the very same model: logits of Transformers and of torchtune, family by family."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest

from tunebook.errors import PlanError
from tunebook.tools.known_models import KNOWN_MODELS, known_model
from tunebook.tools.model_facts import ModelFacts, context_length, read_model_facts
from tunebook.tools.torchtune.model_fields import FAMILIES as KNOWN_FAMILIES
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


def small_model(directory: Path, family: str, settings: dict[str, Any]) -> Any:
    """A small random model in a directory, with weights of a size at which caps, windows and scalings show."""
    import torch
    import transformers

    torch.manual_seed(1)
    config = getattr(transformers, f"{family}Config")(**(SMALL | settings))
    model = getattr(transformers, f"{family}ForCausalLM")(config).to(torch.float32).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.4)
    model.tie_weights()
    model.save_pretrained(directory)
    return model


def torchtune_copy(directory: Path, *, with_lora: bool = False) -> Any:
    """What torchtune makes of a model's directory, or the reason why it cannot."""
    from torchtune.training import FullModelHFCheckpointer

    facts = read_model_facts(directory)
    assert facts is not None
    found = resolve_model("small", facts, lora=with_lora)
    copy = built(found, **(lora() if with_lora else {})).eval()
    checkpointer = FullModelHFCheckpointer(
        checkpoint_dir=str(directory),
        checkpoint_files=list(found.checkpoint_files),
        model_type=found.model_type,
        output_dir=str(directory.with_name(directory.name + "-out")),
    )
    missing, unexpected = copy.load_state_dict(checkpointer.load_checkpoint()["model"], strict=False)
    assert not unexpected
    assert all("lora" in key for key in missing)
    return copy


@pytest.mark.parametrize("with_lora", [True, False], ids=["lora", "full"])
@pytest.mark.parametrize(("family", "settings"), FAMILIES, ids=[f"{name}-{i}" for i, (name, _) in enumerate(FAMILIES)])
def test_torchtune_computes_what_transformers_computes(
    family: str,
    settings: dict[str, Any],
    with_lora: bool,
    tmp_path: Path,
) -> None:
    import torch

    original = small_model(tmp_path, family, settings)
    copy = torchtune_copy(tmp_path, with_lora=with_lora)
    tokens = torch.randint(1, 128, (2, 40))
    with torch.no_grad():
        expected = original(tokens).logits
        torch.testing.assert_close(copy(tokens), expected, atol=2e-3, rtol=2e-3)
    assert expected.abs().max() > 3  # large enough for caps and scalings to show


GEMMA = {"head_dim": 32, "query_pre_attn_scalar": 48, "sliding_window": 16}
# The fields of the configuration classes, with other values than the builders have.
CHANGES = [
    ("Llama", {"attention_bias": True}),
    ("Llama", {"mlp_bias": True}),
    ("Llama", {"hidden_act": "gelu"}),
    ("Llama", {"head_dim": 8}),
    ("Llama", {"head_dim": 32}),
    ("Llama", {"rms_norm_eps": 0.5}),
    ("Llama", {"rope_parameters": {"rope_type": "linear", "factor": 4.0, "rope_theta": 10_000.0}}),
    ("Llama", {"rope_parameters": {"rope_type": "dynamic", "factor": 4.0, "rope_theta": 10_000.0}}),
    ("Llama", {"rope_parameters": {"rope_type": "yarn", "factor": 4.0, "rope_theta": 10_000.0}}),
    ("Llama", {"rope_parameters": {**SCALED, "original_max_position_embeddings": 64}}),
    ("Llama", {"rope_parameters": {**SCALED, "high_freq_factor": 8.0}}),
    ("Llama", {"rope_parameters": {**SCALED, "factor": 32.0}}),
    ("Llama", {"rope_parameters": {"rope_type": "default", "rope_theta": 77.5}}),
    ("Qwen2", {"hidden_act": "gelu"}),
    ("Qwen2", {"head_dim": 32}),
    ("Qwen2", {"use_sliding_window": True, "sliding_window": 8, "max_window_layers": 1}),
    ("Qwen2", {"rope_parameters": {"rope_type": "yarn", "factor": 4.0, "rope_theta": 10_000.0}}),
    ("Mistral", {"sliding_window": 16}),
    ("Mistral", {"sliding_window": None, "head_dim": 32}),
    ("Mistral", {"sliding_window": None, "hidden_act": "relu"}),
    ("Mistral", {"sliding_window": None, "tie_word_embeddings": True}),
    ("Phi3", {"pad_token_id": 0, "sliding_window": 16}),
    ("Phi3", {"pad_token_id": 0, "sliding_window": 16, "num_key_value_heads": 4}),
    ("Phi3", {"pad_token_id": 0, "partial_rotary_factor": 0.5}),
    ("Phi3", {"pad_token_id": 0, "rope_parameters": {"rope_theta": 10_000.0, "partial_rotary_factor": 0.5}}),
    ("Phi3", {"pad_token_id": 0, "tie_word_embeddings": True}),
    ("Phi3", {"pad_token_id": 0, "hidden_act": "gelu"}),
    ("Gemma2", GEMMA),
    ("Gemma2", {**GEMMA, "hidden_activation": "silu"}),
    ("Gemma2", {**GEMMA, "attention_bias": True}),
    ("Gemma2", {**GEMMA, "attn_logit_softcapping": 5.0}),
    ("Gemma2", {**GEMMA, "attn_logit_softcapping": None}),
    ("Gemma2", {**GEMMA, "final_logit_softcapping": 3.0}),
    ("Gemma2", {**GEMMA, "final_logit_softcapping": None}),
    ("Gemma2", {**GEMMA, "layer_types": ["full_attention", "sliding_attention", "full_attention"]}),
    ("Gemma2", {**GEMMA, "use_bidirectional_attention": True}),
    ("Gemma2", {**GEMMA, "tie_word_embeddings": False}),
    ("Gemma2", {**GEMMA, "query_pre_attn_scalar": 7}),
]


@pytest.mark.parametrize(("family", "settings"), CHANGES, ids=str)
def test_a_changed_field_is_refused_or_computed_up_to_the_longest_sequence(
    family: str, settings: dict[str, Any], tmp_path: Path
) -> None:
    import torch

    original = small_model(tmp_path, family, settings)
    try:
        copy = torchtune_copy(tmp_path)
    except PlanError:
        return
    tokens = torch.randint(1, 128, (2, min(64, copy.max_seq_len)))
    with torch.no_grad():
        torch.testing.assert_close(copy(tokens), original(tokens).logits, atol=2e-3, rtol=2e-3)


REFUSED = [
    ("Phi3", {"rope_parameters": {"partial_rotary_factor": 0.5}}, "its partial_rotary_factor is 0.5"),
    ("Phi3", {"partial_rotary_factor": 0.75}, "its partial_rotary_factor is 0.75"),
    ("Llama", {"rope_parameters": {"partial_rotary_factor": 0.5}}, "its partial_rotary_factor is 0.5"),
    ("Qwen2", {"rope_scaling": {"partial_rotary_factor": 0.5}}, "its partial_rotary_factor is 0.5"),
    ("Llama", {"num_key_value_heads": None}, 'add "num_key_value_heads": 4, which Transformers takes'),
    ("Mistral", {"num_key_value_heads": None}, 'add "num_key_value_heads": 8, which Transformers takes'),
    ("Llama", {"attention_dropout": 0.1}, r"its attention_dropout is 0.1, but torchtune's builder has 0.0"),
    ("Phi3", {"resid_pdrop": 0.1}, "its resid_pdrop is 0.1"),
    ("Gemma2", {"hidden_activation": "gelu"}, "its hidden_activation is 'gelu'"),
    ("Gemma2", {"final_logit_softcapping": None}, "its final_logit_softcapping is null"),
    ("Qwen2", {"layer_types": ["full_attention", "sliding_attention", "full_attention"]}, "its layer_types are not"),
    ("Llama", {"architectures": ["LlamaForSequenceClassification"]}, "not LlamaForCausalLM"),
    ("Llama", {"residual_multiplier": 0.22}, "tunebook does not know whether that changes what the model computes"),
    ("Llama", {"rope_parameters": {"mrope_section": [1, 2]}}, "its rotary settings contain mrope_section"),
    ("Llama", {"num_attention_heads": 5, "num_key_value_heads": 5}, "not a multiple of its 5 attention heads"),
]


@pytest.mark.parametrize(("family", "change", "message"), REFUSED, ids=str)
def test_a_field_that_changes_the_function_is_refused_with_its_reason(
    family: str, change: dict[str, Any], message: str
) -> None:
    own = GEMMA if family == "Gemma2" else {}
    caps = {"attn_logit_softcapping": 50.0, "final_logit_softcapping": 30.0} if own else {}
    config = {"model_type": family.lower(), "rms_norm_eps": 1e-6, **SMALL, **own, **caps, **change}
    with pytest.raises(PlanError, match=message):
        resolve_model("x", ModelFacts(config), lora=True)


@pytest.mark.parametrize("family", ["Llama", "Qwen2", "Mistral", "Gemma2", "Phi3"])
def test_every_field_of_the_configuration_class_is_known(family: str) -> None:
    """A field that a later version of Transformers adds must be looked at before models with it are trained."""
    import transformers

    config = getattr(transformers, f"{family}Config")()
    fields = {key: value for key, value in config.to_dict().items() if not key.startswith("_")}
    assert set(fields) <= KNOWN_FAMILIES[family.lower()].known


def test_the_table_and_the_limits_agree_on_the_window() -> None:
    """Phi 3 mini reads 2047 tokens in torchtune, which ignores its window; Gemma 2's window is computed."""
    lengths = {name: resolve_model(name, None, lora=True).arguments["max_seq_len"] for name in LONGEST}
    assert lengths == LONGEST
    assert {name: context_length(config_of(name)) for name in LONGEST} == LONGEST


LONGEST = {"Phi-3-mini-4k-instruct": 2047, "Mistral-7B-v0.1": 4096, "gemma-2-2b": 8192, "phi-4": 16_384}


def config_of(name: str) -> dict[str, Any]:
    known = known_model(name)
    assert known is not None
    return dict(known.config)


@pytest.mark.parametrize("known", KNOWN_MODELS, ids=lambda known: known.names[0])
def test_every_well_known_model_is_built_with_torchtune(known: Any) -> None:
    """On the meta device, with two layers: the dimensions of the table are ones that the builders take."""
    import torch
    import torchtune.models  # noqa: F401  on the meta device, torchao cannot be imported

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


def test_no_default_of_a_builder_decides() -> None:
    """The named builders of Llama 3.2 would bring dimensions of their own."""
    found = resolve_model("meta-llama/Llama-3.2-1B-Instruct", None, lora=True)
    assert found.builder == "torchtune.models.llama3_2.lora_llama3_2"
    assert (found.arguments["embed_dim"], found.arguments["scale_factor"]) == (2048, 32)


def test_the_configuration_wins_over_the_name() -> None:
    """A directory named after the 1B model that holds another one is built as what it is."""
    found = resolve_model("Llama-3.2-1B-Instruct", ModelFacts(config_of("Llama-3.2-3B"), ("a.safetensors",)), lora=True)
    assert found.arguments["embed_dim"] == 3072


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
