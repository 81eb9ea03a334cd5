"""A training as a textbook has it: a plain loop over Transformers' model, with LoRA written by hand.

It is the reference of every tool's training in ``check --deep`` and in the tests, and shares with them only the tokens,
their order, and the first weights of the adapters. Torch is imported inside the functions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Place", "PlainSettings", "PlainTraining", "adapted_places"]

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
_FUSED = {
    "q_proj": "self_attn.qkv_proj",
    "k_proj": "self_attn.qkv_proj",
    "v_proj": "self_attn.qkv_proj",
    "w1": "mlp.gate_up_proj",
    "w3": "mlp.gate_up_proj",
}
_FIRST = (".lora_a.weight", ".lora_A.weight")  # torchtune's, and PEFT's
_IGNORED = -100


@dataclass(frozen=True, kw_only=True)
class PlainSettings:
    """The settings of a plain training; ``rank`` 0 trains all weights, ``most_steps`` 0 cuts no epoch.

    Attributes:
        optimizer: the name of a class in ``torch.optim``.
    """

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
    optimizer: str = "AdamW"

    def rate(self, step: int, total: int) -> float:
        """The learning rate of a step, counted from zero."""
        if step < self.warmup:
            return self.lr * step / self.warmup
        share = (step - self.warmup) / (total - self.warmup)
        if self.schedule == "cosine":
            return self.lr * (1 + math.cos(math.pi * share)) / 2
        return self.lr * (1 - share) if self.schedule == "linear" else self.lr


@dataclass(frozen=True)
class Place:
    """Where an adapter is in Transformers' model.

    Attributes:
        module: the name of the linear layer.
        rows: which rows of its output the adapter adds to; ``None`` for all.
    """

    module: str
    rows: slice | None = None


def adapted_places(first: Mapping[str, Any], model: Any) -> dict[str, Place]:
    """The name of each adapted module, such as ``layers.0.attn.q_proj``, to its place in the model.

    Args:
        first: the adapters' weights, by torchtune's names or by those of PEFT, which are Transformers' own.
    """
    found = {}
    for name in first:
        if name.endswith(_FIRST[0]):
            module = name.removesuffix(_FIRST[0])
            found[module] = _place(module, model)
        elif name.endswith(_FIRST[1]):
            module = name.removesuffix(_FIRST[1])
            found[module] = Place(module)
    return found


def _place(module: str, model: Any) -> Place:
    if module == "output":
        return Place("lm_head")
    _, layer, _, kind = module.split(".")
    names = {name for name, _ in model.named_modules()}
    plain = f"model.layers.{layer}.{_PLACES[kind]}"
    if plain in names:
        return Place(plain)
    return Place(f"model.layers.{layer}.{_FUSED[kind]}", _rows(kind, model.config))


def _rows(kind: str, config: Any) -> slice:
    """The rows of a fused projection that belong to one of its parts."""
    head = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    queries, keys = config.num_attention_heads * head, config.num_key_value_heads * head
    parts = {
        "q_proj": (0, queries),
        "k_proj": (queries, keys),
        "v_proj": (queries + keys, keys),
        "w1": (0, config.intermediate_size),
        "w3": (config.intermediate_size, config.intermediate_size),
    }
    start, length = parts[kind]
    return slice(start, start + length)


class PlainTraining:
    """Trains Transformers' model; ``first`` are the adapters' first weights; see :func:`adapted_places`."""

    def __init__(self, model: Path, settings: PlainSettings, first: Mapping[str, Any]) -> None:
        import torch
        from transformers import AutoModelForCausalLM

        self.model: Any = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
        self.settings = settings
        self.losses: list[float] = []
        self.rates: list[float] = []
        self.trained: list[Any] = list(self.model.parameters())
        if settings.rank:
            for parameter in self.model.parameters():
                parameter.requires_grad = False
            self.trained = []
            for name, place in adapted_places(first, self.model).items():
                down = next(first[name + ending] for ending in _FIRST if name + ending in first)
                self._adapt(place, down)

    def _adapt(self, place: Place, first: Any) -> None:
        """Adds (α/r) · B · A · x to the output of a linear layer."""
        import torch

        layer = self.model.get_submodule(place.module)
        rows = place.rows or slice(0, layer.out_features)
        down = torch.nn.Parameter(first.clone().float())
        up = torch.nn.Parameter(torch.zeros(rows.stop - rows.start, self.settings.rank))
        scale = self.settings.alpha / self.settings.rank
        before = layer.forward

        def forward(x: Any) -> Any:
            out = before(x)
            change = torch.zeros_like(out)
            change[..., rows] = scale * (x @ down.T) @ up.T
            return out + change

        layer.forward = forward
        self.trained += [down, up]

    def run(self, epochs: Sequence[Sequence[Example]]) -> None:
        """Trains on the examples of each epoch, in their order."""
        import torch

        settings = self.settings
        plan = [self._steps_of(examples) for examples in epochs]
        total = sum(map(len, plan))
        kind: Any = getattr(torch.optim, settings.optimizer)
        optimizer = kind(self.trained, lr=settings.lr, weight_decay=settings.weight_decay)
        for batches in (batches for steps in plan for batches in steps):
            rate = settings.rate(len(self.rates), total)
            optimizer.param_groups[0]["lr"] = rate
            optimizer.zero_grad()
            learnt = sum(
                sum(label != _IGNORED for label in example["labels"][1:]) for batch in batches for example in batch
            )
            loss = sum(self._summed_loss(batch) for batch in batches) / learnt
            loss.backward()
            if settings.clip is not None:
                torch.nn.utils.clip_grad_norm_(self.trained, settings.clip)
            optimizer.step()
            self.losses.append(float(loss))
            self.rates.append(rate)

    def compared(
        self, logged: Sequence[Mapping[str, Any]], *, resumed: Sequence[float], follows_seed: bool, order: Sequence[int]
    ) -> dict[str, Any]:
        """The steps of another training beside these.

        Args:
            logged: its metrics; ``resumed`` are its losses where it is resumed after its first epoch.
            follows_seed: whether it is another one with another seed.
            order: of the examples in its first epoch.
        """
        return {
            "resumed": resumed,
            "follows_seed": follows_seed,
            "losses": [entry["loss"] for entry in logged],
            "rates": [entry["lr"] for entry in logged],
            "plain_losses": self.losses,
            "plain_rates": self.rates,
            "examples": sorted(order),
        }

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
            total = total + torch.nn.functional.cross_entropy(logits, labels, ignore_index=_IGNORED, reduction="sum")
        return total
