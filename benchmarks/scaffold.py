"""How long 1,000 runs with 1,000 evaluations take to scaffold, next to peers that were measured in the same run.

Measures fresh processes: the first scaffolding, the second (nothing to do), a dry run and ``check``; and next to them
``cp -r`` of the same files, Hydra's compose, NeMo-Run's dry run, and inspect_flow's. Each figure is
the least of several repetitions.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import astuple
from pathlib import Path

from environments import peer_python
from measure import TUNEBOOK, Cost, measured, ratio
from results import Row, report

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


def least(costs: Sequence[Cost]) -> Cost:
    """The least time and memory of several repetitions: other programs only add to them."""
    return Cost(*map(min, zip(*map(astuple, costs), strict=True)))


def _in_turns(count: int, repetitions: int) -> tuple[Mapping[str, Cost], int, float]:
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
                "help": ([TUNEBOOK, "--help"], experiment),
                "check": ([TUNEBOOK, "check"], experiment),
                "first": ([TUNEBOOK, "scaffold"], experiment),
                "copy": (["cp", "-r", "sweep", "copy"], Path(folder)),
                "again": ([TUNEBOOK, "scaffold"], experiment),
                "dry run": ([TUNEBOOK, "scaffold", "--dry-run"], experiment),
            }
            for name, (command, cwd) in steps.items():
                costs.setdefault(name, []).append(measured(command, cwd))
            files = [path for path in experiment.rglob("*") if path.is_file()]
            size = sum(path.stat().st_size for path in files) / 2**20
    return {name: least(found) for name, found in costs.items()}, len(files), size


def peer_rows(count: int, first: Cost) -> list[Row]:
    """What other tools take for as many runs, each with what it makes of a run."""
    with tempfile.TemporaryDirectory() as folder:
        experiment = Path(folder, "sweep")
        experiment.mkdir()
        (experiment / "experiment_summary.md").write_text(plan(1))
        subprocess.run([TUNEBOOK, "scaffold"], cwd=experiment, check=True, capture_output=True)
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
        cost = measured([python, str(_PEERS / program), *arguments], _PEERS)
    except SystemExit as error:
        return Row(work=work, measured=f"{requirement} failed: {error}")
    return Row(work=f"{work} ({requirement})", measured=str(cost), ratio=f"ours {ratio(first, cost)}")


def main() -> None:
    """Prints the table and appends it to the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--without-peers", action="store_true", help="Only `cp -r` is measured beside tunebook.")
    options = parser.parse_args()
    count = options.runs
    costs, files, size = _in_turns(count, options.repetitions)
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
        cost = costs[name]
        goal = goals.get(name, "")
        rows.append(Row(work=work, measured=str(cost), peer=f"`cp -r`: {copy}", ratio=ratio(cost, copy), goal=goal))
    if not options.without_peers:
        rows += peer_rows(count, costs["first"])
    report(f"Scaffold: {count:,} runs, {count:,} evaluations, {files:,} files, {size:.1f} MiB", rows)


if __name__ == "__main__":
    main()
