"""Every kind of errors has a page, and a message says how to read it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.command_line import tunebook
from support.make_reference import DOCS
from tunebook import api
from tunebook.core.error_pages import ERROR_PAGES, page_of
from tunebook.errors import ExitCode, PlanError, Problem, TunebookError, UsageError


def kinds(root: type[TunebookError] = TunebookError) -> list[type[TunebookError]]:
    """The class and all below it."""
    return [root, *(kind for below in root.__subclasses__() for kind in kinds(below))]


OWN = [kind for kind in kinds() if kind.__module__ == "tunebook.errors"]


@pytest.mark.parametrize("kind", OWN)
def test_every_class_of_errors_has_a_page_with_its_exit_code(kind: type[TunebookError]) -> None:
    assert ERROR_PAGES[kind.code].exit_code is kind.exit_code


def test_every_page_has_a_heading_in_the_reference_and_steps() -> None:
    headings = [line for line in (DOCS / "errors.md").read_text().splitlines() if line.startswith("## ")]
    assert headings == [f"## {code}" for code in ERROR_PAGES]
    assert {kind.code for kind in OWN} | {"missing-file", "job-failed"} == set(ERROR_PAGES)
    assert all(page.steps and page.meaning for page in ERROR_PAGES.values())


def test_a_problem_keeps_its_own_page_in_an_error() -> None:
    error = PlanError([Problem("no data", missing="words.json"), Problem("wrong"), Problem("taken", code="locked")])
    assert [problem.page for problem in error.problems] == ["missing-file", "plan", "locked"]


def test_a_problem_without_a_kind_has_the_page_of_the_exit_code() -> None:
    page = page_of("", ExitCode.WRONG_PLAN)
    assert page is not None
    assert page.code == "plan"
    assert page_of("", ExitCode.DONE) is None


def test_a_message_names_its_page_and_the_page_can_be_read_without_a_network(tmp_path: Path) -> None:
    failed = tunebook(tmp_path, "status")
    assert failed.returncode == ExitCode.USAGE
    command = failed.stderr.splitlines()[-1].strip().removeprefix("more: tunebook ")
    page = tunebook(tmp_path, *command.split())
    assert page.returncode == 0
    assert page.stdout.startswith("usage: the command line asks for something that cannot be done (exit code 2)")


def test_json_gives_the_code_and_the_place_of_the_page(tmp_path: Path) -> None:
    (error,) = json.loads(tunebook(tmp_path, "status", "--json").stdout)["errors"]
    assert (error["code"], error["page"]) == ("usage", "docs/reference/errors.md#usage")
    (shown,) = json.loads(tunebook(tmp_path, "explain", error["code"], "--json").stdout)["data"]["errors"]
    assert shown["exit_code"] == ExitCode.USAGE
    assert shown["page"] == error["page"]


def test_all_pages_are_listed(tmp_path: Path) -> None:
    lines = tunebook(tmp_path, "explain").stdout.splitlines()
    assert {line.split()[0] for line in lines if line} >= set(ERROR_PAGES)


def test_the_words_of_status_tables_are_known_too_and_others_are_a_usage_error() -> None:
    assert api.explain("MISSING_FILE").code == "missing-file"
    with pytest.raises(UsageError, match="no kind of errors is named `odd`"):
        api.explain("odd")
