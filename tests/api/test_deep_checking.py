"""check --deep: what is proved is proved once per shape, remembered by its content, and never passed unproved."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tunebook.api import deep_checking
from tunebook.api.deep_checking import DeepOutcome, run_deep_checks
from tunebook.cli.main import app
from tunebook.core.deep_checks import Ask, DeepCheck, DeepResult
from tunebook.errors import PlanError, Problem, ToolError
from tunebook.tools.deep.worker import Worker

PASSED = DeepResult(figure="max difference 0")


def counted(result: DeepResult) -> tuple[list[int], Callable[[Ask], DeepResult]]:
    calls: list[int] = []

    def look(_: Ask) -> DeepResult:
        calls.append(1)
        return result

    return calls, look


def run(experiment: Path, *checks: DeepCheck) -> list[DeepOutcome]:
    return list(run_deep_checks(experiment, checks, lambda _: None))


def test_a_check_that_passed_is_not_repeated_until_something_that_decides_it_changes(tmp_path: Path) -> None:
    calls, look = counted(PASSED)
    first = run(tmp_path, DeepCheck("proof", "model", look, {"content": 1}))
    again = run(tmp_path, DeepCheck("proof", "model", look, {"content": 1}))
    assert (first[0].cached, again[0].cached, len(calls)) == (False, True, 1)
    assert again[0].result.figure == "max difference 0"
    run(tmp_path, DeepCheck("proof", "model", look, {"content": 2}))
    assert len(calls) == 2


@pytest.mark.parametrize(
    "result",
    [
        DeepResult(errors=(Problem("wrong"),)),
        DeepResult(warnings=(Problem("odd"),)),
        DeepResult(unchecked="torch is not installed here"),
    ],
    ids=["failed", "doubtful", "not checked"],
)
def test_only_passes_are_remembered(tmp_path: Path, result: DeepResult) -> None:
    calls, look = counted(result)
    for _ in range(2):
        outcome = run(tmp_path, DeepCheck("proof", "model", look, {"content": 1}))
    assert len(calls) == 2
    assert outcome[0].state != "passed"


def test_a_check_without_a_key_always_runs(tmp_path: Path) -> None:
    """The scheduler may answer otherwise tomorrow."""
    calls, look = counted(PASSED)
    for _ in range(2):
        run(tmp_path, DeepCheck("scheduler", "request", look))
    assert len(calls) == 2


def test_an_error_that_a_check_raises_is_one_that_it_found_and_the_next_check_runs(tmp_path: Path) -> None:
    def refuses(_: Ask) -> DeepResult:
        raise PlanError("no", file="experiment_summary.md", line=7)

    def breaks(_: Ask) -> DeepResult:
        raise KeyError("lost")

    refused, broken, fine = run(
        tmp_path,
        DeepCheck("proof", "a", refuses, {"a": 1}),
        DeepCheck("proof", "b", breaks, {"b": 1}),
        DeepCheck("proof", "c", counted(PASSED)[1], {"c": 1}),
    )
    assert (refused.result.errors[0].line, refused.result.errors[0].message) == (7, "proof of a: no")
    assert broken.result.errors[0].message == "proof of b could not be checked: KeyError: 'lost'"
    assert fine.state == "passed"


def test_a_damaged_memory_is_no_memory(tmp_path: Path) -> None:
    calls, look = counted(PASSED)
    run(tmp_path, DeepCheck("proof", "model", look, {"content": 1}))
    for text in ("", "[]", '{"version": 1, "passed": []}', '{"version": 99, "passed": {}}'):
        (tmp_path / ".tunebook/passed_checks.json").write_text(text)
        run(tmp_path, DeepCheck("proof", "model", look, {"content": 1}))
    assert len(calls) == 5


def test_the_announcement_comes_before_the_check(tmp_path: Path) -> None:
    events: list[tuple[bool, str]] = []
    check = DeepCheck("task", "words", counted(PASSED)[1], {"a": 1}, announcement="running the experiment's own code")
    run_deep_checks(tmp_path, [check], lambda event: events.append((event.started, event.announcement)))
    assert events == [(True, "running the experiment's own code"), (False, "running the experiment's own code")]


def test_checks_of_one_shape_are_one_check_with_the_runs_of_all() -> None:
    checks = [DeepCheck("proof", "model", counted(PASSED)[1], {"rank": 4}, (name,)) for name in "abc"]
    other = DeepCheck("proof", "model", counted(PASSED)[1], {"rank": 8}, ("d",))
    found = list(deep_checking._distinct([*checks, other]))
    assert [check.runs for check in found] == [("a", "b", "c"), ("d",)]


# --- the worker's process --------------------------------------------------------------------------------------------


@pytest.fixture
def _asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker's process finds the functions of the tests."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))


@pytest.mark.usefixtures("_asked")
def test_a_worker_returns_values_and_errors_and_survives_output_of_what_it_calls() -> None:
    with Worker() as worker:
        assert worker.ask("support.asked:doubled", {"number": 21}) == {"number": 42}
        with pytest.raises(ToolError, match="ValueError: not this one"):
            worker.ask("support.asked:refuses", {})
        assert worker.ask("support.asked:doubled", {"number": 1}) == {"number": 2}


@pytest.mark.usefixtures("_asked")
def test_a_worker_that_dies_says_its_last_words_and_is_replaced() -> None:
    with Worker() as worker:
        with pytest.raises(ToolError, match=r"the process ended.*last words"):
            worker.ask("support.asked:dies", {})
        assert worker.ask("support.asked:doubled", {"number": 1}) == {"number": 2}


@pytest.mark.usefixtures("_asked")
def test_a_worker_that_does_not_answer_is_ended() -> None:
    with Worker(timeout_s=0.5) as worker, pytest.raises(ToolError, match="did not answer in time"):
        worker.ask("support.asked:sleeps", {})


@pytest.mark.usefixtures("_asked")
def test_modules_in_the_working_directory_do_not_stand_in_for_libraries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "json.py").write_text("raise RuntimeError('not the library')\n")
    (tmp_path / "typer.py").write_text("raise RuntimeError('not the library')\n")
    monkeypatch.chdir(tmp_path)
    with Worker() as worker:
        assert worker.ask("support.asked:doubled", {"number": 1}) == {"number": 2}


# --- the verb --------------------------------------------------------------------------------------------------------


@pytest.fixture
def proved(experiment: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An experiment whose deep checks are these three."""
    checks = (
        DeepCheck("model function", "m", counted(PASSED)[1], {"a": 1}, ("r1",)),
        DeepCheck("rendering", "m", lambda _: DeepResult(unchecked="torch is not installed here")),
        DeepCheck("task", "t", lambda _: DeepResult(errors=(Problem("wrong data", "experiment_summary.md", 3),))),
    )
    monkeypatch.setattr("tunebook.api.deep_checking.deep_checks", lambda *_: checks)
    return experiment


