"""Answers that a real cluster gives rarely: none of them loses a job, runs one twice, or takes one for another."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from support.bash_jobs import Experiment, experiment_at, states
from support.played_slurm import PlayedSlurm
from tunebook.artifacts.outcome import read_outcome
from tunebook.executors.local import LocalExecutor
from tunebook.executors.slurm import SlurmExecutor
from tunebook.run.loop import run_jobs
from tunebook.run.report import RunReport, Snapshot
from tunebook.run.select import LoopOptions

TRAINED = "rank8/finetune"


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PlayedSlurm:
    return PlayedSlurm(tmp_path / "slurm", monkeypatch)


@pytest.fixture
def experiment(tmp_path: Path) -> Iterator[Experiment]:
    with experiment_at(tmp_path / "sweep") as made:
        yield made


def run(experiment: Experiment, seen: list[Snapshot] | None = None) -> RunReport:
    return run_jobs(
        experiment.jobs,
        SlurmExecutor("played"),
        experiment=experiment.path,
        options=LoopOptions(poll_s=0.05),
        on_event=seen.append if seen is not None else None,
    )


@pytest.mark.parametrize(
    "answer",
    [
        "echo 'sbatch: error: Batch job submission failed: Socket timed out on send/recv operation' >&2; exit 1",
        "sleep 600",
        "echo 'Submitted, thank you'",
        "exit 0",
    ],
    ids=["says that it timed out", "hangs", "prints no number", "prints nothing"],
)
def test_an_sbatch_that_took_the_job_and_did_not_give_its_number_is_not_repeated(
    cluster: PlayedSlurm, experiment: Experiment, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    monkeypatch.setattr("tunebook.slurm.submission._SUBMIT_S", 3.0)
    cluster.wrap("sbatch", f'real "$@" >/dev/null\n{answer}')
    experiment.training("rank8")
    assert states(run(experiment)) == {TRAINED: "completed"}
    assert experiment.order == [TRAINED]
    assert len(cluster.calls) == 1


def test_a_queue_that_is_shown_empty_for_once_has_lost_no_job(cluster: PlayedSlurm, experiment: Experiment) -> None:
    once = '[ "$(wc -l <"$state/looks")" -ne 3 ] || { touch "$state/empty"; exit 0; }'
    cluster.wrap("squeue", f'echo >>"$state/looks"\n{once}\nreal "$@"')
    experiment.training("rank8", f"until [ -e '{cluster.folder}/empty' ]; do sleep 0.02; done")
    assert states(run(experiment)) == {TRAINED: "completed"}
    assert experiment.order == [TRAINED]


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("OUT_OF_MEMORY", "failed OUT_OF_MEMORY"),
        ("DEADLINE", "failed DEADLINE"),
        ("HIBERNATED", "unknown its executor does not know it"),
    ],
)
def test_the_clusters_word_for_the_end_is_the_reason(
    cluster: PlayedSlurm, experiment: Experiment, word: str, expected: str
) -> None:
    cluster.wrap("squeue", f'real "$@" | sed "s/|FAILED|/|{word}|/"')
    experiment.training("rank8", "trap - EXIT; kill -KILL $$")
    assert states(run(experiment))[TRAINED].startswith(expected)
    assert experiment.order == [TRAINED]


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        ("PENDING|launch failed requeued held", "held: it could not be started; `scontrol release` tries again"),
        ("HIBERNATING|None", ""),
    ],
    ids=["its prolog failed", "a state that nobody knows"],
)
def test_a_job_that_is_shown_as_something_else_for_a_while_is_waited_for(
    cluster: PlayedSlurm, experiment: Experiment, shown: str, expected: str
) -> None:
    """Twice in a row; three times would be believed."""
    cluster.wrap(
        "squeue",
        'echo >>"$state/looks"\n'
        f'if [ "$(wc -l <"$state/looks")" -le 2 ]; then real "$@" | sed "s/|RUNNING|None|/|{shown}|/"; exit; fi\n'
        'touch "$state/told"\nreal "$@"',
    )
    experiment.training("rank8", f"until [ -e '{cluster.folder}/told' ]; do sleep 0.02; done")
    seen: list[Snapshot] = []
    assert states(run(experiment, seen)) == {TRAINED: "completed"}
    assert expected in [snapshot.jobs[0].reason for snapshot in seen]
    assert experiment.order == [TRAINED]


@pytest.mark.parametrize("hours", [-9, 9])
def test_a_node_whose_clock_is_wrong_changes_no_verdict(
    experiment: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    """The times in the outcome files are hours away from those in the ledger."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "date").write_text(f'#!/bin/sh\nexec /bin/date -d "{hours} hours" "$@"\n')
    (programs / "date").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    experiment.training("rank8")
    experiment.evaluation("rank8")
    executor = LocalExecutor(2)
    for submitted in ((TRAINED, "rank8/eval/caps_epoch0"), ()):
        options = LoopOptions(poll_s=0.05)
        report = run_jobs(experiment.jobs, executor, experiment=experiment.path, options=options)
        assert set(states(report).values()) == {"completed"}
        assert report.submitted == submitted
    outcome = read_outcome(experiment.path / experiment.jobs[0].outcome)
    assert outcome is not None
    away = datetime.fromisoformat(outcome.ended) - datetime.now(UTC)
    assert abs(away - timedelta(hours=hours)) < timedelta(hours=1)
