"""The status tables are written at last, however a person saves the plan, and a plan that is lost is reported once."""

from __future__ import annotations

import os
import shutil
import threading
import time
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

import pytest

from tunebook.core.jobs import Job, JobState, Stage
from tunebook.core.paths import LAST_GOOD_PLAN, PLAN_FILE, REPLACED_PLANS
from tunebook.disk.lock import exclusive
from tunebook.disk.plan_file import Patience
from tunebook.run import status
from tunebook.run.report import JobReport
from tunebook.run.status import StatusTables

WHOLE = "# Experiment: x\n\nedit 0\n\n## All Runs\n\n| Run Name |\n|---|\n| rank8 |\n"
JOB = Job("rank8/finetune", "rank8", Stage.PREPARATION, "torchtune", "rank8", "f", "o")
REAL_SLEEP = time.sleep
SHORT = Patience(quiet_s=0.3, end_s=0.2, most_s=5.0)


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    path = tmp_path / PLAN_FILE
    path.write_text(WHOLE)
    return path


@pytest.fixture
def warnings() -> list[str]:
    return []


@pytest.fixture
def tables(plan: Path, warnings: list[str]) -> StatusTables:
    return StatusTables(
        plan.parent, lambda: datetime.now().astimezone(), warnings.append, pause_s=0.0, share=0, patience=SHORT
    )


def job(state: JobState, number: int = 1) -> list[JobReport]:
    return [JobReport(JOB, state, job_id=str(number))]


def test_a_status_that_waited_for_a_save_is_written_at_the_next_time(plan: Path, tables: StatusTables) -> None:
    tables.show(job(JobState.RUNNING))
    assert plan.read_text() == WHOLE
    time.sleep(SHORT.quiet_s)
    tables.show(job(JobState.RUNNING))
    assert "| rank8 | running | 1 |" in plan.read_text()


def test_the_last_status_is_waited_for(plan: Path, tables: StatusTables, warnings: list[str]) -> None:
    tables.show(job(JobState.COMPLETED), now=True)
    assert "| rank8 | completed | 1 |" in plan.read_text()
    assert warnings == []


def test_a_plan_that_is_saved_again_and_again_ends_the_wait(plan: Path, warnings: list[str]) -> None:
    patience = Patience(quiet_s=60.0, end_s=0.0, most_s=0.3)
    tables = StatusTables(plan.parent, lambda: datetime.now().astimezone(), warnings.append, patience=patience)
    tables.show(job(JobState.COMPLETED), now=True)
    assert warnings == [f"the status tables of {PLAN_FILE} were not updated: another program keeps changing it"]


def test_an_edit_that_an_editor_was_writing_at_the_last_update_is_in_the_plan(plan: Path, tables: StatusTables) -> None:
    time.sleep(SHORT.quiet_s)
    editor = plan.open("r+")

    def save() -> None:
        while "completed" not in plan.read_text():
            time.sleep(0.01)
        editor.write(WHOLE.replace("edit 0", "edit 1"))
        editor.close()

    writer = threading.Thread(target=save)
    writer.start()
    tables.show(job(JobState.COMPLETED), now=True)
    writer.join()
    assert "edit 1" in plan.read_text()
    assert "| rank8 | completed | 1 |" in plan.read_text()


def test_an_old_status_that_a_person_saved_is_updated_again(plan: Path, tables: StatusTables) -> None:
    time.sleep(SHORT.quiet_s)
    tables.show(job(JobState.RUNNING))
    plan.write_text(WHOLE)
    tables.show(job(JobState.RUNNING))
    time.sleep(SHORT.quiet_s)
    tables.show(job(JobState.RUNNING))
    assert "| rank8 | running | 1 |" in plan.read_text()


def test_a_lost_plan_is_reported_once_and_left_alone(plan: Path, tables: StatusTables, warnings: list[str]) -> None:
    time.sleep(SHORT.quiet_s)
    tables.show(job(JobState.RUNNING))
    plan.write_text("")
    tables.show(job(JobState.RUNNING, 2))
    assert warnings == []  # an editor may be between emptying and writing
    time.sleep(SHORT.quiet_s)
    for number in (3, 4):
        tables.show(job(JobState.RUNNING, number))
    tables.show(job(JobState.COMPLETED, 5), now=True)
    lost = "it has lost its title and its runs table"
    where = f"(the last good copy is {LAST_GOOD_PLAN}; the jobs continue)"
    assert warnings == [f"the status tables of {PLAN_FILE} were not updated: {lost} {where}"]
    assert plan.read_text() == ""
    assert (plan.parent / LAST_GOOD_PLAN).read_text() == WHOLE


def test_a_folder_of_replaced_plans_that_cannot_be_listed_is_reported_once(
    plan: Path, tables: StatusTables, warnings: list[str]
) -> None:
    """The jobs continue: nothing is raised."""
    time.sleep(SHORT.quiet_s)
    tables.show(job(JobState.RUNNING))
    folder = plan.parent / REPLACED_PLANS
    shutil.rmtree(folder)
    folder.write_text("")
    for _ in range(2):
        tables.show(job(JobState.RUNNING))
    assert len(warnings) == 1
    assert f"the status tables of {PLAN_FILE} were not updated: " in warnings[0]
    assert str(folder) in warnings[0]


def test_the_last_status_waits_for_another_command_that_works_on_the_plan(
    plan: Path, tables: StatusTables, warnings: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may hold the lock for longer than one try waits; other updates are not held up by it."""
    tries: list[int] = []

    def rest(seconds: float) -> None:
        tries.append(1)
        if len(tries) == 3:
            held.close()
        REAL_SLEEP(seconds)

    time.sleep(SHORT.quiet_s)
    held = ExitStack()
    held.enter_context(exclusive(plan.parent, "plan"))
    monkeypatch.setattr(status, "_WAIT_S", 0.0)
    tables.show(job(JobState.RUNNING))
    assert plan.read_text() == WHOLE
    monkeypatch.setattr(time, "sleep", rest)
    tables.show(job(JobState.COMPLETED), now=True)
    assert "| rank8 | completed | 1 |" in plan.read_text()
    assert warnings == []


def test_a_command_that_never_leaves_the_plan_is_named(
    plan: Path, warnings: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(status, "_WAIT_S", 0.0)
    monkeypatch.setattr(status, "_LOCKED_S", 0.0)
    patience = Patience(quiet_s=0.0, end_s=0.0, most_s=0.2)
    tables = StatusTables(plan.parent, lambda: datetime.now().astimezone(), warnings.append, patience=patience)
    with exclusive(plan.parent, "plan"):
        tables.show(job(JobState.COMPLETED), now=True)
    reason = f"another tunebook plan works in {plan.parent} (process {os.getpid()} on "
    assert len(warnings) == 1
    assert warnings[0].startswith(f"the status tables of {PLAN_FILE} were not updated: {reason}")
