"""Models as TRL trains them: everything that Transformers knows as a causal language model.

There is no table of architectures: what is needed of a model, its size and the names of its modules, comes from its
own files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import prod
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tunebook.core.json_text import UNFIT
from tunebook.disk.read import read_json
from tunebook.errors import PlanError
from tunebook.tools.known_models import known_model, unknown_model
from tunebook.tools.model_facts import ModelFacts, parameters_b
from tunebook.tools.weights import tensor_shapes

__all__ = ["Shapes", "TrlModel", "resolve_model"]

Shapes = Mapping[str, tuple[int, ...]]
"""The name of each weight to its shape."""

_HEADS = ("ForCausalLM", "LMHeadModel")  # how Transformers names the classes of causal language models
_INDEX = "model.safetensors.index.json"
_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}


@dataclass(frozen=True)
class TrlModel:
    """A model as TRL trains it.

    Attributes:
        config: its ``config.json``.
        shapes: of its weights; empty where its files cannot be read here.
    """

    parameters_b: float
    config: Mapping[str, Any]
    shapes: Shapes

    @property
    def family(self) -> str:
        """The type of model, as Transformers names it."""
        return str(self.config.get("model_type"))

    @property
    def attention(self) -> str:
        """The implementation of the attention that Transformers chooses for evaluations too."""
        if self.config.get("attn_logit_softcapping") is not None:
            return "eager"  # PyTorch's own attention has no cap
        return "sdpa"


def resolve_model(name: str, facts: ModelFacts | None) -> TrlModel:
    """A model by its own files, or otherwise by its name.

    Raises:
        PlanError: neither is known, or it is not a causal language model.
    """
    known = known_model(name)
    if facts is not None and facts.config is not None:
        config = facts.config
    elif known is not None:
        config = known.config
    else:
        raise unknown_model(name)
    _refuse_others(name, config)
    shapes: Shapes = MappingProxyType({})
    if facts is not None and not facts.flaws:
        shapes = _shapes(facts)
    size = _size_b(config, shapes, facts)
    if size is None:
        message = f"the size of model {name} is not known: its weights could not be read here, and its config.json has "
        raise PlanError(message + "other fields than a Llama's", hint="give a directory whose weights can be read here")
    return TrlModel(size, config, shapes)


def _refuse_others(name: str, config: Mapping[str, Any]) -> None:
    if not config.get("model_type"):
        message = f"model {name} cannot be trained by TRL: its config.json has no model_type, so that Transformers "
        raise PlanError(message + "cannot load it", hint="download the model again, or choose another one")
    architectures = config.get("architectures")
    if not isinstance(architectures, list) or not architectures:
        return
    if not any(str(architecture).endswith(_HEADS) for architecture in architectures):
        found = ", ".join(map(str, architectures))
        message = f"model {name} cannot be trained by TRL: it is a {found}, not a causal language model"
        raise PlanError(message, hint="choose a model whose config.json names an architecture …ForCausalLM")


def _shapes(facts: ModelFacts) -> Shapes:
    files = [facts.directory / name for name in facts.weight_files if name.endswith(".safetensors")]
    try:
        return _shapes_in(tuple((file, file.stat().st_mtime_ns) for file in files))
    except OSError:
        return MappingProxyType({})


@lru_cache(maxsize=64)
def _shapes_in(files: tuple[tuple[Path, int], ...]) -> Shapes:
    """The shapes in some files, which are read once for all runs of a sweep."""
    shapes: dict[str, tuple[int, ...]] = {}
    for file, _ in files:
        shapes |= {name: tuple(shape) for name, shape in tensor_shapes(file).items()}
    return MappingProxyType(shapes)


def _size_b(config: Mapping[str, Any], shapes: Shapes, facts: ModelFacts | None) -> float | None:
    """Billions of parameters: of the weights, otherwise by the dimensions, otherwise by the size of the files."""
    if shapes:
        return sum(map(prod, shapes.values())) / 1e9
    try:
        return parameters_b(config)
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return _size_by_index(config, facts)


def _size_by_index(config: Mapping[str, Any], facts: ModelFacts | None) -> float | None:
    if facts is None:
        return None
    try:
        document = read_json(facts.directory / _INDEX)
        total = int(document["metadata"]["total_size"])
    except (OSError, *UNFIT):
        return None
    width = _BYTES.get(str(config.get("dtype") or config.get("torch_dtype")))
    return total / width / 1e9 if width else None
