"""Runs jobs on a SLURM cluster: few calls, dependencies that SLURM keeps, and tags by which jobs are found again."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from tunebook.core.jobs import JobState, JobStatus, Resources
from tunebook.core.paths import ARRAYS
from tunebook.core.script_header import header_lines
from tunebook.disk.atomic import write_text
from tunebook.disk.manifest import changed_scripts
from tunebook.errors import ExecutorError, QueueFullError, RefusedError, UnclearError, os_problem
from tunebook.executors import processes
from tunebook.executors.base import Batch, ExecutorOptions, Intake, Submission, Submitted
from tunebook.executors.environment import job_environment
from tunebook.executors.pack_records import PackRecords
from tunebook.executors.packs import into_packs, member_id, member_output, pack_folder, split_id, write_pack
from tunebook.executors.slurm_batches import into_batches
from tunebook.executors.slurm_limits import SlurmLimits, request_of
from tunebook.slurm import queue, submission
from tunebook.slurm.accounting import Accounting
from tunebook.slurm.arrays import ArrayTask, array_ranges, array_script
from tunebook.slurm.programs import configuration

__all__ = ["SlurmExecutor"]

_HANDFUL = 5
_MAX_ARRAY = 1001


class SlurmExecutor:
    """Submits scripts with ``sbatch``.

    Args:
        cluster: its name: jobs of another cluster cannot be asked for here.
        max_array: one more than the highest number that a task of an array may have.
        slots: how many tasks of an array run at a time (``%N``).
        array: whether like jobs become an array; ``None`` for a handful of them or more, or for two or more if
            ``slots`` limits them.
    """

    name = "slurm"
    poll_s = 60.0
    patience = 3
    holds_dependencies = True
    survives_monitor = True
    scheduler = "SLURM"

    def __init__(
        self, cluster: str = "", *, max_array: int = _MAX_ARRAY, slots: int | None = None, array: bool | None = None
    ) -> None:
        self.host = cluster
        self._slots = slots
        self._most = max(1, max_array)
        self._largest = self._most
        if array is None:
            self._smallest = 2 if slots else _HANDFUL
        else:
            self._smallest = 2 if array else max_array + 1
        self._accounting = Accounting()
        self._packs = PackRecords()
        self._limits = SlurmLimits()
        self._ended: set[str] = set()

    @classmethod
    def create(cls, options: ExecutorOptions) -> SlurmExecutor:
        """Returns the executor for the cluster that this machine belongs to.

        Raises:
            NoSlurmError: SLURM is not set up here.
            SlurmError: it does not answer.
        """
        settings = configuration()
        size = settings.get("MaxArraySize", "")
        most = int(size) if size.isdecimal() else _MAX_ARRAY
        cluster = settings.get("ClusterName", "")
        return cls(cluster, max_array=most, slots=options.slots, array=options.array)

    def plan(self, waiting: Sequence[Submission]) -> Intake:
        """Takes all jobs, since SLURM queues what it cannot run, in as few batches as it took lately.

        A job is left for later if a person edited its script's header and it waits for a job of a pack: SLURM knows
        how a pack ends, and not how its jobs do.
        """
        if not waiting:
            return Intake()
        alone = changed_scripts(waiting[0].experiment, (one.job for one in waiting))
        packs, others = into_packs(waiting, alone=alone)
        batches = into_batches(others, alone=alone, smallest=self._smallest, largest=self._largest)
        return Intake((*packs, *batches))

    def refusal(self, resources: Resources) -> str:
        """Asks ``sbatch --test-only`` with the options of the job's own header.

        Raises:
            SlurmError: SLURM does not answer.
        """
        lines = [line.removeprefix("#SBATCH --") for line in header_lines(resources)]
        options = [line.partition("=") for line in lines]
        return submission.refusal({name: value for name, _, value in options if value})

    def submit(self, batch: Batch) -> Sequence[Submitted]:
        """Hands a job, an array of jobs, or a pack of jobs to ``sbatch``.

        Raises:
            QueueFullError: a limit for submitted jobs is reached, in whatever words.
            UnclearError: SLURM did not answer.
            RefusedError: SLURM refused the job, in its own words.
            ExecutorError: a script is missing or cannot be written.
        """
        try:
            request = request_of(batch.members[0])  # once the jobs are taken, no fault may look like a refusal
            submitted = self._submit(batch)
        except RefusedError as error:
            judged = self._limits.judge(batch, request, error)
            self._largest = max(1, len(batch.members) // 2) if isinstance(judged, QueueFullError) else self._most
            raise judged from error
        except OSError as error:
            raise ExecutorError([os_problem(error)]) from error
        self._limits.took(request)
        return submitted

    def _submit(self, batch: Batch) -> Sequence[Submitted]:
        if batch.is_pack:
            return self._submit_pack(batch)
        number = self._submit_array(batch) if batch.indices else _submit_single(batch.members[0])
        self._largest = min(self._most, 2 * self._largest)
        ids = [f"{number}_{index}" for index in batch.indices] or [number]
        return [Submitted(one, _output(member, one)) for member, one in zip(batch.members, ids, strict=True)]

    def _submit_array(self, batch: Batch) -> str:
        first = batch.members[0]
        tag = first.tag.rpartition(".")[0]
        folder = first.experiment / ARRAYS
        script = folder / f"{tag}.sh"
        tasks = [_task(index, member) for index, member in zip(batch.indices, batch.members, strict=True)]
        write_text(script, array_script(first.job.resources, tasks), within=first.experiment, durable=True)
        array = array_ranges(batch.indices)
        if self._slots:
            array += f"%{self._slots}"
        options = [
            f"--array={array}",
            submission.output_option(folder, "%A_%a.out"),
            f"--job-name={_plain(first.experiment.name)}-{first.job.stage.value}",
        ]
        if first.after:
            options += submission.after_each(first.after[0].partition("_")[0])
        return submission.submit(script, tag=tag, options=options, cwd=folder, env=job_environment(tag))

    def _submit_pack(self, batch: Batch) -> Sequence[Submitted]:
        first = batch.members[0]
        script = write_pack(batch)
        folder = script.parent
        options = [
            submission.output_option(folder, "slurm-%j.out"),
            f"--job-name={_plain(first.experiment.name)}-{first.job.stage.value}",
        ]
        awaited = {split_id(job_id)[0] for one in batch.members for job_id in one.after}
        if awaited:
            options += submission.after_end(sorted(awaited))
        number = submission.submit(
            script, tag=folder.name, options=options, cwd=folder, env=job_environment(folder.name)
        )
        self._packs.add(number, folder)
        return [_member(one, number, index) for index, one in zip(batch.indices, batch.members, strict=True)]

    def find(self, submissions: Sequence[Submission]) -> Mapping[str, Submitted]:
        """Returns those that SLURM remembers, by the comments that carry their tags.

        Raises:
            UnclearError: an ``sbatch`` of a monitor that has ended still runs.
            ExecutorError: SLURM does not answer.
        """
        self._packs.learn(submissions)
        tags = {one.tag.partition(".")[0] for one in submissions}
        for found in processes.member_processes(tags).values():
            if any(processes.name_of(process) == "sbatch" for process in found):
                raise UnclearError("an `sbatch` of an earlier monitor still runs")
        by_tag = {one.tag: one for one in submissions}
        in_parts: dict[str, list[Submission]] = {}
        for one in submissions:
            in_parts.setdefault(one.tag.rpartition(".")[0], []).append(one)
        known: dict[str, Submitted] = {}
        for row in queue.read_queue():
            _, is_task, index = row.job_id.partition("_")
            tag = row.comment
            if is_task:
                tag += f".{index}"
            if tag in by_tag:
                known[tag] = Submitted(row.job_id, _output(by_tag[tag], row.job_id))
            elif tag and not is_task:
                known |= self._members(row.job_id, in_parts.get(tag, ()))
        self._limits.found(by_tag[tag] for tag in known)
        return known

    def _members(self, number: str, members: Sequence[Submission]) -> Mapping[str, Submitted]:
        """The members of a pack, by their tags."""
        found: dict[str, Submitted] = {}
        for one in members:
            self._packs.add(number, pack_folder(one))
            found[one.tag] = _member(one, number, int(one.tag.rpartition(".")[2]))
        return found

    def poll(self, ids: Sequence[str]) -> Mapping[str, JobStatus]:
        """Asks ``squeue`` once for all, and ``sacct`` once for the jobs that ``squeue`` has forgotten.

        Raises:
            ExecutorError: SLURM does not answer.
        """
        numbers = dict.fromkeys(split_id(job_id)[0] for job_id in ids)
        queued = {row.job_id: row.status for row in queue.read_queue()}
        known = {**self._accounting.ask([number for number in numbers if number not in queued]), **queued}
        self._ended = {number for number in numbers if number in known and not known[number].state.is_going}
        unknown = JobStatus(JobState.UNKNOWN)
        return {job_id: self._packs.status(job_id, known.get(split_id(job_id)[0], unknown)) for job_id in ids}

    def cancel(self, ids: Sequence[str], *, at_once: bool = False) -> None:  # noqa: ARG002 - SLURM waits for no job
        """Cancels jobs that have not ended. SLURM itself ends the remaining processes of those that have.

        A pack is cancelled with the last of its jobs; before that, its own script ends single jobs within seconds.

        Raises:
            ExecutorError: SLURM does not answer, or forbids it.
        """
        numbers = {job_id for job_id in ids if split_id(job_id)[1] is None} | self._packs.cancel(ids)
        queue.cancel(sorted(numbers - self._ended))


def _submit_single(one: Submission) -> str:
    script = one.experiment / one.job.script
    if not script.is_file():
        raise ExecutorError(f"{script} is missing", hint="scaffold again")
    directory = one.experiment / one.job.directory
    options = [submission.output_option(directory, "slurm-%j.out")]
    if one.after:
        options += submission.after_all(one.after)
    env = job_environment(one.tag, resume=one.resume)
    return submission.submit(script, tag=one.tag, options=options, cwd=directory, env=env)


def _task(number: int, one: Submission) -> ArrayTask:
    directory, script = one.experiment / one.job.directory, one.experiment / one.job.script
    return ArrayTask(number, one.tag, directory, script, resume=one.resume)


def _member(one: Submission, number: str, index: int) -> Submitted:
    return Submitted(member_id(number, index), str(member_output(one, f"slurm-{number}", index)))


def _output(one: Submission, job_id: str) -> str:
    return str(one.experiment / one.job.directory / f"slurm-{job_id}.out")


def _plain(text: str) -> str:
    """Returns a name that any scheduler and any terminal can show."""
    return re.sub(r"[^\w.-]+", "_", text)[:60]
