"""Finds the files of a model in its directory, or in an entry of the Hugging Face cache.

Runs inside jobs, and needs nothing else of tunebook.
"""

from __future__ import annotations

import json
from pathlib import Path

from tunebook.tools.runtime.chat import default_template

__all__ = ["TOKENIZERS", "read_chat_template", "snapshot_of"]

TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model")


def snapshot_of(path: Path) -> Path:
    """The directory with a model's files: the path itself, or the current snapshot of a Hugging Face cache entry.

    Raises:
        ValueError: it is a cache entry without a snapshot, or with several and none of them current.
    """
    snapshots = path / "snapshots"
    if (path / "config.json").exists() or not snapshots.is_dir():
        return path
    found = sorted(folder for folder in snapshots.iterdir() if folder.is_dir())
    main = path / "refs" / "main"
    if main.is_file():
        current = snapshots / main.read_text(encoding="utf-8", errors="replace").strip()
        if current in found:
            return current
    if len(found) == 1:
        return found[0]
    names = ", ".join(folder.name for folder in found) or "none"
    raise ValueError(f"is an entry of the Hugging Face cache without a current snapshot; its snapshots are: {names}")


def read_chat_template(model: Path) -> str:
    """The chat template as Transformers finds it: files of its own come before the tokenizer's configuration.

    Empty if the model has none.

    Raises:
        ValueError: there are several, and none is named ``default``; or a file cannot be read as it should be.
    """
    files = {file.stem: file for file in sorted(model.glob("additional_chat_templates/*.jinja"))}
    if (model / "chat_template.jinja").is_file():
        files["default"] = model / "chat_template.jinja"
    if files:
        return default_template({name: file.read_text(encoding="utf-8") for name, file in files.items()})
    config = model / "tokenizer_config.json"
    if not config.is_file():
        return ""
    values = json.loads(config.read_text(encoding="utf-8"))
    if not isinstance(values, dict):
        raise ValueError("its tokenizer_config.json holds no object")  # noqa: TRY004  wrong data
    return default_template(values.get("chat_template"))
