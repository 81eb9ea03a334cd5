"""The first weights of LoRA adapters: the same for every library that trains them, from the seed and the place alone.

A is drawn as PEFT and torchtune draw it, uniformly within ±1/√(inputs); B is zero. Each module has random numbers of
its own, so that neither the order of the modules nor other random numbers matter. Runs inside jobs, and needs nothing
else of tunebook.
"""

from __future__ import annotations

import math
import zlib

import numpy as np
import torch

__all__ = ["first_weights"]

_TRANSFORMERS_NAMES = {"output_proj": "o_proj", "w1": "gate_proj", "w2": "down_proj", "w3": "up_proj"}


def first_weights(seed: int, module: str, shape: torch.Size) -> torch.Tensor:
    """The matrix A of one module, in fp32.

    Args:
        module: torchtune's or Transformers' name of the module, such as ``layers.0.attn.q_proj`` or
            ``model.layers.0.self_attn.q_proj``; the number of the layer and the last part count.
        shape: rank and inputs.
    """
    parts = module.split(".")
    last = _TRANSFORMERS_NAMES.get(parts[-1], parts[-1])
    numbers = [int(part) for part in parts if part.isdecimal()]
    mixed = np.random.SeedSequence([seed, zlib.crc32(last.encode()), *numbers]).generate_state(1)
    generator = torch.Generator().manual_seed(int(mixed[0]))
    bound = 1 / math.sqrt(shape[1])
    return torch.empty(shape).uniform_(-bound, bound, generator=generator)
