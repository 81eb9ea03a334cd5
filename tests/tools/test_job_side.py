"""The modules that run inside jobs: data, prompts, checks before and after, on the tiny model."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.tiny_model import CHAT_TEMPLATE, build_tiny_model
from tunebook.tools.runtime import torchtune_job

pytestmark = pytest.mark.filterwarnings("ignore")  # Transformers, torchao and torch warn of one another
PAIRS = [{"input": "a {b}", "output": "A"}, {"input": "c", "output": "C"}]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_model(tmp_path_factory.mktemp("model"))


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, Any], Path]:
    def to(name: str, document: Any) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        text = document if isinstance(document, str) else json.dumps(document)
        path.write_text(text)
        return path

    return to


def texts(tokenizer: Any, example: dict[str, list[int]]) -> tuple[str, str]:
    """An example's whole text, and the part that is learnt."""
    learnt = [label for label in example["labels"] if label != -100]
    return tokenizer.decode(example["tokens"]), tokenizer.decode(learnt)


def test_the_loss_is_on_the_answer_only_and_ends_with_the_turn(model: Path, write: Callable[..., Path]) -> None:
    from tunebook.tools.runtime.torchtune_components import chat_tokenizer, dataset

    tokenizer = chat_tokenizer(str(model))
    data = dataset(
        tokenizer, path=str(write("d.json", {"train": PAIRS})), system_prompt="Say {it}", prompt="Word: {input}"
    )
    whole, learnt = texts(tokenizer, data[0])
    assert learnt == "A<|im_end|>"
    assert whole == (
        "<|im_start|>system\nSay {it}<|im_end|>\n<|im_start|>user\nWord: a {b}<|im_end|>\n<|im_start|>assistant\nA<|im_end|>"
    )


def test_an_empty_system_prompt_is_no_message(model: Path, write: Callable[..., Path]) -> None:
    from tunebook.tools.runtime.torchtune_components import chat_tokenizer, dataset

    tokenizer = chat_tokenizer(str(model))
    whole, _ = texts(tokenizer, dataset(tokenizer, path=str(write("d.json", {"train": PAIRS})))[1])
    assert whole == "<|im_start|>user\nc<|im_end|>\n<|im_start|>assistant\nC<|im_end|>"


def test_training_on_input_learns_everything(model: Path, write: Callable[..., Path]) -> None:
    from tunebook.tools.runtime.torchtune_components import chat_tokenizer, dataset

    tokenizer = chat_tokenizer(str(model))
    example = dataset(tokenizer, path=str(write("d.json", {"train": PAIRS})), train_on_input=True)[0]
    assert example["labels"] == example["tokens"]


def test_chats_learn_every_turn_of_the_assistant(model: Path, write: Callable[..., Path]) -> None:
    from tunebook.tools.runtime.torchtune_components import chat_tokenizer, dataset

    turns = [("user", "x"), ("assistant", "X"), ("user", "y"), ("assistant", "Y")]
    record = {"messages": [{"role": role, "content": content} for role, content in turns]}
    tokenizer = chat_tokenizer(str(model))
    data = dataset(tokenizer, path=str(write("d.jsonl", json.dumps(record))), dataset_type="chat", system_prompt="S")
    whole, learnt = texts(tokenizer, data[0])
    assert learnt == "X<|im_end|>Y<|im_end|>"
    assert whole.startswith("<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nx<|im_end|>")


def test_text_completion_learns_all_of_it(model: Path, write: Callable[..., Path]) -> None:
    from tunebook.tools.runtime.torchtune_components import chat_tokenizer, dataset

    tokenizer = chat_tokenizer(str(model))
    data = dataset(tokenizer, path=str(write("d.json", [{"text": "abc"}])), dataset_type="text_completion")
    assert texts(tokenizer, data[0]) == ("<|im_start|>abc<|im_end|>", "<|im_start|>abc<|im_end|>")


def test_an_answer_whose_end_would_be_cut_is_an_error_with_numbers(model: Path, write: Callable[..., Path]) -> None:
    from tunebook.tools.runtime.torchtune_components import chat_tokenizer, dataset

    long = {"input": "long " * 50, "output": "A"}
    path = write("d.json", {"train": [*PAIRS, long, long]})
    with pytest.raises(
        ValueError, match=r"d\.json, train, example 2: 2 examples lose their ends of 4 .* longest has"
    ) as found:
        dataset(chat_tokenizer(str(model), max_seq_len=60), path=str(path))
    longest = int(str(found.value).partition("the longest has ")[2].partition(":")[0])
    assert len(dataset(chat_tokenizer(str(model), max_seq_len=longest), path=str(path))) == 4


