"""The GPUs of this machine, as ``CUDA_VISIBLE_DEVICES`` names them."""

from __future__ import annotations

import os
import re

from tunebook.disk.program import run_program
from tunebook.errors import ToolError

__all__ = ["find_gpus"]

_ASK_S = 30.0
_GPU = re.compile(r"GPU (\d+):")
_PART = re.compile(r"\s+MIG .*\(UUID: (MIG-[^)]+)\)")


def find_gpus() -> tuple[str, ...]:
    """Returns the GPUs that ``CUDA_VISIBLE_DEVICES`` allows, otherwise those that ``nvidia-smi -L`` lists.

    A GPU that is divided (MIG) counts as its parts.
    """
    allowed = os.environ.get("CUDA_VISIBLE_DEVICES")
    if allowed is not None:
        names = map(str.strip, allowed.split(","))
        return tuple(name for name in names if name and not name.startswith("-"))
    try:
        answer = run_program(["nvidia-smi", "-L"], timeout_s=_ASK_S)
    except ToolError:
        return ()
    return _listed(answer.stdout) if answer.returncode == 0 else ()


def _listed(text: str) -> tuple[str, ...]:
    names: list[str] = []
    gpus: set[str] = set()
    for line in text.splitlines():
        gpu, part = _GPU.match(line), _PART.match(line)
        if gpu:
            gpus.add(gpu[1])
            names.append(gpu[1])
        elif part and names:
            if names[-1] in gpus:
                names.pop()  # its parts take its place
            names.append(part[1])
    return tuple(names)
