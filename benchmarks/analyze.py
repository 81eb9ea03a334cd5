"""How long 1,000 runs with 1,000 evaluations take to analyze: cold, and again with nothing new.

Writes a sweep with real inspect-ai logs first (that takes some minutes and is not counted), then prints wall times of
fresh processes.
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

from scaffold import timed  # the other benchmark, beside this one
from support.sweeps import Sweep, SweepRun

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
    """Prints a table of wall times."""
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
        rows = [(name, timed([tunebook, "analyze"], experiment)) for name in ("first", "nothing new")]
    print(f"{given.runs} runs, {given.runs + 1} evaluations of {given.samples} samples")
    for name, seconds in rows:
        print(f"tunebook analyze, {name:<22}{seconds:8.2f} s")


if __name__ == "__main__":
    main()
