"""What written tasks share: samples from a run's settings, probabilities of options; and the suggestion of a scorer."""

from __future__ import annotations

import ast
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from support.evaluation_jobs import lively_model
from tunebook.core.scorers import Scorer
from tunebook.tools.answers import Answer
from tunebook.tools.inspect.new_task import InspectTaskWriter
from tunebook.tools.new_task import NewTask
from tunebook.tools.scorer_choice import ordered_options, suggested_scorer

pytestmark = pytest.mark.filterwarnings("ignore")  # inspect-ai's and Transformers' own

CHAT = [{"role": "user", "content": "a?"}, {"role": "assistant", "content": "b"}, {"role": "user", "content": "c?"}]


def answers(texts: Sequence[str]) -> list[Answer]:
    return [Answer(text, number, "data.json", number + 1, {}) for number, text in enumerate(texts)]


def written(folder: Path, examples: list[Any], settings: str = "", *, lines: bool = False) -> Path:
    """A data set with a test split, and a run's settings that name it; returns the directory of the settings."""
    data = folder / "data"
    data.mkdir()
    if lines:
        (data / "test.jsonl").write_text("".join(json.dumps(example) + "\n" for example in examples))
        label, ending = "data", ""
    else:
        (data / "words.json").write_text(json.dumps({"train": examples, "test": examples}))
        label, ending = "words", ".json"
    base = folder if lines else data
    (folder / "setup_finetune.yaml").write_text(
        f"input_dir_base: {base}\ninput_formatting: ''\ndataset_label: {label}\ndataset_ext: '{ending}'\n{settings}"
    )
    return folder


def messages(sample: Any) -> list[tuple[str, str]]:
    return [(message.role, message.text) for message in sample.input]


def test_samples_have_the_data_and_the_prompts_of_the_runs_settings(tmp_path: Path) -> None:
    from tunebook.tools.runtime.inspect_tasks import read_dataset

    examples = [{"instruction": "Capitalize {x}", "input": "house", "output": "House", "kind": "noun", "n": 3}]
    folder = written(tmp_path, examples, "dataset_type: instruct\nsystem_prompt: Be brief.\nprompt: 'Q: {input} {y}'\n")
    dataset = read_dataset(str(folder), groups=["kind", "n"])
    (sample,) = dataset
    assert messages(sample) == [("system", "Be brief."), ("user", "Q: Capitalize {x}\n\nhouse {y}")]
    assert (sample.id, sample.target, sample.metadata) == (0, "House", {"kind": "noun", "n": 3})
    assert dataset.location == str(folder / "data" / "words.json")


def test_arguments_take_precedence_and_an_empty_system_prompt_adds_no_message(tmp_path: Path) -> None:
    from tunebook.tools.runtime.inspect_tasks import read_dataset

    folder = written(tmp_path, [{"input": "a", "output": "b"}], "system_prompt: Be brief.\nprompt: '{input}?'\n")
    other = tmp_path / "other.json"
    other.write_text(json.dumps({"test": [{"prompt": "c", "completion": "d"}]}))
    (sample,) = read_dataset(str(folder), str(other), "", "{input}!")
    assert (messages(sample), sample.target) == ([("user", "c!")], "d")


def test_a_chat_is_asked_for_its_last_answer(tmp_path: Path) -> None:
    from tunebook.tools.runtime.inspect_tasks import read_dataset

    chat = {"messages": [*CHAT, {"role": "assistant", "content": "d"}]}
    folder = written(tmp_path, [chat], "dataset_type: chat\nsystem_prompt: Be kind.\n", lines=True)
    (sample,) = read_dataset(str(folder))
    assert messages(sample) == [("system", "Be kind."), ("user", "a?"), ("assistant", "b"), ("user", "c?")]
    assert sample.target == "d"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "give config_dir"),
        ({"config_dir": "missing"}, "setup_finetune.yaml cannot be read: No such file"),
        ({"dataset_path": "words.json", "split": "dev"}, "has no dev split; it has: test"),
        ({"dataset_path": "words.json", "prompt": "no place"}, "has no {input}"),
        ({"dataset_path": "gaps.json", "groups": ["kind"]}, "gaps.json:2, test, example 1: no text or number in"),
        ({"dataset_path": "blanks.json", "groups": ["kind"]}, "blanks.json:2, test, example 1: no text or number in"),
        ({"dataset_path": "words.json", "groups": ["kind"]}, "words.json:2, test, example 1: no text or number in"),
    ],
)
def test_what_cannot_be_asked_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: dict[str, Any], message: str
) -> None:
    from tunebook.tools.runtime.inspect_tasks import read_dataset

    monkeypatch.chdir(tmp_path)
    examples = '{"test": [{"input": "a", "output": "b", "kind": "x"},\n{"input": "c", "output": "d"}]}'
    Path("words.json").write_text(examples)
    for name, kind in (("gaps", "NaN"), ("blanks", '" "')):
        Path(f"{name}.json").write_text(examples.replace('"d"}', f'"d", "kind": {kind}}}'))
    with pytest.raises(ValueError, match=r"cannot|give|has no|example") as caught:
        read_dataset(**arguments)
    assert message in str(caught.value)


