"""Facts about a model's directory: configuration, weight files, chat template, and flaws that stop jobs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunebook.tools.runtime.model_files import TOKENIZERS, read_chat_template, snapshot_of
from tunebook.tools.weights import is_lfs_pointer, weight_problem

__all__ = ["ModelFacts", "ModelFlaw", "context_length", "parameters_b", "read_model_facts"]

_KINDS = (
    ("model.safetensors", "model.safetensors.index.json", "*.safetensors"),
    ("pytorch_model.bin", "pytorch_model.bin.index.json", "pytorch_model*.bin"),
)
_NOT_THE_MODELS = ("adapter_", "consolidated")
_SHARD = re.compile(r".+-(\d{5})-of-(\d{5})\.\w+")
_ADAPTERS = ("adapter_config.json", "adapter_model.safetensors", "adapter_model.bin")


@dataclass(frozen=True)
class ModelFlaw:
    """Something that keeps a model's directory from being used, as the end of "the model PATH …", and what to do."""

    message: str
    hint: str = ""


@dataclass(frozen=True)
class ModelFacts:
    """A model's directory.

    Attributes:
        config: ``config.json``; ``None`` if it is missing or not JSON.
        weight_files: the files that the index names, or otherwise those in the directory.
        directory: the directory with the files: a snapshot, where the path is a Hugging Face cache entry.
        template: the chat template that training and evaluation use; empty if the model has none.
        flaws: every reason for which a job would refuse it.
    """

    config: Mapping[str, Any] | None
    weight_files: tuple[str, ...] = ()
    directory: Path = Path()
    template: str = ""
    flaws: tuple[ModelFlaw, ...] = ()


def read_model_facts(path: Path) -> ModelFacts | None:
    """The facts, or ``None`` if the path does not exist here (it may exist on compute nodes only)."""
    if not path.exists():
        return None
    if not path.is_dir():
        return ModelFacts(None, flaws=(ModelFlaw("is a file", "give the directory with config.json and weights"),))
    try:
        directory = snapshot_of(path)
    except ValueError as error:
        return ModelFacts(None, flaws=(ModelFlaw(str(error), "give the directory of one snapshot"),))
    template, flaws = "", list(_flaws(directory))
    try:
        template = read_chat_template(directory)
    except ValueError as error:
        flaws.append(ModelFlaw(f"cannot be prompted: {error}", "name one of them `default`"))
    files = tuple(_weight_files(directory))
    return ModelFacts(_json(directory / "config.json"), files, directory, template, tuple(flaws))


def _flaws(directory: Path) -> Iterator[ModelFlaw]:
    adapters = [name for name in _ADAPTERS if (directory / name).is_file()]
    weights = list(_weight_files(directory))
    if adapters and not weights:
        base = (_json(directory / _ADAPTERS[0]) or {}).get("base_model_name_or_path") or "its base model"
        yield ModelFlaw("is an adapter, not a model", f"merge it into {base} first, and give the merged model")
        return
    if adapters:
        hint = "move adapter_* into a sub-folder; otherwise evaluation applies the adapter to these weights"
        yield ModelFlaw(f"holds both weights and an adapter ({', '.join(adapters)})", hint)
    yield from _config_flaws(directory)
    yield from _tokenizer_flaws(directory)
    yield from _weight_flaws(directory, weights)


def _config_flaws(directory: Path) -> Iterator[ModelFlaw]:
    file = directory / "config.json"
    if not file.is_file():
        yield ModelFlaw("has no config.json", "give the directory of a model in Hugging Face's format")
    elif is_lfs_pointer(file):
        yield ModelFlaw("has a Git LFS pointer for its config.json", "run `git lfs pull` in the model's directory")
    elif _json(file) is None:
        yield ModelFlaw("has a config.json that is not valid JSON", "download it again")


def _tokenizer_flaws(directory: Path) -> Iterator[ModelFlaw]:
    found = [directory / name for name in TOKENIZERS if (directory / name).is_file()]
    if not found:
        yield ModelFlaw("has no tokenizer", f"it needs one of {', '.join(TOKENIZERS)}")
    pointers = [file.name for file in found if is_lfs_pointer(file)]
    if pointers:
        message = f"has a Git LFS pointer for its tokenizer ({', '.join(pointers)})"
        yield ModelFlaw(message, "run `git lfs pull` in the model's directory")
        return
    for name in ("tokenizer.json", "tokenizer_config.json"):
        file = directory / name
        if file.is_file() and not _ends_as_object(file):
            yield ModelFlaw(f"has a {name} that is cut off or not valid JSON", "download it again")


