"""Tasks of installed packages, as inspect-ai names them: ``inspect_evals/mmlu_0_shot``."""

from __future__ import annotations

import re
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path

from tunebook.tools.inspect.task_source import read_task_script
from tunebook.tools.task_script import TaskScript

__all__ = ["is_package_task", "read_package_task"]

_GROUP = "inspect_ai"  # of the entry points with which packages register their tasks
_SPEC = re.compile(r"(?P<package>[A-Za-z_][\w-]*)/(?P<task>[A-Za-z_][\w-]*)")


def is_package_task(script: str) -> bool:
    """Whether the plan names a task of a package; a file has a suffix."""
    return _SPEC.fullmatch(script) is not None


def read_package_task(script: str) -> TaskScript | None:
    """The task's parameters, read from the package's sources; ``None`` if the package is not installed here."""
    match = _SPEC.fullmatch(script)
    if match is None:
        return None
    for entry in entry_points(group=_GROUP):
        if match["package"] in {entry.name, entry.dist.name if entry.dist else ""}:
            return _find_task(_directory(entry.module), match["task"])
    return None


def _directory(module: str) -> Path | None:
    """The directory of the package that a module belongs to, found without importing either."""
    spec = find_spec(module.partition(".")[0])
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations)))


def _find_task(directory: Path | None, name: str) -> TaskScript:
    if directory is not None:
        for file in sorted(directory.rglob("*.py")):
            script = read_task_script(file, is_alone=False)
            found = [function for function in script.functions if function.name == name] if script else []
            if found:
                return TaskScript((found[0],))
    return TaskScript(problem=f"names no task that the sources of {directory or 'its package'} define")