def test_a_plain_text_is_cut_with_a_line_in_the_output(
    model: Path, write: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    from tunebook.tools.runtime.torchtune_components import chat_tokenizer, dataset

    path = write("d.json", [{"text": "abc " * 20}, {"text": "a"}])
    data = dataset(chat_tokenizer(str(model), max_seq_len=20), path=str(path), dataset_type="text_completion")
    assert [len(data[index]["tokens"]) for index in range(2)] == [20, 3]
    assert "1 example loses its end of 2 at a maximum sequence length of 20 tokens" in capsys.readouterr().err


def test_packing_fills_sequences(model: Path, write: Callable[..., Path]) -> None:
    from tunebook.tools.runtime.torchtune_components import chat_tokenizer, dataset

    tokenizer = chat_tokenizer(str(model), max_seq_len=128)
    packed = dataset(tokenizer, path=str(write("d.json", {"train": PAIRS * 10})), packed=True)
    assert 1 <= len(packed) < 20
    assert len(packed[0]["tokens"]) == 128


def test_a_template_that_changes_an_answer_stops_the_training(tmp_path: Path, write: Callable[..., Path]) -> None:
    from tunebook.tools.runtime.torchtune_components import chat_tokenizer, dataset

    trimming = CHAT_TEMPLATE.replace("message['content']", "message['content'] | trim")
    tokenizer = chat_tokenizer(str(build_tiny_model(tmp_path / "trimming", chat_template=trimming)))
    path = write("d.json", {"train": [*PAIRS, {"input": "c", "output": " C"}]})
    with pytest.raises(ValueError, match=r"example 2: the chat template changes the answer .' C' becomes 'C"):
        dataset(tokenizer, path=str(path))


def test_of_several_chat_templates_training_uses_the_default_as_evaluation_does(
    tmp_path: Path, write: Callable[..., Path]
) -> None:
    from tunebook.tools.runtime.torchtune_components import chat_tokenizer, dataset

    model = build_tiny_model(tmp_path / "several")
    (model / "chat_template.jinja").unlink()
    settings = json.loads((model / "tokenizer_config.json").read_text())
    tools = {"name": "tool_use", "template": "tools" + CHAT_TEMPLATE}
    settings["chat_template"] = [tools, {"name": "default", "template": CHAT_TEMPLATE}]
    (model / "tokenizer_config.json").write_text(json.dumps(settings))
    tokenizer = chat_tokenizer(str(model))
    whole, learnt = texts(tokenizer, dataset(tokenizer, path=str(write("d.json", {"train": PAIRS})))[1])
    asked = tokenizer.hf.apply_chat_template(
        [{"role": "user", "content": "c"}], tokenize=False, add_generation_prompt=True
    )
    assert (whole, learnt) == (f"{asked}C<|im_end|>", "C<|im_end|>")


def test_a_model_without_a_chat_template_is_asked_as_inspect_asks_it(
    tmp_path: Path, write: Callable[..., Path]
) -> None:
    from tunebook.tools.runtime.torchtune_components import chat_tokenizer, dataset

    tokenizer = chat_tokenizer(str(build_tiny_model(tmp_path / "plain", chat_template=None)))
    data = dataset(tokenizer, path=str(write("d.json", {"train": PAIRS})), system_prompt="S")
    assert texts(tokenizer, data[1]) == ("system: S\nuser: c\nC<|im_end|>", "C<|im_end|>")


def test_learning_rate_schedules() -> None:
    import torch

    from tunebook.tools.runtime.torchtune_components import constant_schedule_with_warmup, linear_schedule_with_warmup

    def rates(schedule: Any) -> list[float]:
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
        scheduler = schedule(optimizer, 2, 6)
        found = []
        for _ in range(6):
            found.append(round(optimizer.param_groups[0]["lr"], 3))
            optimizer.step()
            scheduler.step()
        return found

    assert rates(constant_schedule_with_warmup) == [0.0, 0.5, 1.0, 1.0, 1.0, 1.0]
    assert rates(linear_schedule_with_warmup) == [0.0, 0.5, 1.0, 0.75, 0.5, 0.25]


def test_a_loss_that_is_not_a_number_is_valid_json_and_marked(tmp_path: Path) -> None:
    from tunebook.tools.runtime.torchtune_components import MetricsLogger

    logger = MetricsLogger(str(tmp_path / "out" / "metrics.jsonl"))
    logger.log_dict({"loss": float("nan"), "lr": 0.1}, step=1)
    logger.close()
    entry = json.loads((tmp_path / "out" / "metrics.jsonl").read_text())
    assert (entry["loss"], entry["diverged"], entry["lr"]) == (None, True, 0.1)


def test_metrics_name_the_epoch_from_zero_and_the_steps_of_the_whole_training(
    model: Path, write: Callable[..., Path]
) -> None:
    from omegaconf import OmegaConf

    from tunebook.tools.runtime.torchtune_components import MetricsLogger, chat_tokenizer, dataset

    path = write("metrics.jsonl", "of an earlier training\n")
    logger = MetricsLogger(str(path))
    logger.log_config(OmegaConf.create({"batch_size": 1, "gradient_accumulation_steps": 1, "epochs": 2}))
    dataset(chat_tokenizer(str(model)), path=str(write("d.json", {"train": PAIRS})), prompt="{input}")
    for step in (1, 2, 3, 4):
        logger.log("loss", 1.0, step)
    logger.close()
    entries = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(entry["step"], entry["epoch"], entry["total_steps"]) for entry in entries] == [
        (1, 0, 4),
        (2, 0, 4),
        (3, 1, 4),
        (4, 1, 4),
    ]


