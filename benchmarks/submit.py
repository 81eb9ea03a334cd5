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
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from results import Row, report

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
    """Reports what was measured."""
    if reason := why_not():
        print(reason)
        return 1
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with cluster_at(folder / "cluster", max_jobs=20000) as cluster, _counted(cluster, folder / "bin") as calls:
            submission = _submission(folder, runs, calls)
            cluster.clear()
            peers_ms = list(_peers(folder))
            cluster.clear()
            makespan = list(_makespan(folder))
    title = f"Submission of {runs:,} trainings and {runs:,} evaluations on a real SLURM of one node"
    report(title, [*_compared(submission, peers_ms), *makespan], packages=("submitit",))
    return 0


@dataclass(frozen=True)
class _Submission:
    """What a submission of tunebook's cost; ``calls`` names the programs of SLURM that were called."""

    jobs: int
    took_s: float
    calls: str
    poll_s: float


def _compared(submission: _Submission, peers_ms: Sequence[tuple[str, float | None]]) -> Iterator[Row]:
    own_ms = 1000 * submission.took_s / submission.jobs
    measured = f"{submission.took_s:.2f} s, {own_ms:.1f} ms a job, {submission.calls}"
    for name, peer_ms in peers_ms:
        peer, ratio = f"{name}: not installed", ""
        if peer_ms is not None:
            peer, ratio = f"{name}: {peer_ms:.1f} ms a job", f"{own_ms / peer_ms:.2f} ×"
        yield Row(work="`run --detach`", measured=measured, peer=peer, ratio=ratio, goal="2 calls")
    yield Row(work=f"one poll of {submission.jobs:,} jobs", measured=f"{submission.poll_s:.3f} s")


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


def _submission(folder: Path, runs: int, calls: Path) -> _Submission:
    experiment = _sweep(folder / "sweep", runs)
    executor = SlurmExecutor.create(ExecutorOptions())
    calls.write_text("")
    begun = time.perf_counter()
    done = run_jobs(experiment.jobs, executor, experiment=experiment.path, options=LoopOptions(detach=True))
    took = time.perf_counter() - begun
    names = calls.read_text().split()
    told = ", ".join(f"{names.count(name)} {name}" for name in sorted(set(names)))
    ids = [job.job_id for job in done.jobs]
    begun = time.perf_counter()
    statuses = executor.poll(ids)
    poll_s = time.perf_counter() - begun
    if len(statuses) != len(ids):
        raise SystemExit(f"{len(ids)} jobs were submitted, and SLURM knows {len(statuses)} of them")
    return _Submission(len(done.submitted), took, f"{len(names)} calls ({told})", poll_s)


def _peers(folder: Path) -> Iterator[tuple[str, float | None]]:
    """Milliseconds a job; ``None`` for a peer that is not installed."""
    experiment = _sweep(folder / "peer", _PEER_JOBS // 2)
    begun = time.perf_counter()
    for job in experiment.jobs:
        command = ["sbatch", "--parsable", str(experiment.path / job.script)]
        subprocess.run(command, cwd=experiment.path / job.directory, capture_output=True, check=True)
    yield "one `sbatch` a job", 1000 * (time.perf_counter() - begun) / _PEER_JOBS
    if find_spec("submitit") is None:
        yield "submitit, single jobs", None
        return
    import submitit

    executor = submitit.SlurmExecutor(folder=folder / "submitit")
    begun = time.perf_counter()
    for _ in range(_PEER_JOBS):
        executor.submit(time.sleep, 600)
    yield "submitit, single jobs", 1000 * (time.perf_counter() - begun) / _PEER_JOBS


def _makespan(folder: Path) -> Iterator[Row]:
    """Trainings that differ in length: each evaluation behind its own training, and all behind all trainings."""
    barrier: Sequence[Stage | None] = [Stage.PREPARATION, Stage.EVALUATION]
    with_barrier_s = _makespan_s(folder / "barrier", barrier)
    own_s = _makespan_s(folder / "own", [None])
    lengths = ", ".join(map(str, _LENGTHS_S))
    yield Row(
        work=f"makespan of trainings of {lengths} s, each evaluated in {_EVALUATION_S} s, two jobs at a time",
        measured=f"{own_s:.1f} s",
        peer=f"all evaluations behind all trainings: {with_barrier_s:.1f} s",
        ratio=f"{with_barrier_s / own_s:.2f} × faster",
        goal="1.32 × faster",
    )


def _makespan_s(path: Path, stages: Sequence[Stage | None]) -> float:
    experiment = Experiment(path)
    for length in _LENGTHS_S:
        _exclusive(experiment, experiment.training(f"length{length}", f"sleep {length}"))
        _exclusive(experiment, experiment.evaluation(f"length{length}", body=f"sleep {_EVALUATION_S}"))
    executor = SlurmExecutor.create(ExecutorOptions())
    begun = time.perf_counter()
    for stage in stages:
        options = LoopOptions(stage=stage, poll_s=0.5)
        run_jobs(experiment.jobs, executor, experiment=experiment.path, options=options)
    return time.perf_counter() - begun


def _exclusive(experiment: Experiment, job: Job) -> None:
    """A core for each job: the cluster of the tests shares them."""
    experiment.edit_script(job, "#SBATCH --gres=gpu:1")


if __name__ == "__main__":
    sys.exit(main())
