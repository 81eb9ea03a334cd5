"""The code that runs here: versions of all packages, and the state of tunebook's own files and of its tools'."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from tunebook.disk.stamps import NEVER_FRESH_NS, files_below, stamp_of
from tunebook.tools.entry_points import tool_entry_points

__all__ = ["installed_code"]


@cache
def installed_code() -> str:
    """One digest, which changes with every package that is installed, removed or, of tunebook and tools, edited."""
    text = "\0".join(_parts())
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def _parts() -> Iterator[str]:
    yield sys.version
    distributions = set()  # the same in every process, whatever other directories it looks in
    for folder in sys.path:
        with suppress(OSError):  # no directory, or not ours to read
            distributions |= {name for name in os.listdir(folder) if name.endswith("-info")}  # noqa: PTH208
    yield ", ".join(sorted(distributions))  # each name has the version
    packages = {"tunebook", *(point.module.partition(".")[0] for point in tool_entry_points())}
    for package in sorted(packages):
        spec = find_spec(package)
        if spec is None:
            continue
        for place in spec.submodule_search_locations or [spec.origin or ""]:
            files = files_below(Path(place), ignored=lambda name: name.endswith("__pycache__"))
            yield stamp_of(files, seen_ns=NEVER_FRESH_NS)
