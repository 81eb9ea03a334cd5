"""A run on the SLURM of the tests, in this process or in one that is killed, and what it says."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from support.bash_jobs import Experiment
from tunebook.executors.base import ExecutorOptions
from tunebook.executors.slurm import SlurmExecutor
from tunebook.run.loop import run_jobs
from tunebook.run.report import RunReport, Snapshot
from tunebook.run.select import LoopOptions

__all__ = ["run", "start_slurm_monitor"]

_MONITOR = """\
import sys
from pathlib import Path
from support.bash_jobs import load_jobs
from tunebook.executors.base import ExecutorOptions
from tunebook.executors.slurm import SlurmExecutor
from tunebook.run.loop import run_jobs
from tunebook.run.select import LoopOptions
experiment = Path(sys.argv[1])
executor = SlurmExecutor.create(ExecutorOptions(array="array" in sys.argv))
options = LoopOptions(poll_s=0.2, retry_failed="retry" in sys.argv)
run_jobs(load_jobs(experiment), executor, experiment=experiment, options=options)
"""


@contextmanager
def start_slurm_monitor(
    experiment: Experiment, *, array: bool = False, retry_failed: bool = False
) -> Iterator[subprocess.Popen[bytes]]:
    """A monitor in a process of its own, which does not outlive the block."""
    tests = str(Path(__file__).parents[1])
    env = os.environ | {"PYTHONPATH": os.pathsep.join([tests, os.environ.get("PYTHONPATH", "")])}
    words = [word for word, is_wanted in {"array": array, "retry": retry_failed}.items() if is_wanted]
    command = [sys.executable, "-c", _MONITOR, str(experiment.path), *words]
    with subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as monitor:
        try:
            yield monitor
        finally:
            monitor.kill()


def run(
    experiment: Experiment,
    *,
    array: bool | None = None,
    on_event: Callable[[Snapshot], None] | None = None,
    **options: Any,
) -> RunReport:
    """As ``tunebook run`` does it, with a look three times a second."""
    executor = SlurmExecutor.create(ExecutorOptions(array=array))
    chosen = LoopOptions(poll_s=0.3, **options)
    return run_jobs(experiment.jobs, executor, experiment=experiment.path, options=chosen, on_event=on_event)
