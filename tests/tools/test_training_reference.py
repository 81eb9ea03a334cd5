"""tunebook's recipe against a plain loop over Transformers, and its checkpoints against the model that was trained."""

from __future__ import annotations

import dataclasses
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from support.tiny_model import MODEL, build_family_model
from support.trainings import FULL, configuration, train
from tunebook.tools.deep.plain_training import PlainSettings, PlainTraining
from tunebook.tools.runtime import torchtune_job
from tunebook.tools.runtime.job_errors import JobError, TrainingError

pytestmark = pytest.mark.filterwarnings("ignore")  # Transformers, torchao and torch warn of one another

PLAIN = PlainSettings(
    batch=2,
    accumulation=2,
    lr=3e-4,
    schedule="cosine",
    warmup=0,
    weight_decay=0.01,
    clip=None,
    most_steps=0,
    rank=4,
    alpha=8,
)
EPOCHS = ("- **Epochs:** 2", "- **Epochs:** 3")
FAST = ("| 3e-4 |", "| 1e-2 |")
# Eleven examples: the last batch of two has one, and the last step of two batches has two or one of them.
CASES: dict[str, tuple[PlainSettings, list[str], tuple[tuple[str, str], ...], int]] = {
    "cosine": (PLAIN, ["Gradient Accumulation Steps: 2"], (), 11),
    "one batch left over": (PLAIN, ["Gradient Accumulation Steps: 2"], (), 10),
    "linear, warm-up, weight decay, prompts learnt too": (
        dataclasses.replace(PLAIN, schedule="linear", warmup=2, accumulation=4, weight_decay=0.3, lr=1e-2),
        [
            "Gradient Accumulation Steps: 4",
            "Scheduler: linear",
            "Warmup Steps: 2",
            "Weight Decay: 0.3",
            "Train On Input: yes",
        ],
        (FAST,),
        11,
    ),
    "constant, warm-up, clipping": (
        dataclasses.replace(PLAIN, schedule="constant", warmup=3, accumulation=1, clip=0.05, lr=1e-2),
        ["Scheduler: constant", "Warmup Steps: 3", "Max Gradient Norm: 0.05"],
        (FAST,),
        11,
    ),
    "fewer steps, three epochs": (
        dataclasses.replace(PLAIN, most_steps=2, lr=1e-2),
        ["Gradient Accumulation Steps: 2", "Max Steps Per Epoch: 2"],
        (EPOCHS, ("✓ epoch 1", "✓ epoch 2"), FAST),
        11,
    ),
    "all weights": (
        dataclasses.replace(PLAIN, rank=0, schedule="linear", warmup=1, clip=0.5, lr=3e-4),
        ["Gradient Accumulation Steps: 2", "Scheduler: linear", "Warmup Steps: 1", "Max Gradient Norm: 0.5"],
        FULL,
        11,
    ),
}


def adapters_of(session: Any) -> dict[str, Any]:
    """The live adapters, copied."""
    weights = session._model.state_dict()
    return {name: tensor.detach().clone() for name, tensor in weights.items() if "lora_" in name}


def set_up(config: Any) -> Any:
    from tunebook.tools.runtime.torchtune_recipe import recipe_class

    session = recipe_class(config.stock_recipe)(cfg=config)
    session.setup(cfg=config)
    return session


def orders_of(session: Any, epochs: int) -> list[list[int]]:
    sampler = session._dataloader.sampler
    orders = []
    for epoch in range(epochs):
        sampler.set_epoch(epoch)
        orders.append(list(sampler))
    return orders


@pytest.mark.parametrize("case", CASES)
def test_every_step_is_that_of_a_plain_loop(tmp_path: Path, case: str) -> None:
    """Losses, learning rates and trained weights, in fp32 and without dropout."""
    import torch

    settings, bullets, edits, examples = CASES[case]
    config = configuration(tmp_path, f"Batch Size: {settings.batch}", *bullets, edits=edits, examples=examples)
    begun = set_up(config)
    data = begun._dataloader.dataset
    plain = PlainTraining(Path(config.tokenizer.path), settings, adapters_of(begun))
    orders = orders_of(begun, config.epochs)
    assert all(sorted(order) == list(range(examples)) for order in orders)
    plain.run([[data[index] for index in order] for order in orders])
    begun.cleanup()
    trained = train(config)
    assert trained.logged("loss") == pytest.approx(plain.losses, abs=1e-5)
    assert trained.logged("lr") == pytest.approx(plain.rates, abs=1e-9)
    assert {entry["total_steps"] for entry in trained.metrics} == {len(plain.losses)}
    assert trained.metrics[-1]["epoch"] == config.epochs - 1
    torch.testing.assert_close(logits_of(trained.session), logits(plain.model), atol=2e-4, rtol=0)


