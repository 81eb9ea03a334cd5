"""The beginning and the end of each epoch of a training with TRL: order, validation, proof and checkpoint.

Runs inside the training job, and needs nothing of tunebook but its other job-side modules.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from transformers import TrainerCallback

from tunebook.tools.runtime.answer_loss import mean_answer_loss
from tunebook.tools.runtime.held_out import HeldOut
from tunebook.tools.runtime.proof import begin_proof, record_trained
from tunebook.tools.runtime.trl_checkpoints import mark_state, write_checkpoint
from tunebook.tools.runtime.trl_validation import prove_batch

if TYPE_CHECKING:
    from tunebook.tools.runtime.trl_trainer import PlannedTrainer

__all__ = ["Epochs"]


class Epochs(TrainerCallback):
    """Called by Transformers' trainer."""

    def __init__(self, trainer: PlannedTrainer, held_out: HeldOut) -> None:
        self._trainer = trainer
        self._held_out = held_out

    @property
    def _epochs_done(self) -> int:
        return int(self._trainer.state.global_step) // self._trainer.steps_per_epoch

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        """Compares the loss of the first batch with that of its examples by themselves."""
        trainer = self._trainer
        if trainer.accelerator.is_main_process:
            begin_proof(trainer.settings.output, resumes=trainer.resumes)
        if trainer.resumes or trainer.is_fsdp_enabled:
            return  # FSDP has no whole model in any process that could compute examples by themselves
        # Dropout of several processes must not be the same; a resumed training has its own states.
        if trainer.accelerator.num_processes > 1:
            torch.manual_seed(int(trainer.settings.trl["seed"]) + trainer.accelerator.process_index)
        trainer.set_epoch(0)
        first = next(iter(trainer.get_train_dataloader().batch_sampler))
        prove_batch(trainer, [trainer.train_dataset[index] for index in first], trainer.settings.computed_in)

    def on_epoch_begin(self, *_: Any, **__: Any) -> None:
        """Chooses the order of the examples."""
        self._trainer.set_epoch(self._epochs_done)

    def on_epoch_end(self, args: Any, state: Any, control: Any, **_: Any) -> Any:  # noqa: ARG002  Transformers' names
        """Validates, records the loss as trained, and writes the checkpoint, before TRL saves its state."""
        epoch = self._epochs_done - 1
        self._trainer.validate()
        self._record_loss(epoch)
        write_checkpoint(self._trainer, epoch)
        if epoch + 1 == self._trainer.settings.epochs:
            control.should_save = False  # nothing resumes after the last epoch
        return control

    def _record_loss(self, epoch: int) -> None:
        trainer, examples = self._trainer, self._held_out.examples
        model = trainer.model_wrapped
        model.eval()
        loss, tokens = mean_answer_loss(examples, lambda ids: model(input_ids=ids).logits, trainer.args.device)
        model.train()
        if trainer.accelerator.is_main_process:
            record_trained(
                trainer.settings.output,
                epoch,
                split=self._held_out.split,
                samples=len(examples),
                tokens=tokens,
                loss=loss,
            )

    def on_save(self, *_: Any, **__: Any) -> None:
        """TRL's state is whole now."""
        trainer = self._trainer
        trainer.accelerator.wait_for_everyone()
        if trainer.accelerator.is_main_process:
            mark_state(trainer.settings, epochs=self._epochs_done, step=int(trainer.state.global_step))
