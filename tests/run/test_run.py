"""Jobs run in their order, once, whatever happens to the monitor."""

import itertools
import json
import os
import shlex
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from support.bash_jobs import Experiment, experiment_at, load_jobs, start_monitor, states, wait_until
from support.patience import HANG_S, unique_tag
from tunebook.artifacts.progress import read_progress
from tunebook.core.jobs import Job, JobState, JobStatus, Stage
from tunebook.core.paths import LEDGER
from tunebook.disk.ledger import read_ledger
from tunebook.errors import ExecutorError, ExitCode, LockedError, UsageError
from tunebook.executors.base import Batch, Intake, Submission, Submitted
from tunebook.executors.local import LocalExecutor
from tunebook.run.cancelling import cancel_jobs
from tunebook.run.loop import run_jobs
from tunebook.run.overview import job_reports
from tunebook.run.report import RunReport, Snapshot
from tunebook.run.select import LoopOptions

TRAINED = "rank8/finetune"
EVALUATED = "rank8/eval/caps_epoch0"


@pytest.fixture
def experiment(tmp_path: Path) -> Iterator[Experiment]:
    with experiment_at(tmp_path / 'it\'s a\n"sweep" $(touch pwned)') as made:
        yield made


def run(
    experiment: Experiment,
    *,
    slots: int = 2,
    retry_failed: bool = False,
    stage: Stage | None = None,
    runs: tuple[str, ...] = (),
    seen: list[Snapshot] | None = None,
) -> RunReport:
    options = LoopOptions(stage=stage, runs=runs, retry_failed=retry_failed, poll_s=0.01)
    return run_jobs(
        experiment.jobs,
        LocalExecutor(slots, grace_s=HANG_S),
        experiment=experiment.path,
        options=options,
        on_event=seen.append if seen is not None else None,
    )


def small(experiment: Experiment, body: str = "true") -> tuple[Job, Job]:
    return experiment.training("rank8", body), experiment.evaluation("rank8")


def test_everything_runs_once_and_in_order(experiment: Experiment) -> None:
    evaluation = experiment.evaluation("rank8")
    training = experiment.training("rank8")
    base = experiment.evaluation("base", epoch=None)
    report = run(experiment, slots=1)
    assert set(states(report).values()) == {"completed"}
    assert report.exit_code is ExitCode.DONE
    assert experiment.order.index(training.name) < experiment.order.index(evaluation.name)
    assert sorted(experiment.order) == sorted([training.name, evaluation.name, base.name])
    assert next(job for job in report.jobs if job.job == evaluation).score == 0.75
    again = run(experiment)
    assert again.exit_code is ExitCode.DONE
    assert again.submitted == ()
    assert len(experiment.order) == 3
    assert not list(experiment.path.parent.rglob("pwned"))


def test_as_many_run_at_a_time_as_there_are_slots(experiment: Experiment) -> None:
    (experiment.path / "now").mkdir()
    for rank in range(4):
        # Each waits until two have begun, which would be for ever if they ran one by one.
        wait = "until [ $(wc -l <../order.log) -ge 2 ]; do sleep 0.01; done"
        experiment.training(
            f"rank{rank}", f"touch ../now/{rank}; {wait}; ls ../now | wc -l >>../counts; rm ../now/{rank}"
        )
    assert run(experiment, slots=2).exit_code is ExitCode.DONE
    assert max(map(int, experiment.text("counts").split())) <= 2


def test_an_evaluation_does_not_wait_for_other_trainings(experiment: Experiment) -> None:
    small(experiment)
    experiment.training("slow", f"until [ -e ../{EVALUATED}.result.json ]; do sleep 0.01; done")
    assert run(experiment).exit_code is ExitCode.DONE


def test_one_failure_stops_only_what_needs_it(experiment: Experiment) -> None:
    small(experiment, "echo step 1; echo 'ValueError: no such model' >&2; echo bye; exit 7")
    experiment.training("rank9")
    report = run(experiment)
    assert report.exit_code is ExitCode.FAILED
    assert states(report) == {
        TRAINED: "failed exit code 7",
        EVALUATED: "pending training failed",
        "rank9/finetune": "completed",
    }
    failed = report.jobs[0]
    assert failed.tail == ("ValueError: no such model",)
    assert "bye" in Path(failed.output).read_text()
    assert f"| rank8 | failed | {failed.job_id} |" in experiment.page
    assert "| exit code 7 |" in experiment.page
    assert "| rank8 | caps | 0 | pending | - | - | training failed |" in experiment.page
    assert experiment.page.endswith("## Quick Reference\nThe last words.\n")


