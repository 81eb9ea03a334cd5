"""The disk space of checkpoints, from the size of the model, the adapters, and the form in which they are saved."""

from __future__ import annotations

__all__ = ["OTHER_FILES", "checkpoint_size"]

OTHER_FILES = 20e6
"""Bytes of the files beside the weights: tokenizers have up to 20 MB."""
_BYTES = {"bf16": 2, "fp32": 4}


def checkpoint_size(*, parameters_b: float, form: str | None, precision: str, adapter_weights: float) -> float:
    """The bytes of one epoch's checkpoint.

    Args:
        form: ``adapter``, ``merged``, or ``None`` where all weights are trained.
        precision: of weights that are all trained; merged ones and adapters are saved in fp32.
        adapter_weights: how many weights the adapters have.
    """
    if form is None:
        return parameters_b * 1e9 * _BYTES[precision] + OTHER_FILES
    adapter = _BYTES["fp32"] * adapter_weights
    if form == "adapter":
        return adapter + OTHER_FILES
    return parameters_b * 1e9 * _BYTES["fp32"] + adapter + OTHER_FILES
