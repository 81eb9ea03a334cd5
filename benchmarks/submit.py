"""Submitting and watching on a real single-node SLURM of the benchmark's own, beside one ``sbatch`` a job and submitit.

python benchmarks/submit.py [RUNS]        needs root, slurm-wlm and munge; submitit is measured where it is installed
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from support.bash_jobs import Experiment
from support.slurm_cluster import Cluster, cluster_at, why_not
from tunebook.core.jobs import Job, Stage
from tunebook.executors.base import ExecutorOptions
from tunebook.executors.slurm import SlurmExecutor
from tunebook.run.loop import run_jobs
from tunebook.run.select import LoopOptions

_PEER_JOBS = 200
_LENGTHS_S = (2, 4, 6, 20)
_EVALUATION_S = 5


def main() -> int:
    """Prints the figures."""
    if reason := why_not():
        print(reason)
        return 1
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with cluster_at(folder / "cluster", max_jobs=20000) as cluster, _counted(cluster, folder / "bin") as calls:
            _submission(folder, runs, calls)
            cluster.clear()
            _peers(folder)
            cluster.clear()
            _makespan(folder)
    return 0


@contextmanager
def _counted(cluster: Cluster, folder: Path) -> Iterator[Path]:
    """Has this process's programs ask the cluster, and counts the calls of SLURM's programs in a file."""
    folder.mkdir()
    calls = folder / "calls"
    for program in ("sbatch", "squeue", "sacct", "scontrol"):
        real = shutil.which(program)
        (folder / program).write_text(f'#!/bin/sh\necho {program} >>{calls}\nexec {real} "$@"\n')
        (folder / program).chmod(0o755)
    os.environ |= {"SLURM_CONF": cluster.env["SLURM_CONF"], "PATH": f"{folder}:{cluster.env['PATH']}"}
    yield calls


def _sweep(path: Path, runs: int) -> Experiment:
    experiment = Experiment(path)
    for number in range(runs):
        experiment.training(f"rank{number}", "sleep 600")
        experiment.evaluation(f"rank{number}")
    return experiment


def _submission(folder: Path, runs: int, calls: Path) -> None:
    experiment = _sweep(folder / "sweep", runs)
    executor = SlurmExecutor.create(ExecutorOptions())
    calls.write_text("")
    begun = time.perf_counter()
    report = run_jobs(experiment.jobs, executor, experiment=experiment.path, options=LoopOptions(detach=True))
    took = time.perf_counter() - begun
    names = calls.read_text().split()
    told = ", ".join(f"{names.count(name)} {name}" for name in sorted(set(names)))
    print(f"tunebook: {len(report.submitted)} jobs submitted in {took:.2f} s with {len(names)} calls ({told})")
    ids = [job.job_id for job in report.jobs]
    begun = time.perf_counter()
    statuses = executor.poll(ids)
    print(f"tunebook: one poll of {len(statuses)} jobs {time.perf_counter() - begun:.3f} s")


def _peers(folder: Path) -> None:
    experiment = _sweep(folder / "peer", _PEER_JOBS // 2)
    begun = time.perf_counter()
    for job in experiment.jobs:
        command = ["sbatch", "--parsable", str(experiment.path / job.script)]
        subprocess.run(command, cwd=experiment.path / job.directory, capture_output=True, check=True)
    _tell("one sbatch a job", time.perf_counter() - begun)
    if find_spec("submitit") is None:
        print("submitit: not installed")
        return
    import submitit

    executor = submitit.SlurmExecutor(folder=folder / "submitit")
    begun = time.perf_counter()
    for _ in range(_PEER_JOBS):
        executor.submit(time.sleep, 600)
    _tell("submitit, single jobs", time.perf_counter() - begun)


def _tell(name: str, seconds: float) -> None:
    print(f"{name}: {_PEER_JOBS} jobs in {seconds:.2f} s, that is {1000 * seconds / _PEER_JOBS:.1f} ms a job")


def _makespan(folder: Path) -> None:
    """Trainings that differ in length: all evaluations behind all trainings, and each behind its own."""
    lengths = ", ".join(map(str, _LENGTHS_S))
    print(f"makespan of trainings of {lengths} s, each evaluated in {_EVALUATION_S} s, two jobs at a time:")
    stages: Sequence[Sequence[Stage | None]] = ([Stage.PREPARATION, Stage.EVALUATION], [None])
    for number, parts in enumerate(stages):
        experiment = Experiment(folder / f"makespan{number}")
        for length in _LENGTHS_S:
            _exclusive(experiment, experiment.training(f"length{length}", f"sleep {length}"))
            _exclusive(experiment, experiment.evaluation(f"length{length}", body=f"sleep {_EVALUATION_S}"))
        executor = SlurmExecutor.create(ExecutorOptions())
        begun = time.perf_counter()
        for stage in parts:
            options = LoopOptions(stage=stage, poll_s=0.5)
            report = run_jobs(experiment.jobs, executor, experiment=experiment.path, options=options)
        name = "with the barrier" if len(parts) > 1 else "without (tunebook run)"
        print(f"  {name}: {time.perf_counter() - begun:.1f} s, exit code {report.exit_code.value}")


def _exclusive(experiment: Experiment, job: Job) -> None:
    """A core for each job: the cluster of the tests shares them."""
    experiment.edit_script(job, "#SBATCH --gres=gpu:1")


if __name__ == "__main__":
    sys.exit(main())