def test_a_job_at_the_end_of_a_chain_names_what_stopped_the_chain(experiment: Experiment) -> None:
    """A tool may have trainings that continue others."""
    experiment.training("rank8", "exit 7")
    continued = experiment.training("rank9")
    experiment.evaluation("rank9")
    experiment.jobs[experiment.jobs.index(continued)] = replace(continued, needs=(TRAINED,))
    assert states(run(experiment)) == {
        TRAINED: "failed exit code 7",
        "rank9/finetune": "pending training failed",
        "rank9/eval/caps_epoch0": "pending training failed",
    }


def test_failed_jobs_are_run_again_only_if_asked_for(experiment: Experiment) -> None:
    training, _ = small(experiment, "exit 7")
    run(experiment)
    again = run(experiment)
    assert (again.exit_code, again.submitted, again.not_retried) == (ExitCode.FAILED, (), (TRAINED,))
    experiment.write_script(training, "mkdir -p artifacts/epoch_0")
    report = run(experiment, retry_failed=True)
    assert report.exit_code is ExitCode.DONE
    assert report.submitted == (TRAINED, EVALUATED)
    assert "exit code 7" not in experiment.page


def test_changed_inputs_run_again_and_so_does_what_needs_them(experiment: Experiment) -> None:
    small(experiment)
    run(experiment)
    (experiment.path / "rank8" / "finetune.yaml").write_text("seed: 2\n")
    before = {report.job.name: report.reason for report in job_reports(experiment.jobs, experiment=experiment.path)}
    changed = "finetune.yaml changed since it ran: seed 1 # rank8/finetune → 2"
    assert before == {TRAINED: changed, EVALUATED: "a job that it needs is run again"}
    report = run(experiment)
    assert report.exit_code is ExitCode.DONE
    assert experiment.order == [TRAINED, EVALUATED] * 2
    assert run(experiment).submitted == ()


def test_a_failed_job_whose_files_changed_runs_again(experiment: Experiment) -> None:
    small(experiment, "grep 2 finetune.yaml")
    assert run(experiment).exit_code is ExitCode.FAILED
    (experiment.path / "rank8" / "finetune.yaml").write_text("seed: 2\n")
    assert run(experiment).exit_code is ExitCode.DONE


def test_files_that_change_while_the_job_runs_are_reported(experiment: Experiment) -> None:
    small(experiment, "echo 'seed: 3' >finetune.yaml")
    report = run(experiment)
    assert report.exit_code is ExitCode.UNFINISHED
    assert states(report)[TRAINED] == "pending finetune.yaml changed since it ran: seed 1 # rank8/finetune → 3"
    assert experiment.order == [TRAINED]


@pytest.mark.parametrize(("status", "reason"), [("error", "its log says error"), ("started", "its log says started")])
def test_an_evaluation_counts_by_its_log_not_by_its_exit_code(experiment: Experiment, status: str, reason: str) -> None:
    experiment.evaluation("base", epoch=None, status=status)
    assert list(states(run(experiment)).values()) == [f"failed {reason}"]


def test_a_training_without_its_checkpoint_has_failed(experiment: Experiment) -> None:
    training, _ = small(experiment)
    experiment.without_checkpoint(training)
    report = run(experiment)
    assert states(report)[TRAINED] == f"failed its checkpoint {experiment.path}/nowhere is missing"
    assert experiment.order == [TRAINED]


def test_scripts_that_were_started_by_hand_count(experiment: Experiment) -> None:
    training, evaluation = small(experiment)
    for job in (training, evaluation):
        subprocess.run(["bash", experiment.path / job.script], check=True)
    report = run(experiment)
    assert (report.exit_code, report.submitted) == (ExitCode.DONE, ())


def test_a_missing_script_fails_alone_and_is_tried_again(experiment: Experiment) -> None:
    training, _ = small(experiment)
    script = experiment.path / training.script
    text = script.read_text()
    script.unlink()
    report = run(experiment)
    assert report.exit_code is ExitCode.FAILED
    assert "is missing" in states(report)[TRAINED]
    assert "tunebook: " in experiment.page
    script.write_text(text)
    assert run(experiment).exit_code is ExitCode.DONE
    assert "is missing" not in experiment.page


def test_a_missing_input_is_named(experiment: Experiment) -> None:
    small(experiment)
    (experiment.path / "rank8" / "finetune.yaml").unlink()
    report = run(experiment)
    assert "finetune.yaml: No such file or directory" in states(report)[TRAINED]
    assert experiment.order == []


