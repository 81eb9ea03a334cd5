"""check --deep: the generated model configuration computes what Transformers computes from the real config.json."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from support.deep import checks_of, looked
from tunebook.tools.deep.shrunk import shrunk_config
from tunebook.tools.known_models import KNOWN_MODELS, KnownModel
from tunebook.tools.model_facts import ModelFacts
from tunebook.tools.torchtune import tool as torchtune_tool
from tunebook.tools.torchtune.deep_checks import shrunk_model
from tunebook.tools.torchtune.models import TorchtuneModel, resolve_model
from tunebook.tools.torchtune.same_function import compare

pytestmark = pytest.mark.filterwarnings("ignore")  # Transformers, torchao and torch warn of one another

FUNCTION = "model function"
TOLERANCE = 2e-5
FAMILIES = ("Llama-3.2-1B", "Qwen2.5-0.5B", "Mistral-7B-v0.1", "gemma-2-2b", "Phi-3-mini-4k-instruct", "phi-4")


@pytest.fixture
def experiment(tiny_experiment: Path) -> Path:
    return tiny_experiment


def differences(known: KnownModel, **arguments: Any) -> dict[str, float]:
    """Of the shrunk copy of a well-known model, with other arguments of its builder than the right ones."""
    built = resolve_model("x", ModelFacts(known.config), lora=False)
    shrunk = shrunk_config(known.config)
    section = shrunk_model({"_component_": built.builder, **built.arguments, **arguments}, shrunk)
    checkpointer = {"_component_": "torchtune.training.FullModelHFCheckpointer", "model_type": built.model_type}
    found: dict[str, float] = compare(shrunk.config, section, checkpointer)["differences"]
    return found


def known(name: str) -> KnownModel:
    return next(item for item in KNOWN_MODELS if name in item.names)


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_computes_the_same_when_shrunk(name: str) -> None:
    assert max(differences(known(name)).values()) < TOLERANCE


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("Llama-3.2-1B", {"rope_base": 10_000}),
        ("Llama-3.2-1B", {"scale_factor": 8}),
        ("Qwen2.5-0.5B", {"norm_eps": 1e-5}),
        ("gemma-2-2b", {"sliding_window_size": 8192}),
        ("gemma-2-2b", {"attention_capping": 30.0}),
        ("Phi-3-mini-4k-instruct", {"max_seq_len": 4096}),  # beyond its window, which torchtune ignores
        ("Mistral-7B-v0.1", {"max_seq_len": 32_768}),
    ],
    ids=str,
)
def test_a_wrong_argument_of_a_builder_shows(name: str, fault: dict[str, Any]) -> None:
    assert max(differences(known(name), **fault).values()) > 5 * TOLERANCE


def test_a_correct_configuration_passes_once_for_all_runs_of_a_model(experiment: Path) -> None:
    (check,) = checks_of(experiment, FUNCTION)
    assert len(check.runs) == 2  # ranks 4 and 16
    result = looked(experiment, FUNCTION)
    assert not result.errors
    assert result.figure.startswith("max difference ")


def test_a_builder_with_another_rope_base_is_an_error_at_the_models_line(
    experiment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torchtune_tool, "resolve_model", with_arguments(rope_base=77_000))
    (problem,) = looked(experiment, FUNCTION).errors
    assert "computes another function than Transformers'" in problem.message
    line = (experiment / "experiment_summary.md").read_text().splitlines()[(problem.line or 0) - 1]
    assert "SmolLM2-135M-Instruct" in line


def with_arguments(**arguments: Any) -> Callable[..., TorchtuneModel]:
    def resolved(*given: Any, **options: Any) -> TorchtuneModel:
        found = resolve_model(*given, **options)
        return replace(found, arguments={**found.arguments, **arguments})

    return resolved


def test_another_configuration_of_the_model_is_another_key(experiment: Path, tiny_model: Path) -> None:
    (before,) = checks_of(experiment, FUNCTION)
    file = tiny_model / "config.json"
    original = file.read_text()
    try:
        file.write_text(json.dumps({**json.loads(original), "rms_norm_eps": 1e-3}))
        (after,) = checks_of(experiment, FUNCTION)
    finally:
        file.write_text(original)
    assert before.key != after.key


def test_a_shrunk_copy_keeps_the_ratio_of_heads_and_everything_else() -> None:
    config = known("Qwen2.5-7B").config
    small = shrunk_config(config).config
    assert small["num_attention_heads"] / small["num_key_value_heads"] == 28 / 4
    kept = ("rope_theta", "rms_norm_eps", "hidden_act", "max_position_embeddings", "tie_word_embeddings")
    assert {key: small[key] for key in kept} == {key: config[key] for key in kept}
    assert small["hidden_size"] < 500
