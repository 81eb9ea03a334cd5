"""Jobs on this machine: started apart, found again, and ended for good."""

import errno
import os
import resource
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from support.bash_jobs import Experiment, wait_until
from support.patience import HANG_S, unique_tag
from support.plugins import write_distribution
from tunebook.artifacts.outcome import read_outcome
from tunebook.core.jobs import Job, JobState, JobStatus, Resources
from tunebook.errors import ExecutorError, UsageError
from tunebook.executors import gpus, processes
from tunebook.executors.base import Batch, ExecutorOptions, Submission
from tunebook.executors.local import LocalExecutor
from tunebook.executors.registry import choose_executor, executor_names

TAG = unique_tag()


@contextmanager
def executor(slots: int = 4, gpus: Sequence[str] = (), *, grace_s: float = HANG_S) -> Iterator[LocalExecutor]:
    """An executor that leaves nothing behind."""
    made = LocalExecutor(slots, gpus, grace_s=grace_s)
    try:
        yield made
    finally:
        made.cancel(list(made._tags))


@pytest.fixture
def experiment(tmp_path: Path) -> Experiment:
    return Experiment(tmp_path / 'it\'s a\n"sweep" $(touch pwned)')


def single(experiment: Experiment, job: Job, tag: str = TAG) -> Batch:
    return Batch((Submission(job, experiment.path, tag),))


def has_room(here: LocalExecutor, experiment: Experiment, job: Job) -> bool:
    return bool(here.plan([Submission(job, experiment.path)]).batches)


def start(here: LocalExecutor, experiment: Experiment, job: Job, tag: str = TAG) -> str:
    return here.submit(single(experiment, job, tag))[0].job_id


def ended(here: LocalExecutor, job_id: str) -> JobStatus:
    wait_until(lambda: here.poll([job_id])[job_id].state is not JobState.RUNNING)
    return here.poll([job_id])[job_id]


