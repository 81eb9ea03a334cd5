"""The epoch of an evaluated checkpoint in the name that logs give its model."""

from __future__ import annotations

import re

__all__ = ["epoch_of_model"]

_EPOCH = re.compile(r"epoch[_-]?(\d{1,6})/?$")


def epoch_of_model(name: str) -> int | None:
    """The zero-based epoch at the end of a model's name, as tunebook's scripts write it; ``None`` without one."""
    epoch = _EPOCH.search(name)
    return int(epoch[1]) if epoch else None
