"""TRL's trainer with tunebook's batches, optimizer, log and checks of each step.

Runs inside the training job, and needs nothing of tunebook but its other job-side modules.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import torch
from torch.utils.data import DataLoader
from transformers import TrainerCallback
from trl.trainer.sft_trainer import SFTTrainer

from tunebook.tools.runtime.example_order import EpochOrder
from tunebook.tools.runtime.job_errors import TrainingError
from tunebook.tools.runtime.metrics_file import MetricsFile
from tunebook.tools.runtime.trl_data import EpochBatches
from tunebook.tools.runtime.trl_settings import Settings
from tunebook.tools.runtime.trl_validation import Validation

__all__ = ["PlannedTrainer"]

Batch = dict[str, torch.Tensor]


class PlannedTrainer(SFTTrainer):
    """Trains on every example of an epoch exactly once, in the order that follows from seed and epoch.

    Args:
        metrics: gets a line after each step that is logged.
        validation: of the validation split; ``None`` without one.
        given: the other arguments of TRL's trainer.
    """

    model: Any
    optimizer: Any
    train_dataset: Any

    def __init__(
        self, settings: Settings, *, metrics: MetricsFile, validation: Validation | None, **given: Any
    ) -> None:
        first = {name: kept.detach().clone() for name, kept in given["model"].named_parameters() if kept.requires_grad}
        super().__init__(**given)
        self.settings = settings
        self.metrics = metrics
        self.validation = validation
        self.resumes = False
        self.model_accepts_loss_kwargs = True  # so that the loss is the mean over all learnt tokens of a step
        self._restore_adapters(first)
        self.add_callback(_StepCheck(self))
        self._batches = self._epoch_batches()
        self._learnt = 0
        self._started = 0.0
        self._step_loss = torch.zeros(())

    def _restore_adapters(self, first: Mapping[str, torch.Tensor]) -> None:
        """TRL rounds the adapters of quantized models to bf16, in which they also hardly learn at small rates."""
        if not self.settings.trains_adapters:
            return
        for name, parameter in self.model.named_parameters():
            if parameter.requires_grad:
                parameter.data = first[name].to(parameter.device)

    def _epoch_batches(self) -> EpochBatches:
        values = self.settings.trl
        most = self.settings.own["max_steps_per_epoch"]
        order = EpochOrder(self.train_dataset, seed=int(values["data_seed"]), shuffle=True)
        return EpochBatches(
            order,
            batch_size=int(values["per_device_train_batch_size"]),
            rank=self.accelerator.process_index,
            processes=self.accelerator.num_processes,
            most=most and most * int(values["gradient_accumulation_steps"]),
        )

    @property
    def steps_per_epoch(self) -> int:
        """The optimizer steps of an epoch: the last one may have fewer batches."""
        return -(-len(self._batches) // int(self.settings.trl["gradient_accumulation_steps"]))

    def progress(self, step: int) -> dict[str, int]:
        """What each line of the metrics says about its step, counted from 1."""
        return {
            "epoch": (step - 1) // self.steps_per_epoch,
            "total_steps": self.steps_per_epoch * self.settings.epochs,
        }

    def set_epoch(self, epoch: int) -> None:
        """Chooses the order of the epoch, counted from zero."""
        self._batches.order.set_epoch(epoch)

    def get_train_dataloader(self) -> Any:
        """The loader of this process' batches; Accelerate would repeat examples where its processes have none left."""
        return DataLoader(
            self.train_dataset,
            batch_sampler=self._batches,
            collate_fn=self.data_collator,
            generator=torch.Generator(),  # otherwise every epoch would draw one of dropout's random numbers
        )

    def create_optimizer(self, model: Any = None) -> Any:
        """The optimizer of all trained parameters; Transformers' own would exempt norms and biases from the decay."""
        if self.optimizer is None:
            chosen = model
            if chosen is None:
                chosen = self.model
            trained = [parameter for parameter in chosen.parameters() if parameter.requires_grad]
            self.optimizer = _optimizer_class(self.settings)(trained)
        return self.optimizer

    def get_batch_samples(self, epoch_iterator: Iterator[Batch], num_batches: int, device: Any) -> Any:
        """The batches of the next step, with the number of their learnt tokens on all devices."""
        self._started = time.perf_counter()
        self._step_loss = torch.zeros((), device=device)
        batches, learnt = super().get_batch_samples(epoch_iterator, num_batches, device)
        self._learnt = int(learnt or 0)
        if not self._learnt:
            step = self.state.global_step + 1
            raise TrainingError(f"step {step} has no token to learn: its examples have no answer")
        return batches, learnt

    def training_step(self, *args: Any, **options: Any) -> torch.Tensor:
        """Adds a batch's share to the loss of the step."""
        made: Any = super()
        loss: torch.Tensor = made.training_step(*args, **options)
        self._step_loss += loss
        return loss

    def check_step(self) -> None:
        """Called before each change of the weights.

        Raises:
            TrainingError: the loss is not finite.
        """
        loss = float(self.accelerator.reduce(self._step_loss, reduction="mean"))
        if math.isfinite(loss):
            return
        step = self.state.global_step + 1
        rate = self.optimizer.param_groups[0]["lr"]
        self.metrics.write(step, self.progress(step), {"loss": loss, "lr": rate})
        raise TrainingError(f"training diverged: the loss of step {step} is not finite")

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Called after each step: writes its line, and validates where that is due."""
        del start_time
        for kept in self._metrics.values():  # what TRL computes beside the loss; it is not logged
            kept.clear()
        if "loss" not in logs:
            return  # the summary at the end
        step = self.state.global_step
        progress = self.progress(step)
        if step % int(self.settings.trl["logging_steps"]) == 0 or step == progress["total_steps"]:
            self.metrics.write(step, progress, self._measured(logs))
            if self.accelerator.is_main_process:
                place = f"epoch {progress['epoch']}, step {step} of {progress['total_steps']}"
                sys.stdout.write(f"{place}: loss {logs['loss']:.4f}\n")
        every = self.settings.trl["eval_steps"]
        if every and step % every == 0:
            self.validate()

    def _measured(self, logs: Mapping[str, float]) -> dict[str, float]:
        measured = {"loss": logs["loss"], "lr": logs["learning_rate"], "grad_norm": logs["grad_norm"]}
        measured["tokens_per_second"] = self._learnt / (time.perf_counter() - self._started)
        if self.args.device.type == "cuda":
            measured["peak_memory_gb"] = torch.cuda.max_memory_allocated() / 2**30
        return measured

    def validate(self) -> None:
        """Logs the validation loss, at most once per step."""
        step = self.state.global_step
        if self.validation is not None and self.validation.is_due(step):
            loss = self.validation.loss(self)
            self.metrics.write(step, self.progress(step), {"val_loss": loss})


class _StepCheck(TrainerCallback):
    """Transformers' hook between the gradients and the change of the weights."""

    def __init__(self, trainer: PlannedTrainer) -> None:
        self._trainer = trainer

    def on_pre_optimizer_step(self, *_: Any, **__: Any) -> None:
        """Checks the step."""
        self._trainer.check_step()


def _optimizer_class(settings: Settings) -> Any:
    values = settings.trl
    common: dict[str, Any] = {"lr": float(values["learning_rate"]), "weight_decay": float(values["weight_decay"])}
    if values["optim"] == "sgd":
        return partial(torch.optim.SGD, **common)
    betas = (float(values["adam_beta1"]), float(values["adam_beta2"]))
    fused = values["optim"] == "adamw_torch_fused"
    return partial(torch.optim.AdamW, betas=betas, eps=float(values["adam_epsilon"]), fused=fused, **common)