def checkpoint(folder: Path, *names: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_text("{}")


def finish(output: Path, epochs: int = 1, adapter: str = "stash") -> int:
    arguments = ["finish", "--output-dir", str(output), "--epochs", str(epochs), "--adapter", adapter]
    return torchtune_job.main(arguments)


def test_adapters_are_moved_once_and_a_second_time_changes_nothing(tmp_path: Path) -> None:
    names = ("model.safetensors", "adapter_model.pt", "adapter_model.safetensors", "adapter_config.json")
    checkpoint(tmp_path / "epoch_0", *names)
    assert finish(tmp_path) == 0
    assert finish(tmp_path) == 0
    assert sorted(path.name for path in (tmp_path / "epoch_0").iterdir()) == ["adapter", "model.safetensors"]
    assert len(list((tmp_path / "epoch_0" / "adapter").iterdir())) == 3


def test_adapters_that_a_resumed_training_wrote_again_take_the_place_of_the_earlier_ones(tmp_path: Path) -> None:
    epoch = tmp_path / "epoch_0"
    checkpoint(epoch, "model.safetensors", "adapter_model.pt")
    assert finish(tmp_path) == 0
    (epoch / "adapter_model.pt").write_text("of the second attempt")
    assert finish(tmp_path) == 0
    assert (epoch / "adapter" / "adapter_model.pt").read_text() == "of the second attempt"
    assert not (epoch / "adapter_model.pt").exists()


def test_a_missing_epoch_no_step_and_divergence_are_failures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint(tmp_path / "epoch_0", "model.safetensors")
    assert finish(tmp_path, epochs=2) == 1
    assert "ended without writing weights to" in capsys.readouterr().err
    (tmp_path / "metrics.jsonl").write_text("")
    assert finish(tmp_path) == 1
    assert "without a single step" in capsys.readouterr().err
    (tmp_path / "metrics.jsonl").write_text('{"step": 3, "loss": null, "diverged": true}\n')
    assert finish(tmp_path) == 1
    assert "training diverged: the loss of step 3" in capsys.readouterr().err


def test_adapters_alone_count_only_where_that_is_wanted(tmp_path: Path) -> None:
    checkpoint(tmp_path / "epoch_0", "adapter_model.pt", "adapter_config.json")
    assert finish(tmp_path) == 1
    assert finish(tmp_path, adapter="only") == 0


@pytest.fixture
def adapter_of_two_layers(tmp_path: Path) -> Path:
    """A configuration of tunebook's recipe whose epoch 0 is an adapter of q_proj in both layers; returns its path."""
    import torch
    from safetensors.torch import save_file

    base = tmp_path / "base"
    base.mkdir()
    (base / "config.json").write_text('{"num_hidden_layers": 2}')
    values = {
        "output_dir": str(tmp_path),
        "stock_recipe": "lora_finetune_single_device",
        "dtype": "bf16",
        "model": {"lora_attn_modules": ["q_proj"], "apply_lora_to_mlp": False, "lora_rank": 2},
        "checkpointer": {"checkpoint_dir": str(base), "checkpoint_files": ["model.safetensors"]},
    }
    (tmp_path / "finetune.yaml").write_text(json.dumps(values))
    (tmp_path / "epoch_0").mkdir()
    tensors = {f"layers.{layer}.{part}": torch.ones(2, 2) for layer in (0, 1) for part in ("lora_A", "lora_B")}
    save_file(tensors, tmp_path / "epoch_0" / "adapter_model.safetensors")
    settings = {"base_model_name_or_path": str(base), "r": 2, "lora_alpha": 4, "target_modules": ["q_proj"]}
    (tmp_path / "epoch_0" / "adapter_config.json").write_text(json.dumps(settings | {"task_type": "CAUSAL_LM"}))
    return tmp_path / "finetune.yaml"


def finish_adapter(config: Path) -> int:
    arguments = ["finish", "--config", str(config), "--output-dir", str(config.parent), "--epochs", "1"]
    return torchtune_job.main([*arguments, "--adapter", "only"])


def test_a_sound_adapter_passes(adapter_of_two_layers: Path) -> None:
    assert finish_adapter(adapter_of_two_layers) == 0


def test_the_state_to_resume_from_is_removed_when_a_training_has_ended(adapter_of_two_layers: Path) -> None:
    config, state = adapter_of_two_layers, adapter_of_two_layers.parent / "recipe_state"
    values = json.loads(config.read_text())
    del values["stock_recipe"]
    config.write_text(json.dumps(values))
    state.mkdir()
    assert finish_adapter(config) == 0
    assert state.exists()
    assert (
        torchtune_job.main(["prove", "--config", str(config), "--output-dir", str(config.parent), "--epochs", "1"]) == 0
    )
    assert not state.exists()


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("a module without adapter", "has 2 tensors, but 2 modules were trained, with two each"),
        ("16 bits", "is not in fp32: layers.0.lora_A"),
        ("not a number", "has values that are not finite: layers.0.lora_A"),
        ("another rank", "is incomplete: base, rank and task are"),
        ("torn weights", "cannot be read"),
        ("no configuration", "adapter_config.json cannot be read"),
    ],
)
def test_an_adapter_that_is_not_what_was_trained_fails_the_job(
    adapter_of_two_layers: Path, capsys: pytest.CaptureFixture[str], fault: str, message: str
) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    folder = adapter_of_two_layers.parent / "epoch_0"
    weights, settings = folder / "adapter_model.safetensors", folder / "adapter_config.json"
    tensors = load_file(weights)
    first = tensors["layers.0.lora_A"]
    if fault == "a module without adapter":
        tensors = {name: tensor for name, tensor in tensors.items() if "layers.0" in name}
    elif fault == "16 bits":
        tensors["layers.0.lora_A"] = first.to(torch.bfloat16)
    elif fault == "not a number":
        tensors["layers.0.lora_A"] = first * float("nan")
    save_file(tensors, weights)
    if fault == "another rank":
        settings.write_text(settings.read_text().replace('"r": 2', '"r": 4'))
    elif fault == "torn weights":
        weights.write_bytes(weights.read_bytes()[:-4])
    elif fault == "no configuration":
        settings.unlink()
    assert finish_adapter(adapter_of_two_layers) == 1
    assert message in capsys.readouterr().err


