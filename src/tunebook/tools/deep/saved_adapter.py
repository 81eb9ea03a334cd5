"""Compares a checkpoint, as evaluations load it, with the weights of its base plus (α/r) · B · A.

Runs in the process of the deep checks: torch and Transformers are imported inside the functions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tunebook.tools.deep.plain_training import Place

__all__ = ["compare_checkpoint"]

Pair = tuple[Any, Any]
_FP32 = 2.0**-22
_TURNED: tuple[str, ...] = (".q_proj", ".k_proj")


def compare_checkpoint(
    pairs: Mapping[str, Pair],
    places: Callable[[Any], Mapping[str, Place]],
    scale: float,
    *,
    base: Path,
    checkpoint: Path,
    precision: str,
    has_turned_heads: bool = False,
) -> dict[str, Any]:
    """The largest error of a weight, relative to the largest change of that weight.

    Args:
        pairs: the names of the adapted modules to the trained matrices A and B.
        places: Transformers' model to the place of each of these modules.
        scale: α/r.
        precision: of the evaluation's weights.
        has_turned_heads: whether the rows of queries and keys have another order in B than in Transformers.
    """
    import torch

    turned: tuple[str, ...] = ()
    if has_turned_heads:
        turned = _TURNED
    trained = {str(matrix.dtype).removeprefix("torch.") for pair in pairs.values() for matrix in pair}
    with torch.no_grad():
        before, after = _models(base, checkpoint, precision)
        found = places(before)
        errors: dict[str, float] = {}
        for name, (down, up) in pairs.items():
            rows = found[name].rows or slice(None)
            product = scale * up.float() @ down.float()
            weight = _base(before, found[name].module)[rows]
            change = _effective(after.get_submodule(found[name].module))[rows] - weight
            rounding = _FP32 * float(weight.abs().max())
            errors[name] = _error(change, product, rounding, is_turned=name.endswith(turned))
        untouched = _untouched(before, after, {place.module for place in found.values()})
    worst = max(errors, key=lambda name: errors[name])
    return {
        "error": errors[worst],
        "module": worst,
        "modules": len(errors),
        "untouched": untouched,
        "trained_in": sorted(trained),
    }


def _models(base: Path, checkpoint: Path, precision: str) -> tuple[Any, Any]:
    """The base in fp32, and the checkpoint as evaluations load it."""
    import torch
    from transformers import AutoModelForCausalLM

    from tunebook.tools.runtime.evaluated_model import load_evaluated_model

    kind: Any = AutoModelForCausalLM
    before = kind.from_pretrained(base, dtype=torch.float32)
    return before, load_evaluated_model(checkpoint, precision=precision, base=None)


def _base(model: Any, name: str) -> Any:
    return model.get_submodule(name).weight.detach().float()


def _effective(layer: Any) -> Any:
    """The weight that a layer computes with, whether or not its adapter is merged."""
    if hasattr(layer, "get_delta_weight"):
        (adapter,) = layer.active_adapters
        return layer.base_layer.weight.detach().float() + layer.get_delta_weight(adapter).detach().float()
    return layer.weight.detach().float()


def _error(change: Any, product: Any, rounding: float, *, is_turned: bool) -> float:
    """The difference of the two beyond the rounding of a weight in fp32, relative to the product.

    Where rows have another order, the sorted values are compared.
    """
    size = float(product.abs().max())
    if is_turned:
        change, product = change.flatten().sort().values, product.flatten().sort().values
    difference = max(0.0, float((change - product).abs().max()) - rounding)
    return difference / size if size else difference


def _untouched(before: Any, after: Any, adapted: set[str]) -> float:
    """The largest change of a weight that has no adapter, which should be none."""
    found = {name.replace(".base_layer", ""): tensor for name, tensor in after.state_dict().items()}
    largest = 0.0
    for name, tensor in before.state_dict().items():
        if name.rpartition(".")[0] not in adapted and name in found:
            largest = max(largest, float((found[name].float() - tensor.float()).abs().max()))
    return largest
