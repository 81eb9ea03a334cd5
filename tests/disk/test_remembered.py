"""A file that a command left for the next one: used if it is whole and of this version, and otherwise ignored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tunebook.disk.remembered import read_remembered


def runs(document: Any) -> list[str]:
    return [str(name) for name in document["runs"]]


def test_a_document_of_this_version_is_read(tmp_path: Path) -> None:
    file = tmp_path / "memory.json"
    file.write_text('{"version": 2, "runs": ["rank8"]}')
    assert read_remembered(file, runs, version=2) == ["rank8"]


@pytest.mark.parametrize(
    "text",
    [
        '{"version": 1, "runs": ["rank8"]}',
        '{"runs": ["rank8"]}',
        '{"version": 2}',
        '{"version": 2, "runs": 8}',
        '{"version": 2, "ru',
        '["rank8"]',
        "null",
        "",
        "[" * 100_000,
    ],
)
def test_any_other_document_is_ignored(tmp_path: Path, text: str) -> None:
    file = tmp_path / "memory.json"
    file.write_text(text)
    assert read_remembered(file, runs, version=2) is None


def test_a_place_that_holds_no_file_is_ignored(tmp_path: Path) -> None:
    (tmp_path / "folder.json").mkdir()
    assert read_remembered(tmp_path / "folder.json", dict) is None
    assert read_remembered(tmp_path / "missing.json", dict) is None
