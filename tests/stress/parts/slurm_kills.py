"""Monitors of a real SLURM killed at random moments: what is planned is what SLURM got and what ran, once each."""

from __future__ import annotations

import signal
import subprocess
import time
from collections import Counter
from dataclasses import dataclass, field

import pytest

from stress.part import Outcome, Part, Setting
from support.bash_jobs import Experiment, experiment_at, states, wait_until
from support.patience import HANG_S
from support.slurm_cluster import Cluster, cluster_at, empty_queue, why_not
from support.slurm_runs import run, start_slurm_monitor
from tunebook.core.paths import RUN_LOG
from tunebook.disk.ledger import LedgerReader

__all__ = ["PART"]

_KILLS, _QUICK_KILLS = 60, 2
_MOST_A_SWEEP = 4
_FAILS_ONCE = "[ -e ../failed ] || {{ touch ../failed; sleep {seconds}; exit 3; }}"


@dataclass
class _Found:
    """What the sweeps did and found."""

    sweeps: int = 0
    kills: int = 0
    submissions: int = 0
    executions: int = 0
    faults: list[str] = field(default_factory=list)


def _run(setting: Setting) -> Outcome:
    if reason := why_not():
        return Outcome(skipped=reason)
    found = _Found()
    kills = _QUICK_KILLS if setting.is_quick else _KILLS
    with cluster_at(setting.folder / "cluster", min_job_age=36000) as cluster, pytest.MonkeyPatch.context() as patch:
        while found.kills < kills:
            with empty_queue(cluster, patch):
                _sweep(setting, cluster, found, left=kills - found.kills)
    figures = (
        f"{found.kills} monitors killed in {found.sweeps} sweeps; {found.submissions} submissions in the ledger "
        f"and in SLURM, {found.executions} executions"
    )
    return Outcome(figures=figures, faults=tuple(found.faults))


def _sweep(setting: Setting, cluster: Cluster, found: _Found, *, left: int) -> None:
    """One sweep, whose monitors are killed a few times before one may finish it."""
    random = setting.random
    with experiment_at(setting.folder / f"sweep-{found.sweeps}") as experiment:
        for name in ("a", "b"):
            experiment.training(name, f"sleep {random.uniform(0.0, 1.5):.2f}")
            experiment.evaluation(name)
        experiment.training("c", _FAILS_ONCE.format(seconds=f"{random.uniform(0.0, 1.0):.2f}"))
        experiment.evaluation("c")
        array = random.random() < 0.5
        for _ in range(random.randint(1, min(left, _MOST_A_SWEEP))):
            with start_slurm_monitor(experiment, array=array, retry_failed=True) as monitor:
                found.kills += _killed(monitor, experiment, random.uniform(0.0, 2.5))
        report = run(experiment, array=array, retry_failed=True)
        if set(states(report).values()) != {"completed"}:  # a monitor does not retry what it has seen fail
            report = run(experiment, array=array, retry_failed=True)
        found.sweeps += 1
        found.faults += [f"{experiment.path.name}: {fault}" for fault in _faults(experiment, cluster, found)]
        found.faults += [f"{name} is {state}" for name, state in states(report).items() if state != "completed"]


def _killed(monitor: subprocess.Popen[bytes], experiment: Experiment, after_s: float) -> bool:
    """Kills a monitor some time after it has begun; returns whether it had not ended by then."""
    begun = experiment.text(RUN_LOG).count("RUN_STARTED")
    wait_until(lambda: experiment.text(RUN_LOG).count("RUN_STARTED") > begun or monitor.poll() is not None)
    time.sleep(after_s)
    monitor.send_signal(signal.SIGKILL)
    return monitor.wait(timeout=HANG_S) == -signal.SIGKILL


def _faults(experiment: Experiment, cluster: Cluster, found: _Found) -> list[str]:
    """Compares what was planned, what the ledger and SLURM know, and what ran."""
    wait_until(lambda: not cluster.ask("squeue", "-h").strip())
    ledger = LedgerReader(experiment.path).every()
    in_ledger = {entry.last.tag: entry.last.job for entry in ledger}
    in_slurm = Counter(_tags(cluster))
    found.submissions += len(in_ledger)
    found.executions += len(experiment.order)
    faults = [f"{tag} of {job} is not in SLURM" for tag, job in in_ledger.items() if not in_slurm[tag]]
    faults += [f"{tag} is in SLURM {count} times" for tag, count in in_slurm.items() if count > 1]
    planned = {job.name: 1 for job in experiment.jobs} | {"c/finetune": 2}
    ran = Counter(experiment.order)
    wrong = {name: count for name, count in planned.items() if ran[name] != count}
    return faults + [f"{name} ran {ran[name]} times, not {count}" for name, count in wrong.items()]


def _tags(cluster: Cluster) -> list[str]:
    """The tags of all jobs that SLURM remembers; tasks of an array have their number behind it."""
    tags = []
    for line in cluster.ask("squeue", "-h", "--array", "--states=all", "--format=%i|%k").splitlines():
        number, _, comment = line.partition("|")
        task = number.partition("_")[2]
        tags.append(f"{comment}.{task}" if task else comment)
    return tags


PART = Part(name="slurm-kills", run=_run, in_quick_half=False)
