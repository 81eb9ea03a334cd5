"""What 1,000 runs with 1,000 evaluations cost to analyze: first, with one new log, and again with nothing new.

Writes a sweep with real inspect-ai logs first (that takes some minutes and is not counted), then measures fresh
processes, beside inspect-ai when it reads the same logs: no analysis can do with less.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from measure import TUNEBOOK, Cost, measured, ratio
from results import Row, report

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
    """Reports one row per analysis."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--samples", type=int, default=40)
    parser.add_argument("--keep", type=Path, help="where to keep the sweep; an existing one is used again")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        experiment = given.keep or Path(folder, "sweep")
        if not experiment.is_dir():
            started = time.perf_counter()
            sweep(given.runs, given.samples).write(experiment)
            print(f"wrote {given.runs} runs in {time.perf_counter() - started:.0f} s")
        for name in (".tunebook", "analysis"):
            shutil.rmtree(experiment / name, ignore_errors=True)
        logs = [str(path) for path in sorted(experiment.glob("*/eval/logs/*.eval"))]
        peer = measured([sys.executable, "-c", _PEER, *logs], experiment)
        costs = {"first": _analyzed(experiment)}
        Path(logs[0]).touch()
        costs["one log is new"] = _analyzed(experiment)
        costs["nothing is new"] = _analyzed(experiment)
    rows = [
        Row(
            work=f"`analyze`, {name}",
            measured=str(cost),
            peer=f"inspect-ai reads its logs: {peer}",
            ratio=ratio(cost, peer),
        )
        for name, cost in costs.items()
    ]
    title = f"Analysis of {given.runs:,} runs, {given.runs + 1:,} evaluations of {given.samples} samples"
    report(title, rows, packages=("inspect-ai",))


def _analyzed(experiment: Path) -> Cost:
    return measured([TUNEBOOK, "analyze"], experiment, codes=frozenset({0, 4}))


if __name__ == "__main__":
    main()
