"""The order of a training's examples: the same for every library that trains on them.

Runs inside jobs, and needs nothing else of tunebook.
"""

from __future__ import annotations

from collections.abc import Iterator, Sized

import numpy as np
import torch
from torch.utils.data import Sampler

__all__ = ["EpochOrder"]


class EpochOrder(Sampler[int]):
    """Every epoch has another order of the examples, which follows from the seed and the epoch alone."""

    def __init__(self, examples: Sized, *, seed: int, shuffle: bool) -> None:
        self._count = len(examples)
        self._seed = seed
        self._shuffle = shuffle
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Chooses the epoch, counted from zero."""
        self._epoch = epoch

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[int]:
        if not self._shuffle:
            return iter(range(self._count))
        # A sum of seed and epoch would give the second epoch of one seed the order of the next seed's first epoch.
        mixed = np.random.SeedSequence([self._seed, self._epoch]).generate_state(1)
        generator = torch.Generator().manual_seed(int(mixed[0]))
        return iter(torch.randperm(self._count, generator=generator).tolist())
