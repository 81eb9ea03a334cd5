"""Reads the logs of evaluations through their tool, and caches the contents of files until they change."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tunebook.analysis.collect.sample_rows import row_of, samples_of
from tunebook.analysis.data_files import write_parquet
from tunebook.core.measures import Direction
from tunebook.core.paths import ANALYSIS_MEMORY
from tunebook.disk.atomic import write_text
from tunebook.disk.remembered import read_remembered
from tunebook.errors import os_problem
from tunebook.tools.results import EvaluationResults, LoggedMetric, LogHeader, Samples

__all__ = ["EvaluationLog", "LogReader", "UnreadableLog"]

_HEADER_CACHE = f"{ANALYSIS_MEMORY}/headers.json"
_SAMPLE_CACHE = f"{ANALYSIS_MEMORY}/samples.parquet"
_VERSION = 7  # of both caches: a cache of another version is ignored


@dataclass(frozen=True)
class EvaluationLog:
    """A log in an experiment.

    Attributes:
        path: relative to the experiment's directory.
        stamp: size and time of the file, which tell whether it has changed.
        tool: the evaluation tool that reads it.
    """

    path: str
    stamp: str
    tool: str
    header: LogHeader


@dataclass(frozen=True)
class UnreadableLog:
    """A file that is not a log, or a torn one; ``path`` is relative to the experiment's directory."""

    path: str
    why: str


@dataclass(frozen=True)
class LogReader:
    """Reads the logs of one experiment; ``tools`` are the evaluation tools with their readers."""

    experiment: Path
    tools: Mapping[str, EvaluationResults]
    use_cache: bool = True

    def headers(self, paths: Mapping[Path, str]) -> tuple[tuple[EvaluationLog, ...], tuple[UnreadableLog, ...]]:
        """Reads the headers of logs, in their order.

        Args:
            paths: each log, with the tool that reads it.

        Raises:
            ToolError: a package that reads the logs is not installed and there is a log that has to be read.
        """
        stamps, unreadable = self._stamps(list(paths))
        tool_of = {self._name(path): tool for path, tool in paths.items()}
        remembered: dict[str, EvaluationLog] = {}
        if self.use_cache:
            cache = self.experiment / _HEADER_CACHE
            remembered = read_remembered(cache, _headers, version=_VERSION) or {}
        logs = dict(remembered)
        for name in remembered:
            if remembered[name].stamp != stamps.get(name) or remembered[name].tool != tool_of[name]:
                del logs[name]
        fresh = {name: tool_of[name] for name in stamps if name not in logs}
        for tool, files in self._by_tool(fresh):
            read = self.tools[tool].read_headers(files)
            for path, header in read.readings.items():
                name = self._name(path)
                logs[name] = EvaluationLog(name, stamps[name], tool, header)
            unreadable += self._unreadable(read.unreadable)
        if self.use_cache and logs != remembered:
            _remember_headers(self.experiment, logs)
        return tuple(filter(None, map(logs.get, stamps))), tuple(unreadable)

    def _stamps(self, paths: Sequence[Path]) -> tuple[dict[str, str], list[UnreadableLog]]:
        """The stamp of each log by its name, and the files that cannot even be named or asked for their size."""
        stamps: dict[str, str] = {}
        unreadable: list[UnreadableLog] = []
        for path in paths:
            name = self._name(path)
            shown = name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
            try:
                stat = path.stat()
            except OSError as error:
                unreadable.append(UnreadableLog(shown, os_problem(error).message))
                continue
            if shown == name:
                stamps[name] = f"{stat.st_size}.{stat.st_mtime_ns}"
            else:
                unreadable.append(UnreadableLog(shown, "its name is not valid UTF-8"))
        return stamps, unreadable

    def samples(self, logs: Sequence[EvaluationLog]) -> tuple[dict[str, Samples], tuple[UnreadableLog, ...]]:
        """Reads the samples of each log, by the log's path."""
        stamps = {log.path: log.stamp for log in logs}
        samples = _remembered_samples(self.experiment, stamps) if self.use_cache else {}
        fresh = {log.path: log.tool for log in logs if log.path not in samples}
        unreadable: list[UnreadableLog] = []
        read_now: dict[str, Samples] = {}
        for tool, files in self._by_tool(fresh):
            read = self.tools[tool].read_samples(files)
            for path, found in read.readings.items():
                read_now[self._name(path)] = found
            unreadable += self._unreadable(read.unreadable)
        samples |= read_now
        if self.use_cache and read_now:
            _remember_samples(self.experiment, samples, stamps)
        return samples, tuple(unreadable)

    def _by_tool(self, names: Mapping[str, str]) -> Iterator[tuple[str, list[Path]]]:
        """Each tool that has logs among these, with their paths."""
        for tool in self.tools:
            files = [self.experiment / name for name, of_tool in names.items() if of_tool == tool]
            if files:
                yield tool, files

    def _unreadable(self, reasons: Mapping[Path, str]) -> list[UnreadableLog]:
        return [UnreadableLog(self._name(path), why) for path, why in reasons.items()]

    def _name(self, path: Path) -> str:
        return path.relative_to(self.experiment).as_posix()


def _headers(document: Mapping[str, Any]) -> dict[str, EvaluationLog]:
    logs = {}
    for entry in document["logs"]:
        header = _header(entry["header"])
        log = EvaluationLog(str(entry["path"]), str(entry["stamp"]), str(entry["tool"]), header)
        logs[log.path] = log
    return logs


def _header(values: Mapping[str, Any]) -> LogHeader:
    header = LogHeader(**values)
    metrics = {}
    for measure, found in values["metrics"].items():
        metrics[measure] = tuple(LoggedMetric(**metric) for metric in found)
    directions = {measure: Direction(direction) for measure, direction in values["directions"].items()}
    return replace(header, metrics=metrics, directions=directions)


def _remember_headers(experiment: Path, logs: Mapping[str, EvaluationLog]) -> None:
    entries = []
    for _, log in sorted(logs.items()):
        entries.append(vars(log) | {"header": vars(log.header)})
    document = {"version": _VERSION, "logs": entries}
    text = json.dumps(document, ensure_ascii=False, indent=0, default=_plain) + "\n"
    write_text(experiment / _HEADER_CACHE, text, within=experiment)


def _plain(value: Any) -> Any:
    """What JSON cannot write: read-only mappings, directions, and metrics."""
    if isinstance(value, Direction):
        return value.value
    if isinstance(value, LoggedMetric):
        return vars(value)
    return dict(value)


def _remembered_samples(experiment: Path, stamps: Mapping[str, str]) -> dict[str, Samples]:
    path = experiment / _SAMPLE_CACHE
    if not path.is_file():
        return {}
    import pyarrow as pa
    import pyarrow.parquet as pq

    samples = {}
    try:
        with path.open("rb") as file:  # pyarrow refuses paths beyond UTF-8
            rows = pq.read_table(file).to_pylist()
        for row in rows:
            if row["version"] == _VERSION and stamps.get(row["log"]) == row["stamp"]:
                samples[row["log"]] = samples_of(row)
    except (OSError, KeyError, TypeError, ValueError, pa.ArrowException):
        return {}
    return samples


def _remember_samples(experiment: Path, samples: Mapping[str, Samples], stamps: Mapping[str, str]) -> None:
    """Writes one row per log, with a list per column of its samples."""
    import pyarrow as pa

    rows = []
    for path, found in sorted(samples.items()):
        rows.append({"version": _VERSION, "log": path, "stamp": stamps[path]} | row_of(found))
    write_parquet(experiment / _SAMPLE_CACHE, pa.Table.from_pylist(rows), within=experiment)
