"""The modules that LoRA adapts: from the plan's names, which are those of every tool, to the names of a model's own.

The weights of a model name its modules. Without them, the names are those of its family. A plan may give the names of
the model's own modules too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from tunebook.errors import PlanError
from tunebook.tools.trl.models import Shapes, TrlModel

__all__ = ["adapter_weights", "module_names"]

_PARTS: Mapping[str, tuple[str, ...]] = {
    "q_proj": ("q_proj",),
    "k_proj": ("k_proj",),
    "v_proj": ("v_proj",),
    "output_proj": ("o_proj", "out_proj", "dense", "c_proj"),
    "mlp": (
        *("gate_proj", "up_proj", "down_proj", "gate_up_proj", "fc1", "fc2"),
        *("dense_h_to_4h", "dense_4h_to_h", "c_fc", "c_proj"),
    ),
}
"""The plan's name to the names that families give to these modules."""
_FUSED = ("qkv_proj", "query_key_value", "c_attn", "Wqkv")  # one module for queries, keys and values
_OF_ATTENTION = ("q_proj", "k_proj", "v_proj", "output_proj")
_PLAIN = {
    **{name: (name,) for name in ("q_proj", "k_proj", "v_proj")},
    "output_proj": ("o_proj",),
    "mlp": ("gate_proj", "up_proj", "down_proj"),
}
_PHI = {
    **dict.fromkeys(("q_proj", "k_proj", "v_proj"), ("qkv_proj",)),
    "output_proj": ("o_proj",),
    "mlp": ("gate_up_proj", "down_proj"),
}
_FAMILIES = {
    "phi3": _PHI,
    **dict.fromkeys(
        (
            *("llama", "mistral", "ministral", "qwen2", "qwen3", "gemma", "gemma2", "gemma3_text"),
            *("olmo", "olmo2", "olmo3", "smollm3", "granite", "cohere", "cohere2"),
        ),
        _PLAIN,
    ),
}
_WITHOUT_LINEAR = frozenset({"gpt2"})  # its layers are of a kind of their own (Conv1D)
_CHOOSE = "name q_proj, k_proj, v_proj, output_proj or mlp, or one of these modules"
_LAYER = re.compile(r"^(?P<before>.*?)\.(?P<number>\d+)\.(?P<path>.+)\.weight$")
_ATTENTION = re.compile(r"attn|attention")
_EXPERT = re.compile(r"(?:^|\.)(?:experts?|\d+)(?:\.|$)|experts")
_MATRIX = 2


def module_names(model: TrlModel, targets: Sequence[str]) -> tuple[str, ...]:
    """The names of the model's modules that the plan's targets mean, in the order of the targets.

    Raises:
        PlanError: the model has no such module, or it is not known.
    """
    if model.family in _WITHOUT_LINEAR:
        message = f"a model of the family {model.family} has no linear layers that LoRA adapts here"
        raise PlanError(message, hint="train all weights, or another model")
    if model.shapes:
        return _named_by_weights(model, targets)
    family = _FAMILIES.get(model.family)
    if family is None:
        message = f"the modules of a model of the family {model.family} are not known without its weights"
        raise PlanError(message, hint="give a directory whose safetensors files can be read here")
    own = {name for names in family.values() for name in names}
    chosen: list[str] = []
    for target in targets:
        if target not in family and target not in own:
            message = f"a model of the family {model.family} has no module for {target}; its modules are: "
            raise PlanError(message + ", ".join(sorted(own)), hint=_CHOOSE)
        chosen += family.get(target, (target,))
    return tuple(dict.fromkeys(chosen))


def _named_by_weights(model: TrlModel, targets: Sequence[str]) -> tuple[str, ...]:
    paths = set(_paths(model.shapes))
    chosen: dict[str, set[str]] = {}
    for target in targets:
        found = _found(target, paths)
        if not found:
            raise PlanError(_missing(target, model, paths), hint=_CHOOSE)
        _refuse_experts(target, found)
        for path in found:
            chosen.setdefault(_last(path), set()).add(path)
    for name, of_name in chosen.items():
        others = sorted(path for path in paths if _last(path) == name and path not in of_name)
        if others:
            message = f"this model names {', '.join(sorted(of_name))} and {', '.join(others)} alike, so that an "
            message += "adapter of one would be an adapter of the other too"
            raise PlanError(message, hint="name both or neither: output_proj and mlp")
    return tuple(chosen)


def _refuse_experts(target: str, found: Sequence[str]) -> None:
    """Transformers keeps the experts of a layer in one tensor, which LoRA does not adapt, whatever the file names."""
    experts = [path for path in found if _EXPERT.search(path)]
    if experts:
        message = f"{target} is in the experts of this model ({experts[0]}), which cannot be adapted"
        raise PlanError(message, hint="leave mlp out: name q_proj, k_proj, v_proj or output_proj")


def _paths(shapes: Shapes) -> Iterator[str]:
    """The paths, in a layer, of the modules with a matrix."""
    for name, shape in shapes.items():
        match = _LAYER.match(name)
        if match and len(shape) == _MATRIX:
            yield match["path"]


def _last(path: str) -> str:
    return path.rpartition(".")[2]


def _found(target: str, paths: set[str]) -> list[str]:
    """The modules of a target; where queries, keys and values are one module, that one."""
    names = _PARTS.get(target)
    if names is None:
        return sorted(path for path in paths if _last(path) == target)
    is_attention = target in _OF_ATTENTION
    found = _of_kind(names, paths, is_attention=is_attention)
    if not found and is_attention and target != "output_proj":
        found = _of_kind(_FUSED, paths, is_attention=True)
    return sorted(found, key=lambda path: (_order(_last(path), names), path))


def _of_kind(names: Sequence[str], paths: set[str], *, is_attention: bool) -> list[str]:
    return [path for path in paths if _last(path) in names and bool(_ATTENTION.search(path)) == is_attention]


def _order(name: str, names: Sequence[str]) -> int:
    return names.index(name) if name in names else len(names)


def _missing(target: str, model: TrlModel, paths: set[str]) -> str:
    there = ", ".join(sorted({_last(path) for path in paths})) or "none"
    return f"a model of the family {model.family} has no module for {target}; the modules in its layers are: {there}"


def adapter_weights(model: TrlModel, names: Sequence[str], rank: int) -> float:
    """How many weights the two matrices of each adapted module have; 0 without the model's weights."""
    total = 0
    for name, shape in model.shapes.items():
        match = _LAYER.match(name)
        if match and len(shape) == _MATRIX and _last(match["path"]) in names:
            total += rank * sum(shape)
    return float(total)
