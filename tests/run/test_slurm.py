"""``run`` on a real SLURM of the tests' own, with short scripts in place of training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from support.bash_jobs import Experiment, experiment_at, states, wait_until
from support.slurm_cluster import Cluster, empty_queue
from support.slurm_runs import run
from tunebook.core.jobs import JobState
from tunebook.errors import ExitCode, ToolError
from tunebook.executors.base import ExecutorOptions
from tunebook.executors.registry import choose_executor
from tunebook.executors.slurm import SlurmExecutor
from tunebook.run.cancelling import cancel_jobs
from tunebook.run.loop import run_jobs
from tunebook.run.overview import job_reports
from tunebook.run.report import Snapshot
from tunebook.run.select import LoopOptions


@pytest.fixture
def experiment(experiment_on_slurm: Experiment) -> Experiment:
    return experiment_on_slurm


def sweep(experiment: Experiment, names: Sequence[str], body: str = "true") -> None:
    for name in names:
        experiment.training(name, body)
        experiment.evaluation(name)


def test_auto_is_slurm_where_slurm_answers_and_names_the_cluster(cluster: Cluster) -> None:
    choice = choose_executor("auto")
    assert choice.executor.name == "slurm"
    assert cluster.name in choice.reason


def test_each_evaluation_runs_after_its_own_training_and_waits_for_no_other(experiment: Experiment) -> None:
    sweep(experiment, ["quick"])
    sweep(experiment, ["slow"], f"until grep -q quick/eval '{experiment.path.parent}'/*/order.log; do sleep 0.1; done")
    report = run(experiment)
    assert set(states(report).values()) == {"completed"}
    assert report.exit_code is ExitCode.DONE
    assert sorted(experiment.order) == sorted(job.name for job in experiment.jobs)
    assert experiment.order.index("quick/finetune") < experiment.order.index("quick/eval/caps_epoch0")
    assert run(experiment).submitted == ()


def test_a_training_that_fails_stops_its_own_evaluation_only(experiment: Experiment) -> None:
    sweep(experiment, ["good"])
    sweep(experiment, ["bad"], "echo 'ModuleNotFoundError: No module named peft' >&2; exit 3")
    report = run(experiment)
    assert states(report) == {
        "good/finetune": "completed",
        "good/eval/caps_epoch0": "completed",
        "bad/finetune": "failed exit code 3",
        "bad/eval/caps_epoch0": "pending training failed",
    }
    assert report.exit_code is ExitCode.FAILED
    failed = next(job for job in report.jobs if job.state is JobState.FAILED)
    assert failed.kind == "MISSING_MODULE"
    assert failed.tail == ("ModuleNotFoundError: No module named peft",)
    assert "bad/eval/caps_epoch0" not in experiment.order


def test_arrays_run_every_directorys_own_script_and_each_evaluation_after_its_training(
    experiment: Experiment,
) -> None:
    names = [f"rank{number}" for number in range(7)]
    sweep(experiment, names[:-1])
    sweep(experiment, names[-1:], "exit 1")
    report = run(experiment, array=True)
    told = states(report)
    assert [told.pop(f"rank6/{job}") for job in ("finetune", "eval/caps_epoch0")] == [
        "failed exit code 1",
        "pending training failed",
    ]
    assert set(told.values()) == {"completed"}
    assert sorted(experiment.order) == sorted({*told, "rank6/finetune"})
    assert len({job.job_id.partition("_")[0] for job in report.jobs if job.job_id}) == 2


def test_jobs_of_a_pack_share_one_job_of_slurms_and_are_judged_cancelled_and_followed_by_themselves(
    plain_slurm: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with empty_queue(plain_slurm, monkeypatch) as cluster, experiment_at(tmp_path / "it's a pack") as experiment:
        bodies = ["exit 3", experiment.until("go"), experiment.until("go"), "true"]
        jobs = [experiment.training(f"rank{number}", body) for number, body in enumerate(bodies)]
        experiment.packed(*jobs, at_once=3)
        for job in jobs:
            experiment.evaluation(job.run)
        run(experiment, detach=True)
        assert len(cluster.ask("squeue", "-h", "--format=%i").split()) == 5  # the pack, and a job per evaluation
        wait_until(lambda: len(experiment.order) == 4)  # the first has failed, so that the last could start
        executor = SlurmExecutor.create(ExecutorOptions())
        cancelled = cancel_jobs(experiment.jobs, executor, experiment=experiment.path, names=["rank2/finetune"])
        assert cancelled == ("rank2/finetune",)
        wait_until((experiment.path / "rank2" / "finetune.outcome.json").exists)
        experiment.let_go("go")
        report = run(experiment)
        assert states(report) == {
            **{f"rank{number}/finetune": "completed" for number in (1, 2, 3)},
            **{f"rank{number}/eval/caps_epoch0": "completed" for number in (1, 2, 3)},
            "rank0/finetune": "failed exit code 3",
            "rank0/eval/caps_epoch0": "pending training failed",
        }
        assert experiment.order.count("rank2/finetune") == 2  # a cancelled job is run again
        assert len(experiment.order) == 8
        shared = ("rank0/finetune", "rank1/finetune", "rank3/finetune")
        assert len({job.job_id.partition("/")[0] for job in report.jobs if job.job.name in shared}) == 1


def test_a_monitor_that_leaves_loses_nothing_and_the_next_one_finishes(experiment: Experiment) -> None:
    sweep(experiment, ["a", "b"], "sleep 1")
    left = run(experiment, detach=True)
    assert left.exit_code is ExitCode.UNFINISHED
    assert len(left.submitted) == 4
    executors = [SlurmExecutor.create(ExecutorOptions())]
    seen = job_reports(experiment.jobs, experiment=experiment.path, executors=executors)
    assert {job.state for job in seen} <= {JobState.PENDING, JobState.RUNNING}
    taken_up = run(experiment)
    assert set(states(taken_up).values()) == {"completed"}
    assert taken_up.submitted == ()
    assert sorted(experiment.order) == sorted(job.name for job in experiment.jobs)


def test_cancelling_ends_our_own_jobs_only(cluster: Cluster, experiment: Experiment) -> None:
    other = cluster.ask("sbatch", "--parsable", "--output=/dev/null", "--wrap", "sleep 60").strip()
    sweep(experiment, ["a"], "sleep 60")
    run(experiment, detach=True)
    executor = SlurmExecutor.create(ExecutorOptions())
    ended = cancel_jobs(experiment.jobs, executor, experiment=experiment.path)
    assert set(ended) == {"a/finetune", "a/eval/caps_epoch0"}
    wait_until(lambda: cluster.ask("squeue", "-h", "--format=%i").split() == [other])
    assert cluster.ask("squeue", "-h", "--format=%T").strip() in {"PENDING", "RUNNING"}


def test_a_job_that_a_person_cancels_has_failed_for_that_reason(cluster: Cluster, experiment: Experiment) -> None:
    sweep(experiment, ["a"], "sleep 60")
    left = run(experiment, detach=True)
    wait_until(lambda: experiment.order == ["a/finetune"])
    cluster.ask("scancel", left.jobs[0].job_id)
    wait_until(lambda: cluster.ask("squeue", "-h").strip() == "")
    executors = [SlurmExecutor.create(ExecutorOptions())]
    seen = job_reports(experiment.jobs, experiment=experiment.path, executors=executors)
    training, evaluation = (f"{job.state.value} {job.reason}" for job in seen)
    assert training.startswith("failed CANCELLED")
    assert evaluation == "pending training failed"
    assert states(run(experiment))["a/finetune"] == training


def test_a_job_that_the_cluster_requeues_is_waited_for(cluster: Cluster, experiment: Experiment) -> None:
    experiment.training("a", 'until [ "${SLURM_RESTART_COUNT:-0}" -gt 0 ]; do sleep 0.1; done')
    report = run(experiment, detach=True)
    wait_until(lambda: experiment.order == ["a/finetune"])
    cluster.ask("scontrol", "requeue", report.jobs[0].job_id)
    cluster.release(report.jobs[0].job_id)
    assert states(run(experiment)) == {"a/finetune": "completed"}
    assert experiment.order == ["a/finetune"] * 2


def test_a_controller_that_is_away_for_a_while_is_waited_for(cluster: Cluster, experiment: Experiment) -> None:
    sweep(experiment, ["a"], "sleep 1")
    run(experiment, detach=True)
    cluster.stop("slurmctld")
    notes: list[str] = []

    def watch(snapshot: Snapshot) -> None:
        if snapshot.note and not notes:
            notes.append(snapshot.note)
            cluster.start("slurmctld")

    options = LoopOptions(poll_s=0.3)
    executor = SlurmExecutor(cluster.name)
    try:
        report = run_jobs(experiment.jobs, executor, experiment=experiment.path, options=options, on_event=watch)
    finally:
        if not notes:
            cluster.start("slurmctld")
    assert set(states(report).values()) == {"completed"}
    assert "does not answer" in notes[0]


def test_no_more_are_queued_at_a_time_than_is_asked_for(experiment: Experiment) -> None:
    for number in range(6):
        experiment.training(f"rank{number}")
    seen: list[Snapshot] = []
    report = run(experiment, max_jobs=2, on_event=seen.append)
    assert set(states(report).values()) == {"completed"}
    out = [sum(bool(job.job_id) and not job.ended for job in snapshot.jobs) for snapshot in seen]
    assert max(out) <= 2


def test_two_hundred_jobs_end(experiment: Experiment) -> None:
    sweep(experiment, [f"rank{number}" for number in range(100)])
    report = run(experiment, array=True)
    assert set(states(report).values()) == {"completed"}
    assert sorted(experiment.order) == sorted(job.name for job in experiment.jobs)


def test_status_shows_the_last_known_states_and_a_warning_if_the_scheduler_does_not_answer(
    cluster: Cluster, experiment: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep(experiment, ["a"], experiment.until("go"))
    run(experiment, detach=True)
    monkeypatch.setattr("tunebook.slurm.programs.run_program", _not_there)
    warnings: list[str] = []
    executor = SlurmExecutor(cluster.name)
    reports = job_reports(experiment.jobs, experiment=experiment.path, executors=[executor], warn=warnings.append)
    assert {report.state for report in reports} <= {JobState.PENDING, JobState.RUNNING}
    assert "slurm does not answer; its jobs are shown as they were last seen" in warnings[0]


def _not_there(argv: Sequence[str], **_: object) -> None:
    raise ToolError(f"the program `{argv[0]}` was not found")
