"""The estimated disk space of checkpoints is that of the files."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.trainings import FULL, configuration, train
from tunebook.api.loading import load_correct
from tunebook.tools.finetuning.disk_space import OTHER_FILES
from tunebook.tools.torchtune.disk_space import checkpoint_bytes

pytestmark = pytest.mark.filterwarnings("ignore")  # Transformers, torchao and torch warn of one another
HEADER = 8_000  # the names of the tensors in a file


@pytest.mark.parametrize(
    ("bullets", "edits", "file"),
    [
        (["LoRA Target Modules: q_proj, k_proj, mlp"], (), "adapter_model.safetensors"),
        (["Save: merged", "Precision: bf16"], (), "model-00001-of-00001.safetensors"),
        (["Precision: bf16"], FULL, "model-00001-of-00001.safetensors"),
    ],
    ids=["adapter", "merged", "all weights"],
)
def test_a_checkpoint_has_the_estimated_size(
    tmp_path: Path, bullets: list[str], edits: tuple[tuple[str, str], ...], file: str
) -> None:
    config = configuration(tmp_path, *bullets, edits=edits, examples=3)
    train(config)
    loaded = load_correct(tmp_path / "experiment")
    estimated = checkpoint_bytes(loaded.context, loaded.context.plan.fine_tuned[0])
    assert estimated is not None
    weights = estimated - OTHER_FILES
    if file != "adapter_model.safetensors":
        adapter = Path(config.output_dir) / "epoch_1" / "adapter" / "adapter_model.safetensors"
        weights -= adapter.stat().st_size - HEADER / 2 if adapter.exists() else 0
    size = (Path(config.output_dir) / "epoch_1" / file).stat().st_size
    assert size == pytest.approx(weights, abs=HEADER)
