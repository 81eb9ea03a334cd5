"""Reads inspect-ai's logs through its own data frames, and remembers what unchanged files said."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tunebook.core.paths import STATE_DIRECTORY
from tunebook.disk.atomic import read_text, write_text
from tunebook.errors import ToolError

__all__ = ["HEADER_CACHE", "LogHeader", "UnreadableLog", "first_line", "opened", "quiet", "read_headers"]

HEADER_CACHE = f"{STATE_DIRECTORY}/analysis/headers.json"
_VERSION = 2
_UNREADABLE = (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, NotImplementedError)


@dataclass(frozen=True)
class LogHeader:
    """What a log says of itself, without its samples.

    Attributes:
        path: relative to the experiment's directory.
        size: in bytes; with ``mtime_ns`` it tells whether the file has changed.
        samples: how many the evaluation has; ``completed`` of them were.
        dataset: the task's argument ``dataset_path``.
        metrics: ``SCORER_METRIC`` to its value.
        packages: by name, the versions that the log names.
    """

    path: str
    size: int
    mtime_ns: int
    status: str
    created: str
    model: str
    task: str
    task_file: str = ""
    dataset: str = ""
    samples: int = 0
    completed: int = 0
    error: str = ""
    commit: str = ""
    origin: str = ""
    packages: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    metrics: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True)
class UnreadableLog:
    """A file that is no log, or a torn one."""

    path: str
    why: str


def read_headers(
    experiment: Path, paths: Sequence[Path], *, use_cache: bool = True
) -> tuple[tuple[LogHeader, ...], tuple[UnreadableLog, ...]]:
    """The headers of logs, in their order; of files that have not changed since, out of the cache.

    Raises:
        ToolError: inspect-ai is not installed and there is a log that has to be read.
    """
    known = _cached(experiment) if use_cache else {}
    found: dict[str, LogHeader] = {}
    fresh: dict[str, Path] = {}
    bad: list[UnreadableLog] = []
    for path in paths:
        name = path.relative_to(experiment).as_posix()
        shown = name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        try:
            stat = path.stat()
        except OSError as error:
            bad.append(UnreadableLog(shown, error.strerror or str(error)))
            continue
        if shown != name:
            bad.append(UnreadableLog(shown, "its name is no text"))
            continue
        header = known.get(name)
        if header is not None and (header.size, header.mtime_ns) == (stat.st_size, stat.st_mtime_ns):
            found[name] = header
        else:
            fresh[name] = path
    read, unreadable = _read(fresh) if fresh else ({}, [])
    found |= read
    if use_cache and (read or found.keys() != known.keys()):
        _remember(experiment, found)
    ordered = tuple(found[name] for path in paths if (name := path.relative_to(experiment).as_posix()) in found)
    return ordered, (*bad, *unreadable)


def _cached(experiment: Path) -> dict[str, LogHeader]:
    text = read_text(experiment / HEADER_CACHE)
    try:
        document = json.loads(text) if text else {}
        if document.get("version") != _VERSION:
            return {}
        names = {item.name for item in fields(LogHeader)}
        return {
            str(entry["path"]): LogHeader(**{key: value for key, value in entry.items() if key in names})
            for entry in document["logs"]
        }
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


def _remember(experiment: Path, headers: Mapping[str, LogHeader]) -> None:
    logs = [asdict(header) for _, header in sorted(headers.items())]
    text = json.dumps({"version": _VERSION, "logs": logs}, ensure_ascii=False, indent=0, default=dict) + "\n"
    write_text(experiment / HEADER_CACHE, text)


def _read(paths: Mapping[str, Path]) -> tuple[dict[str, LogHeader], list[UnreadableLog]]:
    """Every header by itself, so that one torn file does not hide the others; then one data frame of all."""
    if find_spec("inspect_ai") is None:
        hint = "pip install 'tunebook[analysis]'"
        raise ToolError("inspect-ai, which reads evaluation logs, is not installed here", hint=hint)
    logs: dict[str, Any] = {}
    bad: list[UnreadableLog] = []
    with quiet():
        for name, path in paths.items():
            try:
                logs[name] = opened(path)
            except Exception as error:  # noqa: BLE001  zip, JSON and pydantic each fail in their own way on a torn file
                bad.append(UnreadableLog(name, first_line(error)))
        rows = _rows(list(logs.values()))
        headers = {name: _header(name, paths[name], rows[log.location]) for name, log in logs.items()}
    return headers, bad


def opened(path: Path) -> Any:
    """A log without its samples; the same value while the file is the same, since headers and samples both want it."""
    stat = path.stat()
    return _open(path, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=2_048)
def _open(path: Path, size: int, mtime_ns: int) -> Any:
    from inspect_ai.log import read_eval_log

    del size, mtime_ns  # they tell one state of a file from another
    return read_eval_log(str(path), header_only=True)


def _rows(logs: Sequence[Any]) -> dict[str, dict[str, Any]]:
    """inspect-ai's data frame of the evaluations, a row a log, by the log's location.

    The frame has no copies of one and the same evaluation: those are read by themselves.
    """
    from inspect_ai.analysis import EvalDataset, EvalInfo, EvalModel, EvalResults, EvalScores, EvalTask, evals_df

    wanted = {"model", "task_name", "task_file", "task_arg_*", "dataset_samples"}
    some = [column for column in (*EvalTask, *EvalModel, *EvalDataset) if column.name in wanted]
    columns = [*EvalInfo, *some, *EvalResults, *EvalScores]
    rows: dict[str, dict[str, Any]] = {}
    frame, _ = evals_df(logs, columns, strict=False, quiet=True) if logs else (None, ())
    if frame is not None:
        rows = {row["log"]: row for row in frame.to_dict("records")}
    missing = [log for log in logs if log.location not in rows]
    return rows | (_rows(missing) if len(missing) < len(logs) else {})


def first_line(error: BaseException) -> str:
    """The first line of an error, or its kind."""
    lines = str(error).splitlines()
    return lines[0][:200] if lines else type(error).__name__


def _header(name: str, path: Path, row: Mapping[str, Any]) -> LogHeader:
    stat = path.stat()
    metrics = {
        key.removeprefix("score_"): float(value)
        for key, value in row.items()
        if key.startswith("score_") and not key.startswith("score_headline_") and _is_number(value)
    }
    packages = json.loads(_string(row, "packages") or "{}")
    return LogHeader(
        path=name,
        size=stat.st_size,
        mtime_ns=stat.st_mtime_ns,
        status=_string(row, "status"),
        created=row["created"].isoformat() if _is_there(row.get("created")) else "",
        model=_string(row, "model"),
        task=_string(row, "task_name"),
        task_file=_string(row, "task_file"),
        dataset=_string(row, "task_arg_dataset_path"),
        samples=_count(row, "total_samples") or _count(row, "dataset_samples"),
        completed=_count(row, "completed_samples"),
        error=_string(row, "error_message"),
        commit=_string(row, "git_commit"),
        origin=_string(row, "git_origin"),
        packages={str(package): str(version) for package, version in packages.items()},
        metrics=metrics,
    )


def _is_there(value: Any) -> bool:
    import pandas as pd

    return value is not None and not (pd.api.types.is_scalar(value) and pd.isna(value))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and _is_there(value)


def _string(row: Mapping[str, Any], key: str) -> str:
    value = row.get(key)
    return str(value) if _is_there(value) else ""


def _count(row: Mapping[str, Any], key: str) -> int:
    value = row.get(key)
    return int(value) if _is_there(value) and value is not None else 0


@contextmanager
def quiet() -> Iterator[None]:
    """Keeps inspect-ai's warnings about single values away from the reader: what cannot be used is told by us."""
    logger = logging.getLogger("inspect_ai")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)
