"""Jobs on this machine: each script in a session of its own, which outlives the monitor if that is killed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from tunebook.core.jobs import Job, JobState
from tunebook.disk.program import start_detached
from tunebook.errors import ExecutorError, QueueFullError, ToolError
from tunebook.executors import processes
from tunebook.executors.base import Batch, ExecutorOptions, Intake, JobStatus, Submission, Submitted
from tunebook.executors.environment import RESUME, job_environment
from tunebook.executors.gpus import find_gpus

__all__ = ["LocalExecutor"]

_GPUS = "TUNEBOOK_GPUS"
_OUTPUT = "TUNEBOOK_OUTPUT"


class LocalExecutor:
    """Runs up to ``slots`` jobs at a time on this machine and hands its GPUs out among them.

    Args:
        slots: how many jobs run at a time.
        gpus: the GPUs, as ``CUDA_VISIBLE_DEVICES`` names them; none is fine for jobs that need none.
        grace_s: how long a job that is cancelled has until it is killed.
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
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._tags: dict[str, str] = {}
        self._held: dict[str, tuple[str, ...]] = {}

    @classmethod
    def create(cls, options: ExecutorOptions) -> LocalExecutor:
        """The executor for this machine: one job at a time for each GPU, or one where there is none."""
        gpus = find_gpus()
        slots = options.slots if options.slots is not None else max(1, len(gpus))
        return cls(slots, gpus)

    def plan(self, waiting: Sequence[Submission]) -> Intake:
        """The first job that there is a slot and enough GPUs for; later ones do not overtake it.

        Jobs that need more GPUs than this machine has are refused.
        """
        refused = {one.job.name: self._too_large(one.job) for one in waiting if one.job.resources.gpus > len(self.gpus)}
        fitting = [one for one in waiting if one.job.name not in refused]
        batches = (Batch((fitting[0],)),) if fitting and self._has_room(fitting[0].job) else ()
        return Intake(batches, refused)

    def _too_large(self, job: Job) -> str:
        needed = job.resources.gpus
        has = f"{len(self.gpus)}" if self.gpus else "none"
        wants = f"{job.name} needs {needed} GPU{'s' if needed > 1 else ''}, and this machine has {has}"
        return f"{wants} (set `gpus` to what there is, 0 for the CPU, or run it elsewhere)"

    def _has_room(self, job: Job) -> bool:
        return len(self._held) < self.slots and job.resources.gpus <= len(self._free_gpus())

    def _free_gpus(self) -> list[str]:
        taken = {gpu for held in self._held.values() for gpu in held}
        return [gpu for gpu in self.gpus if gpu not in taken]

    def submit(self, batch: Batch) -> Sequence[Submitted]:
        """Starts each job's script with ``bash``.

        Raises:
            QueueFullError: there is no room.
            ExecutorError: there is no script, no directory or no bash.
        """
        return [self._start(submission) for submission in batch.members]

    def _start(self, submission: Submission) -> Submitted:
        job = submission.job
        if not self._has_room(job):
            raise QueueFullError(f"{job.name}: there is no room for it now")
        script = submission.experiment / job.script
        if not script.is_file():
            raise ExecutorError(f"{script} is missing", hint="scaffold again")
        directory = submission.experiment / job.directory
        short = submission.tag.rpartition("-")[2][:8]
        output = directory / f"slurm-local-{datetime.now().astimezone():%Y%m%d-%H%M%S}-{short}.out"
        gpus = tuple(self._free_gpus()[: job.resources.gpus])
        env = self._environment(submission.tag, gpus, output) | ({RESUME: "1"} if submission.resume else {})
        try:
            child = start_detached(["bash", str(script)], cwd=directory, env=env, output=output)
        except (ToolError, OSError) as error:
            raise ExecutorError(f"{job.name} cannot be started: {error}") from error
        job_id = processes.write_id(child.pid)
        self._children[job_id] = child
        self._tags[job_id] = submission.tag
        self._held[job_id] = gpus
        return Submitted(job_id, str(output))

    def _environment(self, tag: str, gpus: Sequence[str], output: Path) -> dict[str, str]:
        """What the job's processes inherit, with what is the job's own."""
        env = job_environment()
        if self.slots > 1:
            cores = len(os.sched_getaffinity(0))
            env.setdefault("OMP_NUM_THREADS", str(max(1, cores // self.slots)))
        own = {processes.TAG: tag, _OUTPUT: str(output), _GPUS: ",".join(gpus), "CUDA_VISIBLE_DEVICES": ",".join(gpus)}
        return env | own

    def find(self, submissions: Sequence[Submission]) -> Mapping[str, Submitted]:
        """Those that run here; they take part in the hand-out of slots and GPUs from now on."""
        found: dict[str, Submitted] = {}
        for tag, job_id in processes.leaders({submission.tag for submission in submissions}).items():
            env = processes.environment_of(job_id)
            found[tag] = Submitted(job_id, env.get(_OUTPUT, ""))
            self._tags[job_id] = tag
            self._held[job_id] = tuple(gpu for gpu in env.get(_GPUS, "").split(",") if gpu)
        return found

    def poll(self, ids: Sequence[str]) -> Mapping[str, JobStatus]:
        """Whether the jobs run; one that has ended is ``FAILED`` here, unless its outcome file says otherwise."""
        return {job_id: self._status(job_id) for job_id in ids}

    def _status(self, job_id: str) -> JobStatus:
        child = self._children.get(job_id)
        tag = self._tags.get(job_id, "")
        if processes.is_alive(job_id, tag) if child is None else child.poll() is None:
            return JobStatus(JobState.RUNNING, node=self.host)
        self._held.pop(job_id, None)
        if child is None:
            return JobStatus(JobState.FAILED, "killed (no outcome file)", self.host)
        return JobStatus(JobState.FAILED, _reason(child.returncode), self.host)

    def cancel(self, ids: Sequence[str]) -> None:
        """Ends each job's process group and all that inherited its tag: ``SIGTERM``, later ``SIGKILL``."""
        tags = {self._tag(job_id) for job_id in ids} - {""}
        processes.end(ids, tags, grace_s=self._grace_s)
        for job_id in ids:
            self._held.pop(job_id, None)
            child = self._children.get(job_id)
            if child is not None:
                with suppress(subprocess.TimeoutExpired):
                    child.wait(timeout=1.0)

    def _tag(self, job_id: str) -> str:
        return self._tags.get(job_id) or processes.environment_of(job_id).get(processes.TAG, "")


def _reason(returncode: int) -> str:
    """Why a script ended that wrote no outcome."""
    if returncode < 0:
        return f"killed by {signal.Signals(-returncode).name}"
    return f"exit code {returncode}" if returncode else "killed (no outcome file)"