def test_each_line_has_its_sign_its_time_and_its_figures(proved: Path) -> None:
    result = CliRunner().invoke(app, ["check", str(proved), "--deep"])
    assert "✓ model function (m): max difference 0, 0.0 s" in result.stdout
    assert "– rendering (m): not checked: torch is not installed here, 0.0 s" in result.stdout
    assert "✗ task (t): 0.0 s" in result.stdout
    assert "experiment_summary.md:3: error: wrong data" in result.stderr
    assert result.exit_code == 3
    again = CliRunner().invoke(app, ["check", str(proved), "--deep"])
    assert "✓ model function (m): max difference 0, unchanged since it passed" in again.stdout


def test_json_has_every_check(proved: Path) -> None:
    result = CliRunner().invoke(app, ["check", str(proved), "--deep", "--json"])
    found: list[Mapping[str, Any]] = json.loads(result.stdout)["data"]["deep"]
    assert [(item["title"], item["state"]) for item in found] == [
        ("model function", "passed"),
        ("rendering", "not checked"),
        ("task", "failed"),
    ]
    assert found[0]["runs"] == ["r1"]
    assert found[1]["reason"] == "torch is not installed here"


def test_without_deep_nothing_is_run_or_written(proved: Path) -> None:
    result = CliRunner().invoke(app, ["check", str(proved), "--json"])
    assert json.loads(result.stdout)["data"]["deep"] == []
    assert not (proved / ".tunebook").exists()
