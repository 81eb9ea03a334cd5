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
_PAIR = re.compile(rf"([A-Za-z_][\w.-]*):\s*({_NUMBER})")
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
        most: lines behind so many steps count as unreadable.
    """
    kept = _Kept(most)
    for line in lines:
        kept.add(_logged(line))
    return kept.curve("torchtune log")


def parse_job_output(lines: Iterable[str], *, most: int = MOST_RECORDS) -> TrainingCurve:
    """Reads what a job printed: the lines of StdoutLogger, or else the progress bar.

    The bar's ``EPOCH|STEP|Loss: …`` counts epochs from 1.
    """
    logged = _Kept(most)
    bar: dict[int, MetricsRecord] = {}
    left_out = 0
    for line in lines:
        logged.add(_logged(line))
        for match in _PROGRESS_BAR.finditer(line):
            step = int(match[2])
            if step in bar and next(reversed(bar)) != step:
                bar.clear()  # the bar started again
            record = metrics_record({"step": step, "epoch": int(match[1]) - 1, "loss": float(match[3])})
            if record is None or (len(bar) >= most and step not in bar):
                left_out += 1
            else:
                bar[step] = record
    found = logged.curve("torchtune log")
    if found.curve.steps:
        return found
    return curve_of(Metrics(tuple(bar.values()), left_out), source="job output")


def _logged(line: str) -> MetricsRecord | None:
    """What a logger's line reports."""
    match = _STEP.match(line)
    if match is None:
        return None
    values: dict[str, float] = {_KEYS.get(name, name): float(value) for name, value in _PAIR.findall(match[2])}
    return metrics_record(values | {"step": int(match[1])})


class _Kept:
    """The first records of a log, and how many more there were."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._records: list[MetricsRecord] = []
        self._left_out = 0

    def add(self, record: MetricsRecord | None) -> None:
        if record is None:
            return
        if len(self._records) < self._most:
            self._records.append(record)
        else:
            self._left_out += 1

    def curve(self, source: str) -> TrainingCurve:
        return curve_of(Metrics(tuple(self._records), self._left_out), source=source)
