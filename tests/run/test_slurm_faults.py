"""Faults of a cluster, provoked on a real SLURM: no job is lost or run twice, and each fault is reported."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.bash_jobs import Experiment, experiment_at, states, wait_until
from support.patience import HANG_S
from support.slurm_cluster import Cluster, empty_queue
from support.slurm_runs import run, start_slurm_monitor
from tunebook.core.jobs import JobState, Stage
from tunebook.disk.ledger import read_ledger
from tunebook.errors import LockedError
from tunebook.executors.base import ExecutorOptions
from tunebook.executors.slurm import SlurmExecutor
from tunebook.run.cancelling import cancel_jobs
from tunebook.run.loop import Hooks, run_jobs
from tunebook.run.overview import job_reports
from tunebook.run.report import JobReport, Snapshot
from tunebook.run.select import LoopOptions
from tunebook.run.summary import run_summary
from tunebook.slurm.programs import configuration

# Kills the monitor that called it before or behind the call number `at` of the real program.
_KILLING = """\
#!/bin/bash
count=$(cat {count} 2>/dev/null || echo 0)
count=$((count + 1))
echo "$count" >{count}
if [ "$count" = {at} ] && [ {when} = before ]; then kill -KILL "$PPID"; exit 1; fi
if [ "$count" = {at} ] && [ {when} = during ]; then kill -KILL "$PPID"; sleep 0.7; fi
answer=$({program} "$@"); code=$?
if [ "$count" = {at} ] && [ {when} = behind ]; then kill -KILL "$PPID"; fi
printf '%s\\n' "$answer"
exit "$code"
"""


@pytest.fixture
def experiment(experiment_on_slurm: Experiment) -> Experiment:
    return experiment_on_slurm


def replaced(folder: Path, monkeypatch: pytest.MonkeyPatch, program: str, text: str) -> None:
    """Puts a script in the place of one of SLURM's programs."""
    folder.mkdir(exist_ok=True)
    (folder / program).write_text(text)
    (folder / program).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


@pytest.mark.parametrize("array", ["single", "array"])
@pytest.mark.parametrize("when", ["before", "during", "behind"])
@pytest.mark.parametrize("at", [1, 2])
def test_a_monitor_killed_at_any_point_of_submission_loses_and_doubles_nothing(
    plain_slurm: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int, when: str, array: str
) -> None:
    with empty_queue(plain_slurm, monkeypatch), experiment_at(tmp_path / "killed") as experiment:
        for name in ("a", "b"):
            experiment.training(name, "sleep 0.5")
            experiment.evaluation(name)
        with monkeypatch.context() as patch:
            text = _KILLING.format(count=tmp_path / "count", at=at, when=when, program=_program("sbatch"))
            replaced(tmp_path / "bin", patch, "sbatch", text)
            with start_slurm_monitor(experiment, array=array == "array") as monitor:
                assert monitor.wait(timeout=HANG_S) == -signal.SIGKILL
        report = run(experiment, array=array == "array")
        assert set(states(report).values()) == {"completed"}
        assert sorted(experiment.order) == sorted(job.name for job in experiment.jobs)


def _program(name: str) -> str:
    found = subprocess.run(["which", name], capture_output=True, text=True, check=True).stdout.strip()
    assert found
    return found