PROBE = [[1, 5, 9, 40, 77, 120, 3, 200]]


def logits(model: Any) -> Any:
    """What a model of Transformers computes."""
    import torch

    with torch.no_grad():
        return model.eval()(torch.tensor(PROBE)).logits.float()


def logits_of(session: Any) -> Any:
    """What the live model of a recipe computes."""
    import torch

    model = session._model.eval()
    with torch.no_grad():
        chunks = model(torch.tensor(PROBE))
    return torch.cat(chunks, dim=1).float()


def loaded(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A checkpoint as others load it: an adapter with PEFT on the base that it names, otherwise a whole model."""
    import torch
    from transformers import AutoModelForCausalLM

    if not (checkpoint / "adapter_config.json").is_file():
        return AutoModelForCausalLM.from_pretrained(checkpoint, dtype="auto")
    monkeypatch.setitem(sys.modules, "torchao", None)  # PEFT refuses the version that torchtune needs
    from peft import PeftConfig, PeftModel

    base = PeftConfig.from_pretrained(str(checkpoint)).base_model_name_or_path
    assert base is not None
    whole = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    return PeftModel.from_pretrained(whole, str(checkpoint))


def delta_of(checkpoint: Path, base: Path, name: str) -> Any:
    """The difference of one weight of a whole model from that of its base."""
    from transformers import AutoModelForCausalLM

    weights: list[Any] = []
    for place in (base, checkpoint):
        model: Any = AutoModelForCausalLM.from_pretrained(place, dtype="auto")
        weights.append(model.get_submodule(name).weight.double())
    return weights[1] - weights[0]


def test_an_adapter_of_the_second_epoch_computes_what_was_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    config = configuration(tmp_path, "Batch Size: 2", edits=(FAST,), examples=11)
    trained = train(config)
    checkpoint = Path(config.output_dir) / "epoch_1"
    torch.testing.assert_close(logits(loaded(checkpoint, monkeypatch)), logits_of(trained.session), atol=2e-5, rtol=0)
    files = {path.name for path in checkpoint.iterdir()}
    assert files > {"adapter_config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja"}
    assert [name for name in files if name.endswith(".safetensors")] == ["adapter_model.safetensors"]
    assert finished(config) == ""


def test_the_adapter_has_its_own_folder_and_transformers_loads_the_merged_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After two epochs, and the merged change of a weight has the adapter's rank: it was merged once."""
    import torch

    config = configuration(tmp_path, "Save: merged", "Batch Size: 2", edits=(FAST,), examples=11)
    trained = train(config)
    checkpoint = Path(config.output_dir) / "epoch_1"
    torch.testing.assert_close(logits(loaded(checkpoint, monkeypatch)), logits_of(trained.session), atol=2e-5, rtol=0)
    sizes = torch.linalg.svdvals(delta_of(checkpoint, Path(config.tokenizer.path), "model.layers.0.self_attn.q_proj"))
    assert int((sizes > 1e-4 * sizes[0]).sum()) == 4
    assert not list(checkpoint.glob("adapter_*"))
    assert (checkpoint / "adapter" / "adapter_model.safetensors").is_file()
    assert finished(config) == ""


GEMMA = {"head_dim": 32, "query_pre_attn_scalar": 32, "sliding_window": 512, "hidden_activation": "gelu_pytorch_tanh"}
# A family of Transformers with its settings, and the default of Save.
FAMILIES: list[tuple[str, dict[str, Any], str]] = [
    ("Llama", {"tie_word_embeddings": False}, "adapter"),
    ("Qwen2", {"tie_word_embeddings": True}, "adapter"),
    ("Mistral", {"sliding_window": None}, "adapter"),
    ("Gemma2", GEMMA, "adapter"),
    ("Phi3", {}, "merged"),
    ("Phi3", {"num_key_value_heads": 4}, "merged"),
]


@pytest.mark.parametrize(("family", "settings", "form"), FAMILIES, ids=[f"{row[0]}-{row[2]}" for row in FAMILIES])
def test_checkpoints_of_every_family_compute_what_was_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, family: str, settings: dict[str, Any], form: str
) -> None:
    """The form that is the default for the family; every adapter changes its module a lot, so that each one shows."""
    import torch

    model = build_family_model(tmp_path / MODEL, family, **settings)
    bullets = ("Batch Size: 2", "LoRA Target Modules: q_proj, k_proj, v_proj, output_proj, mlp")
    config = configuration(tmp_path, *bullets, edits=(FAST,), examples=5, model=model)
    assert config.save_adapter_weights_only == (form == "adapter")
    session = set_up(config)
    for name, parameter in session._model.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(parameter, std=0.3)
    session.train()
    session.cleanup()
    checkpoint = Path(config.output_dir) / "epoch_1"
    whole = loaded(checkpoint, monkeypatch)
    torch.testing.assert_close(logits(whole), logits_of(session), atol=5e-4, rtol=1e-3)
    assert finished(config) == ""


