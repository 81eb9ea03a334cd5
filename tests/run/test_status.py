"""The status tables are written at last, however a person saves the plan, and a plan that is lost is reported once."""

from __future__ import annotations

import threading
import time
from datetime import datetime
from pathlib import Path

import pytest

from tunebook.core.jobs import Job, JobState, Stage
from tunebook.core.paths import LAST_GOOD_PLAN, PLAN_FILE
from tunebook.disk.plan_file import Patience
from tunebook.run.report import JobReport
from tunebook.run.status import StatusTables

WHOLE = "# Experiment: x\n\nedit 0\n\n## All Runs\n\n| Run Name |\n|---|\n| rank8 |\n"
JOB = Job("rank8/finetune", "rank8", Stage.PREPARATION, "torchtune", "rank8", "f", "o")
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
