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
    ("run --jobs x", "Invalid value for '--jobs': 'x' is not a whole number"),
    ("run --jobs 0", "Invalid value for '--jobs': '0' is less than 1"),
    ("run --poll-s soon", "Invalid value for '--poll-s': 'soon' is not a number"),
    ("analyze --figure-ppi 9000", "Invalid value for '--figure-ppi': '9000' is more than 1200"),
    ("run --stage neither", "Invalid value for '--stage': 'neither' is not one of"),
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
    [("task new Cap-2", "task new"), ("site init --set odd", "site init"), ("site nowhere", "site"), ("odd", "odd")],
)
def test_the_document_of_an_error_names_the_command_as_that_of_a_success(
    tmp_path: Path, call: str, command: str
) -> None:
    assert json.loads(tunebook(tmp_path, *call.split(), "--json").stdout)["command"] == command


def test_json_before_the_verb_is_told_its_place(tmp_path: Path) -> None:
    (error,) = json.loads(tunebook(tmp_path, "--json", "status").stdout)["errors"]
    assert "after the verb" in error["hint"]


@pytest.mark.parametrize(
    ("call", "meant"),
    [("explain lockd", "locked"), ("statsu", "status"), ("run --excutor local", "--executor"), ("task neww x", "new")],
)
def test_a_misspelt_word_is_told_the_right_one(tmp_path: Path, call: str, meant: str) -> None:
    assert meant in tunebook(tmp_path, *call.split()).stderr.splitlines()[-1 if "explain" not in call else 1]
