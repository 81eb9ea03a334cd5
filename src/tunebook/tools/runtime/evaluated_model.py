"""Loads a model exactly as evaluations do: the one function for the evaluation job and for everything that checks it.

A directory holds a whole model, or an adapter in the format of PEFT that is put on its base model. Base weights have
the precision that is asked for. Adapters are computed in fp32: in bf16, a small adapter would be rounded away. The
model's own generation settings are replaced by neutral ones; see :mod:`tunebook.tools.runtime.generation`.

Runs inside jobs, and needs nothing else of tunebook.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from tunebook.tools.runtime.checkpoint_files import ADAPTER_CONFIG
from tunebook.tools.runtime.generation import neutralized, read_generation_config, stop_ids
from tunebook.tools.runtime.loaded_adapter import adapter_values, listed, with_adapter
from tunebook.tools.runtime.model_files import snapshot_of

__all__ = [
    "base_directory",
    "evaluation_stop_ids",
    "hide_old_torchao",
    "keep_model",
    "load_evaluated_model",
    "model_in_effect",
    "refuse_incomplete",
    "snapshot",
    "without_old_torchao",
]

_OLDEST_TORCHAO = (0, 16)  # PEFT raises an error if it finds an older one, even where nothing of it is used
_PRECISIONS = {"bf16": "bfloat16", "fp32": "float32"}

_Identity = tuple[tuple[str, int, int, int], ...]
_kept: dict[tuple[str, str], tuple[_Identity, Any]] = {}
"""At most one whole model by directory and precision, with the identity of its files when it was loaded."""


def load_evaluated_model(
    directory: Path, *, precision: str, base: Path | None = None, device: str = "cpu", sampling: bool = False
) -> Any:
    """Loads a model for an evaluation: in evaluation mode, with neutral generation settings and its stop tokens.

    Args:
        directory: a whole model, or an adapter.
        precision: ``bf16`` or ``fp32``, of the weights of a whole model or of an adapter's base.
        base: the model that the adapter belongs to; without it the one that the adapter's file names.
        sampling: whether tokens are drawn at a temperature; otherwise decoding is greedy.

    Returns:
        A model of Transformers. An adapter is part of its linear layers; nothing is merged.

    Raises:
        ValueError: the directory holds no model that can be evaluated as it is; the message says what is wrong.
    """
    if precision not in _PRECISIONS:
        raise ValueError(f"the precision is {precision!r}; allowed: {', '.join(_PRECISIONS)}")
    directory = snapshot(directory)
    whole = base_directory(directory, base)
    if whole is None:
        model = _whole_model(directory, precision, device)
    else:
        model = _whole_model(whole, precision, device)
        with without_old_torchao():
            model = with_adapter(model, directory, whole)
    model.eval()
    model.generation_config = _generation(whole or directory, directory, sampling=sampling)
    return model


def keep_model(directory: Path, *, precision: str, base: Path | None = None) -> None:
    """Loads the whole model of a directory, so that the next :func:`load_evaluated_model` on the CPU takes it.

    A model is taken once, since adapters become part of it, and not if a file in its directory has changed. At most one
    model is kept. A process that keeps one gives it to each of its copies (``os.fork``).

    Args:
        directory: as :func:`load_evaluated_model` gets it; so are the others.

    Raises:
        ValueError: the directory holds no model that can be evaluated as it is.
    """
    directory = snapshot(directory)
    whole = base_directory(directory, base) or directory
    key, identity = (str(whole), precision), _identity(whole)
    if key in _kept and _kept[key][0] == identity:
        return
    _kept.clear()
    _kept[key] = (identity, _whole_model(whole, precision, "cpu"))


def _identity(directory: Path) -> _Identity:
    """Name, inode, size and time of each of a model's files."""
    found = []
    for file in sorted(directory.iterdir()):
        state = file.stat()
        found.append((file.name, state.st_ino, state.st_size, state.st_mtime_ns))
    return tuple(found)


def _kept_model(directory: Path, precision: str, device: str) -> Any:
    """The model that was kept; ``None`` if another one, or none, was kept."""
    identity, model = _kept.pop((str(directory), precision), ((), None))
    if device == "cpu" and identity == _identity(directory):
        return model
    return None


def base_directory(directory: Path, base: Path | None = None) -> Path | None:
    """The directory of the model that an adapter belongs to; ``None`` for a whole model.

    Raises:
        ValueError: the base model is not named, or is not found.
    """
    file = directory / ADAPTER_CONFIG
    if not file.is_file():
        return None
    named = str(base or adapter_values(file).get("base_model_name_or_path") or "")
    if not named:
        raise ValueError(f"{file} names no base model: write its directory as `base_model_name_or_path`")
    if not Path(named).is_dir():
        raise ValueError(f"the base model {named} of the adapter {directory} was not found")
    return snapshot(Path(named))


