"""The same settings trained with TRL and with torchtune: the same tokens, order, steps and curve."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from support.tiny_model import MODEL
from support.trainings import configuration, train
from support.trl_trainings import logged, sft_settings

pytestmark = pytest.mark.filterwarnings("ignore")  # Transformers, PEFT, torchao and torch warn of one another


@pytest.mark.parametrize("packed", [False, True], ids=["padded", "packed"])
def test_both_tools_train_the_same(tmp_path: Path, packed: bool) -> None:
    """In fp32, from the same first adapters."""
    from tunebook.tools.runtime.torchtune_recipe import recipe_class

    bullets = ["Batch Size: 2", "Gradient Accumulation Steps: 2", "Warmup Steps: 1", "Max Sequence Length: 128"]
    edits = [("| 3e-4 |", "| 1e-2 |"), ("Validation During Training:** no", "Validation During Training:** yes")]
    if packed:
        edits.append(("- **Dataset Packing:** no", "- **Dataset Packing:** yes"))
    config = configuration(tmp_path, *bullets, edits=tuple(edits), examples=19)
    begun = recipe_class(config.stock_recipe)(cfg=config)
    begun.setup(cfg=config)
    first = {name: tensor.detach().clone() for name, tensor in begun._model.state_dict().items() if "lora_a" in name}
    begun.cleanup()
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
    other = trained_from(settings, first)
    trained = train(config)
    both = [trained.logged("loss"), [entry["loss"] for entry in logged(settings)]]
    assert both[1][0] == pytest.approx(both[0][0], abs=1e-5)
    assert both[1] == pytest.approx(both[0], abs=1e-3)
    assert [entry["lr"] for entry in logged(settings)] == pytest.approx(trained.logged("lr"), abs=1e-9)
    validated = [entry["val_loss"] for entry in logged(settings, "val_loss")]
    assert validated == pytest.approx(trained.logged("val_loss"), abs=1e-3)
    assert other.state.global_step == len(both[0])


def trained_from(settings: Any, first: dict[str, Any]) -> Any:
    """The trainer after its training from torchtune's first adapters."""
    from tunebook.tools.deep.plain_training import adapted_places
    from tunebook.tools.runtime.trl_training import set_up
    from tunebook.tools.runtime.trl_training import train as train_with_trl

    trainer = set_up(settings)
    live = trainer.model.state_dict()
    for name, place in adapted_places(first, trainer.model.get_base_model()).items():
        live[f"base_model.model.{place.module}.lora_A.default.weight"].copy_(first[f"{name}.lora_a.weight"])
    train_with_trl(trainer)
    return trainer
