"""Questions of an evaluation that are inputs of training examples are counted, equal and nearly equal ones apart."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tunebook.tools import train_overlap
from tunebook.tools.train_overlap import Overlap, Overlaps

TRAIN = ["house", "Big  Table", "water", "x" * 3000]


def write(experiment: Path, name: str, **splits: list[str]) -> None:
    examples = {split: [{"input": text, "output": "o"} for text in inputs] for split, inputs in splits.items()}
    (experiment / name).write_text(json.dumps(examples))


@pytest.fixture
def experiment(tmp_path: Path) -> Path:
    write(tmp_path, "words.json", train=TRAIN, test=["stone"])
    return tmp_path


def test_equal_questions_and_those_that_differ_in_case_or_space_are_counted_apart(experiment: Path) -> None:
    asked = ["house", "house", "big table", "stone", "new", "", "x" * 2000]
    found = Overlaps(experiment).of_questions("words.json", "instruct", asked)
    assert found == Overlap(asked=7, equal=3, alike=1)


def test_a_tasks_own_file_is_compared_by_the_split_that_is_evaluated(experiment: Path) -> None:
    write(experiment, "other.json", train=["water"], test=["house", "new"])
    assert Overlaps(experiment).of_file("words.json", "instruct", "other.json") == Overlap(asked=2, equal=1)
    rows = [{"question": "WATER", "choices": ["a"]}, {"question": "house", "choices": ["a"]}]
    (experiment / "foreign.json").write_text(json.dumps({"test": rows}))
    assert Overlaps(experiment).of_file("words.json", "instruct", "foreign.json") == Overlap(asked=2, equal=1, alike=1)
    assert not Overlaps(experiment).of_file("words.json", "instruct", "missing.json")
    assert not Overlaps(experiment).of_questions("missing.json", "instruct", ["house"])


def test_a_chat_is_compared_by_the_words_of_its_user(experiment: Path) -> None:
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Where is Oslo?"},
        {"role": "assistant", "content": "In Norway."},
    ]
    (experiment / "chats.json").write_text(json.dumps({"train": [{"messages": messages}]}))
    found = Overlaps(experiment).of_questions("chats.json", "chat", ["Where is Oslo?", "Be brief."])
    assert found == Overlap(asked=2, equal=1)


def test_data_is_read_again_only_when_it_or_the_questions_change(
    experiment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    original = train_overlap._inputs

    def counted(*arguments: Any) -> Any:
        read.append("read")
        return original(*arguments)

    monkeypatch.setattr(train_overlap, "_inputs", counted)

    def equal(*asked: str) -> int:
        return Overlaps(experiment).of_questions("words.json", "instruct", asked).equal

    assert (equal("house"), equal("house"), len(read)) == (1, 1, 1)
    assert (equal("house", "water"), len(read)) == (2, 2)
    write(experiment, "words.json", train=["another word"])
    assert (equal("house"), len(read)) == (0, 3)
