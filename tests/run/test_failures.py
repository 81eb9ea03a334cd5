"""A job that does not find its data set or model fails with MISSING_FILE, in the words of the code that it runs."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

from tunebook.run.failures import diagnose, word_of_end
from tunebook.tools.runtime.data_files import DataReader


def read_data(missing: Path) -> None:
    list(DataReader(missing).examples())


def open_data(missing: Path) -> None:
    missing.read_text()


def output_of(read: Callable[[Path], None], missing: Path) -> list[str]:
    """The lines that a job writes that ends with this error."""
    try:
        read(missing)
    except (OSError, ValueError):
        return traceback.format_exc().splitlines()
    raise AssertionError(f"{missing} was read")


@pytest.mark.parametrize("read", [read_data, open_data])
def test_a_missing_data_set_is_a_missing_file(tmp_path: Path, read: Callable[[Path], None]) -> None:
    output = output_of(read, tmp_path / "words.json")
    found = diagnose("exit code 1", output)
    assert found.kind == word_of_end(1, "", output) == "MISSING_FILE"
    assert "tunebook check" in found.advice
    assert any("words.json" in line for line in found.lines)


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("tunebook: the model's directory /m has no config.json, or was not found", "MISSING_FILE"),
        ("ValueError: the base model /b of the adapter /a was not found", "MISSING_FILE"),
        ("ImportError: torchtune's recipe lora was not found", "MISSING_MODULE"),
        ("RuntimeError: the answer was not found in the choices", ""),
    ],
)
def test_the_words_of_job_programs_are_told_apart(line: str, kind: str) -> None:
    assert diagnose("exit code 1", [line]).kind == kind


def test_a_file_that_is_only_mentioned_stays_out_of_the_notes() -> None:
    assert word_of_end(1, "", ["cat: /x: No such file or directory"]) == ""
