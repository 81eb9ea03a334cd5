"""Facts about a model's directory: configuration, weight files, chat template, and flaws that stop jobs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunebook.disk.read import open_regular, read_json
from tunebook.errors import os_problem
from tunebook.tools.runtime.lfs import is_lfs_pointer
from tunebook.tools.runtime.model_files import TOKENIZERS, read_chat_template, snapshot_of
from tunebook.tools.weights import tensor_shapes, weight_problem

__all__ = ["WINDOW_IS_LIMIT", "ModelFacts", "ModelFlaw", "context_length", "parameters_b", "read_model_facts"]

WINDOW_IS_LIMIT = ("mistral", "phi3")
"""The families whose sliding window torchtune ignores: within it, both compute the same."""
_KINDS = (
    ("model.safetensors", "model.safetensors.index.json", "*.safetensors"),
    ("pytorch_model.bin", "pytorch_model.bin.index.json", "pytorch_model*.bin"),
)
_NOT_THE_MODELS = ("adapter_", "consolidated")
_SHARD = re.compile(r".+-(\d{5})-of-(\d{5})\.\w+")
_PLAIN_TOKENIZERS = ("PreTrainedTokenizerFast", "TokenizersBackend")  # classes without special tokens of their own
_WHOLE_NUMBERS = (
    *("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads"),
    *("head_dim", "vocab_size", "max_position_embeddings"),
)
_LAYER = re.compile(r"model\.layers\.(\d{1,9})\.")
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
        base: the model that it is an adapter of, if its file names a directory that exists here: such an adapter can be
            evaluated, but not trained.
    """

    config: Mapping[str, Any] | None
    weight_files: tuple[str, ...] = ()
    directory: Path = Path()
    template: str = ""
    flaws: tuple[ModelFlaw, ...] = ()
    base: ModelFacts | None = None


def read_model_facts(path: Path) -> ModelFacts | None:
    """The facts, or ``None`` if the path does not exist here (it may exist on compute nodes only)."""
    try:
        if not path.exists():
            return None
        return _read(path)
    except OSError as error:
        flaw = ModelFlaw(f"cannot be read: {os_problem(error).message}", f"make {error.filename or path} readable")
        return ModelFacts(None, flaws=(flaw,))


def _read(path: Path) -> ModelFacts:
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
        flaws.append(ModelFlaw(f"cannot be prompted: {error}", "correct its chat template, or download it again"))
    files = tuple(_weight_files(directory))
    base = None if files else _base_of(directory)
    return ModelFacts(_json(directory / "config.json"), files, directory, template, tuple(flaws), base)


def _base_of(adapter: Path) -> ModelFacts | None:
    """The facts of an adapter's base; jobs run in directories of their own, so its path must be absolute."""
    named = (_json(adapter / _ADAPTERS[0]) or {}).get("base_model_name_or_path")
    if not isinstance(named, str) or not Path(named).is_absolute() or not Path(named).is_dir():
        return None
    return _read(Path(named))


def _flaws(directory: Path) -> Iterator[ModelFlaw]:
    adapters = [name for name in _ADAPTERS if (directory / name).is_file()]
    weights = list(_weight_files(directory))
    if adapters and not weights:
        base = (_json(directory / _ADAPTERS[0]) or {}).get("base_model_name_or_path") or "its base model"
        hint = f"merge it into {base} first, and give the merged model"
        hint += "; to evaluate it as it is, write the absolute path of its base as base_model_name_or_path"
        yield ModelFlaw("is an adapter, not a model", hint)
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
    for key, value in (_json(file) or {}).items():
        if key in _WHOLE_NUMBERS and value is not None and (type(value) is not int or value < 1):
            yield ModelFlaw(f"has a config.json whose {key} is {value!r:.50}, not a whole number", "download it again")


def _tokenizer_flaws(directory: Path) -> Iterator[ModelFlaw]:
    found = [directory / name for name in TOKENIZERS if (directory / name).is_file()]
    if not found:
        yield ModelFlaw("has no tokenizer", f"it needs one of {', '.join(TOKENIZERS)}")
    pointers = [file.name for file in found if is_lfs_pointer(file)]
    if pointers:
        message = f"has a Git LFS pointer for its tokenizer ({', '.join(pointers)})"
        yield ModelFlaw(message, "run `git lfs pull` in the model's directory")
        return
    empty = [file.name for file in found if not file.stat().st_size]
    settings = directory / "tokenizer_config.json"
    if "tokenizer.json" not in empty and empty:
        yield ModelFlaw(f"has an empty tokenizer ({', '.join(empty)})", "download it again")
    if [file.name for file in found] == ["vocab.json"] and not (directory / "merges.txt").is_file():
        yield ModelFlaw("has half a tokenizer: merges.txt is missing beside its vocab.json", "download it again")
    for file, is_whole in ((directory / "tokenizer.json", _ends_as_object), (settings, _is_object)):
        if file.is_file() and not is_whole(file):
            yield ModelFlaw(f"has a {file.name} that is cut off or not valid JSON", "download it again")
    if _lacks_end(directory):
        hint = "write the token that ends a turn as `eos_token` into tokenizer_config.json"
        yield ModelFlaw("has a tokenizer without an end-of-text token", hint)


