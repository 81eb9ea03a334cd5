"""Runs tunebook on a simulated shared file system: each operation on names below a folder waits first.

``python benchmarks/slow_files.py FOLDER DELAY_MS ARGUMENT…`` prints the number of the operations as its last line.
"""

from __future__ import annotations

import builtins
import io
import os
import sys
import time
from collections.abc import Callable
from typing import Any

__all__ = ["main"]

_OF_OS = (
    *("open", "stat", "lstat", "access", "readlink", "scandir", "listdir"),
    *("mkdir", "rmdir", "rename", "replace", "link", "symlink", "unlink", "remove", "chmod", "utime"),
)


class _SlowFolder:
    """Counts the operations below a folder, and waits before each."""

    def __init__(self, folder: str, delay_s: float) -> None:
        self.count = 0
        self._folder = folder
        self._delay_s = delay_s

    def slowed(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function with the delay."""

        def slow(path: Any = ".", *arguments: Any, **options: Any) -> Any:
            if not isinstance(path, int) and os.path.abspath(os.fsdecode(path)).startswith(self._folder):  # noqa: PTH100
                self.count += 1
                time.sleep(self._delay_s)
            return function(path, *arguments, **options)

        return slow


def main() -> None:
    """Ends as the command does."""
    folder = _SlowFolder(sys.argv[1], float(sys.argv[2]) / 1000)
    for name in _OF_OS:
        setattr(os, name, folder.slowed(getattr(os, name)))
    builtins.open = folder.slowed(builtins.open)
    io.open = builtins.open
    sys.argv = ["tunebook", *sys.argv[3:]]
    from tunebook.cli.main import main as command

    try:
        command()
    finally:
        sys.stdout.flush()
        print(folder.count)


if __name__ == "__main__":
    main()
