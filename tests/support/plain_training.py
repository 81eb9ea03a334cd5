"""A training as a textbook has it: a plain loop over Transformers' model, with LoRA written by hand.

It shares with tunebook's recipe only the tokens, their order, and the first weights of the adapters.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["PlainSettings", "PlainTraining", "adapted_names"]

Example = Mapping[str, Any]

_PLACES = {
    "q_proj": "self_attn.q_proj",
    "k_proj": "self_attn.k_proj",
    "v_proj": "self_attn.v_proj",
    "output_proj": "self_attn.o_proj",
    "w1": "mlp.gate_proj",
    "w2": "mlp.down_proj",
    "w3": "mlp.up_proj",
}


@dataclass(frozen=True, kw_only=True)
class PlainSettings:
    """The settings of a plain training; ``rank`` 0 trains all weights, ``most_steps`` 0 cuts no epoch."""

    batch: int
    accumulation: int
    lr: float
    schedule: str
    warmup: int
    weight_decay: float
    clip: float | None
    most_steps: int
    rank: int
    alpha: float

    def rate(self, step: int, total: int) -> float:
        """The learning rate of a step, counted from zero."""
        if step < self.warmup:
            return self.lr * step / self.warmup
        share = (step - self.warmup) / (total - self.warmup)
        if self.schedule == "cosine":
            return self.lr * (1 + math.cos(math.pi * share)) / 2
        return self.lr * (1 - share) if self.schedule == "linear" else self.lr


def adapted_names(first: Mapping[str, Any]) -> list[str]:
    """Transformers' names of the modules that have an adapter, from torchtune's names of its weights."""
    names = []
    for name in first:
        if name.endswith("lora_a.weight"):
            _, layer, _, module, _, _ = name.split(".")
            names.append(f"model.layers.{layer}.{_PLACES[module]}")
    return names


class PlainTraining:
    """Trains Transformers' model; ``first`` are the adapters' first weights by torchtune's names."""

    def __init__(self, model: Path, settings: PlainSettings, first: Mapping[str, Any]) -> None:
        import torch
        from transformers import AutoModelForCausalLM

        self.model: Any = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
        self.settings = settings
        self.losses: list[float] = []
        self.rates: list[float] = []
        if settings.rank:
            for parameter in self.model.parameters():
                parameter.requires_grad_(False)
            down = [tensor for name, tensor in first.items() if name.endswith("lora_a.weight")]
            for name, weight in zip(adapted_names(first), down, strict=True):
                self._adapt(name, weight)
        self.trained = [parameter for parameter in self.model.parameters() if parameter.requires_grad]

    def _adapt(self, name: str, first: Any) -> None:
        """Adds (α/r) · B · A · x to the output of a linear layer."""
        import torch

        layer = self.model.get_submodule(name)
        layer.lora_a = torch.nn.Parameter(first.clone())
        layer.lora_b = torch.nn.Parameter(torch.zeros(layer.out_features, self.settings.rank))
        scale = self.settings.alpha / self.settings.rank

        def forward(x: Any) -> Any:
            return x @ layer.weight.T + scale * (x @ layer.lora_a.T) @ layer.lora_b.T

        layer.forward = forward

    def run(self, epochs: Sequence[Sequence[Example]]) -> None:
        """Trains on the examples of each epoch, in their order."""
        import torch

        settings = self.settings
        plan = [self._steps_of(examples) for examples in epochs]
        total = sum(map(len, plan))
        optimizer = torch.optim.AdamW(self.trained, lr=settings.lr, weight_decay=settings.weight_decay)
        for batches in (batches for steps in plan for batches in steps):
            rate = settings.rate(len(self.rates), total)
            optimizer.param_groups[0]["lr"] = rate
            optimizer.zero_grad()
            learnt = sum(
                sum(label != -100 for label in example["labels"][1:]) for batch in batches for example in batch
            )
            loss = sum(self._summed_loss(batch) for batch in batches) / learnt
            loss.backward()
            if settings.clip is not None:
                torch.nn.utils.clip_grad_norm_(self.trained, settings.clip)
            optimizer.step()
            self.losses.append(float(loss))
            self.rates.append(rate)

    def _steps_of(self, examples: Sequence[Example]) -> list[list[Sequence[Example]]]:
        """The batches of each step of one epoch."""
        size, count = self.settings.batch, self.settings.accumulation
        batches = [examples[start : start + size] for start in range(0, len(examples), size)]
        steps = [batches[start : start + count] for start in range(0, len(batches), count)]
        return steps[: self.settings.most_steps or None]

    def _summed_loss(self, batch: Sequence[Example]) -> Any:
        """The summed loss of one batch; examples are computed one by one, so that there is no padding."""
        import torch

        total: Any = 0
        for example in batch:
            logits = self.model(torch.tensor([example["tokens"]])).logits[0, :-1]
            labels = torch.tensor(example["labels"][1:])
            total = total + torch.nn.functional.cross_entropy(logits, labels, ignore_index=-100, reduction="sum")
        return total
