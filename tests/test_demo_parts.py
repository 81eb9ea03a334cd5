"""The demo's parts: its words, its task, its page, and getting its model; nothing here needs a network."""

import hashlib
import json
import string
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from tunebook.core.check import check_plan
from tunebook.core.parse import parse_plan
from tunebook.demo import data
from tunebook.demo.data import SPLITS, capitalization_data, task_source
from tunebook.demo.model import MODEL, Progress, default_cache, fetch_model
from tunebook.demo.plan import DemoPlan
from tunebook.errors import ToolError

pytestmark = [
    pytest.mark.filterwarnings(
        "ignore:The 'initial' parameter is deprecated:DeprecationWarning"
    ),  # inspect-ai, tenacity
    # inspect-ai leaves streams to the garbage collector, which may run in any test that follows
    pytest.mark.filterwarnings("ignore:Unclosed <MemoryObject:ResourceWarning"),
    pytest.mark.filterwarnings("ignore:Exception ignored in.*MemoryObject:pytest.PytestUnraisableExceptionWarning"),
]

HOSTILE = 'Answer {with} {one} word, ${oc.env:HOME} {{ }} %s: "it\'s"\n# – {input'


# --- words ---------------------------------------------------------------------------------------------------------


def test_splits_have_their_sizes_and_share_no_word() -> None:
    splits = capitalization_data()
    assert {split: len(records) for split, records in splits.items()} == SPLITS
    words = [record["input"] for records in splits.values() for record in records]
    assert len(set(words)) == len(words)


def test_each_word_is_five_plain_letters_and_its_answer_is_capitalized() -> None:
    for records in capitalization_data().values():
        for record in records:
            word = record["input"]
            assert len(word) == 5
            assert set(word) <= set(string.ascii_lowercase)
            assert record["output"] == word[0].upper() + word[1:]


def test_the_list_of_words_is_long_enough_and_has_no_word_twice() -> None:
    words = Path(data.__file__).with_name("words.txt").read_text(encoding="utf-8").split()
    assert len(words) >= 420
    assert len(set(words)) == len(words)


def test_same_seed_same_data_and_another_seed_other_data() -> None:
    assert capitalization_data() == capitalization_data(14)
    assert capitalization_data(15) != capitalization_data(14)


# --- task ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The data set and a run's settings, as scaffolding would leave them; the path has a space and a quote."""
    folder = tmp_path / "it's here"
    folder.mkdir()
    (folder / "words.json").write_text(json.dumps(capitalization_data()))
    write_setup(folder, system_prompt="", prompt="Capitalize the given word: {input}")
    return folder


def write_setup(folder: Path, **changes: Any) -> None:
    setup = {"input_dir_base": str(folder), "input_formatting": "", "dataset_label": "words", "dataset_ext": ".json"}
    (folder / "setup_finetune.yaml").write_text(yaml.safe_dump({**setup, **changes}))


def task(**arguments: Any) -> Any:
    """The task of the shipped source, run as a file of its own."""
    names: dict[str, Any] = {"__name__": "cap_task"}
    exec(compile(task_source(), "cap_task.py", "exec"), names)  # noqa: S102
    return names["capitalization"](**arguments)


def evaluate(made: Any, outputs: Callable[[str], str], log_dir: Path) -> Any:
    """The log of an evaluation in which the model answers the n-th sample with what ``outputs`` makes of its target."""
    from inspect_ai import eval as evaluation
    from inspect_ai.model import ModelOutput, ModelUsage, get_model

    answers = [ModelOutput.from_content("mockllm/model", outputs(sample.target)) for sample in made.dataset]
    for answer in answers:
        answer.usage = ModelUsage()  # else the mock counts tokens with a vocabulary that it downloads
    mock = get_model("mockllm/model", custom_outputs=answers)
    (log,) = evaluation(made, model=mock, log_dir=str(log_dir), display="none", max_samples=1, max_connections=1)
    assert log.status == "success", log.error
    return log


def accuracy(log: Any) -> float:
    return float(log.results.scores[0].metrics["accuracy"].value)


@pytest.mark.parametrize(
    ("outputs", "expected"),
    [
        (lambda target: target, 1.0),
        (lambda target: f" {target}\n", 1.0),
        (lambda target: target.lower(), 0.0),
        (lambda target: target.upper(), 0.0),
        (lambda target: f"{target}.", 0.0),
        (lambda target: f"The word is {target}", 0.0),
        (lambda _: "", 0.0),
    ],
    ids=["exact", "white-space", "lower", "upper", "full-stop", "sentence", "nothing"],
)
def test_only_the_capitalized_word_itself_is_right(
    folder: Path, tmp_path: Path, outputs: Callable[[str], str], expected: float
) -> None:
    log = evaluate(task(config_dir=str(folder)), outputs, tmp_path / "logs")
    assert accuracy(log) == expected
    assert log.results.total_samples == SPLITS["test"]
    assert set(log.results.scores[0].metrics) == {"accuracy", "stderr"}


def test_settings_of_the_run_and_arguments_give_the_same_samples(folder: Path) -> None:
    of_run = task(config_dir=str(folder))
    by_hand = task(dataset_path=str(folder / "words.json"), prompt="Capitalize the given word: {input}")
    assert [texts(sample) for sample in of_run.dataset] == [texts(sample) for sample in by_hand.dataset]
    assert [sample.target for sample in of_run.dataset] == [r["output"] for r in capitalization_data()["test"]]


