"""The results of torchtune: ``metrics.jsonl``, its own logs, or the progress bar in a job's output."""

from __future__ import annotations

import re

from tunebook.artifacts.curve import TrainingCurve, curve_of
from tunebook.artifacts.metrics import Metrics, metrics_record
from tunebook.artifacts.text_files import newest_first
from tunebook.tools.finetuning.results import FinetuningResults, text_of
from tunebook.tools.results import TrainingFiles

__all__ = ["TorchtuneResults", "parse_job_output", "parse_log"]

_KEYS = {
    "tokens_per_second_per_gpu": "tokens_per_second",
    "peak_memory_active": "peak_memory_gb",
    "learning_rate": "lr",
}
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
            found = parse_log(text_of(path))
            if found.curve.steps:
                return found
        for path in files.job_outputs:
            found = parse_job_output(text_of(path))
            if found.curve.steps:
                return found
        return TrainingCurve()


def parse_log(text: str) -> TrainingCurve:
    """Reads the lines ``Step N | loss:… lr:…`` that torchtune's DiskLogger writes and its StdoutLogger prints."""
    lines = []
    for match in map(_STEP.match, text.splitlines()):
        if match:
            values: dict[str, float] = {_KEYS.get(name, name): float(value) for name, value in _PAIR.findall(match[2])}
            lines.append(values | {"step": int(match[1])})
    return _curve(lines, source="torchtune log")


def parse_job_output(text: str) -> TrainingCurve:
    """Reads what a job printed: the lines of StdoutLogger, or else the progress bar.

    The bar's ``EPOCH|STEP|Loss: …`` counts epochs from 1.
    """
    logged = parse_log(text)
    if logged.curve.steps:
        return logged
    steps: dict[int, dict[str, float]] = {}
    for match in _PROGRESS_BAR.finditer(text):
        step = int(match[2])
        if step in steps and next(reversed(steps)) != step:
            steps.clear()  # the bar started again
        steps[step] = {"step": step, "epoch": int(match[1]) - 1, "loss": float(match[3])}
    return _curve(list(steps.values()), source="job output")


def _curve(lines: list[dict[str, float]], *, source: str) -> TrainingCurve:
    records = [metrics_record(line) for line in lines]
    return curve_of(Metrics(tuple(record for record in records if record is not None)), source=source)
