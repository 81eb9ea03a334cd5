"""Runs jobs on this machine, each script in a session of its own, which survives a monitor that is killed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tunebook.core.jobs import LOST, RESTARTED, Job, JobState, JobStatus
from tunebook.disk.program import start_detached
from tunebook.errors import ExecutorError, QueueFullError, ToolError, in_words, os_problem
from tunebook.executors import processes
from tunebook.executors.base import Batch, ExecutorOptions, Intake, Submission, Submitted
from tunebook.executors.environment import TAG, job_environment
from tunebook.executors.gpus import find_gpus
from tunebook.executors.pack_records import PackRecords
from tunebook.executors.packs import (
    batch_resources,
    member_id,
    member_output,
    next_pack,
    pack_folder,
    split_id,
    write_pack,
)

__all__ = ["LocalExecutor"]

_GPUS = "TUNEBOOK_GPUS"
_OUTPUT = "TUNEBOOK_OUTPUT"
_CORES = "TUNEBOOK_CORES"
_SERVICE = ".service"  # behind the tag of a pack: the tag of the processes of its service


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
        # By the id of a job or of a pack: the process if this object started it, its tag, and the GPUs while it runs.
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._tags: dict[str, str] = {}
        self._held: dict[str, tuple[str, ...]] = {}
        self._packs = PackRecords()

    @classmethod
    def create(cls, options: ExecutorOptions) -> LocalExecutor:
        """Returns the executor for this machine: one job at a time per GPU, or one if there is no GPU."""
        gpus = find_gpus()
        slots = options.slots if options.slots is not None else max(1, len(gpus))
        return cls(slots, gpus)

    def plan(self, waiting: Sequence[Submission]) -> Intake:
        """Takes the first job if there is a slot and enough GPUs for it; later jobs do not overtake it.

        The jobs of a pack share a slot and its GPUs. Jobs that need more GPUs than this machine has are refused.
        """
        refused: dict[str, str] = {}
        fitting: list[Submission] = []
        for submission in waiting:
            if submission.job.resources.gpus > len(self.gpus):
                refused[submission.job.name] = self._too_large(submission.job)
            else:
                fitting.append(submission)
        if not fitting:
            return Intake((), refused)
        batch = next_pack(fitting) or Batch((fitting[0],))
        if self._has_room(batch_resources(batch).gpus):
            return Intake((batch,), refused)
        return Intake((), refused)

    def _too_large(self, job: Job) -> str:
        needed = job.resources.gpus
        noun = "GPU" if needed == 1 else "GPUs"
        has = len(self.gpus) or "none"
        hint = "set `gpus` to what there is, 0 for the CPU, or run it elsewhere"
        return f"{job.name} needs {needed} {noun}, and this machine has {has} ({hint})"

    def _has_room(self, gpus: int) -> bool:
        for started in [started for started in self._held if self._packs.pack_tag(started)]:
            self._look_at_pack(started)  # nobody polls a pack whose jobs have all ended
        return len(self._held) < self.slots and gpus <= len(self._free_gpus())

    def _free_gpus(self) -> list[str]:
        taken: set[str] = set()
        for held in self._held.values():
            taken.update(held)
        return [gpu for gpu in self.gpus if gpu not in taken]

    def submit(self, batch: Batch) -> Sequence[Submitted]:
        """Starts a job's script, or a pack's, with ``bash``.

        Raises:
            QueueFullError: a job does not fit now.
            ExecutorError: the script, its directory or bash is missing.
        """
        if batch.is_pack:
            return self._start_pack(batch)
        return [self._start_job(one) for one in batch.members]

    def _start_job(self, one: Submission) -> Submitted:
        directory = one.experiment / one.job.directory
        started = _Start(one.job.name, one.experiment / one.job.script, directory, one.tag, one.job.resources.gpus)
        job_id, output = self._start(started, resume=one.resume)
        return Submitted(job_id, str(output))

    def _start_pack(self, batch: Batch) -> Sequence[Submitted]:
        resources = batch_resources(batch)
        names = f"a pack of {batch.members[0].job.name} and {len(batch.members) - 1} more"
        try:
            script = write_pack(batch)
        except OSError as error:
            raise ExecutorError([os_problem(error)]) from error
        folder = script.parent
        pack_id, output = self._start(_Start(names, script, folder, folder.name, resources.gpus), shares_cores=True)
        self._packs.add(pack_id, folder)
        pairs = zip(batch.indices, batch.members, strict=True)
        return [_member(pack_id, one, output, number) for number, one in pairs]

    def _start(self, start: _Start, *, resume: bool = False, shares_cores: bool = False) -> tuple[str, Path]:
        """Starts a script; returns its id and the file with its output."""
        with _seeing():
            has_room = self._has_room(start.gpus)
        if not has_room:
            raise QueueFullError(f"{start.name} does not fit on this machine now")
        if not start.script.is_file():
            raise ExecutorError(f"{start.script} is missing", hint="scaffold again")
        short = start.tag.rpartition("-")[2][:8]
        output = start.directory / f"slurm-local-{datetime.now().astimezone():%Y%m%d-%H%M%S}-{short}.out"
        gpus = tuple(self._free_gpus()[: start.gpus])
        env = self._environment(job_environment(start.tag, resume=resume), gpus, output, shares_cores=shares_cores)
        try:
            child = start_detached(["bash", str(start.script)], cwd=start.directory, env=env, output=output)
        except (ToolError, OSError) as error:
            raise ExecutorError(f"{start.name} cannot be started: {in_words(error)}") from error
        job_id = _id_of(child, start.name)
        self._children[job_id] = child
        self._tags[job_id] = start.tag
        self._held[job_id] = gpus
        return job_id, output

    def _environment(
        self, env: dict[str, str], gpus: Sequence[str], output: Path, *, shares_cores: bool
    ) -> dict[str, str]:
        cores = max(1, len(os.sched_getaffinity(0)) // self.slots)
        if shares_cores:
            env[_CORES] = str(cores)
        elif self.slots > 1:
            env.setdefault("OMP_NUM_THREADS", str(cores))
        devices = ",".join(gpus)
        return env | {_OUTPUT: str(output), _GPUS: devices, "CUDA_VISIBLE_DEVICES": devices}

    def find(self, submissions: Sequence[Submission]) -> Mapping[str, Submitted]:
        """Returns those that run here; from now on they occupy a slot and their GPUs.

        Raises:
            ExecutorError: the system does not say which processes run.
        """
        with _seeing():
            return self._found(submissions)

    def _found(self, submissions: Sequence[Submission]) -> Mapping[str, Submitted]:
        self._packs.learn(submissions)
        found: dict[str, Submitted] = {}
        packs = {one.tag.rpartition(".")[0] for one in submissions} - {""}
        running = processes.leaders({one.tag for one in submissions} | packs)
        for one in submissions:
            pack_tag, _, number = one.tag.rpartition(".")
            pack_id = running.get(pack_tag, "")
            if processes.is_alive(pack_id):
                self._packs.add(pack_id, pack_folder(one))
                output = Path(self._adopt(pack_id, pack_tag))
                found[one.tag] = _member(pack_id, one, output, int(number))
            elif one.tag in running:
                job_id = running[one.tag]
                found[one.tag] = Submitted(job_id, self._adopt(job_id, one.tag))
        return found

    def _adopt(self, job_id: str, tag: str) -> str:
        """Takes over a script that an earlier monitor started; returns the file with its output."""
        env = processes.environment_of(job_id)
        self._tags[job_id] = tag
        self._held[job_id] = tuple(gpu for gpu in env.get(_GPUS, "").split(",") if gpu)
        return env.get(_OUTPUT, "")

    def poll(self, ids: Sequence[str]) -> Mapping[str, JobStatus]:
        """Whether each job runs; one that has ended is ``FAILED`` here, unless its outcome file says otherwise.

        Raises:
            ExecutorError: the system does not say which processes run.
        """
        with _seeing():
            return {job_id: self._status(job_id) for job_id in ids}

    def _status(self, job_id: str) -> JobStatus:
        pack_id, number = split_id(job_id)
        if number is None:
            return self._status_of_script(job_id)
        of_pack = self._look_at_pack(pack_id)
        status = self._packs.status(job_id, of_pack)
        if status.state.is_going:
            return status
        if of_pack.state.is_going:
            is_ending = not self._packs.has_more(pack_id)  # the last job ends with its pack, which ends the service
        else:
            is_ending = bool(processes.member_processes({self._tag(job_id)}))  # only the pack's script was killed
        return JobStatus(JobState.RUNNING, node=self.host) if is_ending else status

    def _look_at_pack(self, pack_id: str) -> JobStatus:
        """Returns the state of a pack's own script.

        Once that has ended, what is left of its service is ended. Jobs that survived it keep their GPUs.
        """
        gpus = self._held.get(pack_id)
        status = self._status_of_script(pack_id)
        if gpus is not None and not status.state.is_going:
            if processes.member_processes(self._packs.member_tags(pack_id)):
                self._held[pack_id] = gpus
            processes.end([], {f"{self._packs.pack_tag(pack_id)}{_SERVICE}"}, grace_s=self._grace_s)
        return status

    def _status_of_script(self, job_id: str) -> JobStatus:
        child = self._children.get(job_id)
        if child is None:  # of an earlier monitor: it is not a child of this process
            is_running = processes.is_alive(job_id)
            reason = RESTARTED if processes.was_ended_by_restart(job_id) else LOST
        else:
            code = child.poll()
            is_running = code is None
            reason = _reason(code or 0)
        if is_running:
            return JobStatus(JobState.RUNNING, node=self.host)
        self._held.pop(job_id, None)
        return JobStatus(JobState.FAILED, reason, self.host)

    def cancel(self, ids: Sequence[str], *, at_once: bool = False) -> None:
        """Ends each job's process group and all processes that inherited its tag.

        The script of a pack is ended with the last of the pack's jobs.

        Raises:
            ExecutorError: the system does not say which processes run.
        """
        with _seeing():
            self._cancel(ids, at_once=at_once)

    def _cancel(self, ids: Sequence[str], *, at_once: bool) -> None:
        packs = self._packs.cancel(ids)
        tags = {self._tag(job_id) for job_id in ids} - {""}
        for pack_id in packs:
            tags |= {self._packs.pack_tag(pack_id), f"{self._packs.pack_tag(pack_id)}{_SERVICE}"}
        scripts = [job_id for job_id in ids if split_id(job_id)[1] is None] + sorted(packs)
        processes.end(scripts, tags, grace_s=0.0 if at_once else self._grace_s)
        for job_id in scripts:
            self._held.pop(job_id, None)
            child = self._children.get(job_id)
            if child is not None:
                with suppress(subprocess.TimeoutExpired):
                    child.wait(timeout=1.0)

    def _tag(self, job_id: str) -> str:
        return self._packs.tag(job_id) or self._tags.get(job_id) or processes.environment_of(job_id).get(TAG, "")


@dataclass(frozen=True)
class _Start:
    """A script to start: a job's own, or a pack's."""

    name: str
    script: Path
    directory: Path
    tag: str
    gpus: int


@contextmanager
def _seeing() -> Iterator[None]:
    """Where the system cannot be asked for processes, as with too many open files, no job counts as ended."""
    try:
        yield
    except OSError as error:
        raise ExecutorError(f"the processes of this machine cannot be seen: {in_words(error)}") from error


def _id_of(child: subprocess.Popen[bytes], name: str) -> str:
    """The id of a script that was just started; without one nothing could watch it, and it is ended again.

    Raises:
        ExecutorError: the system does not say which process it is.
    """
    try:
        return processes.write_id(child.pid)
    except OSError as error:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        raise ExecutorError(f"{name} was started and ended at once: {in_words(error)}") from error


def _member(pack_id: str, one: Submission, output: Path, number: int) -> Submitted:
    return Submitted(member_id(pack_id, number), str(member_output(one, output.stem, number)))


def _reason(returncode: int) -> str:
    """Returns why a script ended that wrote no outcome."""
    if returncode < 0:
        return f"killed by {signal.Signals(-returncode).name}"
    if returncode > 0:
        return f"exit code {returncode}"
    return LOST