def test_stage_and_run_are_selected(experiment: Experiment) -> None:
    small(experiment)
    experiment.training("rank16")
    report = run(experiment, stage=Stage.EVALUATION)
    assert report.exit_code is ExitCode.UNFINISHED
    assert states(report)[EVALUATED] == f"pending waits for {TRAINED}, which was not selected"
    assert run(experiment, runs=("rank1*",)).submitted == ("rank16/finetune",)
    assert run(experiment, stage=Stage.PREPARATION, runs=("rank8",)).submitted == (TRAINED,)
    assert run(experiment).submitted == (EVALUATED,)
    with pytest.raises(UsageError, match=r"no run is called `rank7` \(did you mean `rank8`\?\)"):
        run(experiment, runs=("rank7",))
    with pytest.raises(UsageError, match="none of these runs has a job of the stage evaluation"):
        run(experiment, runs=("rank16",), stage=Stage.EVALUATION)
    with pytest.raises(UsageError, match="nothing has been scaffolded"):
        run_jobs([], LocalExecutor(1), experiment=experiment.path)


def test_two_monitors_at_once_are_refused(experiment: Experiment) -> None:
    small(experiment, experiment.until("go"))
    with start_monitor(experiment) as monitor:
        wait_until(lambda: experiment.order)
        with pytest.raises(LockedError, match=f"process {monitor.pid} on"):
            run(experiment)
        experiment.let_go("go")
        assert monitor.wait(timeout=HANG_S) == 0, monitor.communicate()
    assert experiment.order == [TRAINED, EVALUATED]


def test_jobs_of_a_killed_monitor_continue_and_are_neither_lost_nor_doubled(experiment: Experiment) -> None:
    small(experiment, experiment.until("go"))
    experiment.training("quick", experiment.until("go-quick"))
    with start_monitor(experiment) as monitor:
        wait_until(lambda: len(experiment.order) == 2)
        monitor.send_signal(signal.SIGKILL)
    experiment.let_go("go-quick")
    wait_until((experiment.path / "quick" / "finetune.outcome.json").exists)
    with start_monitor(experiment) as monitor:
        wait_until(lambda: "ADOPT_JOB: rank8" in experiment.text("run-torchtune.log"))
        experiment.let_go("go")
        assert monitor.wait(timeout=HANG_S) == 0, monitor.communicate()
    assert sorted(experiment.order) == sorted([TRAINED, "quick/finetune", EVALUATED])
    assert run(experiment).submitted == ()


def test_after_a_monitor_was_killed_before_it_recorded_the_id_the_job_is_found(experiment: Experiment) -> None:
    small(experiment, experiment.until("go"))
    with start_monitor(experiment) as monitor:
        wait_until(lambda: experiment.order)
        monitor.send_signal(signal.SIGKILL)
    ledger = experiment.path / LEDGER
    head, *lines = ledger.read_text().splitlines(keepends=True)
    assert [json.loads(line)["event"] for line in lines][:2] == ["submitting", "submitted"]
    ledger.write_text(head + lines[0] + lines[1][:20])
    with start_monitor(experiment) as monitor:
        wait_until(lambda: "ADOPT_JOB" in experiment.text("run-torchtune.log"))
        experiment.let_go("go")
        assert monitor.wait(timeout=HANG_S) == 0, monitor.communicate()
    assert experiment.order == [TRAINED, EVALUATED]
    assert "1 lines of the ledger cannot be read" in (experiment.path / "run-experiment.log").read_text()


def test_a_job_that_ended_before_its_id_was_recorded_has_ended(experiment: Experiment) -> None:
    small(experiment)
    run(experiment, stage=Stage.PREPARATION)
    ledger = experiment.path / LEDGER
    ledger.write_text("".join(ledger.read_text().splitlines(keepends=True)[:2]))  # its format, and one event
    looks: list[Snapshot] = []

    def looked(snapshot: Snapshot) -> None:
        looks.append(snapshot)
        assert len(looks) < 500, "it is waited for without end"

    options = LoopOptions(poll_s=0.01)
    executor = LocalExecutor(2, grace_s=HANG_S)
    report = run_jobs(experiment.jobs, executor, experiment=experiment.path, options=options, on_event=looked)
    assert set(states(report).values()) == {"completed"}
    assert experiment.order == [TRAINED, EVALUATED]


def test_a_job_that_was_never_started_is_started(experiment: Experiment) -> None:
    small(experiment)
    (experiment.path / LEDGER).parent.mkdir(exist_ok=True)
    line = {"time": "2025-10-22T12:00:00+00:00", "tag": unique_tag(), "job": TRAINED, "event": "submitting"}
    here = {"executor": "local", "host": LocalExecutor(1).host}
    (experiment.path / LEDGER).write_text(json.dumps(line | here) + "\n")
    assert run(experiment).exit_code is ExitCode.DONE


