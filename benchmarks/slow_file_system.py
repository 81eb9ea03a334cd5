"""How many metadata operations the commands need for each run, and what 5 ms for each of them costs at 100,000 runs.

Counts the system calls on files with strace for two sizes. The difference is the cost of a run; the time of a large
experiment is extrapolated from it, and labelled so. Where strace is missing, nothing is measured.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from results import Row, report

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from stress.sweep import complete, write_sweep

_LARGE = 100_000
_CALLS = "%file,%desc"
_METADATA = (
    "open",
    "stat",
    "access",
    "rename",
    "link",
    "mkdir",
    "rmdir",
    "readlink",
    "chmod",
    "chown",
    "fsync",
    "getdents",
)
_COMMANDS = {
    "scaffold, again": ["scaffold"],
    "status": ["status"],
    "run --dry-run": ["run", "--dry-run"],
    "check": ["check"],
}


def main() -> None:
    """Prints and keeps a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, nargs=2, default=(10, 40))
    parser.add_argument("--delay-ms", type=float, default=5.0)
    given = parser.parse_args()
    if shutil.which("strace") is None:
        print("strace is missing: nothing was measured")
        return
    counts: dict[str, list[int]] = {name: [] for name in _COMMANDS}
    for runs in given.runs:
        with tempfile.TemporaryDirectory() as folder:
            sweep = write_sweep(Path(folder, "made"), runs)
            complete(sweep)
            for name, arguments in _COMMANDS.items():
                counts[name].append(_metadata_calls(arguments, sweep))
    small, large = given.runs
    rows = []
    for name, (few, many) in counts.items():
        each = (many - few) / (large - small)
        hours = each * _LARGE * given.delay_ms / 3_600_000
        rows.append(
            Row(work=name, measured=f"{each:.1f} calls a run", ratio=f"extrapolated: {hours:.1f} h at {_LARGE:,}")
        )
    report(f"metadata operations of {given.delay_ms:g} ms, counted at {small} and {large} runs", rows)


def _metadata_calls(arguments: list[str], cwd: Path) -> int:
    """The calls below the experiment's folder; those of Python's start are not of the shared file system."""
    tunebook = shutil.which("tunebook", path=str(Path(sys.executable).parent)) or "tunebook"
    with tempfile.NamedTemporaryFile("r", errors="replace") as log:
        command = ["strace", "-f", "-qq", "-y", "-e", f"trace={_CALLS}", "-o", log.name, tunebook, *arguments]
        subprocess.run(command, cwd=cwd, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        lines = [line for line in log if str(cwd.parent) in line]
    return sum(any(word in line.partition("(")[0] for word in _METADATA) for line in lines)


if __name__ == "__main__":
    main()