def _ends_as_object(file: Path) -> bool:
    """Whether a file ends with a brace: tokenizers have many megabytes, and every command reads the model's facts."""
    with file.open("rb") as stream:
        start = stream.read(1)
        stream.seek(max(0, file.stat().st_size - 64))
        return start == b"{" and stream.read().rstrip().endswith(b"}")


def _weight_flaws(directory: Path, files: Sequence[str]) -> Iterator[ModelFlaw]:
    if not files:
        hint = "download them"
        if any(directory.glob("consolidated*.pth")) or any(directory.glob("*.gguf")):
            hint = "torchtune and Transformers need weights in Hugging Face's format: model*.safetensors"
        yield ModelFlaw("has no weights", hint)
        return
    placed = _placed_tensors(directory)
    found: dict[tuple[str, str], list[str]] = {}
    for name in files:
        problem = weight_problem(directory / name, placed.get(name, ()))
        if problem[0]:
            found.setdefault(problem, []).append(name)
    for (message, hint), names in found.items():
        subject = f"weight file {names[0]}" if len(names) == 1 else f"{len(names)} weight files ({', '.join(names)})"
        verb = message if len(names) == 1 else message.replace("is ", "are ", 1)
        yield ModelFlaw(f"cannot be loaded: {subject} {verb}", hint)


def _weight_files(directory: Path) -> Iterator[str]:
    """The names of the weight files in the order in which Transformers looks for them, also of missing parts."""
    for single, index, pattern in _KINDS:
        if (directory / single).is_file():
            yield single
            return
        placed = (_json(directory / index) or {}).get("weight_map")
        if isinstance(placed, dict) and placed:
            yield from sorted({str(file) for file in placed.values()})
            return
        names = sorted(file.name for file in directory.glob(pattern))
        names = [name for name in names if not name.startswith(_NOT_THE_MODELS)]
        if names:
            yield from sorted({*names, *_parts(names)})
            return


def _parts(names: Sequence[str]) -> Iterator[str]:
    """All the parts that the names announce: ``model-00001-of-00003.safetensors``."""
    for name in names:
        match = _SHARD.fullmatch(name)
        if match:
            for number in range(1, int(match[2]) + 1):
                yield name.replace(f"-{match[1]}-of-", f"-{number:05d}-of-")


def _placed_tensors(directory: Path) -> Mapping[str, list[str]]:
    """Weight file to the tensors that the index places in it."""
    by_file: dict[str, list[str]] = {}
    for single, index, _ in _KINDS:
        placed = (_json(directory / index) or {}).get("weight_map")
        if isinstance(placed, dict) and not (directory / single).is_file():
            for tensor, file in placed.items():
                by_file.setdefault(str(file), []).append(tensor)
            break
    return by_file


def context_length(config: Mapping[str, Any]) -> int | None:
    """The most tokens that the model reads; Mistral's window is its limit in torchtune."""
    lengths = [config.get("max_position_embeddings")]
    if config.get("model_type") == "mistral":
        lengths.append(config.get("sliding_window"))
    return min((length for length in lengths if isinstance(length, int)), default=None)


def parameters_b(config: Mapping[str, Any]) -> float:
    """Billions of weights of a decoder: embeddings, and per layer those of attention and the three MLP matrices.

    Raises:
        KeyError: its ``config.json`` lacks a dimension.
    """
    hidden, heads = int(config["hidden_size"]), int(config["num_attention_heads"])
    head = int(config.get("head_dim") or hidden // heads)
    kv = int(config.get("num_key_value_heads") or heads)
    attention = hidden * head * (2 * heads + 2 * kv)
    layer = attention + 3 * hidden * int(config["intermediate_size"])
    embeddings = hidden * int(config["vocab_size"]) * (1 if config.get("tie_word_embeddings") else 2)
    return (int(config["num_hidden_layers"]) * layer + embeddings) / 1e9


def _json(path: Path) -> dict[str, Any] | None:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return document if isinstance(document, dict) else None
