"""Problems read as file:line, and the public names are the ones that are listed."""

import tunebook
from tunebook.errors import ExitCode, PlanError, Problem


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
