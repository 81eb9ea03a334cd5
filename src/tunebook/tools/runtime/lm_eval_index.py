"""Finds the tasks, groups and tags that lm-evaluation-harness defines, and the data sets that they read.

lm-eval's own index takes a minute of computing to build. This one reads the names out of the same YAML files, without
importing lm-eval or torch.

Runs inside jobs and in ``check``, and needs nothing else of tunebook.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

__all__ = ["Benchmark", "benchmarks", "data_sets", "fixes_shots", "folder_of"]

_ENTRY = re.compile(
    rb"""^["']?(task|group|tag)["']?[ \t]*:[ \t]*(?:\#.*)?(\S.*)?$((?:\r?\n[ \t]*-[ \t]+.*)*)""", re.MULTILINE
)
_CLASS = re.compile(rb"^class[ \t]*:", re.MULTILINE)
_ITEM = re.compile(rb"-[ \t]+(.*)")
_LOCAL = ("json", "csv", "parquet", "text", "arrow")
_DEEPEST = 8  # groups of groups, and files that include files


@dataclass(frozen=True)
class Benchmark:
    """A name that lm-eval knows.

    Attributes:
        kind: ``task``, ``group`` or ``tag``.
        files: that define it; a tag has one per task.
    """

    name: str
    kind: str
    files: tuple[Path, ...]


def _tasks_folder() -> Path | None:
    spec = find_spec("lm_eval")
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations))) / "tasks"


def benchmarks() -> Mapping[str, Benchmark] | None:
    """Every name that lm-eval knows; ``None`` if lm-eval is not installed here."""
    folder = _tasks_folder()
    return None if folder is None else _benchmarks(folder)


@lru_cache(maxsize=1)
def _benchmarks(folder: Path) -> Mapping[str, Benchmark]:
    """The first file that defines a name counts, as in lm-eval; a name with files in several places is a tag."""
    found: dict[str, Benchmark] = {}
    tags: dict[str, list[Path]] = {}
    # Files without the ending are only included by others; tags may be defined there.
    files = [file for file in folder.rglob("*") if file.suffix in {"", ".yaml"} and file.is_file()]
    for file in sorted(files, key=Path.as_posix):
        for kind, name in _names(file.read_bytes()):
            if kind == "tag":
                tags.setdefault(name, []).append(file)
            else:
                found.setdefault(name, Benchmark(name, kind, (file,)))
    for name, files in tags.items():
        found.setdefault(name, Benchmark(name, "tag", tuple(files)))
    return found


def _names(raw: bytes) -> Iterator[tuple[str, str]]:
    entries = {match[1].decode(): match for match in _ENTRY.finditer(raw)}
    is_python = _CLASS.search(raw) is not None  # a task of Python may say which group it is of
    for kind, match in entries.items():
        if "group" in entries and kind == ("group" if is_python else "task"):
            continue  # the group of a task, or the members of a group
        items = [match[2]] if match[2] else _ITEM.findall(match[3]) if kind == "tag" else []
        for item in items:
            text = item.split(b" #")[0].strip().strip(b"\"'").decode("utf-8", "replace")
            yield from ((kind, part.strip(" \"'")) for part in text.strip("[]").split(",") if part.strip())


def folder_of(name: str) -> Path | None:
    """The folder of lm-eval's tasks with all files of a task or group; ``None`` for a tag, and if it is unknown."""
    folder, known = _tasks_folder(), benchmarks()
    entry = known.get(name) if known else None
    if folder is None or entry is None or entry.kind == "tag":
        return None
    return folder / entry.files[0].relative_to(folder).parts[0]


def data_sets(name: str) -> list[str]:
    """The data sets of the Hugging Face Hub that a benchmark reads, each once; local files do not count."""
    paths = (values.get("dataset_path") for values in _configurations(name, _DEEPEST))
    return list(dict.fromkeys(path for path in paths if isinstance(path, str) and path not in _LOCAL))


def fixes_shots(name: str) -> bool:
    """Whether a benchmark, or one of its tasks, is always asked without examples: lm-eval then ignores a number."""
    return any(values.get("num_fewshot") == 0 for values in _configurations(name, _DEEPEST))


def _configurations(name: str, depth: int) -> Iterator[dict[str, Any]]:
    """The files of a benchmark and of the tasks in it."""
    entry = (benchmarks() or {}).get(name)
    if entry is None or depth == 0:
        return
    for file in entry.files:
        values = _yaml(file, _DEEPEST)
        yield values
        for member in _members(values.get("task")):
            yield from _configurations(member, depth - 1)


def _members(task: Any) -> Iterator[str]:
    for item in task if isinstance(task, list) else ():
        if isinstance(item, str):
            yield item
        elif isinstance(item, dict):
            named = item.get("task") or item.get("group")
            yield from [named] if isinstance(named, str) else _members(named)


def _yaml(file: Path, depth: int) -> dict[str, Any]:
    """A file with the files that it includes; functions are not looked up."""
    import yaml

    from tunebook.tools.runtime.yaml_reading import load_yaml

    class Loader(yaml.SafeLoader):
        """Reads lm-eval's own tags as text."""

    Loader.add_multi_constructor("!", lambda _loader, _suffix, node: str(node.value))
    try:
        values = load_yaml(file.read_text(encoding="utf-8"), loader=Loader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return {}
    if not isinstance(values, dict):
        return {}
    merged: dict[str, Any] = {}
    included = values.pop("include", None)
    for name in included if isinstance(included, list) else [included]:
        if isinstance(name, str) and depth:
            merged |= _yaml(file.parent / name, depth - 1)
    return merged | values
