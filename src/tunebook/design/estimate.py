"""Times, memory and disk of coming runs, each with what it rests on. Pure arithmetic.

Without prior runs the figures are stated defaults and marked preliminary. They were chosen to be of the right order for
LoRA in bf16 on an A100-class GPU, and measured on two CPU cores; a prior run of the same model replaces them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

from tunebook.design.history import History, PriorTraining

__all__ = [
    "Estimate",
    "TrainingStep",
    "Workload",
    "checkpoint_bytes",
    "evaluation_estimate",
    "largest_batch",
    "memory_gb",
    "training_estimate",
]

_GPU_TOKENS_PER_S_B = 12_000.0  # tokens a second × billions of parameters
_CPU_TOKENS_PER_S_B = 20.0
_FULL_SHARE = 0.7  # training all weights computes their gradients too
_SHORTEST_STEP_S = 0.15
_START_S = 60.0
_LOAD_S_PER_B = 20.0
_SAVE_S_PER_B = 10.0
_SAMPLE_TOKENS = 64
_GPU_SAMPLE_S_PER_B = 0.05
_CPU_SAMPLE_S_PER_B = 4.0
_UNKNOWN_B = 8.0
_ACTIVATION_BYTES = 34  # a layer's activations a token and hidden unit, in 16 bits (Korthikanti et al. 2022, eq. 2)
_LOGIT_BYTES = 8
_RECOMPUTED_FROM_B = 6.0
_LARGEST_BATCH = 1024


@dataclass(frozen=True, kw_only=True)
class TrainingStep:
    """What decides the memory of a training step; ``tokens`` are those of one example."""

    batch_size: int = 1
    tokens: int
    lora: bool
    gpus: int = 1
    precision: str = "bf16"


@dataclass(frozen=True)
class Workload:
    """The work of a training; ``examples`` are those of one epoch."""

    model: str
    parameters_b: float | None
    examples: int
    tokens_per_example: float
    epochs: int
    batch_size: int

    gpus: int
    gpu: str
    lora: bool
    max_seq_len: int = 0
    precision: str = "bf16"

    @property
    def step(self) -> TrainingStep:
        """A step with sequences of the greatest length, or of twice the mean length without one."""
        return TrainingStep(
            batch_size=self.batch_size,
            tokens=self.max_seq_len or math.ceil(2 * self.tokens_per_example),
            lora=self.lora,
            gpus=self.gpus,
            precision=self.precision,
        )


@dataclass(frozen=True)
class Estimate:
    """Minutes, and what they rest on, which is preliminary where no run has been measured."""

    minutes: float
    basis: str

    @property
    def is_preliminary(self) -> bool:
        """Whether it rests on stated defaults alone."""
        return self.basis.startswith("preliminary")


def training_estimate(work: Workload, history: History) -> Estimate:
    """The time of one training: what it does beside its steps, and its tokens by the speed of the nearest prior run."""
    tokens = work.examples * work.tokens_per_example * work.epochs / max(1, work.gpus)
    prior = _nearest(work, history)
    if prior:
        speed = median(run.tokens_per_second for run in prior)
        overhead = median(run.overhead_s * max(1.0, work.epochs / run.epochs) for run in prior)
        seconds = overhead + tokens / speed
        basis = f"{len(prior)} prior run(s) of {work.model}, such as {prior[0].experiment}/{prior[0].run}: "
        basis += f"{speed:,.0f} tokens/s ({prior[0].precision}, batch {prior[0].batch_size})"
        return Estimate(seconds / 60, basis)
    size = work.parameters_b or _UNKNOWN_B
    speed = (_GPU_TOKENS_PER_S_B if work.gpus else _CPU_TOKENS_PER_S_B) / size
    if not work.lora:
        speed *= _FULL_SHARE
    steps = work.epochs * math.ceil(work.examples / max(1, work.batch_size * max(1, work.gpus)))
    stepping = max(tokens / speed, steps * _SHORTEST_STEP_S)
    beside = _START_S + size * (_LOAD_S_PER_B + _SAVE_S_PER_B * work.epochs)
    basis = f"preliminary, no prior runs: {speed:,.0f} tokens/s assumed"
    return Estimate((beside + stepping) / 60, basis)


def _nearest(work: Workload, history: History) -> list[PriorTraining]:
    """Prior runs of this model on such hardware, those nearest in batch size and length; preferably on the same GPU."""
    by_distance: dict[tuple[bool, float], list[PriorTraining]] = {}
    for run in history.trainings:
        if run.model.lower() != work.model.lower() or bool(run.gpus) != bool(work.gpus) or run.lora != work.lora:
            continue
        distance = abs(math.log2(run.batch_size / work.batch_size))
        if work.max_seq_len and run.max_seq_len:
            distance += abs(math.log2(run.max_seq_len / work.max_seq_len))
        by_distance.setdefault((run.gpu != work.gpu, distance), []).append(run)
    return by_distance[min(by_distance)] if by_distance else []


def evaluation_estimate(
    *, model: str, parameters_b: float | None, samples: int, max_tokens: int | None, gpus: int, history: History
) -> Estimate:
    """The time of one evaluation of ``samples`` samples: loading the model, and answering."""
    prior = [run for run in history.evaluations if bool(run.gpus) == bool(gpus) and run.model.lower() == model.lower()]
    if prior:
        longest = max(run.duration_s * max(1.0, samples / run.samples) for run in prior)
        basis = f"{len(prior)} prior evaluation(s) of {model}, such as {prior[0].experiment}: the longest"
        return Estimate(longest / 60, basis)
    size = parameters_b or _UNKNOWN_B
    each = size * (_GPU_SAMPLE_S_PER_B if gpus else _CPU_SAMPLE_S_PER_B) * (max_tokens or _SAMPLE_TOKENS) / 32
    seconds = _START_S + size * _LOAD_S_PER_B + samples * each
    basis = f"preliminary, no prior evaluations: {each:.2g} s a sample assumed"
    if max_tokens is None:
        basis += f", with answers of {_SAMPLE_TOKENS} tokens; Evaluation Max Tokens would limit them"
    return Estimate(seconds / 60, basis)


def memory_gb(config: Mapping[str, Any], parameters_b: float, step: TrainingStep) -> float:
    """Memory in GB of each GPU in a training step: weights, gradients and AdamW's states, activations, logits.

    From 6B parameters on, activations are computed again, and each layer keeps only its input. Several GPUs share what
    does not depend on the batch. In fp32 weights and activations take twice the space of bf16.
    """
    factor = 2 if step.precision == "fp32" else 1
    of_weights = 2.0 * factor + 0.2  # the base, and adapters with gradients and states in fp32 with both precisions
    if not step.lora:
        of_weights = 8.0 * factor
    fixed = parameters_b * of_weights / max(1, step.gpus)
    return fixed + step.batch_size * step.tokens * _token_bytes(config, parameters_b, factor) / 1e9


def _token_bytes(config: Mapping[str, Any], parameters_b: float, factor: int) -> float:
    hidden, layers = int(config.get("hidden_size") or 4096), int(config.get("num_hidden_layers") or 32)
    logits = int(config.get("vocab_size") or 128_000) * _LOGIT_BYTES
    if parameters_b >= _RECOMPUTED_FROM_B:
        return factor * hidden * (2 * layers + _ACTIVATION_BYTES) + logits
    return factor * layers * hidden * _ACTIVATION_BYTES + logits


def largest_batch(config: Mapping[str, Any], parameters_b: float, step: TrainingStep, *, gpu_gb: float) -> int:
    """The largest power of two that fits into nine tenths of a GPU's memory; 0 if not even one example does."""
    largest, size = 0, 1
    while size <= _LARGEST_BATCH:
        if memory_gb(config, parameters_b, replace(step, batch_size=size)) >= 0.9 * gpu_gb:
            break
        largest, size = size, 2 * size
    return largest


def checkpoint_bytes(parameters_b: float | None, *, gpus: int) -> float:
    """One epoch's whole model: 16 bits per weight after training on GPUs, otherwise 32, and 2 % for the other files."""
    return (parameters_b or _UNKNOWN_B) * 1e9 * (2 if gpus else 4) * 1.02
