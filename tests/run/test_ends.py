"""How runs on this machine end: by signals, by a power cut, and what the next run makes of it."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from support.bash_jobs import Experiment, experiment_at, start_monitor, states, wait_until
from support.patience import HANG_S
from tunebook.core.jobs import JobState, JobStatus
from tunebook.core.paths import LEDGER
from tunebook.core.plugin_guard import guarded
from tunebook.disk.ledger import read_ledger
from tunebook.errors import ExitCode, ToolError
from tunebook.executors import processes
from tunebook.executors.base import Executor
from tunebook.executors.local import LocalExecutor
from tunebook.run.cancelling import cancel_jobs
from tunebook.run.loop import Hooks, run_jobs
from tunebook.run.overview import job_reports
from tunebook.run.recorder import Recorder
from tunebook.run.report import RunReport, Snapshot
from tunebook.run.select import LoopOptions

TRAINED = "rank8/finetune"


@pytest.fixture
def experiment(tmp_path: Path) -> Iterator[Experiment]:
    with experiment_at(tmp_path / "it's a sweep") as made:
        yield made


def run(experiment: Experiment, *, retry_failed: bool = False) -> RunReport:
    options = LoopOptions(retry_failed=retry_failed, poll_s=0.01)
    return run_jobs(experiment.jobs, LocalExecutor(2, grace_s=HANG_S), experiment=experiment.path, options=options)


def living(experiment: Experiment) -> list[str]:
    """The tags of the experiment's jobs of which a process is left."""
    entries = read_ledger(experiment.path).entries.values()
    return list(processes.member_processes({entry.last.tag for entry in entries}))


def is_running(experiment: Experiment, jobs: int = 1) -> bool:
    return experiment.text(LEDGER).count('"running"') == jobs and len(experiment.order) == jobs


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_every_signal_ends_the_jobs_as_control_c_does(experiment: Experiment, number: signal.Signals) -> None:
    jobs = [experiment.training(name, experiment.until("go")) for name in ("a", "b")]
    with start_monitor(experiment) as monitor:
        wait_until(lambda: is_running(experiment, 2))
        monitor.send_signal(number)
        assert monitor.wait(timeout=HANG_S) == 130, monitor.communicate()
    assert not living(experiment)
    for job in jobs:
        assert json.loads(experiment.text(job.outcome))["exit_code"] == 143
        assert read_ledger(experiment.path).entries[job.name].cancelled
    assert experiment.page.count("| CANCELLED |") == 2
    assert "RUN_INTERRUPTED: 2 jobs were ended" in experiment.text("run-experiment.log")
    experiment.let_go("go")
    assert run(experiment).exit_code is ExitCode.DONE


@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_kills_at_once_and_is_recorded(experiment: Experiment, first: signal.Signals) -> None:
    """The job ignores the first one, and its monitor would wait for it for ten minutes."""
    experiment.training("rank8", f"trap '' TERM INT; {experiment.until('never')}")
    with start_monitor(experiment) as monitor:
        wait_until(lambda: is_running(experiment))
        monitor.send_signal(first)
        wait_until(lambda: "CANCEL_JOB" in experiment.text("run-torchtune.log"))
        monitor.send_signal(signal.SIGINT)
        assert monitor.wait(timeout=HANG_S) == 130, monitor.communicate()
    assert not living(experiment)
    entry = read_ledger(experiment.path).entries[TRAINED]
    assert (entry.is_open, entry.cancelled) == (False, True)
    assert "| CANCELLED |" in experiment.page


def shown_by(experiment: Experiment, show: Callable[[Snapshot], None], on_leave: Callable[[int], None]) -> RunReport:
    executor, options = LocalExecutor(1, grace_s=HANG_S), LoopOptions(poll_s=0.01)
    return run_jobs(
        experiment.jobs,
        executor,
        experiment=experiment.path,
        options=options,
        on_event=show,
        hooks=Hooks(on_leave=on_leave),
    )


