"""Records that an older tunebook wrote are upgraded step by step when they are read; unknown formats are refused.

No older format was released yet, so the older ones here are made up.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from support.scaffolding import scaffolded
from tunebook.core.paths import LEDGER, MANIFEST
from tunebook.disk import ledger, manifest
from tunebook.disk.json_lines import KeyedDocuments
from tunebook.disk.ledger import Event, EventKind, read_ledger, record
from tunebook.disk.manifest import read_manifest
from tunebook.disk.schema import LineSchema, Schema
from tunebook.errors import DamagedError, ExitCode, NewerFormatError

OLD = Event("2026-01-01T10:00:00+00:00", "old", "a/finetune", EventKind.SUBMITTED, job_id="7")
NEW = replace(OLD, tag="new", job="b/finetune")


def with_text(document: dict[str, Any]) -> dict[str, Any]:
    return {"text": document["words"]}


def with_length(document: dict[str, Any]) -> dict[str, Any]:
    return document | {"length": len(document["text"])}


STEPS = {1: with_text, 2: with_length}


def test_a_document_takes_every_step_from_its_own_format() -> None:
    schema = Schema("notes.json", version=3, steps=STEPS)
    assert schema.upgraded({"version": 1, "words": "abc"}) == {"version": 3, "text": "abc", "length": 3}
    assert schema.upgraded({"version": 2, "text": "ab"}) == {"version": 3, "text": "ab", "length": 2}
    assert schema.upgraded({"version": 3, "text": "x"}) == {"version": 3, "text": "x"}


@pytest.mark.parametrize(
    ("version", "error", "words"),
    [
        (4, NewerFormatError, "written by a newer tunebook: it has format 4"),
        (0, DamagedError, "has format 0, which no tunebook wrote; the oldest one that is read is 1"),
        ("3", DamagedError, "names no format, but '3'"),
        (True, DamagedError, "names no format, but True"),
    ],
)
def test_other_formats_are_refused(version: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        Schema("notes.json", version=3, steps=STEPS).upgraded({"version": version})
    with pytest.raises(error, match=words):
        LineSchema("notes.jsonl", version=3, steps=STEPS).named_by({"format": version})


def test_a_manifest_of_an_older_tunebook_is_read_and_written_in_the_new_format(
    experiment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scaffolded(experiment)
    now = read_manifest(experiment)
    document = json.loads((experiment / MANIFEST).read_text())
    document["files"] = document.pop("generated")
    (experiment / MANIFEST).write_text(json.dumps(document | {"version": 0}))
    with pytest.raises(DamagedError, match="has format 0"):
        read_manifest(experiment)

    def renamed(old: dict[str, Any]) -> dict[str, Any]:
        return {"generated": old.pop("files"), **old}

    monkeypatch.setattr(manifest, "_SCHEMA", Schema(MANIFEST, version=1, steps={0: renamed}))
    assert read_manifest(experiment) == now
    assert scaffolded(experiment).exit_code is ExitCode.DONE
    written = json.loads((experiment / MANIFEST).read_text())
    assert written["version"] == 1
    assert written["generated"] == document["files"]


def test_a_ledger_of_an_older_tunebook_is_continued_in_the_new_format(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".tunebook").mkdir()
    record(tmp_path, OLD)
    head, line = (tmp_path / LEDGER).read_text().splitlines()
    assert head == '{"format": 1}'
    older = line.replace('"job":', '"job_name":')
    (tmp_path / LEDGER).write_text('{"format": 0}\n' + older + "\n")

    def renamed(old: dict[str, Any]) -> dict[str, Any]:
        return {"job": old.pop("job_name"), **old}

    monkeypatch.setattr(ledger, "_SCHEMA", LineSchema(LEDGER, version=1, steps={0: renamed}))
    record(tmp_path, NEW)
    record(tmp_path, replace(NEW, tag="newer"))
    found = read_ledger(tmp_path)
    assert {job: entry.last.tag for job, entry in found.entries.items()} == {"a/finetune": "old", "b/finetune": "newer"}
    assert found.unreadable == 0


def test_keyed_lines_of_two_formats_are_read_each_in_its_own(tmp_path: Path) -> None:
    schema = LineSchema("notes.jsonl", version=2, steps={1: lambda old: {"tag": old["tag"], "text": old["words"]}})
    (tmp_path / schema.file).write_text('{"format": 1}\n{"tag": "a", "words": "old"}\n')
    KeyedDocuments(tmp_path, schema, "tag").append([{"tag": "b", "text": "new"}])
    notes = KeyedDocuments(tmp_path, schema, "tag")
    assert notes.get("a") == {"tag": "a", "text": "old"}
    assert notes.get("b") == {"tag": "b", "text": "new"}
