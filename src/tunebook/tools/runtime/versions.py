"""Writes which packages, Python, GPUs and driver a job has. Standard library only; imports none of the packages.

Runs inside jobs (``python -m tunebook.tools.runtime.versions --out FILE``), before the job's own work.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, entry_points, version
from pathlib import Path
from typing import Any

__all__ = ["code_digest", "environment_versions", "main"]

_PACKAGES = (
    "tunebook",
    "torch",
    "torchtune",
    "torchao",
    "transformers",
    "tokenizers",
    "peft",
    "accelerate",
    "trl",
    "datasets",
    "safetensors",
    "numpy",
    "inspect-ai",
    "inspect-evals",
    "lm-eval",
    "vllm",
)
_PLUGINS = "tunebook.tools"
_TIMEOUT_S = 30


def environment_versions() -> dict[str, Any]:
    """Returns what decides how this environment computes: Python, packages, GPUs and driver, and the system."""
    found = {
        "python": platform.python_version(),
        "executable": sys.executable,
        "packages": _packages(),
        "system": platform.platform(),
        "processor": platform.machine(),
    }
    return found | _gpus()


def _packages() -> dict[str, str]:
    plugins = [point.dist.name for point in entry_points(group=_PLUGINS) if point.dist is not None]
    versions: dict[str, str] = {}
    for name in dict.fromkeys((*_PACKAGES, *sorted(plugins))):
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions


def _gpus() -> dict[str, Any]:
    """The names of the job's GPUs and the driver; nothing on a machine without an NVIDIA GPU."""
    command = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible:
        command.append(f"--id={visible}")
    if visible == "":
        return {"gpus": []}
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=True)
    except (OSError, subprocess.SubprocessError):
        return {"gpus": []}
    rows = [line.rpartition(", ") for line in done.stdout.splitlines() if ", " in line]
    drivers = sorted({driver for _, _, driver in rows})
    return {"gpus": [name for name, _, _ in rows], "driver": ", ".join(drivers)}


def code_digest() -> str:
    """The SHA-256 of the modules that run inside jobs: two installations with the same digest run the same code."""
    digest = hashlib.sha256()
    for file in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(f"{file.name}\n".encode() + file.read_bytes())
    return digest.hexdigest()


def main(arguments: list[str] | None = None) -> int:
    """``--out FILE``."""
    parser = argparse.ArgumentParser(prog="tunebook.tools.runtime.versions")
    parser.add_argument("--out", type=Path, required=True)
    out: Path = parser.parse_args(arguments).out
    part = out.with_name(f"{out.name}.part")
    part.write_text(json.dumps(environment_versions(), ensure_ascii=False) + "\n", encoding="utf-8")
    part.replace(out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
