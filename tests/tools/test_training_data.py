"""The readers of training data, which jobs and `check` share: files, splits and formats, without torch."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tunebook.tools.runtime import json_stream
from tunebook.tools.runtime.training_data import load_records

PAIRS = [{"input": "a {b}", "output": "A"}, {"input": "c", "output": "C"}]
CHAT = {"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": "X"}]}
SHARED = {"conversations": [{"from": "human", "value": "x"}, {"from": "gpt", "value": "X"}]}

Write = Callable[[str, Any], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def to(name: str, document: Any) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(document, bytes):
            path.write_bytes(document)
        else:
            path.write_text(document if isinstance(document, str) else json.dumps(document), encoding="utf-8")
        return path

    return to


def lines(*records: Any) -> str:
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)


def to_parquet(path: Path, records: list[dict[str, Any]]) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pa.Table.from_pylist(records), path)


def test_the_readers_import_neither_torch_nor_transformers() -> None:
    code = (
        "import sys; import tunebook.tools.runtime.training_data, tunebook.tools.runtime.examples; print(*sys.modules)"
    )
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "transformers", "pyarrow"} & set(modules)


@pytest.mark.parametrize("character", ["\u2028", "\u2029", "\x85"])
def test_only_a_newline_ends_a_line_of_jsonl(write: Write, character: str) -> None:
    record = {"input": f"one{character}two", "output": "X"}
    raw = lines(PAIRS[0], record, PAIRS[1])
    assert load_records(write("d.jsonl", raw), "train", "instruct") == [PAIRS[0], record, PAIRS[1]]


def test_windows_line_ends_and_blank_lines_are_accepted(write: Write) -> None:
    raw = lines(*PAIRS).replace("\n", "\r\n") + "\r\n"
    assert load_records(write("d.jsonl", raw), "train", "instruct") == PAIRS


@pytest.mark.parametrize(("name", "text"), [("d.json", json.dumps(PAIRS)), ("d.jsonl", lines(*PAIRS))])
def test_a_byte_order_mark_is_accepted(write: Write, name: str, text: str) -> None:
    assert load_records(write(name, b"\xef\xbb\xbf" + text.encode()), "train", "instruct") == PAIRS


@pytest.mark.parametrize("name", ["d.json", "d.jsonl"])
def test_another_encoding_is_named_with_line_and_byte(write: Write, name: str) -> None:
    text = '[{"input": "a", "output": "b"},\n{"input": "\u00e9", "output": "b"}]'
    if name == "d.jsonl":
        text = '{"input": "a", "output": "b"}\n{"input": "\u00e9", "output": "b"}'
    with pytest.raises(ValueError, match=rf"{name}:2: not UTF-8: byte 12 of the line is 0xe9; save the file as UTF-8"):
        load_records(write(name, text.encode("latin-1")), "train", "instruct")


def test_every_place_of_a_document_may_be_torn_by_the_buffer(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    text = 'é 😀 " \\ \n'
    document = {
        "note": {"a": [1, 2.5e3, None]},
        "train": [{"input": 'é 😀 " \\ \n', "output": "true", "n": 1234567}, *PAIRS],
        "validation": [],
        "test": PAIRS,
    }
    path = write("d.json", json.dumps(document, indent=1))
    for size in range(1, 40):
        monkeypatch.setattr(json_stream, "_CHUNK", size)
        assert [record["input"] for record in load_records(path, "train", "instruct")] == [
            text,
            "a {b}",
            "c",
        ]
        assert load_records(path, "test", "instruct") == PAIRS


def test_a_broken_value_in_a_long_file_is_found_without_reading_all_of_it(write: Write) -> None:
    with pytest.raises(ValueError, match=r"d\.json: not valid JSON: .* \(line 3\)"):
        load_records(
            write("d.json", '[\n{"input": "a", "output": "b"},\n{"input" "a"}' + "x" * 10_000_000), "train", "instruct"
        )


def test_parquet_is_read_whole_and_in_parts(tmp_path: Path) -> None:
    to_parquet(tmp_path / "one" / "train.parquet", PAIRS)
    to_parquet(tmp_path / "hub" / "data" / "train-00000-of-00002.parquet", PAIRS[:1])
    to_parquet(tmp_path / "hub" / "data" / "train-00001-of-00002.parquet", PAIRS[1:])
    to_parquet(tmp_path / "hub" / "data" / "test-00000-of-00001.parquet", PAIRS[1:])
    (tmp_path / "hub" / "README.md").write_text("card")
    assert load_records(tmp_path / "one", "train", "instruct") == PAIRS
    assert load_records(tmp_path / "one" / "train.parquet", "train", "instruct") == PAIRS
    assert load_records(tmp_path / "hub", "train", "instruct") == PAIRS
    assert load_records(tmp_path / "hub", "test", "instruct") == PAIRS[1:]


def test_a_missing_part_and_a_part_alone_are_errors(tmp_path: Path) -> None:
    part = tmp_path / "train-00000-of-00003.parquet"
    to_parquet(part, PAIRS)
    with pytest.raises(ValueError, match="lacks parts 1, 2 of 3 of the train split"):
        load_records(tmp_path, "train", "instruct")
    with pytest.raises(ValueError, match="is one of 3 parts: give the directory with all of them"):
        load_records(part, "train", "instruct")


def test_a_directory_has_one_file_for_each_split(write: Write) -> None:
    write("many/train.jsonl", lines(*PAIRS))
    write("many/dataset_info.json", {"features": {}})
    folder = write("many/val.json", PAIRS[:1]).parent
    assert load_records(folder, "train", "instruct") == PAIRS
    assert load_records(folder, "validation", "instruct") == PAIRS[:1]
    write("many/train.json", PAIRS)
    with pytest.raises(ValueError, match=r"several files of the train split: train\.json, train\.jsonl; keep one"):
        load_records(folder, "train", "instruct")


def test_two_spellings_of_one_split_are_an_error(write: Write) -> None:
    document = {"train": PAIRS, "val": PAIRS, "validation": PAIRS}
    with pytest.raises(ValueError, match="has both `val` and `validation`: write one validation split"):
        load_records(write("d.json", document), "train", "instruct")
    write("many/train.json", PAIRS)
    write("many/dev.json", PAIRS)
    with pytest.raises(ValueError, match=r"several files of the validation split: dev\.json, valid\.json; keep one"):
        load_records(write("many/valid.json", PAIRS).parent, "train", "instruct")


@pytest.mark.parametrize(
    ("kind", "record", "read"),
    [
        ("instruct", {"prompt": "p", "completion": "c"}, {"input": "p", "output": "c"}),
        ("instruct", {"instruction": "do", "input": "this", "output": "o"}, {"input": "do\n\nthis", "output": "o"}),
        ("instruct", {"instruction": "do", "input": "", "output": "o"}, {"input": "do", "output": "o"}),
        ("instruct", {"instruction": "do", "input": None, "output": "o"}, {"input": "do", "output": "o"}),
        ("instruct", {"instruction": "do", "output": "o"}, {"input": "do", "output": "o"}),
        ("instruct", {"input": "i", "output": ""}, {"input": "i", "output": ""}),
        ("chat", CHAT | {"id": 7}, CHAT),
        ("chat", SHARED, CHAT),
        ("chat", {"conversations": CHAT["messages"]}, CHAT),
        ("text_completion", {"text": "t", "url": "u"}, {"text": "t"}),
    ],
)
def test_formats_whose_meaning_is_beyond_doubt_are_converted(
    write: Write, kind: str, record: dict[str, Any], read: dict[str, Any]
) -> None:
    assert load_records(write("d.jsonl", lines(record)), "train", kind) == [read]


def turn(**other: Any) -> dict[str, Any]:
    return {"messages": [*CHAT["messages"], other]}


@pytest.mark.parametrize(
    ("kind", "record", "message"),
    [
        ("instruct", {"input": "a"}, "the field `output` is missing; the fields are: input"),
        ("instruct", {"input": "a", "output": 7}, 'output` is a number, not a text: write it in quotes: "7"'),
        ("instruct", {"input": "a", "output": True}, 'output` is true or false, not a text: .* "true"'),
        (
            "instruct",
            {"input": "a", "output": None},
            "output` is null, not a text: write a text, or remove the example",
        ),
        ("instruct", {"input": "a", "output": "\ud83d"}, "`output` holds half of a character"),
        ("instruct", {"input": "a", "output": "b", "prompt": "c", "completion": "d"}, "remove the fields"),
        ("instruct", ["a"], "an example is an object, but this is a list"),
        ("instruct", SHARED, r"fields are: conversations; for these write `- \*\*Dataset Type:\*\* chat`"),
        ("instruct", CHAT, r"fields are: messages; for these write `- \*\*Dataset Type:\*\* chat`"),
        (
            "instruct",
            {"question": "a", "answer": "b"},
            "needs `instruction` and `output`; `input` and `output`; `prompt`",
        ),
        ("chat", PAIRS[0], r"for these write `- \*\*Dataset Type:\*\* instruct`"),
        ("chat", CHAT | SHARED, "it has `messages`, and also `conversations`"),
        ("chat", turn(role="tool", content="x"), "message 2 of `messages`: `role` is 'tool'; allowed: system, user, "),
        ("chat", turn(role="assistant", content=None, tool_calls=[]), "message 2 .*: `content` is null"),
        ("chat", turn(role="assistant", content="x", tool_calls=[{}]), "`tool_calls` cannot be trained"),
        ("chat", turn(role="user", content=[{"type": "text"}]), "`content` is a list, not a text"),
        ("chat", {"messages": []}, "must be a list of messages, and not empty"),
        ("chat", {"messages": CHAT["messages"][:1]}, "no message is from the assistant"),
        ("chat", {"conversations": [{"from": "observation", "value": "x"}]}, "`from` is 'observation'; allowed: human"),
    ],
)
def test_an_example_that_cannot_be_used_is_named_with_its_line(
    write: Write, kind: str, record: Any, message: str
) -> None:
    path = write("d.jsonl", json.dumps(record) + "\n")
    with pytest.raises(ValueError, match=r"d\.jsonl:1, train, example 0: .*" + message):
        load_records(path, "train", kind)


def test_examples_of_another_format_than_the_first_are_errors(write: Write) -> None:
    for other in ({"prompt": "p", "completion": "c"}, {"instruction": "i", "input": "", "output": "o"}):
        with pytest.raises(ValueError, match=r"d\.jsonl:3, train, example 2: "):
            load_records(write("d.jsonl", lines(*PAIRS, other)), "train", "instruct")


@pytest.mark.parametrize(
    ("name", "document", "split", "message"),
    [
        (
            "d.json",
            PAIRS,
            "validation",
            "has no splits, so all of it is training data: it cannot serve as validation",
        ),
        ("d.json", {"train": PAIRS, "test": []}, "validation", "has no validation split; it has: train, test"),
        ("d.json", {"data": PAIRS}, "train", "name it `train` instead of `data`"),
        ("d.json", {"version": 1, "data": PAIRS}, "train", "name it `train` instead of `data`"),
        ("d.json", {"train": []}, "train", "the train split is empty"),
        ("d.json", [], "train", "the train split is empty"),
        ("d.jsonl", "", "train", "the train split is empty"),
        ("d.json", {"train": {"input": "a"}}, "train", "`train` must be a list of examples"),
        ("d.json", "{", "train", r"not valid JSON: .* \(line 1\)"),
        ("d.json", "", "train", "holds neither a list of examples nor splits"),
        ("d.json", lines(*PAIRS), "train", r"text follows the JSON value \(line 2\): give a file .* the ending .jsonl"),
        ("d.json", '{"train": [], "train": []}', "train", "the key `train` appears twice"),
        ("d.json", '[{"input": "a", "output": "b", "output": "c"}]', "train", "the key `output` appears twice in one"),
        ("d.jsonl", '{"input": "a"', "train", r"d\.jsonl:1: not valid JSON: "),
        ("d.jsonl", "version https://git-lfs.github.com/spec/v1\n", "train", "is a Git LFS pointer, .*`git lfs pull`"),
        (
            "d.csv",
            "input,output\n",
            "train",
            "is not a data file that can be read: write one of .json, .jsonl, .parquet",
        ),
        ("d.parquet", "PAR1", "train", "is not a whole Parquet file"),
        ("d/notes.txt", "", "train", "holds no data file .* it holds: "),
    ],
)
def test_files_that_cannot_be_read_are_named(write: Write, name: str, document: Any, split: str, message: str) -> None:
    path = write(name, document)
    if "/" in name:
        path = path.parent
    with pytest.raises(ValueError, match=message):
        load_records(path, split, "instruct")