def test_a_script_runs_in_its_directory_with_its_own_surroundings(
    experiment: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    job = experiment.training(
        "rank8",
        'pwd | tail -1; cat; echo "$TUNEBOOK_TAG/${SLURM_JOB_ID-none}/$CUDA_VISIBLE_DEVICES/$OMP_NUM_THREADS"; exit 3',
    )
    with executor() as here:
        submitted = here.submit(single(experiment, job))[0]
        assert ended(here, submitted.job_id).state is JobState.FAILED
    output = Path(submitted.output)
    threads = max(1, len(os.sched_getaffinity(0)) // 4)
    assert output.read_text().splitlines()[-1] == f"{TAG}/none//{threads}"
    assert output.parent == experiment.path / "rank8"
    assert output.name.startswith("slurm-local-20")
    assert output.name.endswith(f"-{TAG[9:17]}.out")
    outcome = read_outcome(experiment.path / job.outcome)
    assert outcome is not None
    assert (outcome.exit_code, outcome.tag) == (3, TAG)
    assert not list(experiment.path.parent.rglob("pwned"))


def test_slots_and_gpus_are_handed_out_and_given_back(experiment: Experiment) -> None:
    first, second, third = (experiment.training(f"rank{rank}", experiment.until("go"), gpus=1) for rank in (1, 2, 3))
    with executor(3, ("4", "GPU-b")) as here:
        ids = [start(here, experiment, job, unique_tag()) for job in (first, second)]
        wait_until(lambda: all(processes.environment_of(job_id) for job_id in ids))
        devices = [processes.environment_of(job_id)["CUDA_VISIBLE_DEVICES"] for job_id in ids]
        assert devices == ["4", "GPU-b"]
        assert not has_room(here, experiment, third)
        assert has_room(here, experiment, replace(third, resources=Resources()))
        with pytest.raises(ExecutorError, match="does not fit on this machine now"):
            start(here, experiment, third)
        refused = here.plan([Submission(replace(third, resources=Resources(gpus=3)), experiment.path)]).refused[
            third.name
        ]
        assert "needs 3 GPUs, and this machine has 2" in refused
        experiment.let_go("go")
        ended(here, ids[0])
        assert has_room(here, experiment, third)


def test_a_machine_without_gpus_refuses_a_job_that_needs_one(experiment: Experiment) -> None:
    job = experiment.training("rank8", gpus=1)
    refused = LocalExecutor(1).plan([Submission(job, experiment.path)]).refused
    assert "needs 1 GPU, and this machine has none" in refused[job.name]


@pytest.mark.parametrize("missing", ["script", "directory"])
def test_a_job_that_cannot_start_is_refused(experiment: Experiment, missing: str) -> None:
    job = experiment.training("rank8")
    changed = replace(job, script="gone.slurm") if missing == "script" else replace(job, directory="gone")
    with pytest.raises(ExecutorError, match="gone"):
        start(LocalExecutor(1), experiment, changed)


def test_another_executor_finds_a_running_job_and_its_gpu(experiment: Experiment) -> None:
    job = experiment.training("rank8", f"bash -c 'sleep 600' & {experiment.until('go')}; kill $!", gpus=1)
    with executor(2, ("0", "1")) as first:
        submitted = first.submit(single(experiment, job))[0]
        second = LocalExecutor(2, ("0", "1"))
        assert second.find(
            [one.members[0] for one in (single(experiment, job), single(experiment, job, unique_tag()))]
        ) == {TAG: submitted}
        assert second.poll([submitted.job_id])[submitted.job_id].state is JobState.RUNNING
        other = start(second, experiment, experiment.training("rank9", gpus=1), unique_tag())
        assert second._held[other] == ("1",)
        ended(second, other)
        experiment.let_go("go")
        assert ended(second, submitted.job_id) == JobStatus(JobState.FAILED, "killed (no outcome file)", second.host)
        wait_until(lambda: second.find(single(experiment, job).members) == {})  # what it killed ends a moment later


def test_a_reused_process_number_is_another_job() -> None:
    mine = processes.write_id(os.getpid())
    assert processes.is_alive(mine)
    _, pid, start, boot = mine.split("-")
    assert not processes.is_alive(f"local-{pid}-{int(start) - 1}-{boot}")
    assert not processes.is_alive(f"local-{pid}-{start}-00000000")  # before the machine was started again
    assert not processes.is_alive("local-x-y-z")
    assert not processes.is_alive("7")


def test_the_signal_that_killed_a_script_is_reported(experiment: Experiment) -> None:
    job = experiment.training("rank8", experiment.until("go"))
    with executor() as here:
        job_id = start(here, experiment, job)
        os.killpg(int(job_id.split("-")[1]), signal.SIGKILL)
        assert ended(here, job_id).reason == "killed by SIGKILL"


def test_cancel_lets_the_script_write_its_outcome(experiment: Experiment) -> None:
    job = experiment.training("rank8", f"touch started; {experiment.until('go')}")
    with executor() as here:
        job_id = start(here, experiment, job)
        wait_until((experiment.path / "rank8" / "started").exists)
        here.cancel([job_id, "local-1-2", "17"])
    outcome = read_outcome(experiment.path / job.outcome)
    assert outcome is not None
    assert (outcome.exit_code, outcome.tag) == (143, TAG)


def test_cancel_ends_processes_that_ignore_it_or_left_the_session(experiment: Experiment) -> None:
    body = f"trap '' TERM; setsid sleep 600 & echo $! >stray; {experiment.until('go')}"
    job = experiment.training("rank8", body)
    stray = experiment.path / "rank8" / "stray"
    with executor(grace_s=0.2) as here:
        job_id = start(here, experiment, job)
        wait_until(lambda: stray.exists() and stray.read_text().endswith("\n"))
        here.cancel([job_id])
        assert not processes.is_alive(job_id)
        assert not processes.member_processes({TAG})
    number = int(stray.read_text())
    assert not psutil.pid_exists(number) or psutil.Process(number).status() == psutil.STATUS_ZOMBIE


def test_processes_of_a_killed_job_are_found_and_ended(experiment: Experiment) -> None:
    job = experiment.training("rank8", "setsid sleep 600 & echo $! >stray; wait")
    stray = experiment.path / "rank8" / "stray"
    with executor() as first:
        job_id = start(first, experiment, job)
        wait_until(lambda: stray.exists() and stray.read_text().endswith("\n"))
        wait_until(lambda: os.getsid(int(stray.read_text())) == int(stray.read_text()))
        os.killpg(int(job_id.split("-")[1]), signal.SIGKILL)
        ended(first, job_id)
        second = LocalExecutor(1, grace_s=HANG_S)
        found = second.find(single(experiment, job).members)[TAG]
        second.cancel([found.job_id])
        assert not processes.member_processes({TAG})


def test_divided_gpus_count_as_their_parts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    listing = (
        "GPU 0: H200 (UUID: GPU-1)\n  MIG 1g.18gb Device 0: (UUID: MIG-a)\n  MIG 1g.18gb Device 1: (UUID: MIG-b)\n"
    )
    listing += "GPU 1: H200 (UUID: GPU-2)\n"
    program = tmp_path / "nvidia-smi"
    program.write_text(f"#!/bin/sh\nprintf '{listing}'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert gpus.find_gpus() == ("MIG-a", "MIG-b", "1")
    assert LocalExecutor.create(ExecutorOptions()).slots == 3
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2, 5")
    assert gpus.find_gpus() == ("2", "5")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert gpus.find_gpus() == ()
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    program.write_text("#!/bin/sh\necho no driver >&2; exit 9\n")
    assert gpus.find_gpus() == ()


def test_an_executor_of_another_package_that_cannot_be_hurried_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = """
from tunebook.executors.local import LocalExecutor
class Slow(LocalExecutor):
    def cancel(self, ids): ...
"""
    (tmp_path / "slow_executor.py").write_text(code)
    group = "tunebook.executors"
    points = {"slow": "slow_executor:Slow.create"}
    write_distribution(tmp_path, name="slow-executor", entry_points=points, group=group)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ExecutorError, match=r"`slow` .* cannot be loaded.*`cancel`.*`at_once`"):
        choose_executor("slow")


def test_an_executor_is_chosen_by_name() -> None:
    choice = choose_executor("auto", ExecutorOptions(slots=2))
    assert isinstance(choice.executor, LocalExecutor)
    assert choice.executor.slots == 2
    assert "auto" in choice.reason
    assert set(executor_names()) >= {"auto", "local"}
    with pytest.raises(UsageError, match=r"`pbs` is not installed.*known: auto, local"):
        choose_executor("pbs")
    with pytest.raises(ExecutorError, match="at least one"):
        choose_executor("local", ExecutorOptions(slots=0))


# --- a system that cannot say which processes run ---------------------------------------------------------------------


@contextmanager
def no_more_files() -> Iterator[None]:
    """Nothing can be opened: the limit of open files is reached."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_a_job_of_an_earlier_monitor_that_cannot_be_seen_does_not_count_as_ended(experiment: Experiment) -> None:
    job = experiment.training("rank8", "sleep 60")
    with executor() as here, executor() as later:
        job_id = start(here, experiment, job)
        submission = Submission(job, experiment.path, TAG)
        assert later.find([submission])[TAG].job_id == job_id
        for ask in (lambda: later.poll([job_id]), lambda: later.find([submission]), lambda: later.cancel([job_id])):
            with no_more_files(), pytest.raises(ExecutorError, match=r"cannot be seen: .*too many open files"):
                ask()
        assert later.poll([job_id])[job_id].state is JobState.RUNNING


def test_a_script_that_was_started_but_cannot_be_watched_is_ended(
    experiment: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[int] = []

    def unseen(pid: int) -> str:
        started.append(pid)
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    with executor() as here:
        with monkeypatch.context() as patched:
            patched.setattr(processes, "write_id", unseen)
            with pytest.raises(ExecutorError, match=r"started and ended at once: .*too many open files"):
                start(here, experiment, experiment.training("rank8", "sleep 60"))
        assert not psutil.pid_exists(started[0])
        assert not processes.member_processes({TAG})
        assert has_room(here, experiment, experiment.training("rank16", "true"))