def test_a_job_of_another_host_is_neither_lost_nor_doubled(experiment: Experiment) -> None:
    small(experiment)
    (experiment.path / LEDGER).parent.mkdir(exist_ok=True)
    line = {
        "time": "2025-10-22T12:00:00+00:00",
        "tag": unique_tag(),
        "job": TRAINED,
        "event": "submitted",
        "job_id": "local-1-2",
    }
    (experiment.path / LEDGER).write_text(json.dumps(line | {"executor": "local", "host": "elsewhere"}) + "\n")
    report = run(experiment)
    assert states(report)[TRAINED].startswith("failed was submitted to local on elsewhere")
    assert experiment.order == []
    assert run(experiment, retry_failed=True).exit_code is ExitCode.DONE


def test_control_c_cancels_and_the_next_run_continues(experiment: Experiment) -> None:
    training, _ = small(experiment, experiment.until("go"))
    with start_monitor(experiment) as monitor:
        wait_until(lambda: '"running"' in experiment.text(LEDGER) and experiment.order)
        monitor.send_signal(signal.SIGINT)
        assert monitor.wait(timeout=HANG_S) == 130, monitor.communicate()
    assert json.loads((experiment.path / training.outcome).read_text())["exit_code"] == 143
    assert read_ledger(experiment.path).entries[TRAINED].cancelled
    assert "| rank8 | failed | local-" in experiment.page
    assert "| CANCELLED |" in experiment.page
    experiment.let_go("go")
    assert run(experiment).exit_code is ExitCode.DONE
    assert experiment.order == [TRAINED, TRAINED, EVALUATED]


def test_a_job_can_be_cancelled_while_a_monitor_watches_it(experiment: Experiment) -> None:
    small(experiment, experiment.until("go"))
    with start_monitor(experiment) as monitor:
        wait_until(lambda: experiment.order)
        running = job_reports(experiment.jobs, experiment=experiment.path, executors=[LocalExecutor(1)])
        assert running[0].state is JobState.RUNNING
        assert cancel_jobs(experiment.jobs, LocalExecutor(1, grace_s=HANG_S), experiment=experiment.path) == (TRAINED,)
        assert monitor.wait(timeout=HANG_S) == 1, monitor.communicate()
    assert "| CANCELLED |" in experiment.page
    assert cancel_jobs(experiment.jobs, LocalExecutor(1), experiment=experiment.path) == ()
    experiment.let_go("go")
    assert run(experiment).exit_code is ExitCode.DONE


def test_a_killed_script_has_failed_with_its_signal_as_the_reason(experiment: Experiment) -> None:
    small(experiment, "kill -KILL $$")
    report = run(experiment)
    assert states(report)[TRAINED] == "failed killed by SIGKILL"
    assert run(experiment).not_retried == (TRAINED,)


def test_out_of_memory_is_reported_in_the_words_of_the_plan(experiment: Experiment) -> None:
    small(experiment, "echo 'torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB' >&2; exit 1")
    assert states(run(experiment))[TRAINED] == "failed OUT_OF_GPU_MEMORY"
    assert "| OUT_OF_GPU_MEMORY |" in experiment.page


@pytest.mark.parametrize("damage", ["missing", "not text", "unclosed"])
def test_a_plan_that_cannot_be_written_stops_nothing(experiment: Experiment, damage: str) -> None:
    small(experiment)
    page = experiment.path / "experiment_summary.md"
    if damage == "missing":
        page.unlink()
    else:
        page.write_bytes({"not text": b"# x\n\xff\xfe", "unclosed": b"# x\n```\ncode\n"}[damage])
    before = page.read_bytes() if page.exists() else None
    report = run(experiment)
    assert report.exit_code is ExitCode.DONE
    assert len(report.warnings) == 1
    assert "were not updated" in report.warnings[0]
    assert (page.read_bytes() if page.exists() else None) == before


def test_the_logs_record_what_happened(experiment: Experiment) -> None:
    small(experiment)
    run(experiment)
    training = (experiment.path / "run-torchtune.log").read_text()
    submitted, completed = training.index("SUBMIT_JOB: rank8/finetune to local"), training.index("finetune: completed")
    assert submitted < completed < training.index("ALL_COMPLETE: 1 completed")
    assert "SUBMIT_JOB: rank8/eval/caps_epoch0" in (experiment.path / "run-inspect.log").read_text()
    whole = (experiment.path / "run-experiment.log").read_text()
    assert "RUN_STARTED: 2 jobs on local\nDetails: 2 pending" in whole
    assert "COMPLETE: 2 completed\nResult: exit code 0" in whole


