"""Functions that a test asks the worker of the deep checks for."""

from __future__ import annotations

import os
import sys
import time

__all__ = ["dies", "doubled", "refuses", "sleeps"]


def doubled(number: int) -> dict[str, int]:
    """Prints, as libraries do, and answers."""
    sys.stdout.write("progress\n")
    return {"number": 2 * number}


def refuses() -> None:
    """Raises."""
    raise ValueError("not this one")


def dies() -> None:
    """Ends the process, as a fault of a library does."""
    sys.stderr.write("last words\n")
    sys.stderr.flush()
    os._exit(3)


def sleeps() -> None:
    """Does not answer."""
    time.sleep(3600)
