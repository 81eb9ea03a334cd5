"""A usage error with `--json` is one document with exit code 2; without it, the usage of the verb on stderr."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.command_line import tunebook
from tunebook.errors import ExitCode

WRONG = [
    ("run --bogus", "No such option: --bogus"),
    ("bogus", "No such command"),
    ("", "No such option: --json"),
    ("setup-finetune", "Missing argument 'RUN_DIR'"),
    ("run --jobs x", "Invalid value for '--jobs'"),
    ("run --jobs 0", "Invalid value for '--jobs'"),
    ("run --stage neither", "Invalid value for '--stage'"),
    ("site show one two", "unexpected extra argument"),
    ("explain odd", "no kind of errors is named `odd`"),
    ("status nowhere", "no experiment_summary.md in"),
]


@pytest.mark.parametrize(("call", "message"), WRONG)
def test_a_usage_error_is_a_document_with_json(tmp_path: Path, call: str, message: str) -> None:
    done = tunebook(tmp_path, *call.split(), "--json")
    document = json.loads(done.stdout)
    assert done.returncode == document["exit_code"] == ExitCode.USAGE
    assert not document["ok"]
    assert message in document["errors"][0]["message"]
    assert document["errors"][0]["code"] == "usage"
    assert done.stderr == ""


@pytest.mark.parametrize("call", [call for call, _ in WRONG if call])
def test_a_usage_error_is_a_message_without_json(tmp_path: Path, call: str) -> None:
    done = tunebook(tmp_path, *call.split())
    assert done.returncode == ExitCode.USAGE
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert done.stderr


@pytest.mark.parametrize(
    ("call", "command"),
    [
        ("task new x --scorer odd", "task new"),
        ("skills install --layout odd", "skills install"),
        ("run --bogus", "run"),
    ],
)
def test_the_document_names_the_verb_as_that_of_a_success_does(tmp_path: Path, call: str, command: str) -> None:
    assert json.loads(tunebook(tmp_path, *call.split(), "--json").stdout)["command"] == command