def texts(sample: Any) -> list[tuple[str, str]]:
    return [(message.role, message.content) for message in sample.input]


def test_arguments_win_over_the_settings_of_the_run(folder: Path) -> None:
    made = task(config_dir=str(folder), system_prompt="Be brief", prompt="Word: {input}", split="validation")
    record = capitalization_data()["validation"][0]
    assert texts(made.dataset[0]) == [("system", "Be brief"), ("user", f"Word: {record['input']}")]


def test_an_empty_system_prompt_is_no_message(folder: Path) -> None:
    assert [role for role, _ in texts(task(config_dir=str(folder)).dataset[0])] == ["user"]


def test_hostile_prompts_reach_the_model_as_they_are(folder: Path, tmp_path: Path) -> None:
    write_setup(folder, system_prompt=HOSTILE, prompt=HOSTILE + "} {other}")
    log = evaluate(task(config_dir=str(folder)), lambda target: target, tmp_path / "logs")
    word = capitalization_data()["test"][0]["input"]
    sent = [(message.role, message.content) for message in log.samples[0].messages[:2]]
    assert sent == [("system", HOSTILE), ("user", HOSTILE.removesuffix("{input") + f"{word} {{other}}")]
    assert accuracy(log) == 1.0


# --- page ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def page(tmp_path: Path) -> DemoPlan:
    return DemoPlan(
        name="demo",
        directory=tmp_path,
        model=tmp_path / "models" / MODEL,
        dataset=tmp_path / "words.json",
        task=tmp_path / "cap_task.py",
        created="2026-01-02 03:04",
    )


def test_the_page_is_a_plan_without_a_problem(page: DemoPlan) -> None:
    parsed = parse_plan(page.text())
    assert parsed.problems == ()
    assert check_plan(parsed.plan, preparation_tools=["torchtune"], evaluation_tools=["inspect-ai"]) == ()
    assert [run.name for run in parsed.plan.runs] == [f"{MODEL}_rank4", f"{MODEL}_rank16", f"{MODEL}_base"]


def test_the_page_claims_nothing_to_be_verified(page: DemoPlan) -> None:
    assert "verified" not in page.text()


@pytest.mark.parametrize("ranks", [(2, 8, 32), (4, 16)])
def test_the_page_follows_the_ranks(page: DemoPlan, ranks: tuple[int, ...]) -> None:
    parsed = parse_plan(replace(page, ranks=ranks).text())
    assert parsed.problems == ()
    assert check_plan(parsed.plan, preparation_tools=["torchtune"], evaluation_tools=["inspect-ai"]) == ()
    assert len(parsed.plan.runs) == len(ranks) + 1


# --- model ---------------------------------------------------------------------------------------------------------


def silent(_: str) -> None:
    """A progress that nobody reads."""


def whole(folder: Path, _: Progress) -> None:
    """A source that gives what looks like a chat model."""
    for name in ("config.json", "model.safetensors", "tokenizer.json"):
        (folder / name).write_text("{}")
    (folder / "tokenizer_config.json").write_text('{"chat_template": "x"}')


def refuses(_: Path, __: Progress) -> None:
    raise ToolError("out of order\nwith details")


def never(_: Path, __: Progress) -> None:
    pytest.fail("this source was not to be asked")


def interrupted(folder: Path, _: Progress) -> None:
    (folder / "model.safetensors").write_text("half of it")
    raise KeyboardInterrupt


def test_a_model_that_is_there_is_returned_at_once(tmp_path: Path) -> None:
    first = fetch_model(tmp_path, silent, (("one", whole),))
    assert first == tmp_path / MODEL
    assert fetch_model(tmp_path, silent, (("one", never),)) == first


def test_the_next_source_is_asked_if_one_fails(tmp_path: Path) -> None:
    said: list[str] = []
    fetch_model(tmp_path, said.append, (("one", refuses), ("two", whole)))
    assert said == [f"getting {MODEL} from one", f"getting {MODEL} from two"]
    assert [path.name for path in tmp_path.iterdir()] == [MODEL]


def test_if_every_source_fails_the_error_names_each_and_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(ToolError) as caught:
        fetch_model(tmp_path, silent, (("one", refuses), ("two", refuses)))
    message = str(caught.value)
    assert "one: out of order; two: out of order" in message
    assert "--model" in message
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_download_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        fetch_model(tmp_path, silent, (("one", interrupted), ("two", never)))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("damage", ["cut", "gone"])
def test_a_damaged_model_is_made_again(tmp_path: Path, damage: str) -> None:
    weights = fetch_model(tmp_path, silent, (("one", whole),)) / "model.safetensors"
    weights.write_text("") if damage == "cut" else weights.unlink()
    fetch_model(tmp_path, silent, (("one", whole),))
    assert weights.read_text() == "{}"
    assert [path.name for path in tmp_path.iterdir()] == [MODEL]


def test_the_cache_follows_the_standard(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache() == tmp_path / "tunebook" / "models"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/somebody")
    assert default_cache() == Path("/home/somebody/.cache/tunebook/models")
