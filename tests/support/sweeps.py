"""Finished experiments without a training: a plan, real logs of inspect-ai, and the curves that trainings write."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.eval_logs import write_log

__all__ = ["Sweep", "SweepRun", "page_of", "write_curve"]

_TAIL = """
## Resources

### Models
- tiny: `models/tiny`

### Dataset
- **Path:** `words.json`
- **Splits:** train (240), validation (30), test (30)

### Evaluation Tasks
| Task Name | Script | Dataset | Description |
|---|---|---|---|
| capitalization | `cap_task.py` | `words.json` | exact match |

## Evaluation Plan
- **Epochs to evaluate:** {epochs}

## Configuration
- **Recipe:** `lora_finetune_single_device`
- **GPUs:** {gpus}
- **Epochs:** {total}
- **Batch size:** 4
- **Learning Rate:** 1e-4
- **LoRA Rank:** 8
"""


@dataclass(frozen=True)
class SweepRun:
    """A fine-tuned run: its parameter cells by column, and the scorer's value of each sample, by epoch."""

    name: str
    cells: Mapping[str, str]
    values: Mapping[int, Sequence[Any]]


@dataclass(frozen=True)
class Sweep:
    """An experiment to be written."""

    runs: tuple[SweepRun, ...]
    base: Sequence[Any] | None = None
    name: str = "sweep"
    question: str = "Does it help?"
    gpus: int = 1
    epochs: str = "all"

    @property
    def total_epochs(self) -> int:
        """How many epochs were trained."""
        return max((epoch + 1 for run in self.runs for epoch in run.values), default=1)

    def page(self) -> str:
        """The plan's text."""
        return page_of(self)

    def write(self, directory: Path, *, curves: bool = True, **log: Any) -> Path:
        """Writes plan, logs and curves; ``log`` goes to :func:`eval_logs.write_log`."""
        from support.plans import parse_plan
        from tunebook.core.naming import run_directories

        directory.mkdir(parents=True, exist_ok=True)
        (directory / "experiment_summary.md").write_text(self.page())
        (directory / "claude.local.md").write_text("# Site\n")
        names = run_directories(parse_plan(self.page()).plan)
        for run in self.runs:
            folder = names[run.name]
            for epoch, values in run.values.items():
                path = directory / folder / "eval" / "logs" / f"2026-01-02T10-0{epoch}_capitalization.eval"
                write_log(path, model=f"hf/{folder}_epoch{epoch}", values=values, **log)
            if curves:
                write_curve(directory / folder / "artifacts" / "metrics.jsonl", epochs=self.total_epochs)
        if self.base is not None:
            path = directory / "tiny_base" / "eval" / "logs" / "2026-01-02T09-00_capitalization.eval"
            write_log(path, model="hf/tiny_base", values=self.base, **log)
        return directory


def page_of(sweep: Sweep) -> str:
    """A plan with one row per run and its parameters as columns."""
    columns = list(dict.fromkeys(column for run in sweep.runs for column in run.cells))
    rows = [[run.name, "tiny", *(run.cells.get(column, "-") for column in columns), "Fine-tuned"] for run in sweep.runs]
    if sweep.base is not None:
        rows.append(["tiny_base", "tiny", *("-" for _ in columns), "Control"])
    header = ["Run Name", "Model", *columns, "Type"]
    lines = ["| " + " | ".join(cells) + " |" for cells in (header, ["---"] * len(header), *rows)]
    head = (
        f"# Experiment: {sweep.name}\n\n## Overview\n- **Type:** sweep\n- **Scientific Question:** {sweep.question}\n"
    )
    tail = _TAIL.format(epochs=sweep.epochs, gpus=sweep.gpus, total=sweep.total_epochs)
    return head + "\n## All Runs\n" + "\n".join(lines) + "\n" + tail


def write_curve(path: Path, *, steps: int = 20, epochs: int = 1, loss: float = 2.0, seconds: float = 30.0) -> None:
    """What ``MetricsLogger`` writes of a training whose loss falls, with a validation after each epoch."""
    lines = []
    total = steps * epochs
    for step in range(1, total + 1):
        epoch = (step - 1) // steps
        time = f"2026-01-02T08:{int(seconds * step / 60) % 60:02d}:{seconds * step % 60:06.3f}+00:00"
        head = {"step": step, "epoch": epoch, "total_steps": total}
        rest = {"lr": 1e-4, "tokens_per_second": 900.0 + step, "peak_memory_gb": 1.5, "time": time}
        lines.append(head | {"loss": loss * math.exp(-step / steps)} | rest)
        if step % steps == 0:
            lines.append(head | {"val_loss": loss * math.exp(-step / steps) + 0.1, "time": time})
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