def model_in_effect(directory: Path, model: Any, *, precision: str, base: Path | None = None) -> dict[str, Any]:
    """How a model was loaded, for the record of an evaluation.

    Args:
        model: as :func:`load_evaluated_model` returns it for the other arguments.
    """
    from transformers import AutoTokenizer

    directory = snapshot(directory)
    whole = base_directory(directory, base) or directory
    tokenizer: Any = AutoTokenizer.from_pretrained(str(whole), local_files_only=True)
    stops = list(model.generation_config.eos_token_id)
    return {
        "precision": precision,
        "adapter": str(directory) if whole != directory else "",
        "base": str(whole),
        "stop_tokens": dict(zip(map(str, tokenizer.convert_ids_to_tokens(stops)), stops, strict=True)),
        "neutralized": _neutralized(whole, directory),
    }


def hide_old_torchao() -> None:
    """Hides a torchao that PEFT refuses, for the rest of this process; torchtune needs such a version."""
    if _is_old_torchao():
        sys.modules["torchao"] = None  # type: ignore[assignment]  # Python's own mark of a module that is not there


@contextmanager
def without_old_torchao() -> Iterator[None]:
    """Hides it only for a while: a process that trains has imported it before."""
    if not _is_old_torchao():
        yield
        return
    missing = object()
    before: Any = sys.modules.get("torchao", missing)
    hide_old_torchao()
    try:
        yield
    finally:
        del sys.modules["torchao"]
        if before is not missing:
            sys.modules["torchao"] = before


def _is_old_torchao() -> bool:
    try:
        parts = version("torchao").split(".")
        return (int(parts[0]), int(parts[1])) < _OLDEST_TORCHAO
    except (PackageNotFoundError, ValueError, IndexError):
        return False


def snapshot(directory: Path) -> Path:
    """The directory with a model's files.

    Raises:
        ValueError: it is an entry of the Hugging Face cache without a current snapshot.
    """
    try:
        return snapshot_of(directory)
    except ValueError as error:
        raise ValueError(f"{directory} {error}") from None


def _whole_model(directory: Path, precision: str, device: str) -> Any:
    kept = _kept_model(directory, precision, device)
    if kept is not None:
        return kept
    import torch
    from transformers import AutoModelForCausalLM

    loader: Any = AutoModelForCausalLM
    try:
        model, report = loader.from_pretrained(
            str(directory),
            dtype=getattr(torch, _PRECISIONS[precision]),
            device_map=device,
            local_files_only=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
    except (OSError, RuntimeError) as error:
        raise ValueError(f"the model {directory} cannot be loaded: {error}") from error
    refuse_incomplete(directory, report)
    return model


def refuse_incomplete(directory: Path, report: Mapping[str, Any]) -> None:
    """Transformers only warns of these, and invents the values of tensors that are missing.

    Raises:
        ValueError: tensors are missing, unexpected, or of another shape.
    """
    for kind, words in (
        ("missing_keys", "lacks"),
        ("unexpected_keys", "has, which its config.json does not describe,"),
        ("mismatched_keys", "has in another shape than its config.json describes"),
    ):
        names = sorted(str(item) for item in report.get(kind) or ())
        if names:
            hint = "config.json and weights must be of one model"
            raise ValueError(f"the model {directory} {words} {listed(names)}: {hint}")


def _generation(whole: Path, directory: Path, *, sampling: bool) -> Any:
    """Settings of our own; every one that is left out here has Transformers' neutral default."""
    from transformers import AutoTokenizer, GenerationConfig

    settings: Any = GenerationConfig
    tokenizer: Any = AutoTokenizer.from_pretrained(str(whole), local_files_only=True)
    stops = evaluation_stop_ids(tokenizer, whole, directory)
    neutral = settings(
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=stops,
        pad_token_id=tokenizer.eos_token_id,  # a special token, so that no padding is left in an answer's text
        do_sample=sampling,
    )
    if sampling:
        neutral.top_k = 0  # Transformers' default of 50 would act
    return neutral


def evaluation_stop_ids(tokenizer: Any, whole: Path, directory: Path) -> list[int]:
    """The stop tokens of a whole model, and of the adapter in another directory."""
    stops = stop_ids(tokenizer, whole)
    if directory != whole:
        stops = list(dict.fromkeys([*stops, *stop_ids(tokenizer, directory)]))
    return stops


def _neutralized(whole: Path, directory: Path) -> dict[str, Any]:
    return {**neutralized(read_generation_config(whole)), **neutralized(read_generation_config(directory))}
