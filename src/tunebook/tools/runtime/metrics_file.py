"""Writes ``metrics.jsonl``, the log of a training, and the same values to Weights & Biases where that is asked for.

Runs inside jobs, and needs nothing else of tunebook.
"""

from __future__ import annotations

import json
import math
import os
import resource
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

__all__ = ["MetricsFile"]


class MetricsFile:
    """One JSON object per line, unbuffered.

    Keys: ``step`` (from 1), ``epoch`` (from 0), ``total_steps``, ``loss``, ``lr``, ``grad_norm``,
    ``tokens_per_second``, ``peak_memory_gb`` (of the GPU, or of the process without one), ``time`` (ISO 8601, UTC);
    validation adds lines with ``val_loss``. A value that is not a finite number is ``null`` with ``"diverged": true``.

    Args:
        is_written: whether this process writes at all; of several, one does.
        project: that of Weights & Biases; nothing is sent without one.
    """

    def __init__(
        self,
        path: Path,
        *,
        is_written: bool = True,
        project: str | None = None,
        entity: str | None = None,
        run_name: str | None = None,
    ) -> None:
        self._path = path
        self._is_written = is_written
        self._file: Any = None
        self._wandb: Any = None
        if is_written:
            path.parent.mkdir(parents=True, exist_ok=True)
            if project:
                self._wandb = _start_wandb(project, entity, run_name, path.parent)

    def begin(self, *, resumes: bool, settings: Mapping[str, Any]) -> None:
        """Opens the file; a training that starts from scratch replaces it."""
        if not self._is_written:
            return
        self._file = self._path.open("a" if resumes else "w", encoding="utf-8")
        if self._wandb:
            self._wandb.config.update(dict(settings), allow_val_change=True)

    def write(self, step: int, progress: Mapping[str, int], payload: Mapping[str, Any]) -> None:
        """Writes the scalars of a step, counted from 1.

        Args:
            progress: ``epoch`` and ``total_steps``, as far as they are known.
        """
        if not self._is_written:
            return
        values: dict[str, Any] = {"step": step, **progress}
        for name, data in payload.items():
            values |= _entry(name, float(data))
        values.setdefault("peak_memory_gb", round(_process_peak_gb(), 3))
        values["time"] = datetime.now(UTC).isoformat(timespec="milliseconds")
        if self._file is None:
            self._file = self._path.open("a", encoding="utf-8")
        self._file.write(json.dumps(values) + "\n")
        self._file.flush()
        if self._wandb:
            self._wandb.log({key: value for key, value in values.items() if key != "time"}, step=step)

    def close(self) -> None:
        """Closes the files."""
        if self._file is not None:
            self._file.close()
        if self._wandb:
            self._wandb.finish()


def _entry(name: str, value: float) -> dict[str, Any]:
    renamed = {"tokens_per_second_per_gpu": "tokens_per_second", "peak_memory_active": "peak_memory_gb"}
    if not math.isfinite(value):
        return {name: None, "diverged": True}
    return {renamed.get(name, name): value}


def _process_peak_gb() -> float:
    """The largest resident size of this process; Linux counts in KiB, macOS in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    units_per_gb = 2**30 if sys.platform == "darwin" else 2**20
    return peak / units_per_gb


def _start_wandb(project: str, entity: str | None, name: str | None, folder: Path) -> Any:
    try:
        import wandb
    except ImportError:
        sys.stderr.write("tunebook: wandb is not installed here; metrics go to metrics.jsonl only\n")
        return None
    os.environ.setdefault("WANDB_MODE", "offline")
    return wandb.init(project=project, entity=entity, name=name, dir=str(folder))
