"""Start-up of the command line, next to its peer: the import of Typer and Rich alone, measured in the same run.

Prints the median CPU time of several repetitions (user and system), since the clock on the wall depends on the load of
the machine.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

_REPETITIONS = 11
_TUNEBOOK = str(Path(sys.executable).with_name("tunebook"))
_PEER = [sys.executable, "-c", "import typer, rich.console"]
_COMMANDS = (["--help"], ["--version"], ["status", "--help"], ["run", "--help"])


def main() -> None:
    """Alternates between the peer and each command, so that both meet the same load."""
    names = ["import typer, rich.console", *(f"tunebook {' '.join(command)}" for command in _COMMANDS)]
    programs = [_PEER, *([_TUNEBOOK, *command] for command in _COMMANDS)]
    times_s: list[list[float]] = [[] for _ in programs]
    for _ in range(_REPETITIONS):
        for program, measured in zip(programs, times_s, strict=True):
            measured.append(_cpu_s(program))
    peer_s = statistics.median(times_s[0])
    for name, measured in zip(names, times_s, strict=True):
        median_s = statistics.median(measured)
        print(f"{name}: {1000 * median_s:.0f} ms, {median_s / peer_s:.2f} times the peer")


def _cpu_s(program: Sequence[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(program, stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


if __name__ == "__main__":
    main()
