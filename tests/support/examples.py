"""Copies of the examples, with the inputs that their scripts make, and driven by the command line as a person would."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from support.command_line import TUNEBOOK
from support.plugins import install_project

__all__ = ["EXAMPLES", "EXPECTED", "ExampleCopy", "copied", "example_names"]

EXAMPLES = Path(__file__).parents[2] / "examples"
EXPECTED = "expected"
_MAKER = "make_inputs.py"
_SAME_EVERYWHERE = "# ---- the same in every script"
_CUT = "# ---- the rest is the same in every script, and left out here\n"
_NOT_COMPARED = (".tunebook", "__pycache__")


@dataclass(frozen=True)
class ExampleCopy:
    """A copy of an example.

    Attributes:
        environment: the variables of its commands; a plug-in is installed in it.
    """

    directory: Path
    environment: dict[str, str]

    def tunebook(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs a verb in the directory."""
        return self._run(str(TUNEBOOK), *arguments)

    def tunebook_text(self, *arguments: str) -> str:
        """The output of a verb that must succeed."""
        done = self.tunebook(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def make_inputs(self) -> None:
        """Runs the example's script."""
        done = self._run(sys.executable, _MAKER)
        assert done.returncode == 0, done.stderr

    def paths(self) -> set[str]:
        """All files but logs and state."""
        files = [path.relative_to(self.directory) for path in self.directory.rglob("*") if path.is_file()]
        kept = [path for path in files if path.suffix != ".log" and not set(path.parts) & set(_NOT_COMPARED)]
        return set(map(str, kept))

    def texts(self, paths: Iterable[str]) -> dict[str, str]:
        """Relative path to text: ``/EXPERIMENT`` stands for the directory, and what all scripts share is left out."""
        found = {}
        for path in sorted(paths):
            text = (self.directory / path).read_text().replace(str(self.directory), "/EXPERIMENT")
            head, mark, _ = text.partition(_SAME_EVERYWHERE)
            found[path] = head + (_CUT if mark else "")
        return found

    def _run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=self.directory, env=self.environment, capture_output=True, text=True, check=False
        )


def example_names() -> list[str]:
    """Every directory with a script that makes its inputs."""
    return sorted(path.parent.name for path in EXAMPLES.glob(f"*/{_MAKER}"))


def copied(name: str, root: Path) -> ExampleCopy:
    """A copy below ``root``, without the expected files; the package of a plug-in is installed for it."""
    directory = root / name
    shutil.copytree(EXAMPLES / name, directory, ignore=shutil.ignore_patterns(EXPECTED, "__pycache__"))
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("VIRTUAL_ENV", "INSPECT"))}
    if (directory / "pyproject.toml").is_file():
        install_project(directory, root / "site")
        environment["PYTHONPATH"] = str(root / "site")
    return ExampleCopy(directory, environment)
