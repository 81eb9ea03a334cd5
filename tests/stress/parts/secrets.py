"""Tokens and passwords of the shell, and of files that the site settings read, are in no file that tunebook writes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from stress.part import Outcome, Part, Setting
from support.leaks import SECRETS, files_with_secrets
from support.played_programs import play_programs
from support.tiny_model import build_tiny_model, write_tiny_experiment
from tunebook import api
from tunebook.core.jobs import JobState
from tunebook.core.paths import SITE_FILE

__all__ = ["PART"]


@contextmanager
def _in_the_shell(values: dict[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _run(setting: Setting) -> Outcome:
    outside, experiment = setting.folder / "outside", setting.folder / "sweep"
    outside.mkdir()
    count = 1 if setting.is_quick else 4
    _write_experiment(experiment, outside, count)
    with _in_the_shell(SECRETS):
        api.scaffold(experiment, clock=_clock)
        report = api.run(experiment, api.RunOptions(executor="local", slots=2, poll_s=0.05))
        api.scaffold(experiment, clock=_clock)
        api.analyze(experiment, clock=_clock)
    faults = [f"{name} contains a secret" for name in files_with_secrets(experiment)]
    failed = [job for job in report.jobs if job.state is not JobState.COMPLETED]
    faults += [f"{job.job.name}: {job.state.value} {job.reason}" for job in failed]
    # The search itself must find what is there.
    (experiment / "leak").write_text(next(iter(SECRETS.values())))
    if files_with_secrets(experiment)[-1:] != ["leak"] and not faults:
        faults.append("the search finds no secret at all")
    files = sum(path.is_file() for path in experiment.rglob("*"))
    figures = f"{len(SECRETS)} variables and a file with a token, {len(report.jobs)} jobs, {files} files searched"
    return Outcome(figures=figures, faults=tuple(faults))


def _write_experiment(experiment: Path, outside: Path, count: int) -> None:
    """Its module line reads a token from a file, as SECURITY.md recommends."""
    token = outside / "token"
    token.write_text(SECRETS["HF_TOKEN"])
    ranks = [2 * number for number in range(1, count + 1)]
    write_tiny_experiment(experiment, build_tiny_model(outside / "tiny"), ranks=ranks)
    environment = f"- **Virtual environment:** `{play_programs(outside / 'venv')}`"
    modules = f"```bash\nexport LAB_TOKEN=$(cat {token})\n```"
    (experiment / SITE_FILE).write_text(f"# Site\n\n{environment}\n\n## Modules\n\n{modules}\n")


def _clock() -> datetime:
    return datetime.now().astimezone()


PART = Part(name="secrets", run=_run, in_quick_half=False)  # the end-to-end tests search real trainings and logs
