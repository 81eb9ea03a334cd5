"""The results of torchtune: ``metrics.jsonl``, its own logs, or the progress bar in a job's output."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from tunebook.artifacts.curve import TrainingCurve, curve_of
from tunebook.artifacts.metrics import MOST_RECORDS, Metrics, MetricsRecord, metrics_record
from tunebook.artifacts.text_files import newest_first, read_lines
from tunebook.tools.finetuning.results import FinetuningResults
from tunebook.tools.results import TrainingFiles

__all__ = ["TorchtuneResults", "parse_job_output", "parse_log"]

_KEYS = {
    "tokens_per_second_per_gpu": "tokens_per_second",
    "peak_memory_active": "peak_memory_gb",
    "learning_rate": "lr",
}
_LONGEST_LINE = 4_096
_NUMBER = r"-?(?:\d[\d.]*(?:[eE][+-]?\d+)?|nan|inf)"
_STEP = re.compile(r"Step (\d{1,12}) \| (.*)")
_PAIR = re.compile(rf"([A-Za-z_][\w.-]{{0,99}}):\s*({_NUMBER})")
_PROGRESS_BAR = re.compile(rf"(\d{{1,6}})\|(\d{{1,12}})\|Loss: ({_NUMBER})")


class TorchtuneResults(FinetuningResults):
    """The results of trainings with torchtune, with tunebook's own logger or any of torchtune's."""

    def read_curve(self, files: TrainingFiles) -> TrainingCurve:
        """Reads the first of the sources that has steps."""
        found = super().read_curve(files)
        if found.curve.steps:
            return found
        output = files.output_directory
        logs = [*output.glob("log_*.txt"), *output.glob("logs/log_*.txt"), *files.run_directory.glob("log_*.txt")]
        for path in newest_first(logs):
            found = parse_log(_lines(path))
            if found.curve.steps:
                return found
        for path in files.job_outputs:
            found = parse_job_output(_lines(path))
            if found.curve.steps:
                return found
        return TrainingCurve()


def _lines(path: Path) -> Iterator[str]:
    """The lines of a file, which may be large; none if it cannot be read."""
    with suppress(OSError):
        yield from read_lines(path, longest=_LONGEST_LINE, newline=None)


def parse_log(lines: Iterable[str], *, most: int = MOST_RECORDS) -> TrainingCurve:
    """Reads the lines ``Step N | loss:… lr:…`` that torchtune's DiskLogger writes and its StdoutLogger prints.

    Args:
        most: lines after so many steps are not parsed and count as unreadable.
    """
    logged = _Logged(most)
    for line in lines:
        logged.add(line)
    return logged.curve()


def parse_job_output(lines: Iterable[str], *, most: int = MOST_RECORDS) -> TrainingCurve:
    """Reads what a job printed: the lines of StdoutLogger, or else the progress bar.

    The bar's ``EPOCH|STEP|Loss: …`` counts epochs from 1.
    """
    logged, bar = _Logged(most), _Bar(most)
    for line in lines:
        logged.add(line)
        bar.add(line)
    found = logged.curve()
    return found if found.curve.steps else bar.curve()


class _Logged:
    """The first steps of a log, and how many more lines there are."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._records: list[MetricsRecord] = []
        self._left_out = 0

    def add(self, line: str) -> None:
        if not line.startswith("Step "):  # an output may have millions of lines
            return
        match = _STEP.match(line)
        if match is None:
            return
        if len(self._records) >= self._most:
            self._left_out += 1
            return
        values: dict[str, float] = {_KEYS.get(name, name): float(value) for name, value in _PAIR.findall(match[2])}
        record = metrics_record(values | {"step": int(match[1])})
        if record is not None:
            self._records.append(record)

    def curve(self) -> TrainingCurve:
        return curve_of(Metrics(tuple(self._records), self._left_out), source="torchtune log")


class _Bar:
    """The steps of a progress bar; each one may be drawn many times."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._records: dict[int, MetricsRecord] = {}
        self._left_out = 0

    def add(self, line: str) -> None:
        if "|Loss: " not in line:
            return
        for match in _PROGRESS_BAR.finditer(line):
            self._add(int(match[2]), match)

    def _add(self, step: int, match: re.Match[str]) -> None:
        if step in self._records and next(reversed(self._records)) != step:
            self._records.clear()  # the bar started again
        if step not in self._records and len(self._records) >= self._most:
            self._left_out += 1
            return
        record = metrics_record({"step": step, "epoch": int(match[1]) - 1, "loss": float(match[3])})
        if record is not None:
            self._records[step] = record

    def curve(self) -> TrainingCurve:
        return curve_of(Metrics(tuple(self._records.values()), self._left_out), source="job output")
