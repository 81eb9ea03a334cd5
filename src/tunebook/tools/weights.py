"""Checks weight files without loading them: their headers say how long they should be."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Iterable
from pathlib import Path

from tunebook.core.json_text import UNFIT, parse_json
from tunebook.disk.read import open_regular
from tunebook.errors import os_problem
from tunebook.tools.runtime.lfs import is_lfs_pointer

__all__ = ["tensor_shapes", "weight_problem"]

_LENGTH = 8
_LONGEST_HEADER = 100_000_000  # the safetensors library's own limit


def weight_problem(file: Path, tensors: Iterable[str] = ()) -> tuple[str, str]:
    """Why a weight file cannot be loaded, and what to do; both are empty if it can.

    Args:
        tensors: names that the index places in this file.
    """
    again = "download it again"
    try:
        if not file.is_file():
            return "is missing", again
        if is_lfs_pointer(file):
            return "is a Git LFS pointer, not the weights", "run `git lfs pull` in the model's directory"
        if file.suffix == ".safetensors":
            return _safetensors_problem(file, tensors), again
        return _pickle_problem(file)
    except OSError as error:
        return f"cannot be read: {os_problem(error).message}", "make it readable"


def _safetensors_problem(file: Path, tensors: Iterable[str]) -> str:
    size = file.stat().st_size
    with open_regular(file) as stream:
        start = stream.read(_LENGTH)
        length = struct.unpack("<Q", start)[0] if len(start) == _LENGTH else 0
        if not len("{}") <= length <= _LONGEST_HEADER:
            return f"is not a safetensors file ({size:,} bytes)"
        raw = stream.read(length)
    if len(raw) < length:
        return f"is cut off: it has {size:,} bytes, but its header alone needs {_LENGTH + length:,}"
    ends = _tensor_ends(raw)
    if ends is None:
        return "has a damaged header"
    missing = [name for name in tensors if name not in ends]
    needed = _LENGTH + length + max(ends.values(), default=0)
    problem = ""
    if size < needed:
        problem = f"is cut off: it has {size:,} of {needed:,} bytes"
    elif size > needed:
        problem = f"is damaged: it has {size:,} bytes, but its header describes {needed:,}"
    elif missing:
        problem = f"lacks {len(missing)} tensors that the index places in it, such as {missing[0]}"
    return problem


def tensor_shapes(file: Path) -> dict[str, list[int]]:
    """Tensor to its shape, by the header of a whole safetensors file."""
    with open_regular(file) as stream:
        length = struct.unpack("<Q", stream.read(_LENGTH))[0]
        entries = parse_json(stream.read(length))
    return {name: entry.get("shape", []) for name, entry in entries.items() if name != "__metadata__"}


def _tensor_ends(header: bytes) -> dict[str, int] | None:
    """Tensor to the end of its bytes after the header; ``None`` for an invalid header."""
    try:
        entries = parse_json(header)
        return {name: int(entry["data_offsets"][1]) for name, entry in entries.items() if name != "__metadata__"}
    except UNFIT:
        return None


def _pickle_problem(file: Path) -> tuple[str, str]:
    """PyTorch's own format is a zip archive, whose directory is at its end."""
    with open_regular(file) as stream:
        is_archive = stream.read(2) == b"PK"
    if not is_archive:
        message = "is in PyTorch's format from before 2020, which torchtune does not load"
        return message, "save it again as safetensors"
    if not zipfile.is_zipfile(file):
        return f"is cut off ({file.stat().st_size:,} bytes)", "download it again"
    return "", ""
