"""`check` reports all data that a training would refuse or cut, and flaws with their numbers."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from support.tiny_model import CHAT_TEMPLATE, build_tiny_model, write_tiny_experiment
from tunebook import api
from tunebook.errors import PlanError, Problem
from tunebook.tools.data_record import data_flaws
from tunebook.tools.light_tokenizer import LightTokenizer
from tunebook.tools.runtime.examples import example_parts

_MAIN = "from tunebook.cli.main import main; main()"
pytestmark = pytest.mark.filterwarnings("ignore")  # Transformers, torchao and torch warn of one another
WORDS = [{"input": word, "output": word.upper()} for word in ("house", "table", "water", "stone", "light", "paper")]
CHATS = [
    {"messages": [{"role": "user", "content": item["input"]}, {"role": "assistant", "content": item["output"]}]}
    for item in WORDS
]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_model(tmp_path_factory.mktemp("model"))


@pytest.fixture
def experiment(tmp_path: Path, model: Path) -> Path:
    write_tiny_experiment(
        tmp_path / "words",
        model,
        ("train (320), validation (40), test (40)", "train (6)"),
        ("- **Batch Size:** 8", "- **Batch Size:** 2"),
    )
    return write(tmp_path / "words", {"train": WORDS})


def write(experiment: Path, document: Any) -> Path:
    (experiment / "words.json").write_text(json.dumps(document))
    return experiment


def configured(experiment: Path, *bullets: str) -> None:
    """Adds settings; data that are no pairs of input and output take no prompt."""
    page = experiment / "experiment_summary.md"
    if any(bullet.startswith("Dataset Type") for bullet in bullets):
        page.write_text(page.read_text().replace('"Capitalize the given word: {input}"', '"{input}"'))
    given = "".join(f"- **{name}:** {value}\n" for name, _, value in (bullet.partition(": ") for bullet in bullets))
    page.write_text(page.read_text().replace("\n## Configuration\n", f"\n## Configuration\n{given}"))


def errors(experiment: Path) -> list[str]:
    """The errors of `check`; scaffolding refuses the same plan."""
    report = api.check(experiment)
    if report.errors:
        try:
            refused: tuple[Problem, ...] = api.scaffold(experiment).errors
        except PlanError as error:
            refused = error.problems
        assert set(refused) >= set(report.errors)
    return [str(problem) for problem in report.errors]


def warnings(experiment: Path) -> str:
    return "\n".join(str(problem) for problem in api.check(experiment).warnings)


def refused_by_the_job(experiment: Path, model: Path, split: str = "train", **arguments: Any) -> str:
    from tunebook.tools.runtime.torchtune_components import chat_tokenizer, dataset

    tokenizer = chat_tokenizer(str(model), arguments.pop("max_seq_len", None))
    try:
        dataset(tokenizer, path=str(experiment / "words.json"), split=split, **arguments)
    except ValueError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    ("document", "kind", "message"),
    [
        ({"train": [*WORDS[:5], {"input": "a", "output": 1}]}, "instruct", "example 5: `output` is a number"),
        ({"train": [*WORDS[:5], {"input": "a", "output": None}]}, "instruct", "example 5: `output` is null"),
        ({"train": [{"conversations": []}] * 6}, "instruct", "6 of 6 examples cannot be used; the first: words.json:1"),
        ({"train": CHATS}, "instruct", "for these write `- **Dataset Type:** chat`"),
        ({"train": [*CHATS[:5], {"messages": [{"role": "tool", "content": "x"}]}]}, "chat", "`role` is 'tool'"),
        ({"train": WORDS, "val": WORDS[:1], "validation": WORDS[:1]}, "instruct", "both `val` and `validation`"),
        ({"data": WORDS}, "instruct", "has no train split; it has: data"),
        ({"train": [], "test": WORDS}, "instruct", "the train split of"),
    ],
)
def test_everything_that_the_job_refuses_is_an_error(
    experiment: Path, model: Path, document: Any, kind: str, message: str
) -> None:
    assert errors(experiment) == []
    write(experiment, document)
    configured(experiment, f"Dataset Type: {kind}")
    assert refused_by_the_job(experiment, model, dataset_type=kind)
    found = [error for error in errors(experiment) if message in error]
    assert len(found) == 1
    assert found[0].startswith("experiment_summary.md:33: ")


def test_a_conversation_that_begins_with_an_answer_is_an_error_as_in_the_job(experiment: Path, model: Path) -> None:
    write(experiment, {"train": [*CHATS[:5], {"messages": CHATS[5]["messages"][1:]}]})
    configured(experiment, "Dataset Type: chat")
    (error,) = errors(experiment)
    assert "nothing is asked before the first answer" in error
    assert "nothing is asked before" in refused_by_the_job(experiment, model, dataset_type="chat")


def test_one_object_is_no_data_set(experiment: Path) -> None:
    write(experiment, WORDS[0])
    assert "is one object without a list of examples" in errors(experiment)[0]


def test_half_characters_in_the_names_of_fields_are_printed_as_escapes(experiment: Path) -> None:
    text = json.dumps([{**item, "\ud83d": 1} for item in WORDS])
    (experiment / "words.json").write_text(text)
    for options in ([], ["--json"]):
        done = subprocess.run(
            [sys.executable, "-c", _MAIN, "check", *options, str(experiment)], capture_output=True, check=False
        )
        assert (done.returncode, done.stderr.count(b"Traceback")) == (0, 0)
        assert b"\\ud83d (6)" in done.stdout


def test_only_the_splits_that_a_training_reads_must_be_whole(experiment: Path) -> None:
    write(experiment, {"train": WORDS, "validation": [{"input": "a"}], "test": [{"question": "a", "answer": "b"}]})
    assert errors(experiment) == []
    assert "validation, example 0: the field `output` is missing" in warnings(experiment)
    assert "test, example 0: the field `input` is missing" in warnings(experiment)
    page = experiment / "experiment_summary.md"
    text = page.read_text().replace("train (6)", "train (6), validation (1)")
    page.write_text(text.replace("Validation During Training:** no", "Validation During Training:** yes"))
    assert "validation, example 0: the field `output` is missing" in "".join(errors(experiment))


def test_equal_prompts_are_an_error(experiment: Path) -> None:
    write(experiment, {"train": [{"input": "go", "output": item["output"]} for item in WORDS]})
    (error,) = errors(experiment)
    assert "all 6 prompts of the train split of " in error


def test_flaws_are_warnings_with_their_numbers(experiment: Path) -> None:
    empty = {"input": "a", "output": " "}
    write(experiment, {"train": [*WORDS[:4], WORDS[0], empty], "test": [*WORDS[:2], {"input": "new", "output": "N"}]})
    assert errors(experiment) == []
    found = warnings(experiment)
    assert "1 of 6 answers in the train split of " in found
    assert "1 of 6 examples in the train split of " in found
    assert f"2 inputs of {experiment}/words.json appear in both train and test" in found


def test_flaws_reach_the_report_also_where_the_data_is_gone_or_has_changed(experiment: Path) -> None:
    write(experiment, {"train": [*WORDS[:5], WORDS[0]]})
    plan = api.check(experiment).plan
    found = list(data_flaws(experiment, plan))
    assert [text.partition(" of ")[0] for text in found] == ["1"]
    api.scaffold(experiment)
    (experiment / "words.json").rename(experiment / "away.json")
    assert list(data_flaws(experiment, plan)) == found
    write(experiment, {"train": [*WORDS[:4], WORDS[0], WORDS[1]]})
    assert [text.partition(" of ")[0] for text in data_flaws(experiment, plan)] == ["2"]


def test_a_clean_data_set_has_no_flaws(experiment: Path) -> None:
    write(experiment, {"train": WORDS, "test": [{"input": "new", "output": "N"}]})
    assert "words.json" not in warnings(experiment)


def test_fields_that_nothing_uses_are_named_with_their_numbers(experiment: Path) -> None:
    write(experiment, {"train": [*WORDS[:4], *({**item, "system": "s", "empty": ""} for item in WORDS[4:])]})
    assert f"data {experiment}/words.json: fields that training does not use: system (2)" in api.check(experiment).notes


def test_joined_fields_are_a_warning_since_the_evaluation_must_join_them_too(experiment: Path) -> None:
    write(experiment, {"train": [{"instruction": "Capitalize", **item} for item in WORDS]})
    assert errors(experiment) == []
    assert "let your evaluation task join them in the same way" in warnings(experiment)


def test_a_system_prompt_beside_those_of_conversations_is_an_error_as_in_the_job(experiment: Path, model: Path) -> None:
    own = {"messages": [{"role": "system", "content": "s"}, *CHATS[5]["messages"]]}
    write(experiment, {"train": [*CHATS[:5], own]})
    page = experiment / "experiment_summary.md"
    page.write_text(page.read_text().replace('**System Prompt:** ""', '**System Prompt:** "Be brief"'))
    configured(experiment, "Dataset Type: chat")
    (error,) = errors(experiment)
    assert "1 conversation of the train split of" in error
    assert "has a system message of its own, but the plan gives a System Prompt too" in error
    assert "a system message of its own" in refused_by_the_job(
        experiment, model, dataset_type="chat", system_prompt="Be brief"
    )
    page.write_text(page.read_text().replace('"Be brief"', '""'))
    assert errors(experiment) == []


def test_jsonl_errors_name_file_and_line(experiment: Path) -> None:
    page = experiment / "experiment_summary.md"
    page.write_text(page.read_text().replace("words.json`", "words.jsonl`"))
    rows = [json.dumps(item) for item in WORDS]
    rows[3] = '{"input": "a"}'
    (experiment / "words.jsonl").write_text("\ufeff" + "\n".join(rows))
    (error,) = errors(experiment)
    assert error.startswith("experiment_summary.md:33: words.jsonl:4, train, example 3: the field `output` is missing")
    rows[3] = '{"input": "one\u2028two", "output": "X"}'
    (experiment / "words.jsonl").write_text("\n".join(rows), encoding="utf-8")
    assert errors(experiment) == []


def test_check_and_job_agree_on_the_longest_answer_that_is_not_cut(experiment: Path, model: Path) -> None:
    long = {"input": "x", "output": "é😀 long answer " * 4}
    write(experiment, {"train": [*WORDS[:4], long, long]})
    prompt = "Capitalize the given word: {input}"
    refusal = refused_by_the_job(experiment, model, prompt=prompt, max_seq_len=60)
    longest = int(refusal.partition("the longest has ")[2].partition(":")[0])
    for length in (longest, longest - 1):
        page = experiment / "experiment_summary.md"
        text = page.read_text()
        configured(experiment, f"Max Sequence Length: {length}")
        found = errors(experiment)
        job = refused_by_the_job(experiment, model, prompt=prompt, max_seq_len=length)
        assert bool(found) == bool(job) == (length < longest)
        page.write_text(text)
        if found:
            assert "words.json:1, train, example 4: 2 examples lose their ends of 6" in found[0]
            assert f"at a maximum sequence length of {length} tokens" in found[0]
            assert f"raise Max Sequence Length to {longest}" in found[0]


def test_a_text_that_is_cut_is_a_warning(experiment: Path) -> None:
    write(experiment, {"train": [{"text": item["input"] * 9} for item in WORDS]})
    configured(experiment, "Dataset Type: text_completion", "Max Sequence Length: 20")
    assert errors(experiment) == []
    assert "examples lose their ends of 6" in warnings(experiment)


def test_an_example_that_the_model_cannot_read_whole_is_an_error(experiment: Path) -> None:
    write(experiment, {"train": [*WORDS[:5], {"input": "z", "output": "y" * 600}]})
    (error,) = errors(experiment)
    assert "words.json:1, train, example 5: 1 of 6 examples are longer than the 512 tokens" in error
    configured(experiment, "Max Sequence Length: 4096")
    (error,) = errors(experiment)
    assert "Max Sequence Length is 4096, but" in error
    assert "reads 512 tokens at most" in error


def test_data_that_the_template_changes_is_an_error(tmp_path: Path) -> None:
    trimming = CHAT_TEMPLATE.replace("message['content']", "message['content'] | trim")
    other = build_tiny_model(tmp_path / "trimming", chat_template=trimming)
    splits = ("train (320), validation (40), test (40)", "train (6)")
    write_tiny_experiment(tmp_path / "e", other, splits, ("- **Batch Size:** 8", "- **Batch Size:** 2"))
    write(tmp_path / "e", {"train": [*WORDS[:5], {"input": "a", "output": "A\n"}]})
    assert refused_by_the_job(tmp_path / "e", other)
    found = [error for error in errors(tmp_path / "e") if "the chat template changes the answer" in error]
    assert len(found) == 1
    assert "1 of 6 examples cannot be trained with" in found[0]
    assert "words.json:1, train, example 5" in found[0]


def test_check_reports_that_jinja_is_not_installed(experiment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("jinja2", "jinja2.sandbox"):
        monkeypatch.setitem(sys.modules, name, None)
    assert errors(experiment) == []
    assert "could not be tried with" in warnings(experiment)
    assert "jinja2 is not installed here" in warnings(experiment)


def test_parquet_is_checked_and_a_missing_pyarrow_is_reported(
    experiment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    folder = experiment / "hub"
    folder.mkdir()
    for number in range(2):
        table = pa.Table.from_pylist([*WORDS[3 * number : 3 * number + 2], {"input": "a", "output": None}])
        parquet.write_table(table, folder / f"train-{number:05d}-of-00002.parquet")
    page = experiment / "experiment_summary.md"
    page.write_text(page.read_text().replace("words.json`", "hub`", 1))
    (error,) = errors(experiment)
    assert "2 of 6 examples cannot be used; the first: hub/train-00000-of-00002.parquet, train, example 2" in error
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    monkeypatch.delattr("pyarrow.parquet")
    assert errors(experiment) == []
    assert "can be read only where pyarrow is installed" in warnings(experiment)


@pytest.mark.parametrize("template", [CHAT_TEMPLATE, "{{ bos_token }}{{ 'é' | tojson }}" + CHAT_TEMPLATE, None])
def test_the_light_tokenizer_renders_and_encodes_as_transformers_does(tmp_path: Path, template: str | None) -> None:
    from transformers import AutoTokenizer

    folder = build_tiny_model(tmp_path / "m", chat_template=template)
    light, full = LightTokenizer(folder), AutoTokenizer.from_pretrained(folder)
    chat = {"messages": [{"role": "user", "content": "Ünïcode 😀"}, *CHATS[0]["messages"], *CHATS[1]["messages"]]}
    records: list[dict[str, Any]] = [WORDS[0], {"text": " a  b\n"}, CHATS[0]]
    if template:
        records.append(chat)
    for record in records:
        mine = example_parts(light, record, system_prompt="S", prompt="{input}!")
        assert mine == example_parts(full, record, system_prompt="S", prompt="{input}!")
        for text, _ in mine:
            assert light.encode(text) == full.encode(text, add_special_tokens=False)


def test_an_answer_that_changes_the_tokens_of_its_prompt_is_an_error_as_in_the_job(
    experiment: Path, tmp_path: Path
) -> None:
    """The prompt ends with a letter, and the tokenizer has a token for it and the answer's first letter."""
    folder = build_tiny_model(tmp_path / "m", chat_template="{% for m in messages %}{{ m['content'] }}{% endfor %}")
    page = experiment / "experiment_summary.md"
    page.write_text(re.sub(r"(- SmolLM2-135M-Instruct: `)[^`]*", rf"\g<1>{folder}", page.read_text()))
    write(experiment, {"train": [*WORDS[:5], {"input": "tab", "output": "le"}]})
    configured(experiment, "Dataset Type: instruct")
    (error,) = errors(experiment)
    assert "example 5: the answer 'le<|im_end|>' changes the tokens of the text before it, 'tab'" in error
    assert "example 5: the answer 'le" in refused_by_the_job(experiment, folder, dataset_type="instruct")


