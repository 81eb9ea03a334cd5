"""A training fails unless evaluations load the model that it trained: real trainings, and checkpoints with a fault."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.trainings import FULL, configuration, train
from tunebook.tools.runtime import torchtune_job
from tunebook.tools.runtime.held_out import held_out_examples
from tunebook.tools.runtime.job_errors import JobError
from tunebook.tools.runtime.proof import read_proof
from tunebook.tools.runtime.tokenized_data import ChatTokenizer

pytestmark = pytest.mark.filterwarnings("ignore")  # Transformers, torchao and torch warn of one another

FAST = ("| 3e-4 |", "| 1e-2 |")


def proved(config: Any) -> list[dict[str, Any]]:
    """The entries after the training's job has compared the losses."""
    output = Path(config.output_dir)
    torchtune_job.prove(output.parent / "finetune.yaml", output, epochs=config.epochs)
    return read_proof(output)


@pytest.mark.parametrize(
    ("bullets", "edits", "precision"),
    [
        (["Precision: fp32"], (FAST,), "fp32"),
        (["Precision: fp32", "Save: merged"], (FAST,), "fp32"),
        (["Precision: fp32"], FULL, "fp32"),
        (["Precision: bf16"], (FAST,), "bf16"),
        (["Precision: bf16", "Save: merged"], (FAST,), "fp32"),
    ],
    ids=["adapter", "merged", "all weights", "adapter on bf16", "merged from bf16"],
)
def test_both_losses_are_recorded_for_every_epoch_and_agree(
    tmp_path: Path, bullets: list[str], edits: tuple[tuple[str, str], ...], precision: str
) -> None:
    config = configuration(tmp_path, *bullets, edits=edits)
    train(config)
    entries = proved(config)
    assert [entry["epoch"] for entry in entries] == [0, 1]
    for entry in entries:
        assert (entry["split"], entry["precision"]) == ("validation", precision)
        difference = abs(entry["evaluated"] - entry["trained"])
        assert difference <= entry["tolerance"]
        if "bf16" not in bullets[0]:
            assert difference < 1e-5


def _without_adapter(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    file = folder / "adapter_model.safetensors"
    zero = {name: tensor * 0 if "lora_B" in name else tensor for name, tensor in load_file(file).items()}
    save_file(zero, file)


def _scaled(folder: Path) -> None:
    """The adapter with another alpha, as if its scale were applied twice."""
    file = folder / "adapter_config.json"
    text = file.read_text()
    assert '"lora_alpha": 8' in text
    file.write_text(text.replace('"lora_alpha": 8', '"lora_alpha": 16'))


@pytest.mark.parametrize("fault", [_without_adapter, _scaled])
def test_a_checkpoint_that_is_another_model_fails_the_training(tmp_path: Path, fault: Callable[[Path], None]) -> None:
    config = configuration(tmp_path, "Precision: fp32", edits=(FAST,))
    train(config)
    fault(Path(config.output_dir) / "epoch_1")
    with pytest.raises(JobError, match="another model than the one that was trained: epoch 1: the mean"):
        proved(config)


def test_the_proof_draws_no_random_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Training is the same with it and without it, dropout included."""
    from tunebook.tools.runtime import torchtune_proof

    bullets = ["Precision: fp32", "LoRA Dropout: 0.2"]
    config = configuration(tmp_path, *bullets, edits=(FAST,))
    with_proof = train(config)
    monkeypatch.setattr(torchtune_proof, "mean_answer_loss", lambda *_: (1.0, 1))
    without = train(config)
    assert with_proof.logged("loss") == without.logged("loss")


def test_examples_are_held_out_if_the_data_has_any(tmp_path: Path) -> None:
    import json

    config = configuration(tmp_path)
    tokenizer = ChatTokenizer(config.tokenizer.path)
    path = Path(config.dataset.path)
    data = json.loads(path.read_text())
    assert held_out_examples(tokenizer, config.dataset).split == "validation"
    del data["validation"]
    path.write_text(json.dumps(data))
    assert held_out_examples(tokenizer, config.dataset).split == "test"
    data["test"] = [{"question": "not as in training"}]
    path.write_text(json.dumps(data))
    assert held_out_examples(tokenizer, config.dataset).split == "train"
