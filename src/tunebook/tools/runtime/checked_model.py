"""Checks before an evaluation loads anything that a directory holds a complete model, or an adapter with its base.

Runs inside jobs, and needs nothing else of tunebook.
"""

from __future__ import annotations

from pathlib import Path

from tunebook.tools.runtime.checkpoint_files import ADAPTER_CONFIG
from tunebook.tools.runtime.evaluated_model import base_directory
from tunebook.tools.runtime.model_files import TOKENIZERS, snapshot_of

__all__ = ["checked_model"]

_WEIGHTS = ("*.safetensors", "pytorch_model*.bin")


def checked_model(path: Path, base: Path | None) -> tuple[Path, Path]:
    """The directory of a model or adapter, and that of the whole model: the same one, or the adapter's base.

    Args:
        base: the model that an adapter belongs to; without it the one that the adapter's file names.

    Raises:
        ValueError: the directory holds no model that can be evaluated.
    """
    try:
        directory = snapshot_of(path)
    except ValueError as error:
        raise ValueError(f"{path} {error}") from None
    return directory, _whole(directory, base)


def _whole(path: Path, base: Path | None) -> Path:
    """The directory with the whole model: the path itself, or the base of an adapter."""
    if not path.is_dir():
        is_checkpoint = path.name.startswith("epoch_")
        hint = "its training has not ended, or has failed" if is_checkpoint else "download it first"
        raise ValueError(f"the model {path} was not found: {hint}")
    is_adapter = (path / ADAPTER_CONFIG).is_file()
    if is_adapter and _has_weights(path):
        hint = "move adapter_* into a sub-folder; otherwise the adapter is applied to the merged weights again"
        raise ValueError(f"{path} holds both merged weights and an adapter: {hint}")
    if is_adapter:
        return _whole(base_directory(path, base) or path, None)
    if not (path / "config.json").is_file() or not _has_weights(path):
        raise ValueError(f"{path} holds no complete model: it needs config.json and weights")
    if not any((path / name).is_file() for name in TOKENIZERS):
        raise ValueError(f"{path} holds no tokenizer: it needs one of {', '.join(TOKENIZERS)}")
    return path


def _has_weights(path: Path) -> bool:
    files = [file for pattern in _WEIGHTS for file in path.glob(pattern)]
    return not all(file.name.startswith("adapter_") for file in files)
