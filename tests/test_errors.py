"""Problems read as file:line, and the public names are the ones that are listed."""

import errno
import os

import pytest

import tunebook
from tunebook.errors import ExitCode, PlanError, Problem, in_words, os_problem


def test_a_problem_names_file_line_and_what_to_do() -> None:
    problem = Problem("unknown column `Learning Rat`", "experiment_summary.md", 41, "did you mean `Learning Rate`?")
    assert str(problem) == ("experiment_summary.md:41: unknown column `Learning Rat` (did you mean `Learning Rate`?)")


def test_a_plan_error_carries_every_problem() -> None:
    error = PlanError([Problem("one"), Problem("two")])
    assert [problem.message for problem in error.problems] == ["one", "two"]
    assert error.exit_code is ExitCode.WRONG_PLAN


def test_public_names_are_sorted_and_exist() -> None:
    assert list(tunebook.__all__) == sorted(tunebook.__all__)
    assert all(hasattr(tunebook, name) for name in tunebook.__all__)


@pytest.mark.parametrize(
    ("code", "cause"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EDQUOT, "quota"),
        (errno.EACCES, "Permission denied"),
        (errno.EROFS, "can only be read"),
        (errno.ENAMETOOLONG, "too long"),
        (errno.EMFILE, "too many open files"),
        (errno.EIO, "input/output error"),
        (errno.ESTALE, "stale file handle"),
        (errno.ENOTDIR, "not a directory"),
        (errno.ELOOP, "in a circle"),
        (errno.EBADF, "Bad file descriptor"),
    ],
)
def test_an_error_of_the_system_names_the_file_and_the_true_cause(code: int, cause: str) -> None:
    problem = os_problem(OSError(code, os.strerror(code), "/a/b/c.yaml"), within="/a/b")
    assert problem.file == "c.yaml"
    assert cause in problem.message
    assert ("free some space" in problem.hint) is (code in {errno.ENOSPC, errno.EDQUOT})


def test_a_refusal_in_tunebooks_own_words_keeps_them() -> None:
    problem = os_problem(OSError(errno.EINVAL, "it is not a regular file", "/a"))
    assert str(problem) == "/a: it is not a regular file (rename or remove it, and put a file there)"
    assert in_words(OSError(errno.ENOENT, os.strerror(errno.ENOENT), "/a")) == "/a: No such file or directory"


def test_a_problem_that_several_runs_share_is_shown_once() -> None:
    same = Problem("the model cannot be read", "plan.md", 3)
    assert len(PlanError([same, same, Problem("another")]).problems) == 2
