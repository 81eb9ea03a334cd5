"""Reads the headers of inspect-ai's logs through its own data frame of evaluations."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tunebook.core.json_text import parse_json
from tunebook.errors import ToolError
from tunebook.tools.inspect.log_bounds import check_bounds
from tunebook.tools.results import LoggedMetric, LogHeader, LogReadings
from tunebook.tools.runtime.installing import install_here

__all__ = ["first_line", "open_log", "quiet_inspect", "read_log_headers", "reducers_of"]

_WANTED = frozenset({"model", "task_name", "task_file", "task_arg_*", "dataset_samples"})
_MEANS = frozenset({"mean", "accuracy"})  # the metrics that are a plain mean of a scorer's values
_ERRORS = ("stderr", "bootstrap_stderr")
_MEAN = "mean"  # inspect-ai's default reducer


def read_log_headers(logs: Sequence[Path]) -> LogReadings[LogHeader]:
    """Opens each log separately, so that a damaged file does not hide the others; then reads one data frame of all.

    Raises:
        ToolError: inspect-ai is not installed.
    """
    if find_spec("inspect_ai") is None:
        hint = install_here("tunebook[analysis]")
        raise ToolError("inspect-ai, which reads evaluation logs, is not installed here", hint=hint)
    opened: dict[Path, Any] = {}
    unreadable: dict[Path, str] = {}
    with quiet_inspect():
        for path in logs:
            try:
                opened[path] = open_log(path)
            except Exception as error:  # noqa: BLE001  zip, JSON and pydantic each fail in their own way on a torn file
                unreadable[path] = first_line(error)
        rows = _rows(list(opened.values()))
        headers = {path: _header(log, rows[log.location]) for path, log in opened.items()}
    return LogReadings(headers, unreadable)


def open_log(path: Path) -> Any:
    """Opens a log without its samples; the same value while the file is the same: headers and samples both need it."""
    stat = path.stat()
    return _open(path, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=2_048)
def _open(path: Path, size: int, mtime_ns: int) -> Any:
    from inspect_ai.log import read_eval_log  # it also teaches `zipfile` its compression

    del size, mtime_ns  # they identify the state of a file
    check_bounds(path)
    return read_eval_log(str(path), header_only=True)


def _rows(logs: Sequence[Any]) -> dict[str, dict[str, Any]]:
    """inspect-ai's data frame of the evaluations: one row per log, by the log's location.

    The frame leaves out copies of the same evaluation: those are read one by one.
    """
    from inspect_ai.analysis import EvalDataset, EvalInfo, EvalModel, EvalResults, EvalTask, evals_df

    if not logs:
        return {}
    some = [column for column in (*EvalTask, *EvalModel, *EvalDataset) if column.name in _WANTED]
    columns = [*EvalInfo, *some, *EvalResults]
    frame, _ = evals_df(logs, columns, strict=False, quiet=True)
    rows = {} if frame is None else {row["log"]: row for row in frame.to_dict("records")}
    missing = [log for log in logs if log.location not in rows]
    if missing and len(missing) < len(logs):
        rows |= _rows(missing)
    return rows


def first_line(error: BaseException) -> str:
    """The first line of an error's message, or the name of its class if it has none."""
    first = str(error).partition("\n")[0]
    return first[:200] or type(error).__name__


def _header(log: Any, row: Mapping[str, Any]) -> LogHeader:
    packages = parse_json(_string(row, "packages") or "{}")
    created = ""
    if _string(row, "created"):
        created = row["created"].isoformat()
    return LogHeader(
        status=_string(row, "status"),
        created=created,
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
        metrics=_metrics(log),
        reducer=next(iter(reducers_of(log)), ""),
    )


def reducers_of(log: Any) -> list[str]:
    """The names of the log's reducers, the one that counts first; empty if nothing had to be reduced."""
    config = log.eval.config
    reducers = list(config.epochs_reducer or [_MEAN])
    if (config.epochs or 1) == 1 and reducers == [_MEAN]:
        return []
    return reducers


def _metrics(log: Any) -> dict[str, tuple[LoggedMetric, ...]]:
    """The log's metrics by measure; those of its second reducer and of further ones are measures of their own."""
    if log.results is None:
        return {}
    first = next(iter(reducers_of(log)), _MEAN)
    found: dict[str, list[LoggedMetric]] = {}
    for score in log.results.scores:
        measure = score.scorer if score.name == score.scorer else f"{score.scorer}/{score.name}"
        if score.reducer not in {None, first}:
            measure = f"{measure}/{score.reducer}"
        is_of_repeats = score.reducer is None and first != _MEAN
        for name, metric in score.metrics.items():
            if name in _ERRORS or not isinstance(metric.value, int | float) or math.isnan(metric.value):
                continue
            shown = name if metric.group is None else f"{metric.name} ({metric.group})"
            is_mean = name in _MEANS and metric.group is None and not is_of_repeats
            found.setdefault(measure, []).append(LoggedMetric(shown, float(metric.value), is_mean))
    return {measure: tuple(metrics) for measure, metrics in found.items()}


def _is_missing(value: Any) -> bool:
    import pandas as pd

    return value is None or (pd.api.types.is_scalar(value) and bool(pd.isna(value)))


def _string(row: Mapping[str, Any], column: str) -> str:
    value = row.get(column)
    if _is_missing(value):
        return ""
    return str(value)


def _count(row: Mapping[str, Any], column: str) -> int:
    return int(float(_string(row, column) or 0))


@contextmanager
def quiet_inspect() -> Iterator[None]:
    """Hides inspect-ai's warnings about single values: the analysis itself reports what cannot be used."""
    logger = logging.getLogger("inspect_ai")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)