def finished(config: Any) -> str:
    """What the job's last check says; empty if it finds nothing."""
    adapter = "stash"
    if config.get("save_adapter_weights_only"):
        adapter = "only"
    path = Path(config.output_dir).parent / "finetune.yaml"
    try:
        torchtune_job.finish(Path(config.output_dir), epochs=config.epochs, adapter=adapter, config=path)
    except JobError as error:
        return str(error)
    return ""


def test_a_base_in_bf16_keeps_adapters_in_fp32_that_learn_at_small_rates(tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load_file

    slow = ("| 3e-4 |", "| 1e-5 |")
    config = configuration(tmp_path, "Precision: bf16", "Batch Size: 2", edits=(slow,), examples=11)
    first = adapters_of(set_up(config))
    trained = train(config)
    live = trained.session._model.state_dict()
    assert {str(tensor.dtype) for name, tensor in live.items() if "lora" not in name} == {"torch.bfloat16"}
    states = trained.session._optimizer.state.values()
    assert {str(state[key].dtype) for state in states for key in ("exp_avg", "exp_avg_sq")} == {"torch.float32"}
    for name, tensor in adapters_of(trained.session).items():
        assert tensor.dtype == torch.float32
        assert (tensor != first[name]).float().mean() > 0.99, name
    saved = load_file(Path(config.output_dir) / "epoch_1" / "adapter_model.safetensors")
    assert {str(tensor.dtype) for tensor in saved.values()} == {"torch.float32"}
    assert finished(config) == ""


def test_an_adapter_on_a_base_in_bf16_has_the_gradients_of_a_plain_one_and_saves_no_copy_of_its_input() -> None:
    import torch
    from torchtune.modules.peft import LoRALinear

    from tunebook.tools.runtime.torchtune_adapters import _put_adapters_in_fp32

    torch.manual_seed(1)
    layer = LoRALinear(8, 6, rank=2, alpha=4).to(torch.bfloat16)
    _put_adapters_in_fp32(layer, seed=14)
    torch.nn.init.normal_(layer.lora_b.weight)
    x = torch.randn(2, 3, 8, dtype=torch.bfloat16, requires_grad=True)
    saved: list[torch.Tensor] = []

    def save(tensor: torch.Tensor) -> torch.Tensor:
        saved.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(save, lambda tensor: tensor):
        out = layer(x)
    wanted = torch.randn_like(out)
    out.backward(wanted)
    assert not [tensor for tensor in saved if tensor.dtype == torch.float32 and tensor.numel() == x.numel()]
    copy = x.detach().requires_grad_()
    down = layer.lora_a.weight.detach().requires_grad_()
    plain = torch.nn.functional.linear(copy, layer.weight)
    plain = (plain + 2 * (copy.float() @ down.T) @ layer.lora_b.weight.T).to(torch.bfloat16)
    plain.backward(wanted)
    torch.testing.assert_close(out, plain, atol=0, rtol=0)
    torch.testing.assert_close(layer.lora_a.weight.grad, down.grad)
    torch.testing.assert_close(x.grad, copy.grad)


def test_activations_that_are_computed_again_change_nothing(tmp_path: Path) -> None:
    """As for large models on a GPU; with dropout, whose random numbers are drawn again."""
    config = configuration(tmp_path, "Batch Size: 2", "LoRA Dropout: 0.2", examples=5)
    plain = train(config)
    config.enable_activation_checkpointing = True
    again = train(config)
    assert again.logged("loss") == plain.logged("loss")
    assert finished(config) == ""


def test_merged_weights_of_a_base_in_bf16_are_in_fp32_and_say_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    config = configuration(tmp_path, "Precision: bf16", "Save: merged", "Batch Size: 2", examples=11)
    trained = train(config)
    checkpoint = Path(config.output_dir) / "epoch_1"
    whole = loaded(checkpoint, monkeypatch)
    assert whole.dtype == torch.float32
    assert finished(config) == ""
    live = trained.session._model.state_dict()
    merged = live["layers.0.attn.v_proj.weight"].float()
    merged += 2 * live["layers.0.attn.v_proj.lora_b.weight"] @ live["layers.0.attn.v_proj.lora_a.weight"]
    assert torch.equal(whole.get_submodule("model.layers.0.self_attn.v_proj").weight, merged)


def test_all_weights_in_bf16_are_saved_in_bf16(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    config = configuration(tmp_path, "Precision: bf16", "Batch Size: 2", edits=FULL, examples=5)
    train(config)
    assert loaded(Path(config.output_dir) / "epoch_1", monkeypatch).dtype == torch.bfloat16
    assert finished(config) == ""


@pytest.mark.parametrize("edits", [(), FULL], ids=["adapters", "all weights"])
def test_a_resumed_training_is_the_whole_one_bit_for_bit(tmp_path: Path, edits: tuple[tuple[str, str], ...]) -> None:
    """With dropout, whose random numbers go on where they were, and with an epoch that ends within an accumulation."""
    bullets = ["Batch Size: 2", "Gradient Accumulation Steps: 2"]
    if not edits:
        bullets.append("LoRA Dropout: 0.2")
    config = configuration(tmp_path, *bullets, edits=edits, examples=11)
    output = Path(config.output_dir)
    whole = train(config)
    expected = {name: tensor.clone() for name, tensor in whole.session._model.state_dict().items()}
    shutil.rmtree(output / "epoch_1")
    (output / "inputs.sha256").write_text("digest")
    path = output.parent / "finetune.yaml"
    recipe, *overrides = torchtune_job.begin(path, inputs="digest", interrupted=True, recipe="ours.py")
    assert (recipe, overrides) == ("ours.py", ["resume_from_checkpoint=True"])
    config.resume_from_checkpoint = True
    resumed = train(config)
    found = resumed.session._model.state_dict()
    assert all(tensor.equal(found[name]) for name, tensor in expected.items())
    assert resumed.logged("loss") == whole.logged("loss")
    assert resumed.logged("lr") == whole.logged("lr")
    assert finished(config) == ""


def test_the_order_of_the_examples_follows_from_the_seed(tmp_path: Path) -> None:
    def orders(place: str, seed: int) -> list[list[int]]:
        (tmp_path / place).mkdir()
        session = set_up(configuration(tmp_path / place, f"Seed: {seed}", examples=11))
        return orders_of(session, 2)

    one, again, other = orders("one", 14), orders("again", 14), orders("other", 15)
    assert one == again
    assert one[0] != one[1]
    assert not {tuple(order) for order in one} & {tuple(order) for order in other}


def test_a_loss_that_is_not_finite_stops_the_training_at_its_step(tmp_path: Path) -> None:
    import torch

    session = set_up(configuration(tmp_path, "Batch Size: 2", examples=11))
    before = adapters_of(session)
    session._loss_step = lambda _: torch.tensor(float("nan"), requires_grad=True)
    with pytest.raises(TrainingError, match="the loss of step 1 is not finite"):
        session.train()
    session.cleanup()
    assert all(tensor.equal(before[name]) for name, tensor in adapters_of(session).items())
    assert not list(Path(session._output_dir).glob("epoch_*"))
