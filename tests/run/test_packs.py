"""Jobs that share one allocation, on this machine: each is started, judged, cancelled and retried by itself."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from support.bash_jobs import Experiment, experiment_at, start_monitor, states, wait_until
from support.patience import HANG_S
from tunebook.core.jobs import Job
from tunebook.core.paths import LEDGER, PACKS
from tunebook.disk.ledger import read_ledger
from tunebook.errors import ExitCode
from tunebook.executors import processes
from tunebook.executors.local import LocalExecutor
from tunebook.run.cancelling import cancel_jobs
from tunebook.run.loop import run_jobs
from tunebook.run.report import RunReport
from tunebook.run.select import LoopOptions


@pytest.fixture
def experiment(tmp_path: Path) -> Iterator[Experiment]:
    with experiment_at(tmp_path / 'it\'s a\n"sweep" $(touch pwned)') as made:
        yield made


def run(experiment: Experiment, slots: int = 1, gpus: tuple[str, ...] = (), **options: Any) -> RunReport:
    executor = LocalExecutor(slots, gpus, grace_s=HANG_S)
    chosen = LoopOptions(poll_s=0.02, **options)
    return run_jobs(experiment.jobs, executor, experiment=experiment.path, options=chosen)


def trainings(experiment: Experiment, *bodies: str, gpus: int = 0) -> list[Job]:
    return [experiment.training(f"rank{number}", body, gpus=gpus) for number, body in enumerate(bodies)]


def pack_process(experiment: Experiment) -> psutil.Process:
    """The process of the only pack's own script."""
    tag = next((experiment.path / PACKS).iterdir()).name
    found = processes.leaders({tag})[tag]
    return psutil.Process(int(found.split("-")[1]))


MEET = "until [ $(wc -l <../order.log) -ge 3 ]; do sleep 0.01; done"  # for ever, if they ran one by one


def test_jobs_of_a_pack_run_side_by_side_in_one_slot_and_on_one_gpu(experiment: Experiment) -> None:
    told = 'echo "heard $CUDA_VISIBLE_DEVICES"'
    experiment.packed(*trainings(experiment, *[f"{MEET}; {told}"] * 3, gpus=1))
    for job in experiment.jobs[:]:
        experiment.evaluation(job.run)
    report = run(experiment, gpus=("7",))
    assert set(states(report).values()) == {"completed"}
    assert report.exit_code is ExitCode.DONE
    assert sorted(experiment.order) == sorted(job.name for job in experiment.jobs)
    shared = {job.job_id.partition("/")[0] for job in report.jobs[:3]}
    assert len(shared) == 1
    assert [Path(job.output).read_text().splitlines()[-1] for job in report.jobs[:3]] == ["heard 7"] * 3
    assert [Path(job.output).parent.name for job in report.jobs[:3]] == ["rank0", "rank1", "rank2"]
    assert f"| rank1 | completed | {report.jobs[1].job_id} |" in experiment.page
    assert run(experiment).submitted == ()
    assert not list(experiment.path.parent.rglob("pwned"))


def test_a_pack_has_no_more_jobs_than_its_size(experiment: Experiment) -> None:
    experiment.packed(*trainings(experiment, *["true"] * 5), size=2)
    report = run(experiment, slots=2)
    assert set(states(report).values()) == {"completed"}
    packs = [job.job_id.partition("/")[0] for job in report.jobs]
    assert packs[0] == packs[1] != packs[2] == packs[3] != packs[4]
    assert "/" not in report.jobs[4].job_id


def test_a_job_that_fails_ends_no_other_job_of_its_pack_and_is_retried_alone(experiment: Experiment) -> None:
    bad = "[ -e ../repaired ] || { echo 'ValueError: no such model' >&2; exit 7; }"
    experiment.packed(*trainings(experiment, bad, f"{experiment.until('rank0/finetune.outcome.json')}"))
    report = run(experiment)
    assert states(report) == {"rank0/finetune": "failed exit code 7", "rank1/finetune": "completed"}
    assert report.jobs[0].tail == ("ValueError: no such model",)
    experiment.let_go("repaired")
    again = run(experiment, retry_failed=True)
    assert again.submitted == ("rank0/finetune",)
    assert set(states(again).values()) == {"completed"}


