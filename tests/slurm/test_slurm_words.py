"""SLURM's words, recorded: states and reasons that a cluster of one node cannot be brought to."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from support.bash_jobs import Experiment
from tunebook.core.jobs import JobState, Resources
from tunebook.errors import ExecutorError, QueueFullError, RefusedError, UnclearError
from tunebook.executors.base import Batch, Submission
from tunebook.executors.slurm import SlurmExecutor
from tunebook.executors.slurm_batches import into_batches
from tunebook.slurm.accounting import Accounting
from tunebook.slurm.arrays import ArrayTask, array_ranges, array_script
from tunebook.slurm.queue import read_queue
from tunebook.slurm.states import job_state, reason_in_words

PENDING, RUNNING, COMPLETED, FAILED, UNKNOWN = (
    JobState.PENDING,
    JobState.RUNNING,
    JobState.COMPLETED,
    JobState.FAILED,
    JobState.UNKNOWN,
)
# `man squeue`, JOB STATE CODES, of SLURM 22.05 to 25.05, and what `sacct` adds to them.
STATES = {
    PENDING: "PENDING CONFIGURING EXPEDITING POWER_UP_NODE REQUEUED REQUEUE_FED REQUEUE_HOLD RESV_DEL_HOLD "
    "SPECIAL_EXIT",
    RUNNING: "RUNNING COMPLETING RESIZING SIGNALING STAGE_OUT STOPPED SUSPENDED UPDATE_DB",
    COMPLETED: "COMPLETED",
    FAILED: "BOOT_FAIL CANCELLED DEADLINE FAILED LAUNCH_FAILED NODE_FAIL OUT_OF_MEMORY PREEMPTED RECONFIG_FAIL REVOKED "
    "TIMEOUT",
}


@pytest.mark.parametrize(
    ("word", "state"), [(word, state) for state, words in STATES.items() for word in words.split()]
)
def test_every_state_of_slurm_is_known(word: str, state: JobState) -> None:
    assert job_state(word) is state


@pytest.mark.parametrize("text", ["CANCELLED by 12345", "CANCELLED+", "cancelled", "CANCELLED by 0 "])
def test_a_state_is_read_by_its_first_word(text: str) -> None:
    assert job_state(text) is FAILED


@pytest.mark.parametrize("text", ["", "  ", "HIBERNATING", "by 12345"])
def test_a_word_that_is_not_a_state_is_neither_success_nor_failure(text: str) -> None:
    assert job_state(text) is UNKNOWN


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("(Priority)", "jobs of higher priority come first"),
        ("Resources", "waits for free resources"),
        ("(ReqNodeNotAvail, UnavailableNodes:gpu[1-4])", "a node that it needs is not available"),
        ("QOSMaxSubmitJobPerUserLimit", "the limit of your submitted jobs is reached (QOSMaxSubmitJobPerUserLimit)"),
        ("AssocGrpGRESRunMinutes", "the limit for GPUs is reached (AssocGrpGRESRunMinutes)"),
        ("QOSGrpSomethingNew", "a limit is reached (QOSGrpSomethingNew)"),
        ("(launch failed requeued held)", "held: it could not be started; `scontrol release` tries again"),
        ("NeverSeenBefore", "NeverSeenBefore"),
        ("None", ""),
    ],
)
def test_the_reason_for_waiting_is_given_in_words(reason: str, words: str) -> None:
    assert reason_in_words(reason) == words


def recorded(monkeypatch: pytest.MonkeyPatch, folder: Path, program: str, output: str, code: int = 0) -> None:
    """Lets a program answer what a cluster answered."""
    folder.mkdir(exist_ok=True)
    (folder / f"{program}.txt").write_text(output)
    stream = "" if code == 0 else " >&2"
    (folder / program).write_text(f"#!/bin/sh\ncat '{folder}/{program}.txt'{stream}\nexit {code}\n")
    (folder / program).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_a_queue_is_read_with_all_that_its_fields_may_hold(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    lines = [
        "101|RUNNING|None|gpu-a[01-02]|2026-03-01T10:00:00|2026-03-01T12:00:00|tunebook-aa",
        "102_7|PENDING|Dependency||N/A|N/A|tunebook-bb",
        "103|NODE_FAIL|NodeDown|gpu-a03|2026-03-01T10:00:00|2026-03-01T10:20:00|tunebook-cc",
        "104|OUT_OF_MEMORY|OutOfMemory|gpu-a03|2026-03-01T10:00:00|2026-03-01T10:20:00|tunebook-dd",
        "105|HIBERNATING|None|gpu-a03|2026-03-01T10:00:00|N/A|a comment of somebody | else",
        "106|FAILED|DependencyNeverSatisfied||N/A|2026-03-01T10:20:00|tunebook-ee",
        "107|RUNNING|None|gpu-a01|2026-03-01T10:00:00|N/A|tunebook-ff",
        "107|REVOKED|None||N/A|N/A|tunebook-ff",
        "slurm_load_jobs: a message that is no row",
    ]
    recorded(monkeypatch, tmp_path / "bin", "squeue", "\n".join(lines) + "\n")
    rows = {row.job_id: row for row in read_queue()}
    told = {job_id: (row.status.state, row.status.reason) for job_id, row in rows.items()}
    assert told == {
        "101": (RUNNING, ""),
        "102_7": (PENDING, "waits for its training"),
        "103": (FAILED, "NODE_FAIL"),
        "104": (FAILED, "OUT_OF_MEMORY"),
        "105": (UNKNOWN, "SLURM says HIBERNATING, which is not known here"),
        "106": (FAILED, "DependencyNeverSatisfied"),
        "107": (RUNNING, ""),
    }
    assert rows["101"].status.node == "gpu-a[01-02]"
    assert rows["105"].comment == "a comment of somebody | else"


def test_accounting_is_read_by_first_word_signal_and_exit_code(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    lines = [
        "1|COMPLETED|0:0|2026-03-01T10:00:00|2026-03-01T10:20:00|gpu-a01",
        "2|CANCELLED by 12345|0:0|2026-03-01T10:00:00|2026-03-01T10:20:00|gpu-a01",
        "3|FAILED|0:9|2026-03-01T10:00:00|2026-03-01T10:20:00|gpu-a01",
        "4|FAILED|2:0|2026-03-01T10:00:00|2026-03-01T10:20:00|gpu-a01",
        "5|PENDING|0:0|Unknown|Unknown|None assigned",
        "6_3|TIMEOUT|0:0|2026-03-01T10:00:00|2026-03-01T10:20:00|gpu-a01",
    ]
    recorded(monkeypatch, tmp_path / "bin", "sacct", "\n".join(lines) + "\n")
    found = Accounting().ask([str(number) for number in range(1, 8)])
    assert {job_id: (status.state, status.reason) for job_id, status in found.items()} == {
        "1": (COMPLETED, ""),
        "2": (FAILED, "CANCELLED by 12345"),
        "3": (FAILED, "killed by signal 9"),
        "4": (FAILED, "exit code 2"),
        "5": (PENDING, ""),
        "6_3": (FAILED, "TIMEOUT"),
    }


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (
            "sbatch: error: AssocMaxSubmitJobLimit\nsbatch: error: Batch job submission failed: Job violates limits",
            QueueFullError,
        ),
        ("sbatch: error: QOSMaxSubmitJobPerUserLimit", QueueFullError),
        (
            "sbatch: error: Batch job submission failed: Unable to contact slurm controller (connect failure)",
            UnclearError,
        ),
        ("sbatch: error: Batch job submission failed: Socket timed out on send/recv operation", UnclearError),
        ("sbatch: error: Batch job submission failed: Invalid account or account/partition combination", RefusedError),
    ],
)
def test_a_refusal_a_full_queue_and_no_answer_are_distinguished(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, words: str, kind: type[ExecutorError]
) -> None:
    recorded(monkeypatch, tmp_path / "bin", "sbatch", words, code=1)
    experiment = Experiment(tmp_path / "experiment")
    job = experiment.training("a")
    with pytest.raises(ExecutorError) as caught:
        SlurmExecutor().submit(Batch((Submission(job, experiment.path, "tunebook-ab"),)))
    assert type(caught.value) is kind
    assert words.rpartition(": ")[2] in str(caught.value)


@pytest.mark.parametrize("printed", ["7\n", "7;c1\n", "Welcome to 1st cluster\n--> Verifying 12 limits ...OK\n\n7\n"])
def test_a_jobs_number_is_read_after_a_clusters_greeting(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, printed: str
) -> None:
    recorded(monkeypatch, tmp_path / "bin", "sbatch", printed)
    experiment = Experiment(tmp_path / "experiment")
    submission = Submission(experiment.training("a"), experiment.path, "tunebook-ab")
    assert SlurmExecutor().submit(Batch((submission,)))[0].job_id == "7"


def test_without_a_job_number_it_is_unknown_whether_sbatch_took_the_job(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    recorded(monkeypatch, tmp_path / "bin", "sbatch", "Submitted\n")
    experiment = Experiment(tmp_path / "experiment")
    submission = Submission(experiment.training("a"), experiment.path, "tunebook-ab")
    with pytest.raises(UnclearError, match="did not print"):
        SlurmExecutor().submit(Batch((submission,)))


def submissions(experiment: Experiment, runs: Sequence[str], after: Sequence[str] = ()) -> list[Submission]:
    made = [experiment.training(run) if not after else experiment.evaluation(run) for run in runs]
    needs: list[tuple[str, ...]] = [(one,) for one in after]
    needs = needs or [()] * len(made)
    return [Submission(job, experiment.path, after=need) for job, need in zip(made, needs, strict=True)]


def test_similar_jobs_are_one_array_and_different_ones_are_not(tmp_path: Path) -> None:
    experiment = Experiment(tmp_path / "experiment")
    waiting = submissions(experiment, [f"rank{number}" for number in range(6)])
    large = waiting.pop()
    waiting.append(replace(large, job=replace(large.job, resources=Resources(memory="90G"))))
    batches = into_batches(waiting, smallest=2, largest=4)
    assert [len(batch.members) for batch in batches] == [4, 1, 1]
    assert batches[0].indices == (0, 1, 2, 3)


def test_an_arrays_header_is_written_from_the_resources_of_its_jobs(tmp_path: Path) -> None:
    asked = Resources(
        time="1-00:00:00", memory="90G", cpus=8, gpus=2, gpu_type="a100", account="lab", mail_user="a@b.c"
    )
    tasks = [ArrayTask(number, f"t-{number}", tmp_path, tmp_path / "finetune.slurm") for number in range(2)]
    lines = array_script(asked, tasks).splitlines()
    assert [line.removeprefix("#SBATCH ") for line in lines if line.startswith("#SBATCH")] == [
        "--open-mode=append",
        "--nodes=1",
        "--ntasks=1",
        "--cpus-per-task=8",
        "--mem=90G",
        "--time=1-00:00:00",
        "--account=lab",
        "--mail-user=a@b.c",
        "--mail-type=END,FAIL",
        "--requeue",
        "--gres=gpu:a100:2",
    ]


def test_a_script_that_a_person_edited_is_submitted_by_itself_so_that_the_edit_applies(tmp_path: Path) -> None:
    experiment = Experiment(tmp_path / "experiment")
    waiting = submissions(experiment, [f"rank{number}" for number in range(7)])
    experiment.edit_script(waiting[3].job, "#SBATCH --mem=90G")
    (tmp_path / "experiment" / waiting[5].job.script).unlink()
    batches = SlurmExecutor().plan(waiting).batches
    assert [[one.job.run for one in batch.members] for batch in batches] == [
        ["rank0", "rank1", "rank2", "rank4", "rank6"],
        ["rank3"],
        ["rank5"],
    ]


def test_a_script_generated_again_for_other_resources_is_submitted_by_itself(tmp_path: Path) -> None:
    experiment = Experiment(tmp_path / "experiment")
    waiting = submissions(experiment, [f"rank{number}" for number in range(6)])
    experiment.jobs[0] = replace(experiment.jobs[0], resources=Resources(memory="90G"))
    experiment.write_script(experiment.jobs[0], "true")
    assert [len(batch.members) for batch in SlurmExecutor().plan(waiting).batches] == [5, 1]


def test_a_limit_of_jobs_at_a_time_applies_to_fewer_than_five_jobs_too(tmp_path: Path) -> None:
    waiting = submissions(Experiment(tmp_path / "experiment"), ["a", "b", "c"])
    assert [len(batch.members) for batch in SlurmExecutor(slots=1).plan(waiting).batches] == [3]
    assert [len(batch.members) for batch in SlurmExecutor().plan(waiting).batches] == [1, 1, 1]


def test_an_evaluation_gets_the_number_of_its_training_in_the_array(tmp_path: Path) -> None:
    experiment = Experiment(tmp_path / "experiment")
    waiting = submissions(experiment, ["a", "b", "c", "d"], after=["7_4", "7_1", "7_9", "8"])
    batches = into_batches(waiting, smallest=2, largest=1000)
    assert [(batch.indices, [one.job.run for one in batch.members]) for batch in batches] == [
        ((4, 1, 9), ["a", "b", "c"]),
        ((), ["d"]),
    ]
    assert array_ranges(batches[0].indices) == "1,4,9"


def test_a_missing_program_of_slurm_is_an_error_that_names_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ExecutorError, match="`squeue` was not found"):
        read_queue()
    assert subprocess.run(["/bin/sh", "-c", "command -v squeue"], check=False).returncode != 0
