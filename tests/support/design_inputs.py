"""What designs need on the disk: a model's directory that looks whole, data with splits, a task script."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from support.tiny_model import CHAT_TEMPLATE
from tunebook import api
from tunebook.demo.data import capitalization_data, task_source
from tunebook.design.documents import yaml_document
from tunebook.design.inputs import parse_document
from tunebook.design.merge import update_inputs
from tunebook.tools.known_models import known_model

__all__ = ["NO_TENSORS", "OPTIONS", "inputs_of", "make_inputs", "make_model"]

NO_TENSORS = (2).to_bytes(8, "little") + b"{}"
"""A safetensors file."""
MODEL = "Llama-3.2-1B-Instruct"
_SPLITS = {"train": 320, "validation": 40, "test": 40}
OPTIONS = (
    "--question=Does rank matter?",
    "--model=models/Llama-3.2-1B-Instruct",
    "--dataset=words.json",
    "--task=capitalization=cap_task.py",
    "--factor=lora_rank=8,16",
    "--set=lr=1e-4",
    "--set=batch_size=4",
    "--set=epochs=1",
)


def make_inputs(directory: Path) -> Path:
    """``models/``, ``words.json`` and ``cap_task.py``."""
    make_model(directory / "models" / MODEL)
    (directory / "words.json").write_text(json.dumps(capitalization_data(splits=_SPLITS)))
    (directory / "cap_task.py").write_text(task_source())
    return directory


def make_model(directory: Path, *, chat_template: str | None = CHAT_TEMPLATE) -> Path:
    """A model's directory as far as a design reads it; its weights hold no tensor."""
    directory.mkdir(parents=True)
    known = known_model(directory.name)
    assert known is not None
    (directory / "config.json").write_text(json.dumps(known.config))
    (directory / "model.safetensors").write_bytes(NO_TENSORS)
    (directory / "tokenizer.json").write_text("{}")
    template = {} if chat_template is None else {"chat_template": chat_template}
    (directory / "tokenizer_config.json").write_text(json.dumps(template))
    return directory


def inputs_of(values: Mapping[str, Any], *, updated: Path | None = None) -> api.DesignInputs:
    """What these keys of a file give, over the stored design of the experiment that is updated."""
    text = yaml.safe_dump(dict(values), sort_keys=False, allow_unicode=True)
    given = parse_document(yaml_document(text, file="design.yaml"), here=Path.cwd())
    return update_inputs(api.read_inputs(api.DesignSources(updated=updated)), given)