def output_of(probabilities: dict[str, float]) -> Any:
    from tunebook.tools.runtime.inspect_task_tests import _output

    return _output(probabilities)


@pytest.fixture
def tokens(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Lets the kit see the tokenizer of a real model, or none."""
    from tunebook.tools.runtime import inspect_tasks

    def use(tokenizer: Any) -> None:
        class Api:
            pass

        class Asked:
            api = Api()

        if tokenizer is not None:
            Asked.api.tokenizer = tokenizer  # type: ignore[attr-defined]
        monkeypatch.setattr(inspect_tasks, "get_model", Asked)

    return use


def test_probabilities_are_shares_of_the_options_whatever_space_is_before_them(tokens: Any) -> None:
    from tunebook.tools.runtime.inspect_tasks import option_probabilities

    tokens(None)
    found = option_probabilities(
        output_of({"No": 0.1, "ĠNo": 0.1, "▁Yes": 0.3, "Yeses": 0.2, "no": 0.1}), ["No", "Yes"]
    )
    assert found == pytest.approx({"No": 0.4, "Yes": 0.6})
    assert option_probabilities(output_of({"No": 0.9, "maybe": 0.1}), ["No", "Yes"]) is None


def test_an_option_of_several_tokens_is_known_by_its_first(tokens: Any, tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    from tunebook.tools.runtime.inspect_tasks import option_probabilities

    tokens(AutoTokenizer.from_pretrained(lively_model(tmp_path / "model")))
    found = option_probabilities(output_of({"<": 0.2, ">": 0.6, ">50K": 0.1}), ["<=50K", ">50K"])
    assert found == pytest.approx({"<=50K": 0.25, ">50K": 0.75})
    with pytest.raises(ValueError, match="'>50K' and '>20K' begin with the same token, '>'"):
        option_probabilities(output_of({">": 1.0}), [">50K", ">20K"])


class Words:
    """A tokenizer that knows the first tokens of some texts, as those of real models write them."""

    def __init__(self, **pieces: Sequence[str]) -> None:
        self._pieces = {text.replace("_", " "): tuple(tokens) for text, tokens in pieces.items()}

    def encode(self, text: str, *, add_special_tokens: bool) -> tuple[str, ...]:
        assert not add_special_tokens
        return self._pieces[text]

    def convert_ids_to_tokens(self, ids: Sequence[str]) -> list[str]:
        return list(ids)


def test_an_option_behind_a_space_is_known_by_the_token_that_it_then_begins_with(tokens: Any) -> None:
    """As the tokenizer of SmolLM2 writes them: the parts `h` and `re` also begin other words."""
    from tunebook.tools.runtime.inspect_tasks import option_probabilities

    tokens(Words(hired=["h", "ired"], _hired=["Ġhired"], rejected=["re", "jected"], _rejected=["Ġrejected"]))
    found = option_probabilities(
        output_of({"Ġhired": 0.6, "Ġrejected": 0.2, "Ġre": 0.1, "Ġh": 0.01}), ["rejected", "hired"]
    )
    assert found == pytest.approx({"rejected": 0.25, "hired": 0.75})
    found = option_probabilities(output_of({"h": 0.1, "re": 0.3}), ["rejected", "hired"])
    assert found == pytest.approx({"rejected": 0.75, "hired": 0.25})


def test_a_sample_is_unusable_if_the_option_comes_after_a_space_of_its_own(tokens: Any) -> None:
    from tunebook.tools.runtime.inspect_tasks import option_probabilities

    tokens(Words(**{"0": ["0"], "1": ["1"], "_0": ["Ġ", "0"], "_1": ["Ġ", "1"]}))
    assert option_probabilities(output_of({"Ġ": 0.9, "1": 0.01, "0": 0.02}), ["0", "1"]) is None
    assert option_probabilities(output_of({"Ġ": 0.1, "1": 0.6, "0": 0.2}), ["0", "1"]) == pytest.approx(
        {"0": 0.25, "1": 0.75}
    )


def test_a_token_that_begins_both_options_behind_a_space_says_nothing(tokens: Any) -> None:
    from tunebook.tools.runtime.inspect_tasks import option_probabilities

    tokens(Words(是=["A"], 有=["B"], _是=["ĠC", "A"], _有=["ĠC", "B"]))
    assert option_probabilities(output_of({"A": 0.1, "B": 0.1, "ĠC": 0.7}), ["是", "有"]) is None
    assert option_probabilities(output_of({"A": 0.3, "B": 0.1, "ĠC": 0.1}), ["是", "有"]) == pytest.approx(
        {"是": 0.75, "有": 0.25}
    )


def test_tokens_of_sentencepiece_count_with_and_without_their_space(tokens: Any) -> None:
    from tunebook.tools.runtime.inspect_tasks import option_probabilities

    tokens(Words(No=["▁No"], Yes=["▁Yes"], _No=["▁▁", "No"], _Yes=["▁▁", "Yes"]))
    found = option_probabilities(output_of({"▁No": 0.1, "No": 0.1, "Yes": 0.2, "▁Yes": 0.4}), ["No", "Yes"])
    assert found == pytest.approx({"No": 0.25, "Yes": 0.75})


def test_a_model_without_log_probabilities_is_an_error(tokens: Any) -> None:
    from tunebook.tools.runtime.inspect_tasks import option_probabilities

    tokens(None)
    with pytest.raises(ValueError, match="no log-probabilities: evaluate with `Inference: hf`"):
        option_probabilities(output_of("Yes"), ["No", "Yes"])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("choices", "answer", "choice"),
    [
        (["agree", "strongly agree", "disagree"], "I strongly agree.", "strongly agree"),
        (["agree", "strongly agree", "disagree"], "I AGREE with it", "agree"),
        (["agree", "strongly agree", "disagree"], "I agree, or even strongly agree", None),
        (["York", "New York"], "It is New York.", "New York"),
        (["-1", "0", "1"], "The score is -1.", "-1"),
        (["0", "1"], "-1", None),
        (["1", "2", "3"], "1.5", None),
        (["1", "2", "3"], "It is 2.", "2"),
        (["1", "2", "3"], "2,000", None),
        (["U.S.", "U.K."], "U.S.", "U.S."),
        (["U.S.", "U.K."], "the U.K. it is", "U.K."),
        (["yes", "no"], "", None),
    ],
)
def test_the_one_choice_of_an_answer_is_the_longest_that_it_contains(
    choices: list[str], answer: str, choice: str | None
) -> None:
    task = NewTask(name="mine", scorer=Scorer.CHOICE, dataset="data.json", choices=tuple(choices))
    script: dict[str, Any] = {}
    exec(InspectTaskWriter().script(task), script)  # noqa: S102  the script that a person gets
    assert script["chosen"](answer) == choice


@pytest.mark.parametrize(
    ("texts", "scorer", "reason"),
    [
        (["No", "Yes"] * 10, Scorer.CHOICE, "the 20 answers of the test split are `No` or `Yes`"),
        (["a", "b", "c"] * 10, Scorer.CHOICE, "`a` or `b` or `c`"),
        ([f"${number},000" for number in range(1, 31)], Scorer.NUMERIC, "numbers"),
        (["1", "2", "3"] * 10, Scorer.NUMERIC, "numbers"),
        (["House", "Table", "Water"], Scorer.EXACT, "short texts (median 5 characters)"),
        (["word " * 40 + str(number) for number in range(9)], None, "long texts (median 201 characters)"),
        (["a\nb", "c\nd"], None, "long texts"),
        (["same"] * 9, Scorer.EXACT, "short texts"),
    ],
)
def test_the_scorer_that_fits_the_answers_is_suggested(texts: list[str], scorer: Scorer | None, reason: str) -> None:
    found = suggested_scorer(answers(texts))
    assert found.scorer is scorer
    assert reason in found.reason


def test_the_outcome_is_last_where_the_words_say_which_it_is() -> None:
    assert ordered_options(answers(["Yes", "No", "Yes"])) == (("No", "Yes"), True)
    assert ordered_options(answers(["1", "0"])) == (("0", "1"), True)
    assert ordered_options(answers(["cat", "dog"])) == (("cat", "dog"), False)
    assert ordered_options(answers(["No", "Yes", "Maybe"]))[1] is False


@pytest.mark.parametrize("scorer", Scorer)
def test_no_text_of_a_person_breaks_a_written_file(scorer: Scorer) -> None:
    odd = ('say "no"', "it's\n{NAME}")
    task = NewTask(
        name="odd",
        scorer=scorer,
        dataset='/data/{TESTS} "x"/d.json',
        choices=odd if scorer.has_choices else (),
        groups=odd,
        grader=odd[0] if scorer is Scorer.MODEL_GRADED else "",
        prompts=odd,
    )
    writer = InspectTaskWriter()
    values: dict[str, Any] = {}
    for text in (writer.script(task), writer.test(task)):
        for node in ast.parse(text).body:
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                values[node.targets[0].id] = ast.literal_eval(node.value)
    assert tuple(values["GROUPS"]) == odd
    assert values["DATASET"] == task.dataset
    if scorer.has_choices:
        assert tuple(values.get("OPTIONS") or values["CHOICES"]) == odd
    assert f"system_prompt, prompt = {odd[0]!r}, {odd[1]!r}".split(" = ")[0] in writer.test(task)


def test_a_name_that_the_script_needs_is_refused() -> None:
    task = NewTask(name="includes", scorer=Scorer.INCLUDES, dataset="d.json")
    (problem,) = InspectTaskWriter().problems(task, None)
    assert "`includes` is also the name of something" in problem.message
    free = NewTask(name="includes", scorer=Scorer.EXACT, dataset="d.json")
    assert list(InspectTaskWriter().problems(free, None)) == []
