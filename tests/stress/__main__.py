"""Runs the parts, prints a line for each: ``PYTHONPATH=tests python -m stress [--part NAME] [--seed N] [--quick]``."""

from __future__ import annotations

import argparse
import secrets
import sys
import tempfile
import time
from pathlib import Path
from random import Random

from stress.part import Part, Setting, all_parts

__all__ = ["main"]


def main() -> int:
    """Returns 1 if a part found a fault."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", action="append", help="only this part (repeatable)")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1 << 32), help="repeats an earlier run")
    parser.add_argument("--quick", action="store_true", help="the half that `make test` runs")
    given = parser.parse_args()
    parts = [part for part in all_parts() if given.part is None or part.name in given.part]
    if not parts:
        names = ", ".join(part.name for part in all_parts())
        parser.error(f"no such part; there are {names}")
    print(f"seed {given.seed}", flush=True)
    results = [_run(part, seed=given.seed, is_quick=given.quick) for part in parts]
    return 0 if all(results) else 1


def _run(part: Part, *, seed: int, is_quick: bool) -> bool:
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix=f"stress-{part.name}-") as folder:
        setting = Setting(folder=Path(folder), random=Random(f"{seed} {part.name}"), is_quick=is_quick)
        outcome = part.run(setting)
    took = f"{time.monotonic() - begun:.0f} s"
    if outcome.skipped:
        print(f"skipped  {part.name}: {outcome.skipped}", flush=True)
        return True
    word = "FAILED " if outcome.faults else "ok     "
    print(f"{word}  {part.name} ({took}): {outcome.figures}", flush=True)
    for fault in outcome.faults:
        print(f"           {fault}", flush=True)
    return not outcome.faults


if __name__ == "__main__":
    sys.exit(main())
