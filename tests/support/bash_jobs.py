"""Small experiments whose jobs are real bash scripts that keep the contract of tunebook's scripts at their end."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from support.patience import HANG_S
from tunebook.core.jobs import Job, Pack, Resources, Stage
from tunebook.disk.ledger import read_ledger
from tunebook.disk.manifest import Manifest, digest, read_manifest, write_manifest
from tunebook.executors import processes
from tunebook.run.report import RunReport
from tunebook.tools.job_script import job_variables, script_start

__all__ = ["Experiment", "experiment_at", "load_jobs", "start_monitor", "states", "wait_until"]

_SCRIPT = """\
#!/usr/bin/env bash
{variables}
conda_env=
venv=
load_modules() {{ :; }}
{prologue}
set +eu
echo {name} >>{order}
{body}
"""
PLAN = """\
# Experiment: words

## Status

### Fine-tuning
| Run Name | Status | Job ID | Started | Completed | Notes |
|----------|--------|--------|---------|-----------|-------|

## Quick Reference
The last words.
"""
_MONITOR = """\
import sys
from pathlib import Path
from support.bash_jobs import load_jobs
from tunebook.executors.local import LocalExecutor
from tunebook.run.loop import run_jobs
from tunebook.run.select import LoopOptions
experiment = Path(sys.argv[1])
executor = LocalExecutor(int(sys.argv[2]), grace_s=600.0)
try:
    report = run_jobs(load_jobs(experiment), executor, experiment=experiment, options=LoopOptions(poll_s=0.02))
except KeyboardInterrupt:
    sys.exit(130)
sys.exit(report.exit_code)
"""


class Experiment:
    """An experiment's directory with jobs; ``order`` tells which scripts started, in their order."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.jobs: list[Job] = []
        self._generated: dict[str, tuple[str, ...]] = {}
        path.mkdir(parents=True, exist_ok=True)
        (path / "experiment_summary.md").write_text(PLAN)

    @property
    def order(self) -> list[str]:
        log = self.path / "order.log"
        return log.read_text().splitlines() if log.exists() else []

    def text(self, name: str) -> str:
        """A file's text; empty if the file does not exist yet."""
        path = self.path / name
        return path.read_text() if path.exists() else ""

    @property
    def page(self) -> str:
        return (self.path / "experiment_summary.md").read_text()

    def training(self, run: str, body: str = "true", *, gpus: int = 0) -> Job:
        """A training whose script leaves a checkpoint and then does ``body``."""
        output = self.path / run / "artifacts"
        job = Job(
            name=f"{run}/finetune",
            run=run,
            stage=Stage.PREPARATION,
            tool="torchtune",
            directory=run,
            script=f"{run}/finetune.slurm",
            outcome=f"{run}/finetune.outcome.json",
            texts=(f"{run}/finetune.yaml",),
            metrics=str(output / "metrics.jsonl"),
            checkpoints=(str(output / "epoch_0"),),
            resources=Resources(gpus=gpus),
        )
        return self._add(job, f"mkdir -p artifacts/epoch_0\n{body}")

    def evaluation(self, run: str, *, body: str = "true", epoch: int | None = 0, status: str = "success") -> Job:
        """An evaluation whose script writes a result and then does ``body``."""
        stem = "caps_base" if epoch is None else f"caps_epoch{epoch}"
        result = {
            "status": status,
            "samples": 4,
            "completed": 4,
            "failed": 0,
            "scores": [{"name": "mean", "value": 0.75}],
        }
        job = Job(
            name=f"{run}/eval/{stem}",
            run=run,
            stage=Stage.EVALUATION,
            tool="inspect",
            directory=f"{run}/eval",
            script=f"{run}/eval/{stem}.slurm",
            outcome=f"{run}/eval/{stem}.outcome.json",
            texts=(f"{run}/eval/{stem}.slurm",),
            needs=() if epoch is None else (f"{run}/finetune",),
            task="caps",
            epoch=epoch,
            result=f"{run}/eval/{stem}.result.json",
        )
        return self._add(job, f"printf %s {shlex.quote(json.dumps(result))} >{stem}.result.json\n{body}")

    def _add(self, job: Job, body: str) -> Job:
        directory = self.path / job.directory
        directory.mkdir(parents=True, exist_ok=True)
        for name in job.texts:
            (self.path / name).write_text(f"seed: 1 # {job.name}\n")
        self.write_script(job, body)
        self.jobs.append(job)
        self._remember()
        return job

    def _remember(self) -> None:
        write_manifest(self.path, Manifest(self._generated, tuple(self.jobs)))

    def write_script(self, job: Job, body: str) -> None:
        """Puts another body into a job's script."""
        text = _SCRIPT.format(
            variables="\n".join(_assignments(job, self.path)),
            prologue=script_start(),
            name=shlex.quote(job.name.replace("\n", " ")),
            order=shlex.quote(str(self.path / "order.log")),
            body=body,
        )
        (self.path / job.script).write_text(text)
        self._generated[job.script] = (digest(text),)
        self._remember()

    def edit_script(self, job: Job, line: str) -> None:
        """Adds a line below the first one, as a person would."""
        script = self.path / job.script
        script.write_text(script.read_text().replace("\n", f"\n{line}\n", 1))

    def packed(self, *jobs: Job, **properties: Any) -> None:
        """Lets these jobs share an allocation."""
        for job in jobs:
            pack = Pack("together", **properties)
            self.jobs[self.jobs.index(job)] = replace(job, pack=pack)
        self._remember()

    def without_checkpoint(self, job: Job) -> Job:
        """The job with a checkpoint that its script does not leave."""
        changed = replace(job, checkpoints=(str(self.path / "nowhere"),))
        self.jobs[self.jobs.index(job)] = changed
        return changed

    def until(self, name: str) -> str:
        """A line of bash that waits for the file ``name`` in the experiment's directory."""
        return f"until [ -e {shlex.quote(str(self.path / name))} ]; do sleep 0.02; done"

    def let_go(self, name: str) -> None:
        (self.path / name).touch()