class Scheduler:
    """Any executor that any host can ask; what it answers is a list, one item a poll."""

    name = "scheduler"
    host = ""
    poll_s = 60.0
    patience = 3
    holds_dependencies = False
    survives_monitor = True

    def __init__(self, experiment: Experiment, answers: Sequence[JobStatus | str]) -> None:
        self.experiment = experiment
        self.answers = list(answers)
        self.cancelled: list[str] = []
        self.waits = [0.0]

    def plan(self, waiting: Sequence[Submission]) -> Intake:
        return Intake(tuple(Batch((one,)) for one in waiting))

    def submit(self, batch: Batch) -> Sequence[Submitted]:
        if self.answers[0] == "refuse":
            raise ExecutorError("sbatch: error: invalid account")
        return [Submitted(f"id-{one.tag}") for one in batch.members]

    def find(self, submissions: Sequence[Submission]) -> Mapping[str, Submitted]:
        return {one.tag: Submitted(f"id-{one.tag}") for one in submissions}

    def poll(self, ids: Sequence[str]) -> Mapping[str, JobStatus]:
        self.waits.append(0.0)
        answer = self.answers.pop(0)
        if isinstance(answer, str):
            if answer == "leave":
                raise KeyboardInterrupt
            if answer == "run":
                tag = ids[0].removeprefix("id-")
                script = self.experiment.path / self.experiment.jobs[0].script
                subprocess.run(["bash", script], env=os.environ | {"TUNEBOOK_TAG": tag}, check=True)
                answer = "slurm_load_jobs error: Unable to contact slurm controller"
            raise ExecutorError(answer)
        return dict.fromkeys(ids, answer)

    def cancel(self, ids: Sequence[str], *, at_once: bool = False) -> None:
        assert not at_once
        self.cancelled += ids


def watch(experiment: Experiment, *answers: JobStatus | str) -> tuple[RunReport, list[float], list[Snapshot]]:
    scheduler = Scheduler(experiment, answers)
    seen: list[Snapshot] = []
    now = [datetime(2025, 10, 22, 12, tzinfo=UTC)]

    def sleep(seconds: float) -> None:
        scheduler.waits[-1] += seconds
        now[0] += timedelta(seconds=seconds)

    report = run_jobs(
        experiment.jobs,
        scheduler,
        experiment=experiment.path,
        clock=lambda: now[0],
        sleep=sleep,
        on_event=seen.append,
    )
    return report, scheduler.waits[:-1], seen


RUNNING, QUEUED = JobStatus(JobState.RUNNING), JobStatus(JobState.PENDING, "Priority")
UNKNOWN, GONE = JobStatus(JobState.UNKNOWN), JobStatus(JobState.FAILED, "TIMEOUT")


def test_a_scheduler_that_does_not_answer_is_waited_for_and_fails_no_job(experiment: Experiment) -> None:
    experiment.training("rank8")
    report, waits, seen = watch(experiment, QUEUED, RUNNING, "down", "down", "down", RUNNING, "run")
    assert report.exit_code is ExitCode.DONE
    assert waits == [60.0, 90.0, 60.0, 5.0, 10.0, 20.0, 90.0]
    assert "Priority" in [snapshot.jobs[0].reason for snapshot in seen]
    assert "scheduler does not answer: down" in [snapshot.note for snapshot in seen]
    assert len(report.warnings) == 2


def test_an_unknown_job_is_reported_after_several_misses(experiment: Experiment) -> None:
    experiment.training("rank8")
    report, waits, _ = watch(experiment, RUNNING, UNKNOWN, UNKNOWN, RUNNING, UNKNOWN, UNKNOWN, UNKNOWN)
    assert states(report)[TRAINED].startswith("unknown its executor does not know it")
    assert report.exit_code is ExitCode.UNFINISHED
    assert len(waits) == 7


def test_a_job_that_the_scheduler_does_not_know_yet_is_given_as_much_time_as_any_other(experiment: Experiment) -> None:
    experiment.training("rank8")
    report, _, _ = watch(experiment, UNKNOWN, UNKNOWN, RUNNING, "run")
    assert (report.exit_code, report.submitted) == (ExitCode.DONE, (TRAINED,))


def test_an_outcome_that_a_shared_disk_shows_late_is_waited_for(experiment: Experiment) -> None:
    training = experiment.training("rank8")
    scheduler = Scheduler(experiment, [RUNNING, *[JobStatus(JobState.COMPLETED)] * 9])
    slept = [0.0]

    def sleep(seconds: float) -> None:
        slept[0] += seconds
        if slept[0] >= 90 and not (experiment.path / training.outcome).exists():
            tag = read_ledger(experiment.path).entries[TRAINED].last.tag
            script = experiment.path / training.script
            subprocess.run(["bash", script], env=os.environ | {"TUNEBOOK_TAG": tag}, check=True)

    report = run_jobs(experiment.jobs, scheduler, experiment=experiment.path, sleep=sleep)
    assert states(report) == {TRAINED: "completed"}
    assert slept[0] <= 120


