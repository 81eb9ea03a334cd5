"""How long 1,000 runs with 1,000 evaluations take to scaffold, against copying the same bytes with ``cp -r``.

Prints wall times of fresh processes: the first scaffolding, the second (nothing to do), a dry run, and the copy.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

_HEAD = """# Experiment: sweep

## Overview
- **Total Runs:** {count}

## All Runs
| Run Name | Model | LoRA Rank | Learning Rate | Seed | Type | Est. Time |
|---|---|---|---|---|---|---|
"""
_TAIL = """
## Resources

### Models
- Llama-3.2-1B-Instruct: `/models/Llama-3.2-1B-Instruct`

### Dataset
- **Path:** `/data/words.json`
- **Splits:** train (240), validation (30), test (30)

### Evaluation Tasks
| Task Name | Script | Dataset | Description |
|---|---|---|---|
| capitalization | `/tasks/cap.py` | `/data/words.json` | exact match |

## Configuration
- **Recipe:** `lora_finetune_single_device`
- **GPUs:** 1
- **Epochs:** 1
- **Batch size:** 4
- **System prompt:** "Capitalize the given word"
- **Prompt:** "{input}"
"""


def plan(count: int) -> str:
    """A page with so many fine-tuned runs, each evaluated once."""
    rows = []
    for number in range(count):
        rank, lr, seed = 2 ** (number % 5 + 2), ("1e-5", "5e-5", "1e-4", "3e-4")[number // 5 % 4], number // 20
        name = f"run{number}_rank{rank}_lr{lr}"
        rows.append(f"| {name} | Llama-3.2-1B-Instruct | {rank} | {lr} | {seed} | Fine-tuned | ~8 min |")
    return _HEAD.format(count=count) + "\n".join(rows) + "\n" + _TAIL


def timed(command: list[str], cwd: Path) -> float:
    """Wall seconds of a program that must succeed."""
    started = time.perf_counter()
    subprocess.run(command, cwd=cwd, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - started


def main() -> None:
    """Prints a table of wall times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000)
    count = parser.parse_args().runs
    tunebook = shutil.which("tunebook", path=str(Path(sys.executable).parent)) or "tunebook"
    with tempfile.TemporaryDirectory() as folder:
        experiment = Path(folder, "sweep")
        experiment.mkdir()
        (experiment / "experiment_summary.md").write_text(plan(count))
        rows = [
            ("tunebook --help", timed([tunebook, "--help"], experiment)),
            ("tunebook check", timed([tunebook, "check"], experiment)),
            ("tunebook scaffold, first", timed([tunebook, "scaffold"], experiment)),
            ("tunebook scaffold, unchanged", timed([tunebook, "scaffold"], experiment)),
            ("tunebook scaffold --dry-run", timed([tunebook, "scaffold", "--dry-run"], experiment)),
            ("cp -r of the same files (the peer)", timed(["cp", "-r", "sweep", "copy"], Path(folder))),
        ]
        files = [path for path in experiment.rglob("*") if path.is_file()]
        size = sum(path.stat().st_size for path in files) / 2**20
    print(f"{count} runs, {count} evaluations, {len(files)} files, {size:.1f} MiB")
    for name, seconds in rows:
        print(f"{name:<40}{seconds:8.2f} s")


if __name__ == "__main__":
    main()
