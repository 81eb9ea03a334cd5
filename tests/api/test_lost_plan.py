"""A plan that is lost, is no file, or lies outside of the experiment: the message and the way back."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from support.scaffolding import scaffolded
from tunebook import api
from tunebook.core.paths import LAST_GOOD_PLAN, PLAN_FILE
from tunebook.errors import PlanError, UsageError

WAY_BACK = f"`cp {LAST_GOOD_PLAN} {PLAN_FILE}`"


@pytest.fixture
def kept(experiment: Path) -> Path:
    """An experiment with a copy of its last good plan."""
    copy = experiment / LAST_GOOD_PLAN
    copy.parent.mkdir(parents=True)
    copy.write_text((experiment / PLAN_FILE).read_text())
    return experiment


@pytest.mark.parametrize("verb", [api.check, api.run, api.scaffold])
def test_a_deleted_plan_is_reported_with_the_way_back(verb: object, kept: Path) -> None:
    (kept / PLAN_FILE).unlink()
    assert callable(verb)
    with pytest.raises(UsageError) as caught:
        verb(kept)
    assert WAY_BACK in caught.value.problems[0].hint


def test_an_emptied_plan_is_reported_with_the_way_back(kept: Path) -> None:
    (kept / PLAN_FILE).write_text("\n")
    assert WAY_BACK in api.check(kept).errors[0].hint
    for verb in (api.run, api.scaffold):
        with pytest.raises(PlanError) as caught:
            verb(kept)
        assert WAY_BACK in caught.value.problems[0].hint


def test_a_plan_that_leads_out_of_the_experiment_is_a_warning_of_check_and_scaffold(
    experiment: Path, tmp_path: Path
) -> None:
    (experiment / PLAN_FILE).rename(tmp_path / PLAN_FILE)
    (experiment / PLAN_FILE).symlink_to(tmp_path / PLAN_FILE)
    for warnings in (api.check(experiment).warnings, scaffolded(experiment).warnings):
        (warning,) = [item for item in warnings if item.file == PLAN_FILE and "leads out" in item.message]
        assert warning.hint == "put the plan itself here, and link to it from the repository"


@pytest.mark.parametrize("kind", [os.mkfifo, os.mkdir])
def test_something_that_is_no_file_in_place_of_the_plan_is_named(kind: object, experiment: Path) -> None:
    (experiment / PLAN_FILE).unlink()
    assert callable(kind)
    kind(experiment / PLAN_FILE)
    with pytest.raises(UsageError, match="is not a regular file"):
        api.check(experiment)


def test_a_run_directory_that_leads_out_is_to_be_moved_back(experiment: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (experiment / "rank8_lr1e-5").symlink_to(tmp_path / "elsewhere")
    (problem,) = [item for item in api.check(experiment).errors if "leads out" in item.message]
    assert "move the directory back; `Output base directory`" in problem.hint
