"""The components that a torchtune 0.6.1 configuration names: tokenizer, data set, metric logger, schedules.

Runs inside the training job, and needs nothing of tunebook but its other job-side modules.
"""

from __future__ import annotations

import json
import math
import os
import resource
import sys
from array import array
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from torch.optim.lr_scheduler import LambdaLR
from torchtune.datasets import PackedDataset
from torchtune.utils import get_world_size_and_rank

from tunebook.tools.runtime.data_formats import Record
from tunebook.tools.runtime.epoch_steps import steps_per_epoch
from tunebook.tools.runtime.examples import cut_message, example_parts, joint_tokens
from tunebook.tools.runtime.training_data import load_records

__all__ = [
    "ChatTokenizer",
    "MetricsLogger",
    "chat_tokenizer",
    "constant_schedule_with_warmup",
    "dataset",
    "linear_schedule_with_warmup",
    "tokenized_example",
]

_IGNORE = -100
_sizes: dict[str, int] = {}  # examples by split: the logger, which is made before the data set, computes its steps


class ChatTokenizer:
    """A Hugging Face tokenizer with the methods that torchtune's recipes call."""

    def __init__(self, path: str, max_seq_len: int | None = None) -> None:
        from transformers import AutoTokenizer

        self.hf = AutoTokenizer.from_pretrained(path, local_files_only=True)
        if self.hf.eos_token_id is None:
            raise ValueError(f"the tokenizer in {path} has no end-of-text token")
        self.max_seq_len = max_seq_len
        self.eos_id = int(self.hf.eos_token_id)
        self.bos_id = self.hf.bos_token_id
        pad_id = self.hf.pad_token_id
        self.pad_id = self.eos_id if pad_id is None else int(pad_id)

    def encode(self, text: str, *, add_bos: bool = False, add_eos: bool = False) -> list[int]:
        """Returns a text's tokens; special tokens only where the text contains them or an argument requests them."""
        tokens = list(self.hf.encode(text, add_special_tokens=False))
        if add_bos and self.bos_id is not None:
            tokens.insert(0, int(self.bos_id))
        if add_eos:
            tokens.append(self.eos_id)
        return tokens

    def decode(self, tokens: Sequence[int]) -> str:
        """Returns the text of tokens."""
        return str(self.hf.decode(list(tokens)))


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
    records = load_records(Path(path), split, dataset_type)
    limit = tokenizer.max_seq_len
    examples = []
    cut: list[int] = []
    longest = 0
    for number, record in enumerate(records):
        try:
            tokens, labels = tokenized_example(tokenizer, record, system_prompt=system_prompt, prompt=prompt)
        except ValueError as error:
            raise ValueError(f"{path}, {split}, example {number}: {error}") from error
        if train_on_input:
            labels = list(tokens)
        if limit and len(tokens) > limit:
            cut.append(number)
            longest = max(longest, len(tokens))
        examples.append((tokens[:limit], labels[:limit]))
    if cut:
        message = cut_message(len(cut), len(records), limit=limit or 0, longest=longest)
        if dataset_type != "text_completion":
            raise ValueError(f"{path}, {split}, example {cut[0]}: {message}")
        sys.stderr.write(f"tunebook: {path}, {split}: {message}\n")
    ready: Any = _Examples(examples)
    if packed:
        ready = PackedDataset(
            ready, max_seq_len=tokenizer.max_seq_len, split_across_pack=dataset_type == "text_completion"
        )
    _sizes[split] = len(ready)
    return ready


def tokenized_example(
    tokenizer: ChatTokenizer, record: Record, *, system_prompt: str, prompt: str
) -> tuple[list[int], list[int]]:
    """Tokens and labels; the tokens of a prompt are those from which generation starts."""
    parts = example_parts(tokenizer.hf, record, system_prompt=system_prompt, prompt=prompt)
    if "text" in record:
        tokens = tokenizer.encode(record["text"], add_bos=True, add_eos=True)
        return tokens, list(tokens)
    tokens = []
    labels: list[int] = []
    for part, learnt in joint_tokens(tokenizer.encode, parts):
        tokens += part
        labels += part if learnt else [_IGNORE] * len(part)
    return tokens, labels


class MetricsLogger:
    """Writes ``metrics.jsonl``, one JSON object per line, unbuffered; also to Weights & Biases if a project is named.

    Keys: ``step`` (from 1), ``epoch`` (from 0), ``total_steps``, ``loss``, ``lr``, ``tokens_per_second``,
    ``peak_memory_gb`` (of the GPU, or of the process without one), ``time`` (ISO 8601, UTC); validation adds lines with
    ``val_loss``. A loss that is not a finite number is ``null`` with ``"diverged": true``.
    """

    def __init__(
        self,
        path: str,
        wandb_project: str | None = None,
        wandb_entity: str | None = None,
        wandb_run_name: str | None = None,
    ) -> None:
        _, self._rank = get_world_size_and_rank()
        self._path = Path(path)
        self._steps_per_epoch: int | None = None
        self._config: Any = None
        self._wandb: Any = None
        self._file: Any = None
        if self._rank == 0:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            if wandb_project:
                self._wandb = _start_wandb(wandb_project, wandb_entity, wandb_run_name, self._path.parent)

    def log_config(self, config: Any) -> None:
        """Takes the recipe's configuration, which determines the steps per epoch."""
        self._config = config
        if self._rank == 0:
            mode = "a" if config.get("resume_from_checkpoint") else "w"
            self._file = self._path.open(mode, encoding="utf-8")
            if self._wandb:
                from omegaconf import OmegaConf

                self._wandb.config.update(OmegaConf.to_container(config, resolve=True), allow_val_change=True)

    def log(self, name: str, data: Any, step: int) -> None:
        """Logs one scalar of a step."""
        self.log_dict({name: data}, step)

    def log_dict(self, payload: Mapping[str, Any], step: int) -> None:
        """Logs the scalars of a step, counted from 1."""
        if self._rank != 0:
            return
        values: dict[str, Any] = {"step": step, **self._progress(step)}
        for name, data in payload.items():
            values |= _entry(name, float(data))
        values.setdefault("peak_memory_gb", round(_process_peak_gb(), 3))
        values["time"] = datetime.now(UTC).isoformat(timespec="milliseconds")
        if self._file is None:
            self._file = self._path.open("a", encoding="utf-8")
        self._file.write(json.dumps(values) + "\n")
        self._file.flush()
        if self._wandb:
            self._wandb.log({key: value for key, value in values.items() if key != "time"}, step=step)

    def close(self) -> None:
        """Closes the files."""
        if self._file is not None:
            self._file.close()
        if self._wandb:
            self._wandb.finish()

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


def _entry(name: str, value: float) -> dict[str, Any]:
    renamed = {"tokens_per_second_per_gpu": "tokens_per_second", "peak_memory_active": "peak_memory_gb"}
    if not math.isfinite(value):
        return {name: None, "diverged": True}
    return {renamed.get(name, name): value}


def _process_peak_gb() -> float:
    """The largest resident size of this process; Linux counts in KiB, macOS in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    units_per_gb = 2**30 if sys.platform == "darwin" else 2**20
    return peak / units_per_gb


def _start_wandb(project: str, entity: str | None, name: str | None, folder: Path) -> Any:
    try:
        import wandb
    except ImportError:
        sys.stderr.write("tunebook: wandb is not installed here; metrics go to metrics.jsonl only\n")
        return None
    os.environ.setdefault("WANDB_MODE", "offline")
    return wandb.init(project=project, entity=entity, name=name, dir=str(folder))


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
