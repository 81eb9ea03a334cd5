"""Runs the command line in a process of its own, as a person would."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

__all__ = ["TUNEBOOK", "tunebook"]

TUNEBOOK = Path(sys.executable).with_name("tunebook")


def tunebook(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs a verb in a directory, without the variables of the environment that the tests run in."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("VIRTUAL_ENV", "INSPECT"))}
    return subprocess.run(
        [str(TUNEBOOK), *arguments], cwd=directory, env=environment, capture_output=True, text=True, check=False
    )