def test_jobs_one_after_another_each_have_their_own_tag(experiment: Experiment) -> None:
    body = 'echo "$TUNEBOOK_TAG" >>../tags; ls ../busy.* 2>/dev/null; touch ../busy.$$; sleep 0.1; rm ../busy.$$'
    experiment.packed(*trainings(experiment, *[body] * 3), at_once=1)
    report = run(experiment)
    assert set(states(report).values()) == {"completed"}
    assert experiment.order == ["rank0/finetune", "rank1/finetune", "rank2/finetune"]
    entries = read_ledger(experiment.path).entries
    assert experiment.text("tags").split() == [entries[name].last.tag for name in experiment.order]
    assert not any("busy" in Path(job.output).read_text() for job in report.jobs)


def test_cancelling_one_job_of_a_pack_leaves_the_others(experiment: Experiment) -> None:
    experiment.packed(*trainings(experiment, *[experiment.until("go")] * 3), at_once=2)
    with start_monitor(experiment, slots=1) as monitor:
        wait_until(lambda: experiment.text(LEDGER).count('"running"') == 2 and len(experiment.order) == 2)
        names = ("rank0/finetune", "rank2/finetune")  # one runs, one has not started
        executor = LocalExecutor(1, grace_s=HANG_S)
        assert cancel_jobs(experiment.jobs, executor, experiment=experiment.path, names=names) == names
        experiment.let_go("go")
        monitor.wait(timeout=HANG_S)
    assert sorted(experiment.order) == ["rank0/finetune", "rank1/finetune"]
    assert "| rank1 | completed |" in experiment.page
    assert experiment.page.count("| CANCELLED |") == 2
    assert set(states(run(experiment)).values()) == {"completed"}


def test_leaving_the_monitor_cancels_the_whole_pack(experiment: Experiment) -> None:
    experiment.packed(*trainings(experiment, *[experiment.until("go")] * 3), at_once=2)
    with start_monitor(experiment, slots=1) as monitor:
        wait_until(lambda: experiment.text(LEDGER).count('"running"') == 2 and len(experiment.order) == 2)
        leader = pack_process(experiment)
        monitor.send_signal(signal.SIGINT)
        assert monitor.wait(timeout=HANG_S) == 130, monitor.communicate()
    assert not leader.is_running()
    for name in ("rank0", "rank1"):
        assert json.loads(experiment.text(f"{name}/finetune.outcome.json"))["exit_code"] == 143
    assert sorted(experiment.order) == ["rank0/finetune", "rank1/finetune"]
    experiment.let_go("go")
    assert set(states(run(experiment)).values()) == {"completed"}


@pytest.mark.parametrize("killed", ["monitor", "monitor and pack", "pack", "job"])
def test_whatever_is_killed_no_job_of_a_pack_is_lost_or_runs_twice(experiment: Experiment, killed: str) -> None:
    experiment.packed(*trainings(experiment, experiment.until("go-0"), *[experiment.until("go")] * 2), at_once=2)
    with start_monitor(experiment, slots=1) as monitor:
        wait_until(lambda: experiment.text(LEDGER).count('"running"') == 2 and len(experiment.order) == 2)
        if killed == "job":
            tag = read_ledger(experiment.path).entries["rank0/finetune"].last.tag
            for process in processes.member_processes({tag})[tag]:
                process.kill()
            wait_until(lambda: "killed by SIGKILL" in experiment.page)
        if "monitor" in killed:
            monitor.send_signal(signal.SIGKILL)
            monitor.wait(timeout=HANG_S)
        if "pack" in killed:
            pack_process(experiment).send_signal(signal.SIGKILL)
        experiment.let_go("go-0")
        if killed != "job":
            wait_until((experiment.path / "rank0/finetune.outcome.json").exists)
        experiment.let_go("go")
        if "monitor" not in killed:
            monitor.wait(timeout=HANG_S)
    told = states(run(experiment))
    if killed == "job":
        assert told.pop("rank0/finetune") == "failed killed by SIGKILL"
    assert set(told.values()) == {"completed"}
    assert sorted(experiment.order) == ["rank0/finetune", "rank1/finetune", "rank2/finetune"]


