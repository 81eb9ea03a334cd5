"""Suggests models, data sets and task scripts: from the site's models directory, and near the working directory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from tunebook.core.paths import expanded
from tunebook.core.plan.resources import splits_text
from tunebook.core.site import Site
from tunebook.tools.datasets import is_split_file, read_dataset_facts
from tunebook.tools.registry import installed_tools

__all__ = ["Suggestions", "suggestions"]

_MOST = 200
_LARGEST_BYTES = 16 * 2**20
_DATA_FILES = {".json", ".jsonl"}
_SKIPPED = {"node_modules", "site-packages", "artifacts", "__pycache__", "venv"}


@dataclass(frozen=True)
class Suggestions:
    """Paths, relative to the working directory where they are in it.

    Attributes:
        models: directories with a ``config.json`` and weights.
        datasets: path to its splits in words.
        tasks: ``SCRIPT.py@task``.
    """

    models: tuple[str, ...]
    datasets: tuple[tuple[str, str], ...]
    tasks: tuple[str, ...]


def suggestions(here: Path, site: Site) -> Suggestions:
    """Looks at most two directories deep, and at the site's models directory."""
    files = list(_files(here))
    models: dict[str, None] = {}
    datasets: dict[str, str] = {}
    for file in files:
        if file.name == "config.json" and any(file.parent.glob("*.safetensors")):
            models[_shown(file.parent, here)] = None
        for path in _data_paths(file, here):
            splits = _splits(path)
            if splits:
                datasets[_shown(path, here)] = splits
                break
    if site.models_dir:
        for config in sorted(Path(expanded(site.models_dir)).glob("*/config.json")):
            models[_shown(config.parent, here)] = None
    return Suggestions(tuple(models), tuple(datasets.items()), tuple(_tasks(files, here)))


def _files(here: Path) -> Iterator[Path]:
    count = 0
    for pattern in ("*", "*/*", "*/*/*"):
        for path in sorted(here.glob(pattern)):
            parts = path.relative_to(here).parts
            if not _SKIPPED.isdisjoint(parts) or any(part.startswith(".") for part in parts):
                continue
            if path.suffix in {".json", ".jsonl", ".py"} and path.is_file():
                count += 1
                if count > _MOST:
                    return
                yield path


def _shown(path: Path, here: Path) -> str:
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def _data_paths(file: Path, here: Path) -> Iterator[Path]:
    """The data set that a file may belong to: a directory with a file for each split; then the file itself."""
    if file.suffix not in _DATA_FILES:
        return
    if file.parent != here and is_split_file(file):
        yield file.parent
    yield file


def _splits(path: Path) -> str:
    """A data set's splits in words; empty for anything else."""
    files = [file for file in path.glob("*") if file.is_file()] if path.is_dir() else [path]
    if sum(file.stat().st_size for file in files) > _LARGEST_BYTES:
        return ""
    facts = read_dataset_facts(path)
    if facts is None or facts.problem or "train" not in facts.splits:
        return ""
    return splits_text(facts.splits)


def _tasks(files: Iterable[Path], here: Path) -> Iterator[str]:
    """Each script with the name of each task in it."""
    tools = installed_tools().evaluation
    for path, tool in product(files, tools):
        if path.suffix == ".py":
            script = tool.read_tasks(path)
            for function in script.functions if script else ():
                yield f"{_shown(path, here)}@{function.name}"
