"""Puts a LoRA adapter in the format of PEFT on its base model, and refuses one that does not fit.

PEFT only warns of tensors that it does not expect, and leaves adapters that the file lacks at zero. So the file, its
configuration and the base model are compared here, before and after.

Runs inside jobs, and needs nothing else of tunebook.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tunebook.tools.runtime.checkpoint_files import ADAPTER_CONFIG, ADAPTER_WEIGHTS
from tunebook.tools.runtime.installing import install_here

__all__ = ["adapter_values", "listed", "with_adapter"]

_PREFIX = "base_model.model."
_SHOWN = 3  # names in a message


def listed(names: Sequence[str]) -> str:
    """The first of some tensors' names, and how many there are."""
    shown = ", ".join(names[:_SHOWN])
    if len(names) > _SHOWN:
        shown += f" and {len(names) - _SHOWN} more"
    return f"{len(names)} tensors ({shown})" if len(names) > 1 else f"the tensor {shown}"


def adapter_values(file: Path) -> Mapping[str, Any]:
    """An adapter's own configuration.

    Raises:
        ValueError: the file is not a JSON object.
    """
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{file} is not valid JSON: {error}") from None
    if not isinstance(values, dict):
        raise ValueError(f"{file} holds no object")  # noqa: TRY004  wrong data
    return values


def with_adapter(model: Any, directory: Path, base: Path) -> Any:
    """Puts an adapter into the layers of its base model, in fp32; nothing is merged.

    Args:
        model: the base model, as Transformers loads it from ``base``.
        directory: the adapter's.

    Returns:
        The same model: its linear layers compute the adapter too.

    Raises:
        ValueError: PEFT is missing, or the adapter is not one of this base.
    """
    try:
        from peft import LoraConfig, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
    except ImportError as error:
        message = f"PEFT, which loads adapters, cannot be used here ({error}): {install_here('tunebook[inspect]')}"
        raise ValueError(message) from error
    values = adapter_values(directory / ADAPTER_CONFIG)
    if values.get("peft_type") != "LORA":
        raise ValueError(f"{directory / ADAPTER_CONFIG}: peft_type is {values.get('peft_type')!r}; allowed: LORA")
    tensors = _adapter_tensors(directory)
    try:
        config = LoraConfig.from_pretrained(str(directory))
        wrapped = get_peft_model(model, config, autocast_adapter_dtype=True)
    except (ImportError, TypeError, ValueError) as error:
        raise ValueError(f"the adapter {directory} cannot be put on {base}: {error}") from error
    _refuse_other_shapes(directory, base, tensors, get_peft_model_state_dict(wrapped), values)
    set_peft_model_state_dict(wrapped, tensors)
    _compare(directory, tensors, get_peft_model_state_dict(wrapped))
    return wrapped.get_base_model()


def _adapter_tensors(directory: Path) -> dict[str, Any]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    file = directory / ADAPTER_WEIGHTS
    if not file.is_file():
        raise ValueError(f"the adapter {directory} has no {ADAPTER_WEIGHTS}")
    try:
        return dict(load_file(str(file)))
    except SafetensorError as error:
        raise ValueError(f"{file} cannot be read: {error}") from error


def _refuse_other_shapes(
    directory: Path, base: Path, tensors: Mapping[str, Any], expected: Mapping[str, Any], values: Mapping[str, Any]
) -> None:
    """PEFT ignores tensors that it does not expect, and leaves adapters that the file lacks as they are.

    Raises:
        ValueError: the file's tensors are not those that its configuration and the base model describe.
    """
    ranks = {int(tensor.shape[0]) for name, tensor in tensors.items() if name.endswith("lora_A.weight")}
    if not values.get("rank_pattern") and ranks and ranks != {values.get("r")}:
        shown = ", ".join(map(str, sorted(ranks)))
        raise ValueError(f"the adapter {directory} has rank {shown}, but its {ADAPTER_CONFIG} says {values.get('r')}")
    for words, names in (
        ("lacks", sorted(expected.keys() - tensors.keys())),
        (f"has, which its {ADAPTER_CONFIG} does not describe for {base},", sorted(tensors.keys() - expected.keys())),
    ):
        if names:
            raise ValueError(f"the adapter {directory} {words} {listed([_short(name) for name in names])}")
    for name, tensor in tensors.items():
        if tensor.shape != expected[name].shape:
            shapes = f"{_short(name)} is {list(tensor.shape)}, but {base} needs {list(expected[name].shape)}"
            raise ValueError(f"the adapter {directory} belongs to another base model: {shapes}")


def _short(name: str) -> str:
    return name.removeprefix(_PREFIX)


def _compare(directory: Path, tensors: Mapping[str, Any], loaded: Mapping[str, Any]) -> None:
    """Every tensor of the file must be in the model, in fp32, to the last bit."""
    import torch

    for name, tensor in tensors.items():
        found = loaded[name]
        if found.dtype != torch.float32 or not torch.equal(found.cpu(), tensor.to(torch.float32)):
            raise ValueError(f"the adapter {directory}: {_short(name)} was not loaded in fp32 as the file has it")
