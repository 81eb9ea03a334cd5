"""A child process with bounds on memory and time: what it does there ends it, and never the harness or the machine."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Ended", "limited"]


@dataclass(frozen=True)
class Ended:
    """How a child ended: its exit code, negative for a signal, and the end of what it wrote."""

    code: int
    output: str

    @property
    def signal_name(self) -> str:
        """The signal that ended it; empty if none did."""
        return signal.Signals(-self.code).name if self.code < 0 else ""


def limited(module: str, arguments: Sequence[object], *, memory_gb: float, wall_s: float) -> Ended:
    """Runs a module of the tests to its end."""
    most = int(memory_gb * (1 << 30))

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 30, 1 << 30))

    tests = Path(__file__).parents[1]
    environment = {**os.environ, "PYTHONPATH": str(tests), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-m", module, *map(str, arguments)]
    child = subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        preexec_fn=limit,  # noqa: PLW1509  no thread of the harness holds a lock then
        start_new_session=True,
    )
    try:
        output, _ = child.communicate(timeout=wall_s)
    except subprocess.TimeoutExpired:
        child.kill()
        output, _ = child.communicate()
        return Ended(-signal.SIGXCPU, f"it ran past {wall_s:.0f} s\n" + output.decode(errors="replace")[-2000:])
    return Ended(child.returncode, output.decode(errors="replace")[-2000:])
