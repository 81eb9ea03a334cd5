"""A small experiment whose jobs are all completed, without a training."""

from __future__ import annotations

import json
from pathlib import Path

from support.scaffolding import scaffolded
from tunebook.disk.inputs import InputReader
from tunebook.disk.manifest import read_manifest

__all__ = ["complete", "write_sweep"]

_PLAN = """# Experiment: sweep

## Overview
- **Total Runs:** {count}

## All Runs
| Run Name | Model | LoRA Rank | Seed | Type |
|---|---|---|---|---|
{rows}

## Resources

### Models
- Llama-3.2-1B-Instruct: `{folder}/Llama-3.2-1B-Instruct`

### Dataset
- **Path:** `{folder}/data`
- **Splits:** train (240), validation (30), test (30)

### Evaluation Tasks
| Task Name | Script | Dataset | Description |
|---|---|---|---|
| capitalization | `{folder}/cap.py` | `{folder}/data` | exact match |

## Configuration
- **Recipe:** `lora_finetune_single_device`
- **GPUs:** 1
- **Epochs:** 1
- **Batch size:** 4
- **Learning Rate:** 1e-4
- **System prompt:** "Capitalize the given word"
- **Prompt:** "{{input}}"
"""
_OUTCOME = {"exit_code": 0, "started": "2026-01-01T10:00:00Z", "ended": "2026-01-01T11:00:00Z", "host": "node"}


def write_sweep(folder: Path, count: int = 2) -> Path:
    """Writes and scaffolds so many runs with an evaluation each; data and task are in the folder, too."""
    experiment = folder / "sweep"
    experiment.mkdir(parents=True)
    model = "Llama-3.2-1B-Instruct"
    lines = [f"| run{number} | {model} | {2 ** (number % 5 + 2)} | {number} | Fine-tuned |" for number in range(count)]
    rows = "\n".join(lines)
    (experiment / "experiment_summary.md").write_text(_PLAN.format(count=count, rows=rows, folder=folder))
    (experiment / "claude.local.md").write_text("# Site\n")
    (folder / "cap.py").write_text("from inspect_ai import task\n\n\n@task\ndef capitalization(config_dir): ...\n")
    (folder / "data").mkdir()
    for split, number in (("train", 240), ("validation", 30), ("test", 30)):
        examples = [json.dumps({"input": f"{split}{line}", "output": "x"}) + "\n" for line in range(number)]
        (folder / "data" / f"{split}.jsonl").write_text("".join(examples))
    scaffolded(experiment)
    return experiment


def complete(experiment: Path) -> None:
    """Writes what the jobs of all runs would have left, without logs and metrics."""
    reader = InputReader(experiment)
    seen: dict[str, str] = {}
    for job in read_manifest(experiment).jobs:
        digests = reader.read(job, seen).digests
        outcome = _OUTCOME | {"tag": "", "inputs": digests.contents, "places": digests.places}
        if job.needs:
            outcome |= {"started": "2026-01-01T12:00:00Z", "ended": "2026-01-01T13:00:00Z"}
        (experiment / job.outcome).write_text(json.dumps(outcome))
        for path in job.checkpoints:
            Path(path).mkdir(parents=True)
        if job.result:
            (experiment / job.result).write_text('{"status": "success", "samples": 4, "completed": 4, "scores": []}')
