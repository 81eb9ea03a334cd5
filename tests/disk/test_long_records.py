"""Records of tunebook with lines that are torn, too long, or of another form; and scripts that name their place."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tunebook.core.paths import DEVIATIONS, LEDGER
from tunebook.disk.deviations import Deviation, read_deviation, record_deviation
from tunebook.disk.digests import place_of_script, text_material
from tunebook.disk.json_lines import LONGEST_LINE, KeyedDocuments, read_documents
from tunebook.disk.ledger import Event, EventKind, LedgerReader, record
from tunebook.disk.schema import LineSchema

EVENT = Event("2026-01-01T10:00:00+00:00", "tag1", "run/finetune", EventKind.SUBMITTED, job_id="7")
OTHER = Event("2026-01-01T10:00:00+00:00", "tag2", "other/finetune", EventKind.SUBMITTED)


def test_a_document_is_found_by_its_key_after_it_was_appended_and_by_another_reader(tmp_path: Path) -> None:
    documents = KeyedDocuments(tmp_path, LineSchema("state/x.jsonl", 1), "tag")
    documents.append([{"tag": "a", "value": 1}, {"tag": "b", "value": 2}])
    documents.append([{"tag": "a", "value": 3}])
    for reader in (documents, KeyedDocuments(tmp_path, LineSchema("state/x.jsonl", 1), "tag")):
        assert reader.get("a") == {"tag": "a", "value": 3}
        assert reader.get("b") == {"tag": "b", "value": 2}
        assert reader.get("c") is None
        assert "b" in reader
        assert "c" not in reader


def test_a_torn_line_costs_no_document_that_is_appended_behind_it(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(b'{"tag": "a"}\n{"tag": "b", "val')
    KeyedDocuments(tmp_path, LineSchema(path.name, 1), "tag").append([{"tag": "c"}])
    assert KeyedDocuments(tmp_path, LineSchema(path.name, 1), "tag").get("c") == {"tag": "c"}
    assert [document for document in read_documents(path) if "tag" in document] == [{"tag": "a"}, {"tag": "c"}]


def test_a_document_that_was_replaced_since_is_not_taken_for_another_one(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    documents = KeyedDocuments(tmp_path, LineSchema(path.name, 1), "tag")
    documents.append([{"tag": "a"}, {"tag": "b"}])
    path.write_bytes(b'{"tag": "z"}\n{"tag": "y"}\n')
    assert documents.get("b") is None


def test_a_line_longer_than_any_document_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(b'{"a": 1}\n"' + b"x" * LONGEST_LINE + b'"\n{"b": 2}\n')
    assert list(read_documents(path)) == [{"a": 1}, {"b": 2}]


def test_a_ledger_line_longer_than_any_event_is_unreadable_and_read_once(tmp_path: Path) -> None:
    record(tmp_path, EVENT)
    path = tmp_path / LEDGER
    with path.open("ab") as stream:
        stream.write(b"x" * (3 << 20))
    reader = LedgerReader(tmp_path)
    assert reader.read().unreadable == 1
    with path.open("ab") as stream:
        stream.write(b"yyy")
    assert reader.read().unreadable == 1
    record(tmp_path, OTHER)
    ledger = reader.read()
    assert ledger.unreadable == 1
    assert list(ledger.entries) == ["run/finetune", "other/finetune"]


def test_a_torn_line_of_the_ledger_is_read_when_it_is_whole(tmp_path: Path) -> None:
    record(tmp_path, EVENT)
    path = tmp_path / LEDGER
    line = path.read_bytes()
    path.write_bytes(line[:30])
    reader = LedgerReader(tmp_path)
    assert reader.read().unreadable == 1
    path.write_bytes(line)
    assert reader.read().unreadable == 0
    assert reader.latest("run/finetune") is not None


def test_the_last_deviation_of_the_same_texts_applies(tmp_path: Path) -> None:
    for size in (4, 2):
        record_deviation(
            tmp_path, ".", Deviation("t", "OUT_OF_GPU_MEMORY", {"batch_size": 8}, {"batch_size": size}, "a")
        )
    record_deviation(tmp_path, ".", Deviation("t", "OUT_OF_GPU_MEMORY", {"batch_size": 8}, {"batch_size": 1}, "b"))
    with (tmp_path / DEVIATIONS).open("a") as stream:
        stream.write(json.dumps({"inputs": "a"}) + "\n{torn")
    found = read_deviation(tmp_path, "a")
    assert found is not None
    assert found.used == {"batch_size": 2}


@pytest.mark.parametrize(
    ("script", "place"),
    [
        (b"#!/bin/bash\nexperiment=/home/me/sweep\ncd x\n", b"/home/me/sweep"),
        (b"\nexperiment='/home/my sweep'\n", b"/home/my sweep"),
        (b"\nexperiment='/home/two\nlines' # remark\n", b"/home/two\nlines"),
        (b"\nexperiment='/it'\"'\"'s'\n", b"/it's"),
        (b"\nexperiment=\nnext\n", None),
        (b"\nexperiment='open\n" + b"\n" * 200_000, None),
        (b"echo\n", None),
    ],
)
def test_the_place_of_a_script_is_its_first_word_whatever_follows(script: bytes, place: bytes | None) -> None:
    assert place_of_script(script) == place


def test_header_lines_do_not_count_wherever_they_are() -> None:
    script = b"#SBATCH --a\n#!/bin/bash\n#SBATCH --b\n\n #SBATCH kept\r\n#SBATCH --c"
    assert text_material(script, inputs=(), experiment=b"/x") == b"#!/bin/bash\n\n #SBATCH kept\r\n"
