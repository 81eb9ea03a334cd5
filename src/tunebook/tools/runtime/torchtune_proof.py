"""The proof for trainings with tunebook's torchtune recipe: the losses as trained, and as evaluations load them.

Runs inside the training job, and needs nothing of tunebook but its other job-side modules.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tunebook.tools.runtime.answer_loss import mean_answer_loss
from tunebook.tools.runtime.checkpoint_files import checkpoint_precision
from tunebook.tools.runtime.held_out import TrainedAs, compare_losses, held_out_examples
from tunebook.tools.runtime.proof import begin_proof, record_trained
from tunebook.tools.runtime.torchtune_loop import TrainingLoop

__all__ = ["LossAsTrained", "prove"]


class LossAsTrained(TrainingLoop):
    """Records the loss of the held-out answers before each checkpoint is written: a resumed training has it too."""

    def setup(self, cfg: Any) -> None:
        """Sets the recipe up, and tokenizes the examples."""
        made: Any = super()
        made.setup(cfg)
        self._output = Path(cfg.output_dir)
        self._held_out = held_out_examples(self._tokenizer, cfg.dataset)
        begin_proof(self._output, resumes=bool(cfg.resume_from_checkpoint))

    def save_checkpoint(self, epoch: int) -> None:
        """Records the loss, and writes the checkpoint."""
        self._model.eval()
        loss, tokens = mean_answer_loss(self._held_out.examples, self._model, self._device)
        self._model.train()
        samples = len(self._held_out.examples)
        record_trained(self._output, epoch, split=self._held_out.split, samples=samples, tokens=tokens, loss=loss)
        made: Any = super()
        made.save_checkpoint(epoch)


def prove(values: Mapping[str, Any], output: Path, *, epochs: int) -> str:
    """Compares the losses of each epoch; see :func:`compare_losses`.

    Args:
        values: the recipe's configuration.
    """
    device = "cpu"
    if values["device"] == "cuda":
        device = "cuda:0"
    trained = TrainedAs(
        data=values["dataset"],
        base=Path(values["checkpointer"]["checkpoint_dir"]),
        max_seq_len=values["tokenizer"].get("max_seq_len"),
        precision=checkpoint_precision(values),
        trained_in=str(values["dtype"]),
        device=device,
    )
    return compare_losses(trained, output, epochs=epochs)
