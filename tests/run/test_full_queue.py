"""A queue that takes no more, in the words of any cluster, and refusals that no waiting cures."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from support.bash_jobs import Experiment, experiment_at
from support.played_slurm import PlayedSlurm
from tunebook.core.jobs import JobState
from tunebook.disk.read import read_text
from tunebook.errors import ExecutorError, QueueFullError
from tunebook.executors import slurm_limits
from tunebook.executors.base import Batch, Intake, Submission, Submitted
from tunebook.executors.local import LocalExecutor
from tunebook.executors.slurm import SlurmExecutor
from tunebook.run.loop import run_jobs
from tunebook.run.report import RunReport, Snapshot
from tunebook.run.select import LoopOptions
from tunebook.slurm.refusals import Refusal, kind_of_refusal

MOST_LOOKS = 2000
FULL = {
    "slurm": "sbatch: error: AssocMaxSubmitJobLimit\nsbatch: error: Batch job submission failed: Job violates limits",
    "generic": "sbatch: error: Batch job submission failed: Job violates accounting/QOS policy "
    "(job submit limit, user's size and/or time limits)",
    "filter": "sbatch: error: You already have 25 jobs in the queue; the limit is 25.\n"
    "sbatch: error: Batch job submission failed: Unspecified error",
    "greeting": "--> Enforcing max jobs per user...FAILED",
    "unexplained": "sbatch: error: Batch job submission failed: Unspecified error",
}
FINAL = [
    "Batch job submission failed: Invalid partition name specified",
    "Batch job submission failed: Invalid account or account/partition combination specified",
    "Batch job submission failed: Invalid qos specification",
    "Batch job submission failed: Memory specification can not be satisfied",
    "Batch job submission failed: Requested node configuration is not available",
    "Batch job submission failed: Requested time limit is invalid (missing or exceeds some limit)",
    "Batch job submission failed: User's group not permitted to use this partition",
    "Batch job submission failed: Access/permission denied",
]
_NO_CONFIGURATION = """\
sbatch: error: resolve_ctls_from_dns_srv: res_nsearch error: Unknown host
sbatch: error: fetch_config: DNS SRV lookup failed
sbatch: fatal: Could not establish a configuration source"""
AWAY = [
    _NO_CONFIGURATION,
    "sbatch: error: Batch job submission failed: Transport endpoint is not connected",
    "sbatch: error: Batch job submission failed: Slurm backup controller in standby mode",
    "sbatch: error: Batch job submission failed: Controller is in maintenance, job refused",
    "sbatch: error: get_addr_info: getaddrinfo() failed: Name or service not known",
]


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PlayedSlurm:
    return PlayedSlurm(tmp_path / "slurm", monkeypatch)


@pytest.fixture
def experiment(tmp_path: Path) -> Iterator[Experiment]:
    with experiment_at(tmp_path / "queue") as made:
        yield made


def run(
    experiment: Experiment,
    notes: list[str],
    *,
    array: bool | None = None,
    look: Callable[[str], None] = lambda _: None,
) -> RunReport:
    """Runs all jobs; ``look`` gets each note, so that it may let jobs go on."""

    def show(snapshot: Snapshot) -> None:
        notes.append(snapshot.note)
        look(snapshot.note)
        assert len(notes) < MOST_LOOKS, "it is waited for without end"

    return run_jobs(
        experiment.jobs,
        SlurmExecutor("played", array=array),
        experiment=experiment.path,
        options=LoopOptions(poll_s=0.05),
        on_event=show,
    )


def refused(report: RunReport) -> list[str]:
    return [job.reason for job in report.jobs if job.state is JobState.FAILED]


@pytest.mark.parametrize("words", FULL.values(), ids=FULL)
def test_the_rest_waits_and_is_submitted_as_other_jobs_end(
    cluster: PlayedSlurm, experiment: Experiment, words: str
) -> None:
    cluster.refuse(words, room=4)
    jobs = [experiment.training(f"rank{number}", "sleep 0.2") for number in range(6)]
    notes: list[str] = []
    report = run(experiment, notes, array=False)
    assert {job.state for job in report.jobs} == {JobState.COMPLETED}
    assert sorted(experiment.order) == sorted(job.name for job in jobs)
    said = words.splitlines()[-1].removeprefix("sbatch: error: ")
    assert any("queue" in note and said in note for note in notes)


def test_an_array_that_is_too_large_goes_in_smaller_ones(cluster: PlayedSlurm, experiment: Experiment) -> None:
    cluster.refuse(FULL["filter"], room=3)
    jobs = [experiment.training(f"rank{number}", "sleep 0.2") for number in range(8)]
    report = run(experiment, [], array=True)
    assert {job.state for job in report.jobs} == {JobState.COMPLETED}
    assert sorted(experiment.order) == sorted(job.name for job in jobs)


@pytest.mark.parametrize("array", [False, True])
def test_a_limit_that_was_never_met_is_reported_at_once(
    cluster: PlayedSlurm, experiment: Experiment, *, array: bool
) -> None:
    """Nothing was taken before: the limit is one of what a job may ask for."""
    cluster.refuse(FULL["generic"], room=0)
    for number in range(8):
        experiment.training(f"rank{number}")
    assert all("`sbatch` refused the job: Batch job" in reason for reason in refused(run(experiment, [], array=array)))
    assert len(cluster.calls) <= 8 + 3  # an array of 8, of 4, of 2, and each job


@pytest.mark.parametrize("words", FINAL)
def test_no_waiting_cures_it(words: str) -> None:
    assert kind_of_refusal(words) is Refusal.FINAL


@pytest.mark.parametrize("words", AWAY)
def test_a_controller_that_is_away_for_a_while_has_refused_nothing(words: str) -> None:
    assert kind_of_refusal(words) is Refusal.NO_ANSWER


def test_a_refusal_that_no_waiting_cures_is_reported_at_once(cluster: PlayedSlurm, experiment: Experiment) -> None:
    cluster.refuse(FINAL[0], room=1)
    experiment.training("taken", experiment.until("go"))
    experiment.training("refused")
    notes: list[str] = []

    def look(_: str) -> None:
        if "refused/finetune" in experiment.text("run-torchtune.log"):
            experiment.let_go("go")

    report = run(experiment, notes, look=look)
    assert refused(report) == [f"`sbatch` refused the job: {FINAL[0]}"]
    assert set(notes) == {""}


def test_a_refusal_without_a_reason_is_reported_once_jobs_have_ended_in_vain(
    cluster: PlayedSlurm, experiment: Experiment
) -> None:
    """As if it took four jobs, and then no more ever."""
    cluster.refuse(FULL["unexplained"], room=4)
    for number in range(4):
        experiment.training(f"rank{number}", experiment.until(f"go{number}"))
    experiment.training("last")

    def let_go(note: str) -> None:
        if "without a reason" in note:
            cluster.refuse(FULL["unexplained"], room=0)
            for number in range(3):
                experiment.let_go(f"go{number}")
        if "REFUSED_JOB: last" in experiment.text("run-torchtune.log"):
            experiment.let_go("go3")

    report = run(experiment, [], look=let_go)
    (reason,) = refused(report)
    assert reason.startswith("`sbatch` refused the job, also after 3 of your jobs had ended: ")


def test_jobs_of_an_earlier_monitor_count_as_taken(cluster: PlayedSlurm, experiment: Experiment) -> None:
    cluster.refuse(FULL["greeting"], room=1)
    experiment.training("first", experiment.until("go"))
    options = LoopOptions(poll_s=0.05, detach=True)
    run_jobs(experiment.jobs, SlurmExecutor("played"), experiment=experiment.path, options=options)
    experiment.training("second")
    notes: list[str] = []

    def look(note: str) -> None:
        if note:
            experiment.let_go("go")

    report = run(experiment, notes, look=look)
    assert {job.state for job in report.jobs} == {JobState.COMPLETED}
    assert any("max jobs per user" in note for note in notes)


@pytest.mark.parametrize("others", [0, 1])
def test_a_queue_that_is_closed_to_a_person_is_not_waited_for_without_end(
    cluster: PlayedSlurm, experiment: Experiment, monkeypatch: pytest.MonkeyPatch, others: int
) -> None:
    """As with `MaxSubmitJobs=0`; while jobs of one's own are queued, their end may make room."""
    monkeypatch.setattr(slurm_limits, "_MOST_TRIES_WHEN_FULL", 3)
    cluster.refuse(FULL["slurm"], room=0)
    experiment.training("rank8")
    for number in range(others):
        (cluster.folder / "running" / f"{number + 1}").touch()
    notes: list[str] = []

    def look(_: str) -> None:
        if len(cluster.calls) == 5:
            (cluster.folder / "running" / "1").unlink(missing_ok=True)

    (reason,) = refused(run(experiment, notes, look=look))
    assert "3 times in a row, with none of your jobs in the queue: " in reason
    assert "AssocMaxSubmitJobLimit" in reason
    assert "WARNING: slurm takes no more jobs now" in experiment.text("run-experiment.log")
    assert "though it has none" in experiment.text("run-experiment.log")
    assert len(cluster.calls) == 3 + 5 * others


