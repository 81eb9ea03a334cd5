"""Runs the command line in a process of its own, as a person would."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from support.leaks import SECRETS

__all__ = ["TUNEBOOK", "tunebook"]

TUNEBOOK = Path(sys.executable).with_name("tunebook")


def tunebook(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs a verb in a directory, without some variables of this environment and with secrets, as a person's shell has.

    No file may contain one of these: see :mod:`support.leaks`.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("VIRTUAL_ENV", "INSPECT"))}
    environment |= SECRETS
    return subprocess.run(
        [str(TUNEBOOK), *arguments], cwd=directory, env=environment, capture_output=True, text=True, check=False
    )