@pytest.mark.parametrize(("first", "told"), [(errno.EIO, SystemExit(1)), (0, ValueError())])
def test_a_further_signal_cuts_the_ending_short_however_the_run_was_interrupted(
    experiment: Experiment, first: int, told: BaseException
) -> None:
    """By a failed write on a terminal that was closed, or by a caller's own `KeyboardInterrupt`.

    What is told then may fail too: in the words of Rich, or as a closed stream does.
    """
    experiment.training("rank8", experiment.until("never"))

    def show(snapshot: Snapshot) -> None:
        if snapshot.jobs[0].state is JobState.RUNNING:
            raise OSError(first, "no terminal") if first else KeyboardInterrupt

    def leave(_: int) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        raise told

    with pytest.raises(KeyboardInterrupt):
        shown_by(experiment, show, leave)
    assert not living(experiment)
    assert read_ledger(experiment.path).entries[TRAINED].cancelled
    assert "RUN_INTERRUPTED: 1 jobs were ended" in experiment.text("run-experiment.log")


def test_jobs_end_also_if_nothing_can_be_recorded_and_the_reason_is_told(
    experiment: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = [experiment.training(name, experiment.until("never")) for name in ("a", "b")]
    calls: list[bytes] = []

    def full(path: Path, lines: bytes, **_: Any) -> int:
        calls.append(lines)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    def show(snapshot: Snapshot) -> None:
        if snapshot.jobs[1].state is JobState.RUNNING:
            monkeypatch.setattr("tunebook.disk.ledger.append_lines", full)
            raise KeyboardInterrupt

    executor = LocalExecutor(2, grace_s=HANG_S)
    options = LoopOptions(poll_s=0.01)
    with pytest.raises(OSError, match="No space left"):
        run_jobs(experiment.jobs, executor, experiment=experiment.path, options=options, on_event=show)
    assert not living(experiment)
    assert [calls[0].count(b'"cancelled"'), len(jobs)] == [2, 2]


def test_jobs_of_an_executor_whose_cancelling_is_broken_are_reported(
    experiment: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A plug-in's faults are errors of its tool, not of an executor that does not answer."""
    experiment.training("rank8", experiment.until("never"))

    real = LocalExecutor.cancel

    def cancel(executor: LocalExecutor, ids: Sequence[str], **_: Any) -> None:
        real(executor, ids, at_once=True)
        raise ToolError("the executor `local` failed in `cancel`")

    def show(snapshot: Snapshot) -> None:
        if snapshot.jobs[0].state is JobState.RUNNING:
            raise KeyboardInterrupt

    monkeypatch.setattr(LocalExecutor, "cancel", cancel)
    with pytest.raises(KeyboardInterrupt):
        shown_by(experiment, show, lambda _: None)
    assert "jobs could not be cancelled: the executor `local` failed" in experiment.text("run-experiment.log")


class Trying(LocalExecutor):
    """An executor of another package whose first answer fails."""

    fault: BaseException | None = None

    def poll(self, ids: Sequence[str]) -> Mapping[str, JobStatus]:
        answer = super().poll(ids)
        fault, self.fault = self.fault, None
        if fault is None:
            return answer
        wait_until(lambda: not any(status.state.is_going for status in LocalExecutor.poll(self, ids).values()))
        raise fault


@pytest.mark.parametrize("fault", [TimeoutError("no answer"), subprocess.TimeoutExpired("qstat", 9), KeyError("state")])
def test_a_plug_in_that_gets_no_answer_is_asked_again_and_one_that_is_broken_is_not(
    experiment: Experiment, fault: Exception
) -> None:
    experiment.training("rank8")
    executor = Trying(1)
    executor.fault = fault
    executor = guarded(executor, Executor, described="the executor `trying`")
    options = LoopOptions(poll_s=0.01)
    if isinstance(fault, KeyError):
        with pytest.raises(ToolError, match="failed in `poll`: KeyError"):
            run_jobs(experiment.jobs, executor, experiment=experiment.path, options=options)
        return
    report = run_jobs(experiment.jobs, executor, experiment=experiment.path, options=options)
    assert report.exit_code is ExitCode.DONE
    (warning,) = report.warnings
    assert warning.startswith("local does not answer and is asked again: the executor `trying` failed in `poll`")


def test_a_disk_that_is_full_for_the_output_ends_no_job(experiment: Experiment) -> None:
    """As with `tunebook run >log`; the log of the run may lie on the same disk."""
    experiment.training("rank8")
    shown: list[Snapshot] = []

    def show(snapshot: Snapshot) -> None:
        shown.append(snapshot)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    report = shown_by(experiment, show, lambda _: None)
    assert (report.exit_code, len(shown)) == (ExitCode.DONE, 1)
    (warning,) = report.warnings
    assert "cannot be shown any more; the run continues: the disk is full" in warning


def test_an_error_that_ends_a_run_is_not_hidden_by_its_last_output(
    experiment: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment.training("rank8")

    def plan(*_: object) -> None:
        raise ToolError("broken")

    def show(_: Snapshot) -> None:
        raise BrokenPipeError

    monkeypatch.setattr(LocalExecutor, "plan", plan)
    with pytest.raises(ToolError, match="broken"):
        shown_by(experiment, show, lambda _: None)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EPIPE])
def test_a_run_whose_jobs_have_all_ended_is_not_interrupted_by_its_last_output(
    experiment: Experiment, number: int
) -> None:
    experiment.training("rank8")
    seen: list[JobState] = []

    def show(snapshot: Snapshot) -> None:
        seen.append(snapshot.jobs[0].state)
        if seen[-2:] == [JobState.COMPLETED] * 2:
            raise OSError(number, os.strerror(number))

    assert shown_by(experiment, show, lambda _: None).exit_code is ExitCode.DONE
    assert seen[-2:] == [JobState.COMPLETED] * 2


def test_a_warning_that_cannot_be_logged_ends_no_job(experiment: Experiment, monkeypatch: pytest.MonkeyPatch) -> None:
    experiment.training("rank8")
    real = Recorder.log

    def log(recorder: Recorder, action: str, description: str, **lines: str) -> None:
        if action == "WARNING":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(recorder, action, description, **lines)

    monkeypatch.setattr(Recorder, "log", log)
    (experiment.path / "experiment_summary.md").unlink()
    report = run(experiment)
    assert report.exit_code is ExitCode.DONE
    assert report.warnings


@pytest.mark.parametrize("told", [BrokenPipeError(), SystemExit(1)], ids=["by Python", "by Rich"])
def test_a_reader_that_is_gone_ends_the_jobs_too(experiment: Experiment, told: BaseException) -> None:
    """As with `tunebook run | head`, or on a terminal that was closed."""
    experiment.training("rank8", experiment.until("never"))

    def show(snapshot: Snapshot) -> None:
        if snapshot.jobs[0].state is JobState.RUNNING:
            raise told

    executor = LocalExecutor(1, grace_s=HANG_S)
    options = LoopOptions(poll_s=0.01)
    with pytest.raises(KeyboardInterrupt):
        run_jobs(experiment.jobs, executor, experiment=experiment.path, options=options, on_event=show)
    assert not living(experiment)
    assert "| CANCELLED |" in experiment.page


def killed_with_its_monitor(experiment: Experiment) -> None:
    """Kills a monitor and the processes of its only job, as a power cut does."""
    with start_monitor(experiment) as monitor:
        wait_until(lambda: is_running(experiment))
        monitor.kill()
        monitor.wait(timeout=HANG_S)
    tag = read_ledger(experiment.path).entries[TRAINED].last.tag
    processes.end([], {tag}, grace_s=0)


def after_a_restart(experiment: Experiment) -> None:
    """Writes into the ledger that its jobs were started before the machine was, with numbers that live now."""
    path = experiment.path / LEDGER
    before = read_ledger(experiment.path).entries[TRAINED].last.job_id
    now = processes.write_id(os.getpid())
    path.write_text(path.read_text().replace(before, f"{now.rpartition('-')[0]}-00000000"))


def test_a_job_that_is_found_dead_is_retried_by_the_next_run_that_retries(experiment: Experiment) -> None:
    experiment.training("rank8", f"[ -e ../again ] || {{ touch ../again; {experiment.until('never')}; }}")
    experiment.evaluation("rank8")
    killed_with_its_monitor(experiment)
    assert run(experiment, retry_failed=True).exit_code is ExitCode.DONE
    assert experiment.order == [TRAINED, TRAINED, "rank8/eval/caps_epoch0"]


def test_a_job_that_is_found_dead_is_reported_by_a_run_that_does_not_retry(experiment: Experiment) -> None:
    experiment.training("rank8", experiment.until("never"))
    killed_with_its_monitor(experiment)
    report = run(experiment)
    assert states(report) == {TRAINED: "failed killed (no outcome file)"}
    assert report.not_retried == (TRAINED,)


def test_a_job_that_fails_while_it_is_watched_is_not_retried_by_that_run(experiment: Experiment) -> None:
    experiment.training("rank8", f"{experiment.until('go')}; exit 3")
    with start_monitor(experiment) as monitor:
        wait_until(lambda: is_running(experiment))
        monitor.kill()
        monitor.wait(timeout=HANG_S)

    def let_go(snapshot: Snapshot) -> None:
        if snapshot.jobs[0].state is JobState.RUNNING:
            experiment.let_go("go")

    options = LoopOptions(retry_failed=True, poll_s=0.01)
    report = run_jobs(experiment.jobs, LocalExecutor(1), experiment=experiment.path, options=options, on_event=let_go)
    assert experiment.order == [TRAINED]
    assert report.exit_code is ExitCode.FAILED


def test_a_job_that_the_machines_restart_ended_runs_again_and_may_continue(experiment: Experiment) -> None:
    once = (
        f'[ -e ../again ] || {{ touch ../again; {experiment.until("never")}; }}; echo "${{TUNEBOOK_RESUME:-}}" >resumed'
    )
    experiment.training("rank8", once)
    killed_with_its_monitor(experiment)
    after_a_restart(experiment)
    (seen,) = job_reports(experiment.jobs, experiment=experiment.path, executors=[LocalExecutor(1)])
    assert (seen.state, seen.reason) == (JobState.FAILED, "RESTART of the machine")
    assert run(experiment).exit_code is ExitCode.DONE
    assert experiment.order == [TRAINED] * 2
    assert experiment.text("rank8/resumed") == "1\n"
    assert "RESTART of the machine" in experiment.text("run-torchtune.log")


def test_a_job_that_had_failed_before_the_restart_has_failed(experiment: Experiment) -> None:
    job = experiment.training("rank8", f"{experiment.until('go')}; exit 3")
    with start_monitor(experiment) as monitor:
        wait_until(lambda: is_running(experiment))
        monitor.kill()
        monitor.wait(timeout=HANG_S)
    experiment.let_go("go")
    wait_until((experiment.path / job.outcome).exists)
    after_a_restart(experiment)
    report = run(experiment)
    assert states(report) == {TRAINED: "failed exit code 3"}
    assert report.not_retried == (TRAINED,)


def test_cancelling_without_a_monitor_updates_the_plan_and_the_logs(experiment: Experiment) -> None:
    experiment.training("rank8", experiment.until("never"))
    with start_monitor(experiment) as monitor:
        wait_until(lambda: is_running(experiment))
        wait_until(lambda: "| running |" in experiment.page)
        monitor.kill()
        monitor.wait(timeout=HANG_S)
    executor = LocalExecutor(1, grace_s=HANG_S)
    assert cancel_jobs(experiment.jobs, executor, experiment=experiment.path) == (TRAINED,)
    assert not living(experiment)
    assert "| CANCELLED |" in experiment.page
    assert f"CANCEL_JOB: {TRAINED}" in experiment.text("run-torchtune.log")
    assert f"CANCELLED: 1 jobs were cancelled\nDetails: {TRAINED}" in experiment.text("run-experiment.log")


def test_a_run_in_the_background_of_a_script_ignores_a_closed_terminal(experiment: Experiment) -> None:
    """`nohup` lets a command start with SIGHUP ignored."""
    experiment.training("rank8", experiment.until("go"))
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with start_monitor(experiment) as monitor:
            signal.signal(signal.SIGHUP, signal.SIG_DFL)
            wait_until(lambda: is_running(experiment))
            monitor.send_signal(signal.SIGHUP)
            experiment.let_go("go")
            assert monitor.wait(timeout=HANG_S) == 0, monitor.communicate()
    finally:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
    assert experiment.order == [TRAINED]