def _lacks_end(directory: Path) -> bool:
    """Whether no file names the token that ends a text, and the tokenizer's class has none of its own either."""
    settings = _json(directory / "tokenizer_config.json")
    if settings is None or settings.get("tokenizer_class") not in _PLAIN_TOKENIZERS:
        return False
    named = _json(directory / "special_tokens_map.json") or {}
    return not settings.get("eos_token") and not named.get("eos_token")


def _is_object(file: Path) -> bool:
    return _json(file) is not None


def _ends_as_object(file: Path) -> bool:
    """Whether a file ends with a brace: tokenizers have many megabytes, and every command reads the model's facts."""
    with open_regular(file) as stream:
        start = stream.read(1)
        stream.seek(max(0, file.stat().st_size - 64))
        return start == b"{" and stream.read().rstrip().endswith(b"}")


def _weight_flaws(directory: Path, files: Sequence[str]) -> Iterator[ModelFlaw]:
    if not files:
        hint = "download them"
        if any(directory.glob("*.pth")) or any(directory.glob("*.gguf")):
            hint = "torchtune and Transformers need weights in Hugging Face's format: model*.safetensors"
        yield ModelFlaw("has no weights", hint)
        return
    yield from _index_flaws(directory, files)
    placed = _placed_tensors(directory)
    found: dict[tuple[str, str], list[str]] = {}
    for name in files:
        problem = weight_problem(directory / name, placed.get(name, ()))
        if problem[0]:
            found.setdefault(problem, []).append(name)
    for (message, hint), names in found.items():
        subject, verb = f"weight file {names[0]}", message
        if len(names) > 1:
            subject, verb = f"{len(names)} weight files ({', '.join(names)})", message.replace("is ", "are ", 1)
        yield ModelFlaw(f"cannot be loaded: {subject} {verb}", hint)
    if not found:
        yield from _other_shapes(directory, files)


def _other_shapes(directory: Path, files: Sequence[str]) -> Iterator[ModelFlaw]:
    """Weights of another model than ``config.json`` describes: Transformers would invent the missing layers."""
    config = _json(directory / "config.json") or {}
    shapes: dict[str, list[int]] = {}
    for name in files:
        if name.endswith(".safetensors"):
            shapes |= tensor_shapes(directory / name)
    hint = "config.json and weights must be of one model: download both again"
    embedding = shapes.get("model.embed_tokens.weight")
    expected = [config.get("vocab_size"), config.get("hidden_size")]
    if embedding and None not in expected and embedding != expected:
        yield ModelFlaw(f"has embeddings of shape {embedding}, but its config.json says {expected}", hint)
    layers = {int(match[1]) for match in map(_LAYER.match, shapes) if match}
    planned = config.get("num_hidden_layers")
    if layers and isinstance(planned, int) and len(layers) < planned:
        yield ModelFlaw(f"has weights of {len(layers)} layers, but its config.json says {planned}", hint)


def _index_flaws(directory: Path, files: Sequence[str]) -> Iterator[ModelFlaw]:
    """Weights that Transformers does not find: it reads one file with a fixed name, or those that an index names."""
    if files[0] in [single for single, _, _ in _KINDS]:
        return
    indices = [index for _, index, _ in _KINDS if (directory / index).is_file()]
    if not indices:
        wanted = " nor ".join(name for single, index, _ in _KINDS[:1] for name in (single, index))
        yield ModelFlaw(f"has weights in {files[0]}, but neither {wanted}", "download the missing file, or rename it")
    elif not _weight_map(directory / indices[0]):
        yield ModelFlaw(f"has a {indices[0]} that names no weight files", "download it again")
    elif any("/" in name for name in files):
        hint = "lay the files beside config.json, and correct the index"
        yield ModelFlaw(f"has a {indices[0]} that names files in other directories", hint)


def _weight_map(index: Path) -> Mapping[str, str]:
    """Tensor to file, as an index says; empty if the index is missing or cannot be read."""
    placed = (_json(index) or {}).get("weight_map")
    if not isinstance(placed, dict) or not all(isinstance(file, str) for file in placed.values()):
        return {}
    return placed


def _weight_files(directory: Path) -> Iterator[str]:
    """The names of the weight files in the order in which Transformers looks for them, also of missing parts."""
    for single, index, pattern in _KINDS:
        if (directory / single).is_file():
            yield single
            return
        placed = _weight_map(directory / index)
        if placed:
            yield from sorted(set(placed.values()))
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
        placed = _weight_map(directory / index)
        if placed and not (directory / single).is_file():
            for tensor, file in placed.items():
                by_file.setdefault(file, []).append(tensor)
            break
    return by_file


def context_length(config: Mapping[str, Any], *, ignores_windows: bool = True) -> int | None:
    """The most tokens that the model reads; a window is the limit where the training ignores it."""
    lengths = [config.get("max_position_embeddings")]
    if ignores_windows and config.get("model_type") in WINDOW_IS_LIMIT:
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
    embeddings = hidden * int(config["vocab_size"])
    if not config.get("tie_word_embeddings"):
        embeddings *= 2
    return (int(config["num_hidden_layers"]) * layer + embeddings) / 1e9


def _json(path: Path) -> dict[str, Any] | None:
    try:
        document = read_json(path)
    except (OSError, ValueError):
        return None
    if not isinstance(document, dict):
        return None
    return document