def test_a_checkpoint_that_a_shared_disk_shows_after_the_outcome_is_waited_for(experiment: Experiment) -> None:
    training = experiment.training("rank8")
    checkpoint = Path(training.checkpoints[0])
    scheduler = Scheduler(experiment, [RUNNING, "run", *[JobStatus(JobState.COMPLETED)] * 9])
    hidden = checkpoint.with_name("not yet visible")

    looks = itertools.count()

    def sleep(_: float) -> None:
        if hidden.exists() and next(looks) == 1:
            hidden.rename(checkpoint)

    experiment.write_script(training, f"mkdir -p {shlex.quote(str(hidden))}")
    report = run_jobs(experiment.jobs, scheduler, experiment=experiment.path, sleep=sleep)
    assert states(report) == {TRAINED: "completed"}


def test_a_checkpoint_that_a_network_disk_shows_when_its_directory_is_listed_is_there(
    experiment: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that remembers that a file was missing asks the server again when it opens the directory."""
    training = experiment.training("rank8")
    checkpoint = Path(training.checkpoints[0])
    hidden = checkpoint.with_name("not yet visible")
    experiment.write_script(training, f"mkdir -p {shlex.quote(str(hidden))}")
    real = os.scandir

    def scandir(folder: str) -> object:
        if str(folder) == str(hidden.parent) and hidden.exists():
            hidden.rename(checkpoint)
        return real(folder)

    monkeypatch.setattr(os, "scandir", scandir)
    assert states(run(experiment)) == {TRAINED: "completed"}


def test_a_record_of_a_newer_tunebook_stays_and_the_run_goes_on(experiment: Experiment) -> None:
    experiment.training("rank8")
    record = experiment.path / "rank8" / "provenance.json"
    record.write_text('{"schema": 2, "jobs": {}}')
    assert states(run(experiment)) == {TRAINED: "completed"}
    assert record.read_text() == '{"schema": 2, "jobs": {}}'
    assert "written by a newer tunebook" in experiment.text("run-experiment.log")


def test_a_checkpoint_that_never_appears_fails_the_job(experiment: Experiment) -> None:
    experiment.write_script(experiment.training("rank8"), "true")
    scheduler = Scheduler(experiment, [RUNNING, "run", *[JobStatus(JobState.COMPLETED)] * 9])
    report = run_jobs(experiment.jobs, scheduler, experiment=experiment.path, sleep=lambda _: None)
    assert "its checkpoint" in states(report)[TRAINED]


@pytest.mark.parametrize("place", ["rank8", "rank8/finetune.slurm", "rank8/artifacts", "rank8/finetune.outcome.json"])
def test_a_job_whose_place_is_a_link_out_of_the_experiment_is_not_started(
    experiment: Experiment, tmp_path: Path, place: str
) -> None:
    experiment.training("rank8")
    outside = tmp_path / "outside"
    here = experiment.path / place
    if here.exists():
        here.rename(outside)
    else:
        outside.mkdir()
    here.symlink_to(outside)
    report = run(experiment)
    assert f"{place}: leads out of the experiment's directory, to {outside}" in states(report)[TRAINED]
    assert experiment.order == []


def test_a_job_that_ends_while_it_is_asked_for_is_shown_as_it_ended(experiment: Experiment) -> None:
    experiment.training("rank8")
    with pytest.raises(KeyboardInterrupt):
        watch(experiment, RUNNING, "leave")

    class Late(Scheduler):
        def poll(self, ids: Sequence[str]) -> Mapping[str, JobStatus]:
            with pytest.raises(ExecutorError):
                super().poll(ids)
            return dict.fromkeys(ids, JobStatus(JobState.COMPLETED))

    asked = [Late(experiment, ["run"])]
    reports = job_reports(experiment.jobs, experiment=experiment.path, executors=asked)
    assert [(report.state, report.reason) for report in reports] == [(JobState.COMPLETED, "")]


def test_a_schedulers_own_word_is_the_reason(experiment: Experiment) -> None:
    experiment.training("rank8")
    report, _, _ = watch(experiment, RUNNING, GONE, GONE, GONE)
    assert states(report)[TRAINED] == "failed TIMEOUT"
    assert "| TIMEOUT |" in experiment.page


def test_a_refusal_is_the_jobs_own_failure_and_is_tried_again(experiment: Experiment) -> None:
    experiment.training("rank8")
    report, _, _ = watch(experiment, "refuse")
    assert states(report)[TRAINED] == "failed sbatch: error: invalid account"
    assert watch(experiment, RUNNING, "run")[0].exit_code is ExitCode.DONE


def test_jobs_that_outlive_their_monitor_are_watched_by_the_next_one(experiment: Experiment) -> None:
    experiment.training("rank8")
    with pytest.raises(KeyboardInterrupt):
        watch(experiment, RUNNING, "leave")
    assert "| rank8 | running |" in experiment.page
    log = experiment.path / "run-torchtune.log"
    assert "ADOPT_JOB" not in log.read_text()
    report, _, _ = watch(experiment, RUNNING, RUNNING, "run")
    assert (report.exit_code, report.submitted) == (ExitCode.DONE, ())
    assert log.read_text().count(f"ADOPT_JOB: {TRAINED}") == 1


def test_progress_comes_from_the_tail_of_a_long_and_torn_file(tmp_path: Path) -> None:
    metrics = tmp_path / "metrics.jsonl"
    assert read_progress(metrics) is None
    start = datetime(2025, 10, 22, 12, tzinfo=UTC)
    lines = [
        json.dumps(
            {"step": step, "epoch": 0, "total_steps": 6000, "loss": 5000 / step, "tokens_per_second": 9.5}
            | {"time": (start + timedelta(seconds=2 * step)).isoformat()}
        )
        for step in range(1, 5001)
    ]
    lines.insert(4990, json.dumps({"step": 4990, "val_loss": 1.5}))
    metrics.write_text("\n".join(lines) + '\n{"step": 5001, "lo')
    progress = read_progress(metrics)
    assert progress is not None
    assert (progress.step, progress.total_steps, progress.epoch) == (5000, 6000, 0)
    assert (progress.loss, progress.val_loss, progress.seconds_left) == (1.0, 1.5, 2000.0)
    assert read_progress(metrics, since=datetime.now(UTC) + timedelta(hours=1)) is None
    metrics.write_text(json.dumps({"step": 3, "loss": None, "diverged": True}))
    progress = read_progress(metrics)
    assert progress is not None
    assert (progress.step, progress.loss, progress.seconds_left) == (3, None, None)


def test_a_training_shows_its_progress_while_it_runs_and_its_loss_afterwards(experiment: Experiment) -> None:
    metrics = Path(experiment.training("rank8", "touch artifacts/metrics.jsonl").metrics or "")
    metrics.parent.mkdir(parents=True)
    metrics.write_text(json.dumps({"step": 3, "epoch": 0, "total_steps": 10, "loss": 0.5}) + "\n")
    report, _, seen = watch(experiment, QUEUED, RUNNING, RUNNING, "run")
    steps = {
        shown.state: shown.progress.step if shown.progress else None for snapshot in seen for shown in snapshot.jobs
    }
    assert steps == {JobState.PENDING: None, JobState.RUNNING: 3, JobState.COMPLETED: None}
    assert report.jobs[0].loss == 0.5


def test_jobs_come_back_from_json(experiment: Experiment) -> None:
    small(experiment)
    assert load_jobs(experiment.path) == experiment.jobs


def test_evaluations_whose_training_is_completed_are_submitted_before_further_trainings(
    experiment: Experiment,
) -> None:
    experiment.training("first")
    run(experiment, stage=Stage.PREPARATION)
    experiment.training("second")
    experiment.evaluation("second")
    experiment.evaluation("first")
    report = run(experiment, slots=1)
    assert report.submitted[:2] == ("first/eval/caps_epoch0", "second/finetune")
    assert experiment.order[1:] == list(report.submitted)


class Holding(Scheduler):
    """An executor that holds dependencies itself, and drops what it was given once everything is submitted."""

    holds_dependencies = True

    def __init__(self, experiment: Experiment) -> None:
        super().__init__(experiment, [])
        self.taken: list[Submission] = []

    def plan(self, waiting: Sequence[Submission]) -> Intake:
        return Intake((Batch((waiting[0],)),))

    def submit(self, batch: Batch) -> Sequence[Submitted]:
        self.taken += batch.members
        return [Submitted(f"id-{one.job.name}") for one in batch.members]


def test_an_executor_that_holds_dependencies_gets_each_evaluation_after_its_own_training(
    experiment: Experiment,
) -> None:
    experiment.training("done")
    run(experiment, stage=Stage.PREPARATION)
    experiment.evaluation("new")
    experiment.training("new")
    experiment.evaluation("done")
    executor = Holding(experiment)
    run_jobs(experiment.jobs, executor, experiment=experiment.path, options=LoopOptions(detach=True))
    assert [(one.job.name, one.after) for one in executor.taken] == [
        ("done/eval/caps_epoch0", ()),
        ("new/finetune", ()),
        ("new/eval/caps_epoch0", ("id-new/finetune",)),
    ]


@pytest.mark.parametrize(
    ("is_cancelled", "expected"),
    [
        (True, (JobState.FAILED, "CANCELLED")),
        (False, (JobState.UNKNOWN, "gone without an outcome; the next run decides")),
    ],
    ids=["cancelled", "left alone"],
)
def test_a_job_that_is_gone_after_somebody_cancelled_it_was_cancelled(
    experiment: Experiment, is_cancelled: bool, expected: tuple[JobState, str]
) -> None:
    experiment.training("rank8")
    with pytest.raises(KeyboardInterrupt):
        watch(experiment, RUNNING, "leave")
    if is_cancelled:
        cancelled = cancel_jobs(
            experiment.jobs, Scheduler(experiment, [RUNNING, UNKNOWN, UNKNOWN]), experiment=experiment.path
        )
        assert cancelled == (TRAINED,)
    asked = [Scheduler(experiment, [UNKNOWN])]
    (report,) = job_reports(experiment.jobs, experiment=experiment.path, executors=asked)
    assert (report.state, report.reason) == expected


class Queue(Scheduler):
    """Holds dependencies itself, and reports of each job what its list says, one item a poll; ``run`` runs it."""

    holds_dependencies = True

    def __init__(self, experiment: Experiment, reports: Mapping[str, Sequence[JobStatus | str]]) -> None:
        super().__init__(experiment, [])
        self.reports = {name: list(own) for name, own in reports.items()}
        self.taken: list[Submission] = []

    def submit(self, batch: Batch) -> Sequence[Submitted]:
        start = len(self.taken)
        self.taken += batch.members
        return [Submitted(str(start + place)) for place in range(len(batch.members))]

    def find(self, submissions: Sequence[Submission]) -> Mapping[str, Submitted]:
        tags = [one.tag for one in self.taken]
        return {one.tag: Submitted(str(tags.index(one.tag))) for one in submissions if one.tag in tags}

    def poll(self, ids: Sequence[str]) -> Mapping[str, JobStatus]:
        return {job_id: self._report(self.taken[int(job_id)]) for job_id in ids}

    def _report(self, one: Submission) -> JobStatus:
        answer = self.reports[one.job.name].pop(0)
        if isinstance(answer, JobStatus):
            return answer
        script = self.experiment.path / one.job.script
        subprocess.run(["bash", script], env=os.environ | {"TUNEBOOK_TAG": one.tag}, check=True)
        return JobStatus(JobState.COMPLETED)


DROPPED, NODE_FAIL = JobStatus(JobState.FAILED, "CANCELLED"), JobStatus(JobState.FAILED, "NODE_FAIL")


def queued(experiment: Experiment, **reports: Sequence[JobStatus | str]) -> tuple[RunReport, list[str]]:
    """Runs a training and its evaluation on a queue; also returns what was submitted, in order."""
    small(experiment)
    names = {"training": TRAINED, "evaluation": EVALUATED}
    executor = Queue(experiment, {names[kind]: own for kind, own in reports.items()})
    report = run_jobs(experiment.jobs, executor, experiment=experiment.path, sleep=lambda _: None)
    return report, [one.job.name for one in executor.taken]


def test_an_evaluation_that_its_failed_training_keeps_from_starting_has_not_failed(experiment: Experiment) -> None:
    report, submitted = queued(experiment, training=[RUNNING, *[GONE] * 5], evaluation=[QUEUED, *[DROPPED] * 5])
    assert states(report) == {TRAINED: "failed TIMEOUT", EVALUATED: "pending training failed"}
    assert submitted == [TRAINED, EVALUATED]


def test_an_evaluation_of_an_interrupted_training_is_submitted_after_the_next_one(experiment: Experiment) -> None:
    """The scheduler drops it with the training that it waited for; by then that training is queued again."""
    report, submitted = queued(
        experiment,
        training=[RUNNING, *[NODE_FAIL] * 3, RUNNING, RUNNING, RUNNING, RUNNING, RUNNING, "run"],
        evaluation=[*[QUEUED] * 5, *[DROPPED] * 3, QUEUED, QUEUED, "run"],
    )
    assert submitted == [TRAINED, EVALUATED, TRAINED, EVALUATED]
    assert states(report) == {TRAINED: "completed", EVALUATED: "completed"}


def test_an_evaluation_that_somebody_cancelled_in_the_queue_was_cancelled(experiment: Experiment) -> None:
    report, submitted = queued(
        experiment, training=["run"], evaluation=[QUEUED, *[JobStatus(JobState.FAILED, "CANCELLED by 1000")] * 5]
    )
    assert states(report) == {TRAINED: "completed", EVALUATED: "failed CANCELLED by 1000"}
    assert submitted == [TRAINED, EVALUATED]
