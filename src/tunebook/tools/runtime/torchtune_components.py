"""The components that a torchtune 0.6.1 configuration names: tokenizer, data set, metric logger, schedules.

Runs inside the training job, and needs nothing of tunebook but its other job-side modules.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.optim.lr_scheduler import LambdaLR
from torchtune.datasets import PackedDataset
from torchtune.utils import get_world_size_and_rank

from tunebook.tools.runtime.epoch_steps import steps_per_epoch
from tunebook.tools.runtime.metrics_file import MetricsFile
from tunebook.tools.runtime.tokenized_data import ChatTokenizer, tokenized_split

__all__ = [
    "MetricsLogger",
    "chat_tokenizer",
    "constant_schedule_with_warmup",
    "dataset",
    "linear_schedule_with_warmup",
]

_sizes: dict[str, int] = {}  # examples by split: the logger, which is made before the data set, computes its steps


def chat_tokenizer(path: str, max_seq_len: int | None = None) -> ChatTokenizer:
    """Loads the tokenizer in a model's directory; ``max_seq_len`` is in tokens."""
    return ChatTokenizer(path, max_seq_len)


class _Examples(torch.utils.data.Dataset[dict[str, Any]]):
    """Tokenized examples: ``tokens`` and ``labels`` of equal length; the label ``-100`` is ignored by the loss.

    All are tokenized at the start, so that an unusable example ends the job in its first minute.
    """

    def __init__(self, examples: Sequence[tuple[list[int], list[int]]]) -> None:
        self._examples = [(array("q", tokens), array("q", labels)) for tokens, labels in examples]

    def __len__(self) -> int:
        return len(self._examples)

    def __getitem__(self, index: int) -> dict[str, Any]:
        tokens, labels = self._examples[index]
        return {"tokens": list(tokens), "labels": list(labels)}


def dataset(
    tokenizer: ChatTokenizer,
    *,
    path: str,
    split: str = "train",
    dataset_type: str = "instruct",
    system_prompt: str = "",
    prompt: str = "{input}",
    train_on_input: bool = False,
    packed: bool = False,
) -> Any:
    """Tokenizes one split of a data set, with the loss on the answers only unless ``train_on_input``.

    Raises:
        ValueError: the data cannot be read or used; the message names file, split and example.
    """
    data = {
        "path": path,
        "dataset_type": dataset_type,
        "system_prompt": system_prompt,
        "prompt": prompt,
        "train_on_input": train_on_input,
    }
    examples = tokenized_split(tokenizer, data, split)
    ready: Any = _Examples(examples)
    if packed:
        ready = PackedDataset(
            ready, max_seq_len=tokenizer.max_seq_len, split_across_pack=dataset_type == "text_completion"
        )
    _sizes[split] = len(ready)
    return ready


class MetricsLogger:
    """torchtune's interface to ``metrics.jsonl`` and Weights & Biases; see :class:`MetricsFile`."""

    def __init__(
        self,
        path: str,
        wandb_project: str | None = None,
        wandb_entity: str | None = None,
        wandb_run_name: str | None = None,
    ) -> None:
        _, self._rank = get_world_size_and_rank()
        self._steps_per_epoch: int | None = None
        self._config: Any = None
        self._project = wandb_project
        self._file = MetricsFile(
            Path(path),
            is_written=self._rank == 0,
            project=wandb_project,
            entity=wandb_entity,
            run_name=wandb_run_name,
        )

    def log_config(self, config: Any) -> None:
        """Takes the recipe's configuration, which determines the steps per epoch."""
        self._config = config
        values: Any = {}
        if self._project:
            from omegaconf import OmegaConf

            values = OmegaConf.to_container(config, resolve=True)
        self._file.begin(resumes=bool(config.get("resume_from_checkpoint")), settings=values)

    def log(self, name: str, data: Any, step: int) -> None:
        """Logs one scalar of a step."""
        self.log_dict({name: data}, step)

    def log_dict(self, payload: Mapping[str, Any], step: int) -> None:
        """Logs the scalars of a step, counted from 1."""
        self._file.write(step, self._progress(step), payload)

    def close(self) -> None:
        """Closes the files."""
        self._file.close()

    def _progress(self, step: int) -> dict[str, int]:
        """Epoch and total steps."""
        if self._steps_per_epoch is None and self._config is not None and "train" in _sizes:
            self._steps_per_epoch = steps_per_epoch(
                _sizes["train"],
                batch_size=self._config.batch_size,
                accumulation=self._config.gradient_accumulation_steps,
                gpus=get_world_size_and_rank()[0],
                max_steps=self._config.get("max_steps_per_epoch"),
                drops_last="stock_recipe" not in self._config,  # only tunebook's recipe has the key
            )
        if not self._steps_per_epoch:
            return {}
        return {
            "epoch": (step - 1) // self._steps_per_epoch,
            "total_steps": self._steps_per_epoch * self._config.epochs,
        }


def constant_schedule_with_warmup(
    optimizer: torch.optim.Optimizer, num_warmup_steps: int, num_training_steps: int, last_epoch: int = -1
) -> LambdaLR:
    """Rises linearly from 0 over the warm-up, then stays constant."""
    del num_training_steps  # the recipes pass it to every schedule

    def factor(step: int) -> float:
        return 1.0 if step >= num_warmup_steps else step / num_warmup_steps

    return LambdaLR(optimizer, factor, last_epoch)


def linear_schedule_with_warmup(
    optimizer: torch.optim.Optimizer, num_warmup_steps: int, num_training_steps: int, last_epoch: int = -1
) -> LambdaLR:
    """Rises linearly from 0 over the warm-up, then falls linearly to 0 at the last step."""

    def factor(step: int) -> float:
        if step < num_warmup_steps:
            return step / max(1, num_warmup_steps)
        return max(0.0, (num_training_steps - step) / max(1, num_training_steps - num_warmup_steps))

    return LambdaLR(optimizer, factor, last_epoch)
