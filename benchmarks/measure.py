"""Measures commands in fresh processes: CPU seconds with children, wall seconds, memory of the largest process.

CPU seconds and ratios are what counts: the clock on the wall depends on the load of the machine. Commands that are
compared take turns, so that both meet the same load. Compiled modules are kept in a folder of the benchmark's own:
without, a source checkout would be compiled in every process, which no installed package is.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["TUNEBOOK", "Cost", "measured", "ratio", "taking_turns"]

TUNEBOOK = shutil.which("tunebook", path=str(Path(sys.executable).parent)) or "tunebook"
_COMPILED = Path(tempfile.gettempdir(), "tunebook-benchmarks-compiled")


@dataclass(frozen=True)
class Cost:
    """What a command cost; of repetitions the median of each figure."""

    cpu_s: float
    wall_s: float
    memory_mb: float

    def __str__(self) -> str:
        if self.cpu_s < 1:
            return f"{1000 * self.cpu_s:.0f} ms CPU, {self.memory_mb:.0f} MB"
        return f"{self.cpu_s:.2f} s CPU, {self.wall_s:.2f} s wall, {self.memory_mb:.0f} MB"


def measured(command: Sequence[str | Path], cwd: Path | None = None, *, codes: frozenset[int] = frozenset({0})) -> Cost:
    """Runs a command whose exit code must be one of these.

    Raises:
        SystemExit: it had another one; with the last line of what it said.
    """
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = str(_COMPILED)
    words = list(map(str, command))
    with tempfile.TemporaryFile() as said:
        started = time.perf_counter()
        process = subprocess.Popen(words, cwd=cwd, env=environment, stdout=subprocess.DEVNULL, stderr=said)
        _, status, used = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode not in codes:
            said.seek(0)
            last = said.read().decode(errors="replace").strip().split("\n")[-1]
            raise SystemExit(f"{' '.join(words)} ended with exit code {process.returncode}: {last}")
    return Cost(used.ru_utime + used.ru_stime, wall_s, used.ru_maxrss / 1024)


def taking_turns(
    commands: Mapping[str, Sequence[str | Path]],
    repetitions: int,
    cwd: Path | None = None,
    *,
    codes: frozenset[int] = frozenset({0}),
) -> dict[str, Cost]:
    """Measures commands by name, one after the other and that several times, after one turn that is not counted."""
    turns: dict[str, list[Cost]] = {name: [] for name in commands}
    for number in range(repetitions + 1):
        for name, command in commands.items():
            cost = measured(command, cwd, codes=codes)
            if number:
                turns[name].append(cost)
    return {name: _median(costs) for name, costs in turns.items()}


def _median(costs: Sequence[Cost]) -> Cost:
    return Cost(
        statistics.median(cost.cpu_s for cost in costs),
        statistics.median(cost.wall_s for cost in costs),
        statistics.median(cost.memory_mb for cost in costs),
    )


def ratio(cost: Cost, peer: Cost) -> str:
    """The CPU time as a multiple of the peer's."""
    return f"{cost.cpu_s / peer.cpu_s:.2f} ×"
