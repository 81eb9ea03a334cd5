"""Jobs on a SLURM cluster: submitted with few calls, held together by dependencies, found by their tags."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from tunebook.core.jobs import JobState
from tunebook.core.paths import ARRAYS
from tunebook.disk.atomic import write_text
from tunebook.disk.manifest import changed_scripts
from tunebook.disk.program import run_program
from tunebook.errors import ExecutorError, QueueFullError, ToolError, UnclearError
from tunebook.executors import processes
from tunebook.executors.base import Batch, ExecutorOptions, Intake, JobStatus, Submission, Submitted
from tunebook.executors.environment import RESUME, job_environment
from tunebook.executors.slurm_arrays import array_ranges, array_script, into_batches
from tunebook.executors.slurm_commands import Accounting, configuration, queue, scancel, told

__all__ = ["SlurmExecutor"]

_SBATCH = ("sbatch", "--parsable", "--export=ALL", "--open-mode=append", "--requeue")
_SUBMIT_S = 120.0
_HANDFUL = 5
_MAX_ARRAY = 1001
_FULL = re.compile(r"MaxSubmit|GrpSubmit", re.IGNORECASE)
_NUMBER = re.compile(r"^(\d+)(?:;\S*)?\s*\Z", re.MULTILINE)
_UNCLEAR = re.compile(
    r"contact slurm controller|timed out|connection refused|zero bytes|temporarily unable|temporarily unavailable"
    r"|communication|authentication|munge|connect failure",
    re.IGNORECASE,
)


class SlurmExecutor:
    """Submits scripts with ``sbatch``.

    Args:
        cluster: its name: jobs of another cluster cannot be asked for here.
        max_array: one more than the highest number that a task of an array may have.
        slots: how many tasks of an array run at a time (``%N``).
        array: whether like jobs go as arrays; ``None`` is from a handful on, or from two if ``slots`` hold.
    """

    name = "slurm"
    poll_s = 60.0
    patience = 3
    holds_dependencies = True
    survives_monitor = True

    def __init__(
        self, cluster: str = "", *, max_array: int = _MAX_ARRAY, slots: int | None = None, array: bool | None = None
    ) -> None:
        self.host = cluster
        self._slots = slots
        self._smallest = {None: 2 if slots else _HANDFUL, True: 2}.get(array, max_array + 1)
        self._most = max(1, max_array)
        self._largest = self._most
        self._accounting = Accounting()
        self._ended: set[str] = set()

    @classmethod
    def create(cls, options: ExecutorOptions) -> SlurmExecutor:
        """The executor for the cluster that this machine belongs to.

        Raises:
            ExecutorError: SLURM is not set up here, or does not answer.
        """
        settings = configuration()
        size = settings.get("MaxArraySize", "")
        most = int(size) if size.isdecimal() else _MAX_ARRAY
        cluster = settings.get("ClusterName", "")
        return cls(cluster, max_array=most, slots=options.slots, array=options.array)

    def plan(self, waiting: Sequence[Submission]) -> Intake:
        """All of them: SLURM queues what it cannot run. As few batches as can be, none larger than it took of late."""
        if not waiting:
            return Intake()
        alone = changed_scripts(waiting[0].experiment, (one.job for one in waiting))
        return Intake(into_batches(waiting, alone=alone, smallest=self._smallest, largest=self._largest))

    def submit(self, batch: Batch) -> Sequence[Submitted]:
        """Hands a job, or an array of them, to ``sbatch``.

        Raises:
            QueueFullError: a limit for submitted jobs is reached.
            UnclearError: SLURM did not answer.
            ExecutorError: SLURM refused it, in its own words.
        """
        try:
            argv, cwd, env = self._array(batch) if batch.indices else _single(batch.members[0])
        except OSError as error:
            raise ExecutorError(f"{error.filename}: {error.strerror}") from error
        number = self._sbatch(argv, cwd, env, len(batch.members))
        ids = [f"{number}_{index}" for index in batch.indices] or [number]
        return [Submitted(one, _output(member, one)) for member, one in zip(batch.members, ids, strict=True)]

    def _array(self, batch: Batch) -> tuple[list[str], Path, dict[str, str]]:
        first = batch.members[0]
        base = first.tag.rpartition(".")[0]
        folder = first.experiment / ARRAYS
        script = folder / f"{base}.sh"
        write_text(script, array_script(batch), durable=True)
        limit = f"%{self._slots}" if self._slots else ""
        options = [f"--array={array_ranges(batch.indices)}{limit}", _output_to(folder, "%A_%a.out")]
        options += [f"--job-name={_plain(first.experiment.name)}-{first.job.stage.value}"]
        if first.after:
            options += [f"--dependency=aftercorr:{first.after[0].partition('_')[0]}", "--kill-on-invalid-dep=yes"]
        return _sbatch_line(base, options, script), folder, _environment(base)

    def _sbatch(self, argv: Sequence[str], cwd: Path, env: Mapping[str, str], size: int) -> str:
        try:
            answer = run_program(argv, timeout_s=_SUBMIT_S, cwd=cwd, env=env)
        except ToolError as error:
            raise UnclearError(str(error)) from error
        words = told(answer)
        if answer.returncode == 0:
            self._largest = min(self._most, 2 * self._largest)
            return _number(answer.stdout)
        if _FULL.search(words):
            self._largest = max(1, size // 2)
            raise QueueFullError(f"the queue takes no more of your jobs now: {words}")
        if _UNCLEAR.search(words):
            raise UnclearError(f"`sbatch` got no answer: {words}")
        raise ExecutorError(f"`sbatch` refused it: {words}")

    def find(self, submissions: Sequence[Submission]) -> Mapping[str, Submitted]:
        """Those that SLURM remembers, by the comment that they carry.

        Raises:
            UnclearError: an ``sbatch`` of a monitor that has ended is still under way.
            ExecutorError: SLURM does not answer.
        """
        bases = {submission.tag.partition(".")[0] for submission in submissions}
        if any(_name(process) == "sbatch" for found in processes.member_processes(bases).values() for process in found):
            raise UnclearError("an `sbatch` of an earlier monitor is still under way")
        ids: dict[str, str] = {}
        for row in queue():
            index = row.job_id.partition("_")[2]
            ids[f"{row.comment}.{index}" if index else row.comment] = row.job_id
        return {one.tag: Submitted(ids[one.tag], _output(one, ids[one.tag])) for one in submissions if one.tag in ids}

    def poll(self, ids: Sequence[str]) -> Mapping[str, JobStatus]:
        """``squeue`` once for all; for what it does not know any more, ``sacct`` once where that answers.

        Raises:
            ExecutorError: SLURM does not answer.
        """
        known = {row.job_id: row.status for row in queue()}
        wanted = set(ids)
        forgotten = [job_id for job_id in ids if job_id not in known]
        statuses = {**self._accounting.ask(forgotten), **{one: known[one] for one in wanted if one in known}}
        going = {JobState.PENDING, JobState.RUNNING}
        self._ended = {job_id for job_id, status in statuses.items() if status.state not in going}
        return {job_id: statuses.get(job_id, JobStatus(JobState.UNKNOWN)) for job_id in ids}

    def cancel(self, ids: Sequence[str]) -> None:
        """Cancels what has not ended. SLURM itself sees to what is left of jobs that have.

        Raises:
            ExecutorError: SLURM does not answer, or forbids it.
        """
        scancel([job_id for job_id in ids if job_id not in self._ended])


def _single(submission: Submission) -> tuple[list[str], Path, dict[str, str]]:
    script = submission.experiment / submission.job.script
    if not script.is_file():
        raise ExecutorError(f"{script} is missing (scaffold again)")
    directory = submission.experiment / submission.job.directory
    options = [_output_to(directory, "slurm-%j.out")]
    if submission.after:
        options += [f"--dependency=afterok:{':'.join(submission.after)}", "--kill-on-invalid-dep=yes"]
    env = _environment(submission.tag) | ({RESUME: "1"} if submission.resume else {})
    return _sbatch_line(submission.tag, options, script), directory, env


def _output_to(directory: Path, name: str) -> str:
    """SLURM reads ``%`` in the directory, too, as a pattern; with a backslash anywhere it reads none at all.

    Raises:
        ExecutorError: no output could be written there.
    """
    folder = str(directory)
    if "\\" in folder:
        raise ExecutorError(f"SLURM writes no output into {folder}: its path has a backslash (rename the directory)")
    return f"--output={folder.replace('%', '%%')}/{name}"


def _sbatch_line(tag: str, options: Sequence[str], script: Path) -> list[str]:
    """What is said here wins over the user's ``SBATCH_…`` variables and over the script."""
    return [*_SBATCH, f"--comment={tag}", *options, str(script)]


def _environment(tag: str) -> dict[str, str]:
    return job_environment() | {processes.TAG: tag}


def _number(printed: str) -> str:
    """The job's number: the last line, since clusters greet people before it.

    Raises:
        UnclearError: there is none.
    """
    found = _NUMBER.search(printed)
    if found is None:
        raise UnclearError(f"`sbatch` did not tell the job's number: {printed.strip()[:200]}")
    return found[1]


def _output(submission: Submission, job_id: str) -> str:
    return str(submission.experiment / submission.job.directory / f"slurm-{job_id}.out")


def _plain(text: str) -> str:
    """A name that any scheduler and any terminal can show."""
    return re.sub(r"[^\w.-]+", "_", text)[:60]


def _name(process: processes.Process) -> str:
    try:
        return process.name()
    except processes.Error:
        return ""
