"""How long 1,000 runs with 1,000 evaluations take to scaffold, next to peers that were measured in the same run.

Measures fresh processes: the first scaffolding, the second (nothing to do), a dry run and ``check``; and next to them
``cp -r`` of the same files, Hydra's compose, NeMo-Run's dry run, and inspect_flow's. The figures are CPU seconds, user
and system, since the clock on the wall depends on the load of the machine; each is the least of several repetitions.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from environments import peer_python
from results import Row, report

_TUNEBOOK = str(Path(sys.executable).with_name("tunebook"))
_PEERS = Path(__file__).with_name("peers")
_HYDRA, _NEMO, _FLOW = "hydra-core==1.3.8", "nemo-run==0.11.1", "inspect-flow==0.14.0"

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


@dataclass(frozen=True)
class Cost:
    """What a process took: CPU seconds, and MB of memory at its peak."""

    cpu_s: float
    peak_mb: float

    def __str__(self) -> str:
        return f"{self.cpu_s:.2f} s, {self.peak_mb:.0f} MB"


def cost_of(command: Sequence[str], cwd: Path) -> Cost:
    """The cost of a program that must succeed.

    Raises:
        RuntimeError: it failed; with the end of what it said.
    """
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, cwd=cwd, stdout=subprocess.DEVNULL, stderr=said, env=environment)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said.seek(0)
            last = said.read().decode(errors="replace").strip().split("\n")[-1]
            raise RuntimeError(f"{command[0]} ended with {process.returncode}: {last}")
    return Cost(usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def least(costs: Sequence[Cost]) -> Cost:
    """The least time and memory of several repetitions: other programs only add to them."""
    return Cost(min(cost.cpu_s for cost in costs), min(cost.peak_mb for cost in costs))


def measured(count: int, repetitions: int) -> tuple[Mapping[str, Cost], int, float]:
    """The costs by name, in turns, so that all meet the same load; the number of files, and their MiB."""
    costs: dict[str, list[Cost]] = {}
    files: list[Path] = []
    size = 0.0
    for _ in range(repetitions):
        with tempfile.TemporaryDirectory() as folder:
            experiment = Path(folder, "sweep")
            experiment.mkdir()
            (experiment / "experiment_summary.md").write_text(plan(count))
            steps = {
                "help": ([_TUNEBOOK, "--help"], experiment),
                "check": ([_TUNEBOOK, "check"], experiment),
                "first": ([_TUNEBOOK, "scaffold"], experiment),
                "copy": (["cp", "-r", "sweep", "copy"], Path(folder)),
                "again": ([_TUNEBOOK, "scaffold"], experiment),
                "dry run": ([_TUNEBOOK, "scaffold", "--dry-run"], experiment),
            }
            for name, (command, cwd) in steps.items():
                costs.setdefault(name, []).append(cost_of(command, cwd))
            files = [path for path in experiment.rglob("*") if path.is_file()]
            size = sum(path.stat().st_size for path in files) / 2**20
    return {name: least(found) for name, found in costs.items()}, len(files), size


def peer_rows(count: int, first: Cost) -> list[Row]:
    """What other tools take for as many runs, each with what it makes of a run."""
    with tempfile.TemporaryDirectory() as folder:
        experiment = Path(folder, "sweep")
        experiment.mkdir()
        (experiment / "experiment_summary.md").write_text(plan(1))
        subprocess.run([_TUNEBOOK, "scaffold"], cwd=experiment, check=True, capture_output=True)
        configuration = next(experiment.glob("*/finetune.yaml"))
        hydra = [str(configuration.parent), f"{folder}/hydra", str(count)]
        return [
            _peer_row("Hydra's compose, one YAML file a run", _HYDRA, "hydra_compose.py", hydra, first),
            _peer_row("NeMo-Run's dry run", _NEMO, "nemo_run_dryrun.py", [f"{folder}/nemo", str(count)], first),
            _peer_row("inspect_flow's dry run", _FLOW, "inspect_flow_dryrun.py", [f"{folder}/flow", str(count)], first),
        ]


def _peer_row(work: str, requirement: str, program: str, arguments: Sequence[str], first: Cost) -> Row:
    python, reason = peer_python(requirement)
    if reason:
        return Row(work=work, measured=f"{requirement} cannot be installed: {reason}")
    try:
        cost = cost_of([python, str(_PEERS / program), *arguments], _PEERS)
    except RuntimeError as error:
        return Row(work=work, measured=f"{requirement} failed: {error}")
    return Row(work=f"{work} ({requirement})", measured=str(cost), ratio=f"ours {first.cpu_s / cost.cpu_s:.2f} ×")


def main() -> None:
    """Prints the table and appends it to the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--without-peers", action="store_true", help="Only `cp -r` is measured beside tunebook.")
    options = parser.parse_args()
    count = options.runs
    costs, files, size = measured(count, options.repetitions)
    copy = costs["copy"]
    goals = {"first": "≤ 3 × `cp -r`, or < 2 s", "again": "≤ 1 s", "check": "< 0.5 s"}
    if count == 10 * 1000:
        goals = {"first": "< 20 s, < 300 MB", "again": "< 8 s"}
    names = {
        "help": "tunebook --help",
        "check": "tunebook check",
        "first": "tunebook scaffold, first",
        "again": "tunebook scaffold, unchanged",
        "dry run": "tunebook scaffold --dry-run, unchanged",
    }
    rows = []
    for name, work in names.items():
        ratio = f"{costs[name].cpu_s / copy.cpu_s:.1f} ×"
        row = Row(work=work, measured=str(costs[name]), peer=f"`cp -r`: {copy}", ratio=ratio, goal=goals.get(name, ""))
        rows.append(row)
    if not options.without_peers:
        rows += peer_rows(count, costs["first"])
    report(f"Scaffold: {count:,} runs, {count:,} evaluations, {files:,} files, {size:.1f} MiB", rows)


if __name__ == "__main__":
    main()
