"""What 5 ms for each operation on a name of a shared file system costs, simulated and extrapolated to 100,000 runs.

Each command runs on sweeps of two sizes with the delay. The difference is the cost of a run; the time of a large
experiment is extrapolated from it, and labelled so.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from results import Row, report

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from stress.sweep import complete, write_sweep

_LARGE = 100_000
_COMMANDS = {
    "`scaffold`, first": ["scaffold"],
    "`scaffold`, nothing to do": ["scaffold"],
    "`check`": ["check"],
    "`run --dry-run`": ["run", "--dry-run"],
    "`status`": ["status"],
    "`analyze`, first": ["analyze"],
    "`analyze`, nothing new": ["analyze"],
}


def main() -> None:
    """Prints and keeps a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, nargs=2, default=(10, 50))
    parser.add_argument("--delay-ms", type=float, default=5.0)
    given = parser.parse_args()
    few, many = (_measured(runs, given.delay_ms) for runs in given.runs)
    rows = []
    for name in _COMMANDS:
        operations = (many[name][0] - few[name][0]) / (given.runs[1] - given.runs[0])
        seconds = (many[name][1] - few[name][1]) / (given.runs[1] - given.runs[0])
        rows.append(
            Row(
                work=name,
                measured=f"{operations:.1f} operations, {1000 * seconds:.0f} ms a run",
                ratio=f"extrapolated to {_LARGE:,} runs: {seconds * _LARGE / 3600:.1f} h",
            )
        )
    sizes = " and ".join(map(str, given.runs))
    report(f"A delay of {given.delay_ms:g} ms for each operation on a name, simulated at {sizes} runs", rows)


def _measured(runs: int, delay_ms: float) -> dict[str, tuple[int, float]]:
    """Each command's operations below the experiment's folder, and its seconds."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        sweep = write_sweep(Path(folder, "made"), runs)
        for name, arguments in _COMMANDS.items():
            if name == "`run --dry-run`":
                complete(sweep)
            program = [sys.executable, str(Path(__file__).with_name("slow_files.py")), str(sweep), str(delay_ms)]
            begun = time.perf_counter()
            ended = subprocess.run([*program, *arguments], cwd=sweep, capture_output=True, text=True, check=False)
            seconds = time.perf_counter() - begun
            found[name] = int(ended.stdout.splitlines()[-1]), seconds
    return found


if __name__ == "__main__":
    main()
