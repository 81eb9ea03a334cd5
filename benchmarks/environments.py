"""Environments of the peers, beside tunebook's: their requirements contradict each other's and ours."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

__all__ = ["peer_python"]


def peer_python(requirement: str) -> tuple[str, str]:
    """The Python of an environment that has the package, and why there is none; the other one is empty.

    It is made in the directory of temporary files at the first call, and found there afterwards.
    """
    name = requirement.partition("=")[0]
    folder = Path(tempfile.gettempdir(), "tunebook-benchmarks", name)
    python = folder / "bin" / "python"
    done = folder / "installed"
    if not (done.is_file() and done.read_text() == requirement):
        made = _run([sys.executable, "-m", "venv", str(folder)])
        installed = made or _run([str(python), "-m", "pip", "install", "-q", requirement])
        if installed:
            return "", installed
        done.write_text(requirement)
    return str(python), ""


def _run(command: list[str]) -> str:
    """Why a program failed; empty if it did not."""
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    if found.returncode == 0:
        return ""
    return (found.stderr.strip().split("\n") or [""])[-1][:200] or f"exit code {found.returncode}"
