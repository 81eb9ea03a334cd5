"""Trainings that run slower than their estimate, or that their time limit will end, are named once, with what to do."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import PIPE
from typing import Any

import pytest

from support.bash_jobs import wait_until
from support.command_line import TUNEBOOK, tunebook
from support.patience import HANG_S
from support.played_slurm import PlayedSlurm
from tunebook.artifacts.progress import Progress, read_progress
from tunebook.core.jobs import Job, JobState, Resources, Stage
from tunebook.core.paths import RUN_LOG
from tunebook.disk.manifest import read_manifest
from tunebook.run.pace import SlowTrainings, pace_of, with_pace
from tunebook.run.report import JobReport, Pace

START = datetime(2026, 1, 1, 12, tzinfo=UTC)
JOB = Job(
    "rank8/finetune",
    "rank8",
    Stage.PREPARATION,
    "torchtune",
    "rank8",
    "f",
    "o",
    checkpoints=("epoch_0", "epoch_1"),
    resources=Resources(time="02:00:00"),
    estimate_min=60.0,
)


def progress(*, step: int = 100, total: int = 1000, each: float = 1.0, timed: int = 99, **values: object) -> Progress:
    """A training at a constant pace, without a start of its own."""
    known: dict[str, object] = {"elapsed_s": step * each, **values}
    return replace(
        Progress(step, total, seconds_left=(total - step) * each, seconds_per_step=each, timed_steps=timed),
        **known,  # type: ignore[arg-type]
    )


def judged(shown: Progress, estimate_min: float | None = 60.0, limit_min: float | None = None) -> Pace | None:
    return pace_of(shown, estimate_min=estimate_min, limit_min=limit_min)


@pytest.mark.parametrize(("each", "is_slow"), [(3.6, False), (5.4, False), (5.5, True)])
def test_one_and_a_half_times_the_estimate_is_slow(each: float, is_slow: bool) -> None:
    found = judged(progress(each=each))
    assert (found is not None) == is_slow
    if found is not None:
        assert (found.projected_s, found.estimate_s, found.limit_s) == (5500.0, 3600.0, None)


def test_two_minutes_more_than_a_short_estimate_are_not_slow() -> None:
    assert judged(progress(each=0.15), estimate_min=1.0) is None  # 2 min 30 s
    assert judged(progress(each=0.19), estimate_min=1.0) is not None


@pytest.mark.parametrize(
    "shown",
    [
        progress(each=60.0, step=49),
        progress(each=60.0, timed=9),
        progress(each=60.0, elapsed_s=None),
        progress(each=60.0, total_steps=None),
        progress(each=60.0, seconds_left=None),
    ],
    ids=["too early", "too few steps", "no start", "no total", "no times"],
)
def test_what_cannot_be_judged_yet_is_not(shown: Progress) -> None:
    assert judged(shown, limit_min=1.0) is None
    assert judged(progress(each=60.0), limit_min=1.0) is not None


def test_a_slow_start_counts_once_and_not_for_every_step() -> None:
    assert judged(progress(each=3.6, elapsed_s=360.0 + 1700.0)) is None
    assert judged(progress(each=3.6, elapsed_s=360.0 + 1900.0)) is not None


def test_the_steps_of_an_earlier_submission_take_their_time_at_the_present_pace() -> None:
    late = progress(step=900, each=6.0, elapsed_s=60.0)
    assert judged(late) is None
    found = judged(replace(late, is_resumed=True))
    assert found is not None
    assert found.projected_s == 6000.0
    assert judged(replace(late, is_resumed=True), limit_min=15.0) == found  # this submission ends in eleven minutes


def test_a_time_limit_that_ends_a_training_is_named_with_the_step() -> None:
    found = judged(progress(each=9.0), limit_min=120.0)
    assert found is not None
    assert (found.limit_s, found.cut_at) == (7200.0, 800)
    assert judged(progress(each=9.0), estimate_min=None) is None
    assert found.note == "slow: 2h 30m in all, 1h 0m estimated; the time limit ends it near step 800"
    without_estimate = judged(progress(each=9.0), estimate_min=None, limit_min=120.0)
    assert without_estimate is not None
    assert str(without_estimate) == (
        "2h 30m in all at 9 s per step; the time limit of 2h 0m ends it near step 800 of 1000"
    )


def running(shown: Progress | None, **values: object) -> JobReport:
    report = JobReport(JOB, JobState.RUNNING, job_id="4711", started=START.isoformat(), progress=shown)
    return replace(report, **values)  # type: ignore[arg-type]


@pytest.mark.parametrize("job_id", ["4711", "4711_3"])
def test_only_a_scheduler_ends_jobs_at_their_time_limit(job_id: str) -> None:
    slow = running(progress(each=9.0), job_id=job_id)
    on_cluster, here = with_pace(slow, has_limit=True).pace, with_pace(slow, has_limit=False).pace
    assert on_cluster is not None
    assert here is not None
    assert (on_cluster.is_cut, here.is_cut) == (True, False)


def test_an_allocation_that_jobs_share_has_a_limit_of_its_own() -> None:
    found = with_pace(running(progress(each=9.0), job_id="4711/2"), has_limit=True).pace
    assert found is not None
    assert not found.is_cut


def test_jobs_that_do_not_run_or_log_nothing_have_no_pace() -> None:
    shown = progress(each=9.0)
    assert with_pace(running(shown, state=JobState.COMPLETED), has_limit=True).pace is None
    assert with_pace(running(None), has_limit=True).pace is None


def warned(known: SlowTrainings, *reports: JobReport, has_limit: bool = True) -> list[str]:
    return list(known.warnings([with_pace(report, has_limit=has_limit) for report in reports]))


def test_a_slow_training_is_named_once_and_again_if_its_limit_will_end_it() -> None:
    known = SlowTrainings()
    slow, slower = running(progress(each=6.0)), running(progress(each=9.0))
    assert warned(known, slow) == ["rank8/finetune: slow: 1h 40m in all at 6 s per step, 1h 0m estimated"]
    assert warned(known, slow, running(None)) == []
    (cut,) = warned(known, slower)
    assert "the time limit of 2h 0m ends it near step 800 of 1000. The scheduler ends it at 2026-01-01 " in cut
    assert "`tunebook run --retry-failed` resumes it from its last saved epoch" in cut
    assert warned(known, slower) == []
    assert warned(known, slow) == []
    assert warned(known, replace(slow, job_id="4712")) != []  # another submission


def test_a_training_that_is_cut_before_an_epoch_is_saved_should_be_ended() -> None:
    (cut,) = warned(SlowTrainings(), running(progress(each=20.0)))
    assert "before an epoch is saved, so that it would begin again: `tunebook cancel --run rank8`" in cut


def test_many_slow_trainings_are_one_warning() -> None:
    reports = [running(progress(each=9.0), job=replace(JOB, name=f"rank{number}/finetune")) for number in range(4)]
    (warning,) = warned(SlowTrainings(), *reports)
    assert warning == (
        "4 trainings take clearly longer than planned (rank0/finetune, rank1/finetune and 2 more); "
        "their time limits will end 4 of them: `tunebook status --all` shows each"
    )


def log(path: Path, steps: Sequence[int], *, begin: datetime, each: float = 2.0) -> None:
    """Appends steps that begin at a time."""
    with path.open("a") as file:
        for number, step in enumerate(steps):
            time = (begin + timedelta(seconds=each * number)).isoformat()
            file.write(json.dumps({"step": step, "total_steps": 5000, "loss": 1.0, "time": time}) + "\n")
    end = begin.timestamp() + each * (len(steps) - 1)
    os.utime(path, (end, end))


def test_the_pace_is_that_of_the_submission(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    log(path, range(1, 101), begin=START)
    first = read_progress(path, since=START - timedelta(seconds=30))
    assert first is not None
    assert (first.seconds_per_step, first.timed_steps, first.elapsed_s, first.is_resumed) == (2.0, 99, 228.0, False)
    log(path, range(51, 71), begin=START + timedelta(hours=5), each=3.0)  # begins again after the last saved epoch
    again = read_progress(path, since=START + timedelta(hours=5, seconds=-60))
    assert again is not None
    assert (again.seconds_per_step, again.timed_steps, again.elapsed_s, again.is_resumed) == (3.0, 19, 117.0, True)


def test_a_training_that_goes_on_with_the_next_step_is_resumed_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    log(path, range(1, 51), begin=START)
    log(path, range(51, 71), begin=START + timedelta(hours=5), each=3.0)
    found = read_progress(path, since=START + timedelta(hours=5, seconds=-60))
    assert found is not None
    assert (found.seconds_per_step, found.timed_steps, found.is_resumed) == (3.0, 19, True)
    log(path, range(71, 2001), begin=START + timedelta(hours=6), each=3.0)  # more than the tail that is read
    found = read_progress(path, since=START + timedelta(hours=5, seconds=-60))
    assert found is not None
    assert (found.seconds_per_step, found.is_resumed) == (3.0, True)


def test_a_training_that_has_only_the_steps_it_goes_on_from_has_no_pace(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    log(path, range(1, 1001), begin=START)
    os.utime(path)  # the resumed training has just cut its log to the last saved epoch
    found = read_progress(path, since=START + timedelta(hours=5))
    assert found is not None
    assert (found.step, found.is_resumed) == (1000, True)
    assert (found.seconds_per_step, found.seconds_left, found.timed_steps) == (None, None, 0)
    assert pace_of(found, estimate_min=1, limit_min=1) is None


def test_a_log_with_a_clock_of_its_own_is_judged_by_its_own_seconds(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text("".join(json.dumps({"step": n, "total_steps": 100, "time": 2.0 * n}) + "\n" for n in range(1, 41)))
    found = read_progress(path, since=datetime.now(UTC) - timedelta(minutes=1))
    assert found is not None
    assert (found.seconds_per_step, found.timed_steps, found.is_resumed) == (2.0, 39, False)


_SLOW = """
mkdir -p "$(dirname -- {metrics})"
python -c '
import json, sys, time
with open(sys.argv[1], "w") as file:
    for step in range(1, 61):
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(time.time() + 30 * step))
        file.write(json.dumps({{"step": step, "total_steps": 1000, "loss": 1.0, "time": stamp}}) + chr(10))