def metaspace_model(directory: Path) -> Path:
    """A tokenizer that puts a space before every text, as SentencePiece does."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    build_tiny_model(directory)
    pieces = [
        "<unk>",
        "<s>",
        "</s>",
        "▁",
        *"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ:\n",
        "▁House",
        "House",
    ]
    core = Tokenizer(models.Unigram([(piece, -float(len(pieces) - len(piece))) for piece in pieces], unk_id=0))
    core.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    core.decoder = decoders.Metaspace()
    tokenizer: Any = PreTrainedTokenizerFast
    made = tokenizer(tokenizer_object=core, unk_token="<unk>", bos_token="<s>", eos_token="</s>")
    made.save_pretrained(directory)
    for name in ("chat_template.jinja",):
        (directory / name).unlink(missing_ok=True)
    return directory


def test_an_answer_has_the_tokens_that_follow_its_prompt_and_not_those_that_it_has_by_itself(tmp_path: Path) -> None:
    from tunebook.tools.runtime.torchtune_components import chat_tokenizer, dataset

    tokenizer = chat_tokenizer(str(metaspace_model(tmp_path / "m")))
    (tmp_path / "d.json").write_text(json.dumps({"train": [{"input": "house", "output": "House"}]}))
    example = dataset(tokenizer, path=str(tmp_path / "d.json"))[0]
    asked = tokenizer.encode("user: house\n")
    assert example["tokens"][: len(asked)] == asked
    learnt = tokenizer.hf.convert_ids_to_tokens([label for label in example["labels"] if label != -100])
    assert learnt == ["House", "</s>"]
    assert tokenizer.hf.convert_ids_to_tokens(tokenizer.encode("House</s>")) == ["▁House", "</s>"]


def test_turns_of_a_conversation_have_the_tokens_of_the_whole(tmp_path: Path, model: Path) -> None:
    from tunebook.tools.runtime.torchtune_components import chat_tokenizer, dataset

    tokenizer = chat_tokenizer(str(model))
    turns = {"messages": [*CHATS[0]["messages"], *CHATS[1]["messages"]]}
    (tmp_path / "d.jsonl").write_text(json.dumps(turns))
    example = dataset(tokenizer, path=str(tmp_path / "d.jsonl"), dataset_type="chat")[0]
    whole = "".join(text for text, _ in example_parts(tokenizer.hf, turns, system_prompt="", prompt="{input}"))
    assert example["tokens"] == tokenizer.encode(whole)
    assert [label for label in example["labels"] if label != -100] == tokenizer.encode("HOUSE<|im_end|>TABLE<|im_end|>")


@pytest.mark.parametrize(
    ("kind", "setting", "message"),
    [
        ("chat", "Prompt", "a Prompt does not apply to conversations (Dataset Type chat)"),
        ("text_completion", "Prompt", "a Prompt does not apply to plain text (Dataset Type text_completion)"),
        ("text_completion", "System Prompt", "a System Prompt does not apply to plain text"),
    ],
)
def test_prompts_that_would_act_in_evaluation_only_are_errors(
    experiment: Path, kind: str, setting: str, message: str
) -> None:
    write(experiment, {"train": CHATS if kind == "chat" else [{"text": item["input"]} for item in WORDS]})
    configured(experiment, f"Dataset Type: {kind}")
    assert errors(experiment) == []
    page = experiment / "experiment_summary.md"
    page.write_text(re.sub(rf'- \*\*{setting}:\*\* ".*"', f'- **{setting}:** "Say {{input}}"', page.read_text()))
    (error,) = errors(experiment)
    assert message in error


def test_the_first_prompt_for_a_model_of_plain_texts_has_no_chat_template(experiment: Path) -> None:
    write(experiment, {"train": [{"text": item["input"]} for item in WORDS]})
    (experiment / "test.json").write_text(json.dumps({"test": WORDS}))
    configured(experiment, "Dataset Type: text_completion")
    page = experiment / "experiment_summary.md"
    page.write_text(page.read_text().replace("words.json` | Exact", "test.json` | Exact"))
    (sample,) = api.check(experiment).prompts
    assert sample.parts == (("<|im_start|>house", False),)
    assert len(sample.runs) == 3