def states(report: RunReport) -> dict[str, str]:
    """Every job's state, and its reason if there is one."""
    return {job.job.name: f"{job.state.value} {job.reason}".strip() for job in report.jobs}


def _assignments(job: Job, experiment: Path) -> Iterator[str]:
    for name, value in job_variables(job, experiment).items():
        if isinstance(value, str):
            yield f"{name}={shlex.quote(value)}"
        else:
            yield f"{name}=({' '.join(shlex.quote(str(item)) for item in value)})"  # type: ignore[union-attr]


def load_jobs(experiment: Path) -> list[Job]:
    return list(read_manifest(experiment).jobs)


@contextmanager
def start_monitor(experiment: Experiment, slots: int = 2) -> Iterator[subprocess.Popen[str]]:
    """A real monitor in a process of its own, which does not outlive the block."""
    env = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    command = [sys.executable, "-c", _MONITOR, str(experiment.path), str(slots)]
    with subprocess.Popen(command, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as monitor:
        try:
            yield monitor
        finally:
            monitor.kill()


@contextmanager
def experiment_at(path: Path) -> Iterator[Experiment]:
    """An experiment of whose jobs no process is left in the end."""
    made = Experiment(path)
    try:
        yield made
    finally:
        tags = {entry.last.tag for entry in read_ledger(path).entries.values()}
        processes.end([], tags, grace_s=1.0)  # nothing of what they write is looked at any more


def wait_until(what: Callable[[], object], timeout_s: float = HANG_S) -> None:
    """Returns as soon as a condition is true; fails if it never becomes true."""
    deadline = time.monotonic() + timeout_s
    while not what():
        assert time.monotonic() < deadline, "the condition never became true"
        time.sleep(0.01)
