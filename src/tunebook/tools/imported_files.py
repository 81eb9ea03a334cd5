"""Finds the Python files beside a script that the script imports, without running anything."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from tunebook.disk.read import read_bytes

__all__ = ["imported_files"]


def imported_files(script: Path) -> tuple[Path, ...]:
    """The files in the script's directory, and in packages there, that the script imports directly or through others.

    They are sorted, without the script. A file that cannot be read or is not valid Python imports nothing.
    """
    found: dict[Path, None] = {}
    waiting = [script]
    while waiting:
        for path in _imported_by(waiting.pop(), script.parent):
            if path != script and path not in found:
                found[path] = None
                waiting.append(path)
    return tuple(sorted(found))


def _imported_by(file: Path, root: Path) -> Iterator[Path]:
    for level, names in _imported_names(file):
        start = file.parents[level - 1] if level else root
        yield from _files_of(names, start)


def _files_of(names: tuple[str, ...], root: Path) -> Iterator[Path]:
    """The files that Python reads for ``a.b.c``: packages on the way, and the last module that is one."""
    folder = root
    for name in names:
        module = folder / f"{name}.py"
        package = folder / name / "__init__.py"
        if package.is_file():
            yield package
            folder = folder / name
        elif module.is_file():
            yield module
            return
        elif (folder / name).is_dir():
            folder = folder / name
        else:
            return


def _imported_names(file: Path) -> tuple[tuple[int, tuple[str, ...]], ...]:
    """The imports of a file: the number of leading dots, and the names."""
    try:
        identity = file.stat()
        return _parsed(file, identity.st_mtime_ns, identity.st_size)
    except (OSError, ValueError, SyntaxError, RecursionError):
        return ()


@lru_cache
def _parsed(file: Path, _mtime_ns: int, _size: int) -> tuple[tuple[int, tuple[str, ...]], ...]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tree = ast.parse(read_bytes(file) or b"")
    names: list[tuple[int, tuple[str, ...]]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [(0, tuple(alias.name.split("."))) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            module = tuple(node.module.split(".")) if node.module else ()
            names += [(node.level, (*module, alias.name)) for alias in node.names]
    return tuple(names)
