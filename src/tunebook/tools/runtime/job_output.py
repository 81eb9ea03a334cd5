"""The output directory of a training: the digest of its inputs, its metrics, and the epochs that a resumed one repeats.

Runs inside jobs, and needs nothing else of tunebook but its other job-side modules.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from tunebook.tools.runtime.job_errors import JobError

__all__ = ["METRICS", "check_metrics", "forget_epochs", "has_same_inputs", "mark_inputs"]

METRICS = "metrics.jsonl"
_MARK = "inputs.sha256"


def has_same_inputs(output: Path, inputs: str) -> bool:
    """Whether an earlier attempt had the inputs with this digest; never without a digest."""
    mark = output / _MARK
    return bool(inputs) and mark.is_file() and mark.read_text() == inputs


def mark_inputs(output: Path, inputs: str) -> None:
    """Makes the directory, and records the digest of the inputs of a training that starts from scratch."""
    output.mkdir(parents=True, exist_ok=True)
    (output / _MARK).write_text(inputs)


def forget_epochs(output: Path, done: int) -> None:
    """Removes the checkpoints and the metrics of this epoch, counted from zero, and of later ones."""
    for folder in output.glob("epoch_*"):
        number = folder.name.removeprefix("epoch_")
        if number.isdecimal() and int(number) >= done:
            shutil.rmtree(folder)
    _forget_metrics(output / METRICS, done)


def _forget_metrics(metrics: Path, epoch: int) -> None:
    """Keeps the metrics of the epochs before this one."""
    if not metrics.is_file():
        return
    part = metrics.with_name(f"{metrics.name}.part")
    with metrics.open("rb") as lines, part.open("wb") as kept:
        for line in lines:
            try:
                is_earlier = json.loads(line)["epoch"] < epoch
            except (ValueError, KeyError, TypeError):
                continue  # a torn line
            if is_earlier:
                kept.write(line.rstrip(b"\r\n") + b"\n")
    part.replace(metrics)


def check_metrics(path: Path) -> None:
    """Checks the metrics, if there are any: custom recipes may log elsewhere."""
    if not path.is_file():
        return
    last = None
    with path.open("rb") as lines:
        for line in lines:
            entry = json.loads(line) if line.strip() else {}
            if "loss" in entry:
                last = entry
    if last is None:
        raise JobError(f"training ended without a single step: {path} contains no step")
    if last["loss"] is None:
        raise JobError(f"training diverged: the loss of step {last['step']} is not finite")
