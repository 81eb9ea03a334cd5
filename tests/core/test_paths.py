"""Paths of the plan that no job could read, and the home directory in them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from support.plans import problems_of
from tunebook.core.paths import expanded, path_problem

DATA = "- **Path:** `/scratch/gpfs/LAB/data/words_4L_80P_300.json`"
MODEL = "  - Llama-3.2-1B-Instruct: `/scratch/gpfs/LAB/pretrained-llms/Llama-3.2-1B-Instruct`"
SCRIPT = "| capitalization | `/scratch/gpfs/LAB/tasks/cap_task.py`"


@pytest.mark.parametrize("old", [DATA, MODEL, SCRIPT])
@pytest.mark.parametrize(
    ("new", "message"),
    [
        ("$HOME/x", "contains a variable"),
        ("/scratch/${USER}/x", "contains a variable"),
        ("hf://datasets/x", "is a URL"),
        ("~no-such-user/x", "the home directory of an unknown user"),
        ("/scratch/<group>/x", "contains a placeholder"),
        ("/" + "x" * 300, "longer than 255 bytes"),
    ],
)
def test_a_path_that_no_job_can_read_is_an_error_of_the_plan(
    edited: Callable[..., str], old: str, new: str, message: str
) -> None:
    head = old.partition("`")[0]
    found = [problem for problem in problems_of(edited((old, f"{head}`{new}`"))) if message in str(problem)]
    assert found
    assert all(problem.line for problem in found)


def test_a_dollar_sign_inside_a_name_is_a_name() -> None:
    assert path_problem("/data/it costs $HOME money/${x}y.json") == ("", "")


def test_the_home_directory_of_an_unknown_user_stays_as_it_is_written() -> None:
    assert expanded("~no-such-user/x") == "~no-such-user/x"
    assert expanded("~/x") == str(Path.home() / "x")
