"""The training loop of tunebook's recipe: order of the examples, optimizer steps, and what is logged of each step.

A base class in front of torchtune 0.6.1's recipe for one device. Its own loop drops the last incomplete batch, carries
the gradients of an incomplete accumulation into the next epoch, shuffles with the seed 0, and logs the learning rate of
the next step. Runs inside the training job, and needs nothing of tunebook but its other job-side modules.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice
from typing import Any

import torch
from torch.utils.data import DataLoader
from torchtune import config, training, utils
from torchtune.config._utils import _get_component_from_path
from torchtune.data import padded_collate_packed
from tqdm import tqdm  # type: ignore[import-untyped]

from tunebook.tools.runtime.epoch_steps import steps_per_epoch
from tunebook.tools.runtime.example_order import EpochOrder
from tunebook.tools.runtime.job_errors import TrainingError

__all__ = ["TrainingLoop"]

Batch = dict[str, torch.Tensor]


class TrainingLoop:
    """Trains on every example of an epoch exactly once; see :func:`steps_per_epoch`.

    Of the recipe that it extends it uses the attributes that are declared here.
    """

    seed: int
    epochs_run: int
    total_epochs: int
    global_step: int
    max_steps_per_epoch: int | None
    ignore_labels_cache: torch.Tensor
    _clip_grad_norm: float | None
    _dataloader: Any
    _device: torch.device
    _gradient_accumulation_steps: int
    _log_every_n_steps: int
    _log_peak_memory_stats: bool
    _loss_fn: Any
    _lr_scheduler: Any
    _metric_logger: Any
    _model: Any
    _optimizer: Any
    _steps_per_epoch: int
    _tokenizer: Any
    _loss_step: Callable[[Batch], torch.Tensor]
    save_checkpoint: Callable[[int], None]

    def _setup_data(
        self,
        cfg_dataset: Any,
        shuffle: bool,  # noqa: FBT001  torchtune's signature
        batch_size: int,
        collate_fn: str,
        dataloader_state_dict: Any = None,
    ) -> Any:
        """Makes the loader of the training examples, with an order of our own and with the last incomplete batch."""
        del dataloader_state_dict  # the order follows from seed and epoch
        examples = config.instantiate(cfg_dataset, self._tokenizer)
        collate: Any = padded_collate_packed
        if not cfg_dataset.get("packed", False):
            component = _get_component_from_path(collate_fn)
            ignored = self._loss_fn.ignore_index
            collate = partial(component, padding_idx=self._tokenizer.pad_id, ignore_idx=ignored)
        return DataLoader(
            examples,
            batch_size=batch_size,
            sampler=EpochOrder(examples, seed=self.seed, shuffle=shuffle),
            collate_fn=collate,
            generator=torch.Generator(),  # otherwise every epoch would draw one of dropout's random numbers
        )

    def _setup_lr_scheduler(self, cfg_lr_scheduler: Any, num_training_steps: int, last_epoch: int) -> Any:
        """Makes the schedule over the steps that this loop makes, from the first step after those of a resumed run."""
        del num_training_steps, last_epoch
        self._steps_per_epoch = steps_per_epoch(
            len(self._dataloader.dataset),
            batch_size=self._dataloader.batch_size,
            accumulation=self._gradient_accumulation_steps,
            max_steps=self.max_steps_per_epoch,
        )
        self.global_step = self.epochs_run * self._steps_per_epoch
        made: Any = super()
        return made._setup_lr_scheduler(  # noqa: SLF001  torchtune's recipe has no other hook
            cfg_lr_scheduler=cfg_lr_scheduler,
            num_training_steps=self.total_epochs * self._steps_per_epoch,
            last_epoch=self.global_step - 1,
        )

    def train(self) -> None:
        """Trains the epochs that are left, and writes a checkpoint after each.

        Raises:
            TrainingError: a loss is not finite, or a step has nothing to learn.
        """
        for epoch in range(self.epochs_run, self.total_epochs):
            self._train_epoch(epoch)
            self.epochs_run += 1
            self.validate()
            self.save_checkpoint(epoch)

    def validate(self) -> None:
        """Called after every epoch, before its checkpoint is written."""

    def after_step(self) -> None:
        """Called after every optimizer step."""

    def _train_epoch(self, epoch: int) -> None:
        self._dataloader.sampler.set_epoch(epoch)
        self._optimizer.zero_grad(set_to_none=True)
        batches = iter(self._dataloader)
        with tqdm(total=self._steps_per_epoch) as bar:
            for _ in range(self._steps_per_epoch):
                started = time.perf_counter()
                loss = self._take_step(list(islice(batches, self._gradient_accumulation_steps)), started)
                bar.update(1)
                bar.set_description(f"{epoch + 1}|{self.global_step}|Loss: {loss}")
                self.after_step()

    def _take_step(self, batches: Sequence[Batch], started: float) -> float:
        """Makes one optimizer step of these batches, and returns the mean loss of its learnt tokens."""
        self.global_step += 1
        counts = [self.learnt_tokens(batch) for batch in batches]
        tokens = sum(counts)
        if not tokens:
            raise TrainingError(f"step {self.global_step} has no token to learn: its examples have no answer")
        loss = self._accumulate_gradients(batches, counts)
        measured = {"loss": loss, "lr": self._optimizer.param_groups[0]["lr"]}
        if not math.isfinite(loss):
            self._metric_logger.log_dict(measured, step=self.global_step)
            raise TrainingError(f"training diverged: the loss of step {self.global_step} is not finite")
        if self._clip_grad_norm is not None:
            norm = torch.nn.utils.clip_grad_norm_(self._model.parameters(), max_norm=float(self._clip_grad_norm))
            measured["grad_norm"] = norm
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        self._lr_scheduler.step()
        self._log_step(measured, tokens=tokens, started=started)
        return loss

    def learnt_tokens(self, batch: Batch) -> int:
        """How many labels enter the loss; that of the first position has no token before it that could predict it."""
        return int((batch["labels"][..., 1:] != self._loss_fn.ignore_index).sum())

    def _accumulate_gradients(self, batches: Sequence[Batch], counts: Sequence[int]) -> float:
        """Computes the gradients of the mean loss over all learnt tokens of these batches, and returns that loss."""
        tokens = sum(counts)
        total = torch.zeros((), device=self._device)
        for batch, count in zip(batches, counts, strict=True):
            if not count:
                continue  # its mean would be 0 / 0
            utils.batch_to_device(batch, self._device)
            loss = self._loss_step(batch) * (count / tokens)
            loss.backward()  # type: ignore[no-untyped-call]  # as torch declares it
            total += loss.detach()
        return float(total)

    def _log_step(self, measured: dict[str, Any], *, tokens: int, started: float) -> None:
        is_last = self.global_step == self.total_epochs * self._steps_per_epoch
        if self.global_step % self._log_every_n_steps and not is_last:
            return
        measured["tokens_per_second_per_gpu"] = tokens / (time.perf_counter() - started)
        if self._log_peak_memory_stats:
            measured |= training.get_memory_stats(device=self._device)
        self._metric_logger.log_dict(measured, step=self.global_step)
