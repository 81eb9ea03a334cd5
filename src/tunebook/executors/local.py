"""Runs jobs on this machine, each script in a session of its own, which survives a monitor that is killed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from tunebook.core.jobs import LOST, Job, JobState, JobStatus
from tunebook.disk.program import start_detached
from tunebook.errors import ExecutorError, QueueFullError, ToolError
from tunebook.executors import processes
from tunebook.executors.base import Batch, ExecutorOptions, Intake, Submission, Submitted
from tunebook.executors.environment import TAG, job_environment
from tunebook.executors.gpus import find_gpus

__all__ = ["LocalExecutor"]

_GPUS = "TUNEBOOK_GPUS"
_OUTPUT = "TUNEBOOK_OUTPUT"


class LocalExecutor:
    """Runs up to ``slots`` jobs at a time on this machine, and gives its GPUs to them.

    Args:
        slots: how many jobs run at a time.
        gpus: the GPUs, as ``CUDA_VISIBLE_DEVICES`` names them; may be empty for jobs that need none.
        grace_s: seconds that a cancelled job has before it is killed.
    """

    name = "local"
    poll_s = 0.5
    patience = 1
    holds_dependencies = False
    survives_monitor = False

    def __init__(self, slots: int, gpus: Sequence[str] = (), *, grace_s: float = 10.0) -> None:
        if slots < 1:
            raise ExecutorError(f"{slots} jobs at a time: there must be at least one")
        self.host = socket.gethostname()
        self.slots = slots
        self.gpus = tuple(gpus)
        self._grace_s = grace_s
        # By the job's id: the process if this object started it, its tag, and the GPUs of those that run.
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._tags: dict[str, str] = {}
        self._held: dict[str, tuple[str, ...]] = {}

    @classmethod
    def create(cls, options: ExecutorOptions) -> LocalExecutor:
        """Returns the executor for this machine: one job at a time per GPU, or one if there is no GPU."""
        gpus = find_gpus()
        slots = options.slots if options.slots is not None else max(1, len(gpus))
        return cls(slots, gpus)

    def plan(self, waiting: Sequence[Submission]) -> Intake:
        """Takes the first job if there is a slot and enough GPUs for it; later jobs do not overtake it.

        Jobs that need more GPUs than this machine has are refused.
        """
        refused: dict[str, str] = {}
        fitting: list[Submission] = []
        for submission in waiting:
            if submission.job.resources.gpus > len(self.gpus):
                refused[submission.job.name] = self._too_large(submission.job)
            else:
                fitting.append(submission)
        if fitting and self._has_room(fitting[0].job):
            return Intake((Batch((fitting[0],)),), refused)
        return Intake((), refused)

    def _too_large(self, job: Job) -> str:
        needed = job.resources.gpus
        noun = "GPU" if needed == 1 else "GPUs"
        has = len(self.gpus) or "none"
        hint = "set `gpus` to what there is, 0 for the CPU, or run it elsewhere"
        return f"{job.name} needs {needed} {noun}, and this machine has {has} ({hint})"

    def _has_room(self, job: Job) -> bool:
        return len(self._held) < self.slots and job.resources.gpus <= len(self._free_gpus())

    def _free_gpus(self) -> list[str]:
        taken: set[str] = set()
        for held in self._held.values():
            taken.update(held)
        return [gpu for gpu in self.gpus if gpu not in taken]

    def submit(self, batch: Batch) -> Sequence[Submitted]:
        """Starts each job's script with ``bash``.

        Raises:
            QueueFullError: a job does not fit now.
            ExecutorError: the script, its directory or bash is missing.
        """
        return [self._start(submission) for submission in batch.members]

    def _start(self, submission: Submission) -> Submitted:
        job = submission.job
        if not self._has_room(job):
            raise QueueFullError(f"{job.name} does not fit on this machine now")
        script = submission.experiment / job.script
        if not script.is_file():
            raise ExecutorError(f"{script} is missing", hint="scaffold again")
        directory = submission.experiment / job.directory
        short = submission.tag.rpartition("-")[2][:8]
        output = directory / f"slurm-local-{datetime.now().astimezone():%Y%m%d-%H%M%S}-{short}.out"
        gpus = tuple(self._free_gpus()[: job.resources.gpus])
        env = self._environment(submission, gpus, output)
        try:
            child = start_detached(["bash", str(script)], cwd=directory, env=env, output=output)
        except (ToolError, OSError) as error:
            raise ExecutorError(f"{job.name} cannot be started: {error}") from error
        job_id = processes.write_id(child.pid)
        self._children[job_id] = child
        self._tags[job_id] = submission.tag
        self._held[job_id] = gpus
        return Submitted(job_id, str(output))

    def _environment(self, submission: Submission, gpus: Sequence[str], output: Path) -> dict[str, str]:
        env = job_environment(submission.tag, resume=submission.resume)
        if self.slots > 1:
            cores = len(os.sched_getaffinity(0))
            env.setdefault("OMP_NUM_THREADS", str(max(1, cores // self.slots)))
        devices = ",".join(gpus)
        return env | {_OUTPUT: str(output), _GPUS: devices, "CUDA_VISIBLE_DEVICES": devices}

    def find(self, submissions: Sequence[Submission]) -> Mapping[str, Submitted]:
        """Returns those that run here; from now on they occupy a slot and their GPUs."""
        found: dict[str, Submitted] = {}
        tags = {submission.tag for submission in submissions}
        for tag, job_id in processes.leaders(tags).items():
            env = processes.environment_of(job_id)
            found[tag] = Submitted(job_id, env.get(_OUTPUT, ""))
            self._tags[job_id] = tag
            self._held[job_id] = tuple(gpu for gpu in env.get(_GPUS, "").split(",") if gpu)
        return found

    def poll(self, ids: Sequence[str]) -> Mapping[str, JobStatus]:
        """Whether each job runs; one that has ended is ``FAILED`` here, unless its outcome file says otherwise."""
        return {job_id: self._status(job_id) for job_id in ids}

    def _status(self, job_id: str) -> JobStatus:
        child = self._children.get(job_id)
        if child is None:  # of an earlier monitor: it is not a child of this process
            is_running = processes.is_alive(job_id, self._tags.get(job_id, ""))
            reason = LOST
        else:
            code = child.poll()
            is_running = code is None
            reason = _reason(code or 0)
        if is_running:
            return JobStatus(JobState.RUNNING, node=self.host)
        self._held.pop(job_id, None)
        return JobStatus(JobState.FAILED, reason, self.host)

    def cancel(self, ids: Sequence[str]) -> None:
        """Ends each job's process group and all processes that inherited its tag."""
        tags = {self._tag(job_id) for job_id in ids} - {""}
        processes.end(ids, tags, grace_s=self._grace_s)
        for job_id in ids:
            self._held.pop(job_id, None)
            child = self._children.get(job_id)
            if child is not None:
                with suppress(subprocess.TimeoutExpired):
                    child.wait(timeout=1.0)

    def _tag(self, job_id: str) -> str:
        return self._tags.get(job_id) or processes.environment_of(job_id).get(TAG, "")


def _reason(returncode: int) -> str:
    """Returns why a script ended that wrote no outcome."""
    if returncode < 0:
        return f"killed by {signal.Signals(-returncode).name}"
    if returncode > 0:
        return f"exit code {returncode}"
    return LOST