def test_a_queue_that_takes_five_jobs_at_a_time_is_fed_as_it_empties(
    accounted_slurm: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with empty_queue(accounted_slurm, monkeypatch) as cluster, experiment_at(tmp_path / "queue") as experiment:
        for number in range(7):
            experiment.training(f"rank{number}", "sleep 0.2")
            experiment.evaluation(f"rank{number}")
        cluster.ask("sacctmgr", "-i", "modify", "user", "root", "set", "MaxSubmitJobs=5")
        try:
            notes: list[str] = []
            report = run(experiment, on_event=lambda snapshot: notes.append(snapshot.note))
        finally:
            cluster.ask("sacctmgr", "-i", "modify", "user", "root", "set", "MaxSubmitJobs=-1")
        assert set(states(report).values()) == {"completed"}
        assert sorted(experiment.order) == sorted(job.name for job in experiment.jobs)
        assert any("takes no more of your jobs now" in note for note in notes)


def test_more_jobs_than_an_array_may_have_go_as_several(
    plain_slurm: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with empty_queue(plain_slurm, monkeypatch), experiment_at(tmp_path / "chunks") as experiment:
        assert configuration()["MaxArraySize"] == "1001"
        for number in range(7):
            experiment.training(f"rank{number}")
            experiment.evaluation(f"rank{number}")
        executor = SlurmExecutor(plain_slurm.name, max_array=3, array=True)
        report = run_jobs(experiment.jobs, executor, experiment=experiment.path, options=LoopOptions(poll_s=0.3))
        assert set(states(report).values()) == {"completed"}
        ids = [job.job_id for job in report.jobs]
        assert all(int(job_id.partition("_")[2] or 0) < 3 for job_id in ids)
        assert len({job_id.partition("_")[0] for job_id in ids}) == 6


def test_a_time_limit_is_reported_and_the_evaluation_does_not_run(
    plain_slurm: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with empty_queue(plain_slurm, monkeypatch) as cluster, experiment_at(tmp_path / "slow") as experiment:
        experiment.training("slow", "sleep 300")
        experiment.evaluation("slow")
        left = run(experiment, detach=True)
        wait_until(lambda: experiment.order)
        cluster.ask("scontrol", "update", f"JobId={left.jobs[0].job_id}", "EndTime=now")  # SLURM looks twice a minute
        report = run(experiment)
        assert states(report) == {"slow/finetune": "failed TIMEOUT", "slow/eval/caps_epoch0": "pending training failed"}
        assert report.jobs[0].kind == "TIMEOUT"
        assert "raise the time limit" in report.jobs[0].advice
        assert "| failed |" in experiment.page
        assert "| TIMEOUT |" in experiment.page


def test_a_preempted_job_is_requeued_by_the_cluster_and_completes(cluster: Cluster, experiment: Experiment) -> None:
    experiment.training("a", f'[ "${{SLURM_RESTART_COUNT:-0}}" -gt 0 ] || {experiment.until("never")}')
    report = run(experiment, detach=True)
    wait_until(lambda: experiment.order == ["a/finetune"])
    urgent = cluster.ask(
        "sbatch", "--parsable", "--partition=urgent", "--exclusive", "--output=/dev/null", "--wrap", "sleep 1"
    ).strip()
    wait_until(lambda: "RUNNING" in cluster.ask("squeue", "-h", "--format=%T", f"--jobs={urgent}"))
    cluster.release(report.jobs[0].job_id)
    assert states(run(experiment)) == {"a/finetune": "completed"}
    assert experiment.order == ["a/finetune"] * 2


def test_a_job_whose_node_goes_down_is_requeued_and_completes(cluster: Cluster, experiment: Experiment) -> None:
    experiment.training("a", f'[ "${{SLURM_RESTART_COUNT:-0}}" -gt 0 ] || {experiment.until("never")}')
    report = run(experiment, detach=True)
    wait_until(lambda: experiment.order == ["a/finetune"])
    node = cluster.ask("sinfo", "-h", "--format=%n").strip()
    cluster.ask("scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=test")
    try:
        wait_until(lambda: "RUNNING" not in cluster.ask("squeue", "-h", "--format=%T"))
    finally:
        cluster.ask("scontrol", "update", f"NodeName={node}", "State=RESUME", check=False)  # it may be back already
        cluster.until_up()
    cluster.release(report.jobs[0].job_id)
    assert states(run(experiment)) == {"a/finetune": "completed"}
    assert experiment.order == ["a/finetune"] * 2


@pytest.fixture
def preempting(plain_slurm: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """A cluster that says of what has failed that it took its place: preempted jobs that it does not requeue."""
    with empty_queue(plain_slurm, monkeypatch) as cluster:
        text = f"#!/usr/bin/env bash\n{_program('squeue')} \"$@\" | sed 's/|FAILED|[^|]*|/|PREEMPTED|None|/'\n"
        replaced(tmp_path / "bin", monkeypatch, "squeue", text)
        yield cluster


def test_a_job_that_the_cluster_interrupts_for_good_is_submitted_again_three_times(
    preempting: Cluster, tmp_path: Path
) -> None:
    assert preempting.conf.is_file()
    with experiment_at(tmp_path / "interrupted") as experiment:
        experiment.training("a", "trap - EXIT; kill -KILL $$")
        experiment.evaluation("a")
        report = run(experiment)
        assert states(report) == {
            "a/finetune": "failed PREEMPTED, 4 times in a row",
            "a/eval/caps_epoch0": "pending training failed",
        }
        assert experiment.order == ["a/finetune"] * 4


def test_an_evaluation_of_an_interrupted_training_waits_for_the_next_attempt(
    preempting: Cluster, tmp_path: Path
) -> None:
    assert preempting.conf.is_file()
    with experiment_at(tmp_path / "interrupted") as experiment:
        experiment.training("a", "[ -e ../again ] || { touch ../again; trap - EXIT; kill -KILL $$; }")
        experiment.evaluation("a")
        assert set(states(run(experiment)).values()) == {"completed"}
        assert experiment.order == ["a/finetune", "a/finetune", "a/eval/caps_epoch0"]


@pytest.mark.parametrize("fault", ["exit 1", "sleep 60", "echo 'no such thing|at all'"])
def test_accounting_that_fails_hangs_or_prints_nonsense_delays_nothing(
    accounted_slurm: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    monkeypatch.setattr("tunebook.slurm.accounting._ANSWER_S", 1.0)
    with empty_queue(accounted_slurm, monkeypatch) as cluster, experiment_at(tmp_path / "mute") as experiment:
        replaced(tmp_path / "bin", monkeypatch, "sacct", f"#!/usr/bin/env bash\n{fault}\n")
        experiment.training("good")
        experiment.training("killed", 'rm -f -- "$outcome"; trap - EXIT; kill -KILL $$')
        run(experiment, detach=True)
        wait_until(lambda: not cluster.ask("squeue", "-h", "--states=all").strip())
        told = states(run(experiment))
        assert told["good/finetune"] == "completed"
        assert told["killed/finetune"].startswith("unknown")


def test_accounting_knows_jobs_that_the_queue_has_forgotten(
    accounted_slurm: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with empty_queue(accounted_slurm, monkeypatch) as cluster, experiment_at(tmp_path / "told") as experiment:
        experiment.training("killed", "trap - EXIT; kill -KILL $$")
        run(experiment, detach=True)
        wait_until(lambda: not cluster.ask("squeue", "-h", "--states=all").strip())
        assert re.fullmatch(r"failed (exit code \d+|killed by signal 9)", states(run(experiment))["killed/finetune"])


@pytest.fixture
def forgetful(accounted_slurm: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """A cluster that forgets jobs within seconds, and whose accounting does not answer."""
    with empty_queue(accounted_slurm, monkeypatch) as cluster:
        replaced(tmp_path / "bin", monkeypatch, "sacct", "#!/usr/bin/env bash\nexit 1\n")
        yield cluster


def forget(cluster: Cluster) -> None:
    """Waits until the queue knows nothing of any job."""
    wait_until(lambda: not cluster.ask("squeue", "-h", "--states=all").strip())


def test_an_evaluation_that_was_dropped_and_forgotten_waits_for_its_training(
    forgetful: Cluster, tmp_path: Path
) -> None:
    with experiment_at(tmp_path / "overnight") as experiment:
        experiment.training("a", "[ -e ../repaired ] || exit 1")
        experiment.evaluation("a")
        run(experiment, detach=True)
        forget(forgetful)
        executors = [SlurmExecutor(forgetful.name)]
        seen = job_reports(experiment.jobs, experiment=experiment.path, executors=executors)
        assert [(job.state, job.reason) for job in seen] == [
            (JobState.FAILED, "exit code 1"),
            (JobState.PENDING, "training failed"),
        ]
        told = {"a/finetune": "failed exit code 1", "a/eval/caps_epoch0": "pending training failed"}
        assert states(run(experiment)) == told
        experiment.let_go("repaired")
        report = run(experiment, retry_failed=True)
        assert set(states(report).values()) == {"completed"}


def test_a_job_that_was_cancelled_and_forgotten_is_cancelled(forgetful: Cluster, tmp_path: Path) -> None:
    with experiment_at(tmp_path / "cancelled") as experiment:
        experiment.training("a", experiment.until("go"))
        experiment.evaluation("a")
        run(experiment, detach=True)
        wait_until(lambda: experiment.order)
        assert len(cancel_jobs(experiment.jobs, SlurmExecutor(forgetful.name), experiment=experiment.path)) == 2
        forget(forgetful)
        executors = [SlurmExecutor(forgetful.name)]
        seen = job_reports(experiment.jobs, experiment=experiment.path, executors=executors)
        assert [(job.state, job.reason) for job in seen] == [(JobState.FAILED, "CANCELLED")] * 2
        experiment.let_go("go")
        assert set(states(run(experiment)).values()) == {"completed"}


def test_an_evaluation_that_was_dropped_and_forgotten_follows_a_training_with_a_remedy(
    forgetful: Cluster, tmp_path: Path
) -> None:
    with experiment_at(tmp_path / "helped") as experiment:
        experiment.training("a", "grep -q smaller finetune.yaml || exit 1")
        experiment.evaluation("a")
        run(experiment, detach=True)
        forget(forgetful)

        def remedy(report: JobReport) -> str:
            (experiment.path / report.job.inputs[0]).write_text("smaller")
            return "smaller" if report.job.name == "a/finetune" else ""

        executor = SlurmExecutor.create(ExecutorOptions())
        options = LoopOptions(poll_s=0.3)
        report = run_jobs(
            experiment.jobs, executor, experiment=experiment.path, options=options, hooks=Hooks(remedy=remedy)
        )
        assert set(states(report).values()) == {"completed"}
        assert experiment.order == ["a/finetune", "a/finetune", "a/eval/caps_epoch0"]


def test_no_evaluation_is_submitted_after_a_training_that_the_cluster_has_forgotten(
    forgetful: Cluster, tmp_path: Path
) -> None:
    with experiment_at(tmp_path / "late") as experiment:
        experiment.training("a", "trap - EXIT; kill -KILL $$")
        experiment.evaluation("a")
        run(experiment, detach=True, stage=Stage.PREPARATION)
        forget(forgetful)
        report = run(experiment)
        assert states(report)["a/finetune"].startswith("unknown")
        assert report.submitted == ()
        assert experiment.order == ["a/finetune"]


def test_a_staggered_submission_checks_its_trainings_before_it_submits_evaluations(
    forgetful: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tunebook.run.loop._FRESH_S", 1.0)
    assert forgetful.conf.is_file()
    with experiment_at(tmp_path / "staggered") as experiment:
        experiment.training("a", "exit 1")
        experiment.evaluation("a")
        experiment.training("b")
        experiment.training("c")
        told = states(run(experiment, array=False, stagger_s=7.0))
        assert told["a/eval/caps_epoch0"] == "pending training failed"
        assert "a/eval/caps_epoch0" not in experiment.order


def test_a_job_that_has_failed_before_it_was_cancelled_has_failed(cluster: Cluster, experiment: Experiment) -> None:
    assert cluster.conf.is_file()
    job = experiment.training("a", "exit 3")
    run(experiment, detach=True)
    wait_until((experiment.path / job.outcome).exists)
    wait_until(lambda: not cluster.ask("squeue", "-h").strip())
    assert cancel_jobs(experiment.jobs, SlurmExecutor(cluster.name), experiment=experiment.path) == ()
    assert states(run(experiment)) == {"a/finetune": "failed exit code 3"}
    assert experiment.order == ["a/finetune"]


def test_a_shells_filters_for_slurms_programs_hide_no_job(
    cluster: Cluster, experiment: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SQUEUE_PARTITION", "urgent")
    monkeypatch.setenv("SCANCEL_PARTITION", "urgent")
    experiment.training("a", "sleep 60")
    run(experiment, detach=True)
    wait_until(lambda: experiment.order)
    assert cancel_jobs(experiment.jobs, SlurmExecutor(cluster.name), experiment=experiment.path) == ("a/finetune",)
    monkeypatch.delenv("SQUEUE_PARTITION")
    wait_until(lambda: not cluster.ask("squeue", "-h").strip())


def test_an_evaluation_that_was_dropped_has_no_job_that_continues(experiment: Experiment) -> None:
    experiment.training("a", "exit 1")
    experiment.evaluation("a")
    report = run(experiment)
    assert [bool(job.job_id) for job in report.jobs] == [True, False]
    assert "tunebook cancel" not in run_summary(report, experiment.path)


@pytest.mark.parametrize("array", [True, False])
def test_percent_signs_in_a_directorys_name_are_not_a_pattern(
    plain_slurm: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, array: bool
) -> None:
    with empty_queue(plain_slurm, monkeypatch), experiment_at(tmp_path / "50%jobs %A %% x") as experiment:
        experiment.training("a", "echo heard")
        experiment.training("b", "echo heard")
        report = run(experiment, array=array)
        assert set(states(report).values()) == {"completed"}
        assert ["heard" in Path(job.output).read_text() for job in report.jobs] == [True, True]


def test_a_directory_that_slurm_cannot_write_output_into_is_reported(
    plain_slurm: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with empty_queue(plain_slurm, monkeypatch), experiment_at(tmp_path / "back\\slash") as experiment:
        experiment.training("a")
        assert "has a backslash" in states(run(experiment))["a/finetune"]
        assert experiment.order == []


def test_a_second_monitor_is_refused_while_the_first_one_works(experiment: Experiment) -> None:
    experiment.training("a", experiment.until("go"))
    refused: list[LockedError] = []

    def second(snapshot: Snapshot) -> None:
        if snapshot.jobs[0].job_id and not refused:
            with pytest.raises(LockedError) as caught:
                run(experiment)
            refused.append(caught.value)
            experiment.let_go("go")

    assert states(run(experiment, on_event=second)) == {"a/finetune": "completed"}
    assert f"process {os.getpid()}" in str(refused[0])
    assert experiment.order == ["a/finetune"]


def test_a_refusal_of_sbatch_is_reported_in_its_words_and_other_jobs_continue(experiment: Experiment) -> None:
    job = experiment.training("bad")
    experiment.edit_script(job, "#SBATCH --partition=nowhere")
    experiment.evaluation("bad")
    experiment.training("good")
    report = run(experiment)
    told = states(report)
    assert told["good/finetune"] == "completed"
    assert "invalid partition specified: nowhere" in told["bad/finetune"].lower()
    assert told["bad/eval/caps_epoch0"] == "pending training failed"
    assert read_ledger(experiment.path).entries.keys() == {"good/finetune"}