def test_merged_weights_must_be_complete_and_in_fp32(
    adapter_of_two_layers: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import torch
    from safetensors.torch import save_file

    config = adapter_of_two_layers
    tensors = {"a": torch.ones(2), "b": torch.ones(2)}
    save_file(
        {name: tensor.to(torch.bfloat16) for name, tensor in tensors.items()}, config.parent / "base/model.safetensors"
    )
    arguments = ["finish", "--config", str(config), "--output-dir", str(config.parent), "--epochs", "1"]
    weights = config.parent / "epoch_0" / "model-00001-of-00001.safetensors"
    save_file(tensors, weights)
    assert torchtune_job.main(arguments) == 0
    save_file({"a": tensors["a"]}, weights)
    assert torchtune_job.main(arguments) == 1
    assert "lacks weights of its base: b" in capsys.readouterr().err
    save_file({"a": tensors["a"], "b": tensors["b"].to(torch.bfloat16)}, weights)
    assert torchtune_job.main(arguments) == 1
    assert "are not in F32: b" in capsys.readouterr().err


def test_an_adapter_of_torchtunes_own_recipe_gets_the_name_of_its_base(adapter_of_two_layers: Path) -> None:
    config = adapter_of_two_layers
    values = json.loads(config.read_text())
    del values["stock_recipe"]
    config.write_text(json.dumps(values))
    written = config.parent / "epoch_0" / "adapter_config.json"
    written.write_text('{"r": 2, "lora_alpha": 4, "target_modules": ["q_proj"], "peft_type": "LORA"}')
    assert finish_adapter(config) == 0
    settings = json.loads(written.read_text())
    assert settings["base_model_name_or_path"] == values["checkpointer"]["checkpoint_dir"]
    assert (settings["task_type"], settings["r"]) == ("CAUSAL_LM", 2)


def test_preflight_names_what_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "finetune.yaml"
    config.write_text("checkpointer: {checkpoint_dir: /nowhere, checkpoint_files: [m]}\ndevice: cpu\n")
    assert torchtune_job.main(["preflight", "--config", str(config)]) == 1
    assert capsys.readouterr().err == "tunebook: the model's directory /nowhere was not found\n"
    config.write_text("a: ${b\n")
    assert torchtune_job.main(["preflight", "--config", str(config)]) == 1
    assert "cannot be read" in capsys.readouterr().err


def interrupted_training(output: Path, *, done: int) -> Path:
    """The files of an attempt that was ended in its third epoch, with ``done`` whole checkpoints."""
    import torch

    for epoch in range(3):
        checkpoint(output / f"epoch_{epoch}", "model.safetensors")
    checkpoint(output / f"epoch_{done - 1}" / "adapter", "adapter_model.pt")
    (output / "recipe_state").mkdir()
    torch.save({"epochs_run": done}, output / "recipe_state" / "recipe_state.pt")
    (output / "inputs.sha256").write_text("digest")
    lines = ['{"epoch": 0, "step": 1}', '{"epoch": 0, "st', '{"epoch": 0, "step": 2}', '{"epoch": 1, "step": 3}']
    (output / "metrics.jsonl").write_text("".join(f"{line}\n" for line in lines))
    config = output.parent / "finetune.yaml"
    config.write_text(f"output_dir: {output}\n")
    return config


def begin(config: Path, *more: str, recipe: str = "full_finetune_single_device") -> int:
    return torchtune_job.main(["begin", "--config", str(config), "--recipe", recipe, *more])


def test_a_resumed_training_goes_back_to_its_last_whole_checkpoint(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out"
    config = interrupted_training(output, done=1)
    assert begin(config, "--inputs", "digest", "--interrupted") == 0
    assert "resume_from_checkpoint=True" in capsys.readouterr().out.splitlines()
    assert sorted(path.name for path in output.glob("epoch_*")) == ["epoch_0"]
    assert (output / "epoch_0" / "adapter_model.pt").is_file()
    steps = [json.loads(line)["step"] for line in (output / "metrics.jsonl").read_text().splitlines()]
    assert steps == [1, 2]


@pytest.mark.parametrize(
    "options",
    [("--inputs", "digest"), ("--inputs", "other", "--interrupted"), ("--interrupted",)],
    ids=["not interrupted", "other inputs", "unknown inputs"],
)
def test_a_training_starts_from_scratch_unless_the_same_one_was_interrupted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...]
) -> None:
    output = tmp_path / "out"
    config = interrupted_training(output, done=2)
    assert begin(config, *options) == 0
    assert capsys.readouterr().out == ""
    assert not (output / "recipe_state").exists()
    given = dict(zip(options[::2], options[1::2], strict=False)).get("--inputs", "")
    assert (output / "inputs.sha256").read_text() == given


def test_a_training_without_an_output_directory_yet_starts_from_scratch(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "finetune.yaml"
    config.write_text(f"output_dir: {tmp_path / 'deep' / 'out'}\n")
    for _ in range(2):
        assert begin(config, "--inputs", "digest") == 0
    assert capsys.readouterr().out == ""
    assert (tmp_path / "deep" / "out" / "inputs.sha256").read_text() == "digest"
