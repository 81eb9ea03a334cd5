"""Data sets as they are surveyed before training, and as training reads them."""

from __future__ import annotations

import json
from pathlib import Path

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