def test_a_pack_that_ends_before_a_jobs_turn_fails_no_job_that_had_not_started(experiment: Experiment) -> None:
    """The script of the first job ends the pack, as a scheduler does at a time limit."""
    ends = "[ -e ../again ] || { touch ../again; kill -TERM $PPID; sleep 600 & wait; }"
    experiment.packed(*trainings(experiment, ends, "true"), at_once=1)
    report = run(experiment)
    assert states(report) == {"rank0/finetune": "failed exit code 143 (SIGTERM)", "rank1/finetune": "completed"}
    assert experiment.order == ["rank0/finetune", "rank1/finetune"]


def test_a_service_starts_before_the_jobs_and_ends_after_them(experiment: Experiment) -> None:
    service = experiment.path / "service.sh"
    service.write_text(
        "echo 1 >>begun; sleep 600 & echo $! >child; "
        'cd "${TUNEBOOK_SERVICE_FILE%/*}"; printf \'{"port": 7}\' >part; mv part "$TUNEBOOK_SERVICE_FILE"; wait'
    )
    experiment.packed(*trainings(experiment, *['cat "$TUNEBOOK_SERVICE"'] * 2), at_once=1, service="service.sh")
    report = run(experiment)
    assert set(states(report).values()) == {"completed"}
    assert all('{"port": 7}' in Path(job.output).read_text() for job in report.jobs)
    folder = next((experiment.path / PACKS).iterdir())
    assert (folder / "begun").read_text() == "1\n"
    child = int((folder / "child").read_text())
    wait_until(lambda: not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE)


@pytest.mark.parametrize("service", ["exit 3", 'touch "$TUNEBOOK_SERVICE_FILE"; sleep 0.1; exit 3'])
def test_jobs_of_a_service_that_died_run_without_it(experiment: Experiment, service: str) -> None:
    (experiment.path / "service.sh").write_text(service)
    last = 'echo "without:$TUNEBOOK_SERVICE:"'
    experiment.packed(*trainings(experiment, "sleep 0.5", last), at_once=1, service="service.sh")
    report = run(experiment)
    assert set(states(report).values()) == {"completed"}
    assert "without::" in Path(report.jobs[1].output).read_text()


def test_a_gpu_is_shared_through_a_daemon_of_the_packs_own_that_ends_with_it(
    experiment: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "bin" / "nvidia-cuda-mps-control"
    program.parent.mkdir()
    program.write_text(f"#!/bin/bash\necho \"$*$([ $# -gt 0 ] || cat)\" $CUDA_VISIBLE_DEVICES >>'{tmp_path}/calls'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    body = '[ -d "$CUDA_MPS_PIPE_DIRECTORY" ] && echo "device $CUDA_VISIBLE_DEVICES"'
    experiment.packed(*trainings(experiment, *[body] * 2, gpus=1), mps=True)
    report = run(experiment, gpus=("7",))
    assert set(states(report).values()) == {"completed"}
    assert [Path(job.output).read_text().splitlines()[-1] for job in report.jobs] == ["device 0"] * 2
    assert (tmp_path / "calls").read_text().splitlines() == ["-d 7", "quit 0"]


def test_a_job_of_a_pack_that_waits_to_start_is_pending(experiment: Experiment) -> None:
    experiment.packed(*trainings(experiment, *[experiment.until("go")] * 2), at_once=1)
    seen: list[str] = []

    def watch(snapshot: Any) -> None:
        seen.append(f"{snapshot.jobs[1].state.value} {snapshot.jobs[1].reason}".strip())
        if snapshot.jobs[0].state.value == "running" and len(seen) > 3:
            experiment.let_go("go")

    executor = LocalExecutor(1, grace_s=HANG_S)
    options = LoopOptions(poll_s=0.02)
    run_jobs(experiment.jobs, executor, experiment=experiment.path, options=options, on_event=watch)
    assert "pending waits for its turn in its pack" in seen
    assert os.environ.get("TUNEBOOK_TAG") is None
