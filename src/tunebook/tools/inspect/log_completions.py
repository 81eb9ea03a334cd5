"""Reads the models' completions from the full samples of a log, one sample after the other."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tunebook.core.json_text import parse_json
from tunebook.disk.read import read_json
from tunebook.tools.inspect.log_bounds import MOST_JSON_BYTES, MOST_SAMPLE_BYTES, read_member

__all__ = ["completions"]

_SAMPLES = "samples/"


def completions(log: Path) -> Iterator[tuple[tuple[str, int], str]]:
    """Yields each sample's id and repetition, with the model's completion; empty for a sample without one.

    Raises:
        ValueError: a sample is not JSON, or too long; zip and pydantic also raise errors of their own.
    """
    read = _in_json(log) if log.suffix == ".json" else _in_archive(log)
    for sample in read:
        yield (str(sample["id"]), int(sample["epoch"])), _completion(sample.get("output"))


def _in_archive(log: Path) -> Iterator[Mapping[str, Any]]:
    import inspect_ai.log  # noqa: F401  it teaches `zipfile` its compression

    with zipfile.ZipFile(log) as archive:
        for member in archive.infolist():
            if member.filename.startswith(_SAMPLES):
                yield parse_json(read_member(archive, member, most=MOST_SAMPLE_BYTES))


def _in_json(log: Path) -> Iterator[Mapping[str, Any]]:
    document = read_json(log, most=MOST_JSON_BYTES)
    yield from document["samples"] or ()


def _completion(output: Any) -> str:
    from inspect_ai.model import ModelOutput

    return ModelOutput.model_validate(output or {}).completion
