"""Gemma 2 for torchtune 0.6.1, computing what the model computes.

torchtune 0.6.1's own Gemma 2 computes another function of the same weights, without any warning: it caps attention
scores at 30 instead of 50, and the hidden state before the output instead of the logits, and its weight conversion
swaps the norms before and after the MLP. Runs inside the training job, and needs nothing else of tunebook.
"""

from __future__ import annotations

from typing import Any

import torch
from torchtune.models import gemma2 as theirs
from torchtune.modules import TransformerSelfAttentionLayer

__all__ = ["gemma2", "lora_gemma2"]

_NO_CAP = 2.0**24  # far above any hidden state, and a power of two: dividing and multiplying by it is exact


class _CappedOutput:
    """The output projection followed by ``cap * tanh(logits / cap)``; not a module, since it holds no weights."""

    def __init__(self, output: Any, cap: float) -> None:
        self._output = output
        self._cap = cap

    def __call__(self, hidden: torch.Tensor) -> torch.Tensor:
        return torch.tanh(self._output(hidden) / self._cap) * self._cap


class _Layer(TransformerSelfAttentionLayer):  # type: ignore[misc]  # torchtune is untyped
    """A layer that uses the two norms around the MLP by the names that the weight conversion gives them."""

    def forward(self, x: torch.Tensor, *, mask: Any = None, input_pos: Any = None, **_: Any) -> torch.Tensor:
        normed = self.sa_norm(x)
        attended = self.sa_scale(self.attn(normed, normed, mask=mask, input_pos=input_pos)) + x
        out: torch.Tensor = attended + self.mlp_norm(self.mlp(self.mlp_scale(attended)))
        return out


def _correct(model: Any, cap: float) -> Any:
    model.output = _CappedOutput(model.output, cap)
    for layer in model.layers:
        layer.__class__ = _Layer
    return model


def gemma2(*, attention_capping: float, logit_capping: float, **arguments: Any) -> Any:
    """Builds the model with all weights trainable; further arguments are torchtune's own."""
    model = theirs.gemma2(hidden_capping_value=attention_capping, final_capping_value=_NO_CAP, **arguments)
    return _correct(model, logit_capping)


def lora_gemma2(*, attention_capping: float, logit_capping: float, **arguments: Any) -> Any:
    """Builds the model with adapters; further arguments are torchtune's own."""
    model = theirs.lora_gemma2(hidden_capping_value=attention_capping, final_capping_value=_NO_CAP, **arguments)
    return _correct(model, logit_capping)
