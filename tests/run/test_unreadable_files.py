"""A file that cannot be read for a moment does not count as missing: what is completed is not run again."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.bash_jobs import Experiment, experiment_at, states
from support.patience import HANG_S
from tunebook.executors.local import LocalExecutor
from tunebook.run.loop import run_jobs
from tunebook.run.report import RunReport
from tunebook.run.select import LoopOptions

TRAINED, EVALUATED = "rank8/finetune", "rank8/eval/caps_epoch0"


@pytest.fixture
def experiment(tmp_path: Path) -> Iterator[Experiment]:
    with experiment_at(tmp_path / "sweep") as made:
        made.training("rank8")
        made.evaluation("rank8")
        yield made


def run(experiment: Experiment) -> RunReport:
    executor = LocalExecutor(2, grace_s=HANG_S)
    return run_jobs(experiment.jobs, executor, experiment=experiment.path, options=LoopOptions(poll_s=0.01))


def fails(monkeypatch: pytest.MonkeyPatch, end: str) -> None:
    """Lets the file system fail for paths with this end, as a network file system does while its server restarts."""
    for name in ("open", "stat"):
        own = getattr(os, name)

        def failing(path: Any, *rest: Any, own: Any = own, **options: Any) -> Any:
            if isinstance(path, str | os.PathLike) and os.fspath(path).endswith(end):
                raise OSError(errno.EIO, os.strerror(errno.EIO), os.fspath(path))
            return own(path, *rest, **options)

        monkeypatch.setattr(os, name, failing)


@pytest.mark.parametrize(
    ("end", "unknown"),
    [
        ("rank8/finetune.outcome.json", {TRAINED, EVALUATED}),
        ("rank8/finetune.yaml", {TRAINED, EVALUATED}),
        ("rank8/artifacts/epoch_0", {TRAINED, EVALUATED}),
        ("rank8/artifacts/inputs.sha256", {TRAINED, EVALUATED}),
        ("caps_epoch0.outcome.json", {EVALUATED}),
        ("caps_epoch0.result.json", {EVALUATED}),
    ],
)
def test_completed_jobs_whose_files_cannot_be_read_now_are_not_run_again(
    experiment: Experiment, monkeypatch: pytest.MonkeyPatch, end: str, unknown: set[str]
) -> None:
    assert set(states(run(experiment)).values()) == {"completed"}
    with monkeypatch.context() as patched:
        fails(patched, end)
        report = run(experiment)
    assert report.submitted == ()
    found = states(report)
    assert {name for name, state in found.items() if state.startswith("unknown")} == unknown
    assert all("cannot be read now" in found[name] and end in found[name] for name in unknown)
    assert report.exit_code != 0
    again = run(experiment)
    assert again.submitted == ()
    assert set(states(again).values()) == {"completed"}
