"""The same settings trained with TRL and with torchtune: the same tokens, order, steps and curve."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.tiny_model import MODEL
from support.trainings import configuration, train
from support.trl_trainings import logged, sft_settings, trained_with_trl

pytestmark = pytest.mark.filterwarnings("ignore")  # Transformers, PEFT, torchao and torch warn of one another


@pytest.mark.parametrize("packed", [False, True], ids=["padded", "packed"])
def test_both_tools_train_the_same(tmp_path: Path, packed: bool) -> None:
    """In fp32. The first adapters follow from the seed alone, and are the same too."""
    bullets = ["Batch Size: 2", "Gradient Accumulation Steps: 2", "Warmup Steps: 1", "Max Sequence Length: 128"]
    edits = [("| 3e-4 |", "| 1e-2 |"), ("Validation During Training:** no", "Validation During Training:** yes")]
    if packed:
        edits.append(("- **Dataset Packing:** no", "- **Dataset Packing:** yes"))
    config = configuration(tmp_path, *bullets, edits=tuple(edits), examples=19)
    settings = sft_settings(
        tmp_path / "trl",
        tmp_path / MODEL,
        gradient_accumulation_steps=2,
        warmup_steps=1,
        eval_strategy="epoch",
        max_length=128,
        data__path=config.dataset.path,
        data__prompt=config.dataset.prompt,
        data__system_prompt=config.dataset.system_prompt,
        data__packed=packed,
    )
    trained_with_trl(settings)
    trained = train(config)
    both = [trained.logged("loss"), [entry["loss"] for entry in logged(settings)]]
    assert both[1][0] == pytest.approx(both[0][0], abs=1e-5)
    assert both[1] == pytest.approx(both[0], abs=1e-4)
    assert [entry["lr"] for entry in logged(settings)] == pytest.approx(trained.logged("lr"), abs=1e-9)
    validated = [entry["val_loss"] for entry in logged(settings, "val_loss")]
    assert validated == pytest.approx(trained.logged("val_loss"), abs=1e-4)