def test_a_script_that_cannot_be_read_any_more_once_its_job_was_taken_ends_no_run(
    cluster: PlayedSlurm, experiment: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is read before the submission, and the fault of a file server then fails only the job."""
    jobs = [experiment.training(f"rank{number}") for number in range(2)]
    real = read_text
    reads: list[str] = []

    def read(path: Path) -> str | None:
        reads.append(str(path))
        if len(reads) > 1:
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE), str(path))
        return real(path)

    monkeypatch.setattr("tunebook.executors.slurm_limits.read_text", read)
    executor = SlurmExecutor("played")
    first, second = (Submission(job, experiment.path, f"tunebook-{job.run}") for job in jobs)
    executor.submit(Batch((first,)))
    assert len(cluster.calls) == 1
    with pytest.raises(ExecutorError, match="stale file handle"):
        executor.submit(Batch((second,)))
    assert len(cluster.calls) == 1


class NeverSmaller(LocalExecutor):
    """An executor of another package, which refuses a batch and plans the same one again."""

    asked = 0

    def plan(self, waiting: Sequence[Submission]) -> Intake:
        if len(waiting) < 2 or self.asked == 3:
            return super().plan(waiting)
        return Intake((Batch(tuple(waiting), tuple(range(len(waiting)))),))

    def submit(self, batch: Batch) -> Sequence[Submitted]:
        if len(batch.members) < 2:
            return super().submit(batch)
        self.asked += 1
        raise QueueFullError("full")


def test_a_batch_that_an_executor_refuses_and_does_not_make_smaller_is_tried_once_a_poll(
    experiment: Experiment,
) -> None:
    for number in range(2):
        experiment.training(f"rank{number}")
    executor, notes = NeverSmaller(2), []

    def show(snapshot: Snapshot) -> None:
        notes.append(snapshot.note)

    options = LoopOptions(poll_s=0.01)
    report = run_jobs(experiment.jobs, executor, experiment=experiment.path, options=options, on_event=show)
    assert {job.state for job in report.jobs} == {JobState.COMPLETED}
    assert executor.asked == 3
    assert notes.count("full") >= 2
    assert experiment.text("run-experiment.log").count("local takes no more jobs now") == 1


def test_a_limit_with_nothing_in_the_queue_is_not_waited_for_without_end(
    cluster: PlayedSlurm, experiment: Experiment
) -> None:
    cluster.refuse(FULL["greeting"], room=1)
    experiment.training("first", f"echo 0 >'{cluster.folder}/room'")
    experiment.training("second")
    (reason,) = refused(run(experiment, []))
    assert "10 times in a row, with none of your jobs in the queue" in reason
