"""A run that is interrupted tells a person what happens to the jobs, and how to resume it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tunebook.cli.ending import left_behind

HERE = Path("/my sweep")


@pytest.mark.parametrize(
    ("jobs", "survive", "expected"),
    [
        (3, False, ["Ending 3 jobs; Ctrl-C again kills them at once.", "tunebook run '/my sweep'", "runs them again"]),
        (1, False, ["Ending 1 job; Ctrl-C again kills it at once.", "runs it again"]),
        (
            3,
            True,
            ["3 jobs continue without this command.", "tunebook status '/my sweep'", "tunebook cancel '/my sweep'"],
        ),
        (1, True, ["1 job continues without this command."]),
        (0, True, ["No job is queued or running.", "tunebook run '/my sweep'"]),
    ],
)
def test_what_happens_to_the_jobs_and_how_to_resume(jobs: int, *, survive: bool, expected: list[str]) -> None:
    text = left_behind(jobs, HERE, survive=survive)
    assert all(words in text for words in expected)
    assert "{" not in text
