"""Data sets as they are surveyed before training, and as training reads them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tunebook.tools.datasets import read_dataset_facts
from tunebook.tools.runtime.training_data import load_records


def test_a_line_separator_inside_a_json_string_ends_no_line(tmp_path: Path) -> None:
    record = {"input": "one\u2028two\x85three", "output": "four"}
    file = tmp_path / "train.jsonl"
    file.write_text(json.dumps(record, ensure_ascii=False) + "\n", encoding="utf-8")
    facts = read_dataset_facts(file)
    assert facts is not None
    assert (facts.problem, facts.splits) == ("", {"train": 1})
    assert load_records(file, "train", "instruct") == [record]


def test_inputs_in_two_splits_are_counted_once_each(tmp_path: Path) -> None:
    file = tmp_path / "data.json"
    examples = [{"input": letter, "output": "x"} for letter in "aabc"]
    file.write_text(json.dumps({"train": examples, "val": examples[:2], "test": examples[3:]}))
    facts = read_dataset_facts(file)
    assert facts is not None
    assert facts.splits == {"train": 4, "validation": 2, "test": 1}
    assert facts.overlaps == {("train", "validation"): 1, ("train", "test"): 1}


def test_a_conversation_in_two_splits_is_counted_whatever_the_order_of_its_keys(tmp_path: Path) -> None:
    file = tmp_path / "chats.json"
    said = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hi"}]
    same = [{"content": message["content"], "role": message["role"]} for message in said]
    file.write_text(json.dumps({"train": [{"messages": said}], "test": [{"messages": same}]}))
    facts = read_dataset_facts(file)
    assert facts is not None
    assert facts.overlaps == {("train", "test"): 1}


def test_a_pipe_and_a_name_that_is_too_long_are_problems_and_end_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "directory").mkdir()
    os.mkfifo(tmp_path / "directory" / "train.json")
    for name in ("pipe.json", "directory"):
        facts = read_dataset_facts(tmp_path / name)
        assert facts is not None
        assert "is not a file" in facts.problem
    facts = read_dataset_facts(tmp_path / ("x" * 300))
    assert facts is not None
    assert facts.problem.endswith("cannot be read: its name or path is too long")


def test_a_directory_that_may_not_be_listed_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "iterdir", refuse)
    facts = read_dataset_facts(tmp_path)
    assert facts is not None
    assert facts.problem == f"{tmp_path} cannot be read: Permission denied"


def test_shards_with_a_hash_in_their_names_are_one_split(tmp_path: Path) -> None:
    for number in range(2):
        name = f"train-0000{number}-of-00002-a09b74b3ef9c3b56.jsonl"
        (tmp_path / name).write_text(json.dumps({"input": str(number), "output": "x"}))
    facts = read_dataset_facts(tmp_path)
    assert facts is not None
    assert facts.splits == {"train": 2}
