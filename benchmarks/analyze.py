"""What 1,000 runs with 1,000 evaluations cost to analyze: first, with one new log, and again with nothing new.

Writes a sweep with real inspect-ai logs first (that takes some minutes and is not counted), then prints the seconds and
the memory of fresh processes, beside those of inspect-ai when it reads the same logs: no analysis can do with less.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from support.sweeps import Sweep, SweepRun

_PEER = """
import sys
from inspect_ai.analysis import evals_df, samples_df
evals_df(sys.argv[1:], quiet=True)
for start in range(1, len(sys.argv), 100):  # it opens all logs at once
    samples_df(sys.argv[start : start + 100], quiet=True)
"""
_RATES = ("1e-5", "5e-5", "1e-4", "3e-4")


def sweep(count: int, samples: int) -> Sweep:
    """Ranks × learning rates × seeds, with a base model that is mostly wrong."""
    rng = random.Random(1)  # noqa: S311  no secret
    runs = []
    for number in range(count):
        rank, rate, seed = 2 ** (number % 5 + 2), number // 5 % 4, number // 20
        chance = 0.4 + 0.05 * (number % 5) + 0.08 * rate
        values = ["C" if rng.random() < chance else "I" for _ in range(samples)]
        cells = {"LoRA Rank": str(rank), "Learning Rate": _RATES[rate], "Seed": str(seed)}
        runs.append(SweepRun(f"run{number}", cells, {0: values}))
    return Sweep(tuple(runs), base=["C" if rng.random() < 0.2 else "I" for _ in range(samples)])  # noqa: PLR2004


def main() -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--samples", type=int, default=40)
    parser.add_argument("--keep", type=Path, help="where to keep the sweep; an existing one is used again")
    given = parser.parse_args()
    tunebook = shutil.which("tunebook", path=str(Path(sys.executable).parent)) or "tunebook"
    with tempfile.TemporaryDirectory() as folder:
        experiment = given.keep or Path(folder, "sweep")
        if not experiment.is_dir():
            started = time.perf_counter()
            sweep(given.runs, given.samples).write(experiment)
            print(f"wrote {given.runs} runs in {time.perf_counter() - started:.0f} s")
        for name in (".tunebook", "analysis"):
            shutil.rmtree(experiment / name, ignore_errors=True)
        logs = [str(path) for path in sorted(experiment.glob("*/eval/logs/*.eval"))]
        rows = [("inspect-ai reads its logs", *measured([sys.executable, "-c", _PEER, *logs], experiment))]
        rows.append(("tunebook analyze, first", *measured([tunebook, "analyze"], experiment)))
        Path(logs[0]).touch()
        rows.append(("one log is new", *measured([tunebook, "analyze"], experiment)))
        rows.append(("nothing is new", *measured([tunebook, "analyze"], experiment)))
    print(f"{given.runs} runs, {given.runs + 1} evaluations of {given.samples} samples")
    print(f"{'':<28}{'CPU s':>8}{'wall s':>8}{'MB':>8}")
    for name, cpu, wall, memory in rows:
        print(f"{name:<28}{cpu:8.2f}{wall:8.2f}{memory:8.0f}")


def measured(command: list[str], cwd: Path) -> tuple[float, float, float]:
    """CPU seconds with those of child processes, wall seconds, and the memory of the largest process in MB."""
    started = time.perf_counter()
    process = subprocess.Popen(command, cwd=cwd, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    if os.waitstatus_to_exitcode(status) not in {0, 4}:
        raise SystemExit(f"{command[0]} failed")
    return used.ru_utime + used.ru_stime, wall, used.ru_maxrss / 1024


if __name__ == "__main__":
    main()