' {metrics}
until [ -e {go} ]; do sleep 0.1; done
exit 1
"""


def test_a_played_slow_training_is_shown_by_status_and_warned_of_once(
    experiment: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    PlayedSlurm(tmp_path / "slurm", monkeypatch)
    (experiment / "claude.local.md").write_text("# Site\n")
    tunebook(experiment, "scaffold", "--run", "rank8_lr1e-5")
    (job,) = [item for item in read_manifest(experiment).jobs if item.name == "rank8_lr1e-5/finetune"]
    assert (job.estimate_min, job.resources.time_min) == (8.0, 16.0)
    script, go = experiment / job.script, tmp_path / "go"
    head = script.read_text().partition("\n# ---- training ----\n")[0]
    script.write_text(head + _SLOW.format(metrics=shlex.quote(job.metrics or ""), go=shlex.quote(str(go))))

    def look() -> dict[str, Any]:
        (shown,) = [one for one in jobs_of(tunebook(experiment, "status", "--json").stdout) if one["pace"]]
        return shown

    options = ["--executor", "slurm", "--run", "rank8_lr1e-5", "--stage", "preparation", "--poll-s", "0.2"]
    command = [str(TUNEBOOK), "run", *options]
    with subprocess.Popen(command, cwd=experiment, stdout=PIPE, stderr=PIPE, text=True) as run:
        try:
            wait_until(lambda: Path(job.metrics or "").is_file() and "slow: " in log_of(experiment))
            shown = look()
            plain = tunebook(experiment, "status", "--all").stdout
        finally:
            go.touch()
        _, errors = run.communicate(timeout=HANG_S)
    assert shown["name"] == job.name
    assert (shown["pace"]["seconds_per_step"], shown["pace"]["estimate_s"], shown["pace"]["limit_s"]) == (30, 480, 960)
    assert shown["pace"]["projected_s"] > 28_000
    words = "in all at 30 s per step, 8m 0s estimated; the time limit of 16m 0s ends it near step "
    assert "slow: " in plain
    assert errors.count("slow: ") == 1
    assert words in errors
    assert "before an epoch is saved, so that it would begin again: `tunebook cancel --run" in errors
    assert "slow: " not in (experiment / "experiment_summary.md").read_text()  # it would change with every step
    assert [one for one in jobs_of(tunebook(experiment, "status", "--json").stdout) if one["pace"]] == []


def jobs_of(document: str) -> list[dict[str, Any]]:
    jobs: list[dict[str, Any]] = json.loads(document)["data"]["jobs"]
    return jobs


def log_of(experiment: Path) -> str:
    path = experiment / RUN_LOG
    return path.read_text() if path.exists() else ""
