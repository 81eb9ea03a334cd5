"""The text of the tasks that are written for a person: one script for each scorer, and its test.

Words in braces and capitals, such as ``{NAME}``, are replaced; other braces stay as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from tunebook.core.scorers import Scorer

__all__ = ["SCRIPT", "TEST", "TEST_OF_GROUPS", "TEST_OF_PROMPTS", "Parts", "parts_of"]

SCRIPT = '''\
"""{NAME}: {MEANING}.

Written by `tunebook task new`; the file is yours to edit. `pytest {TEST_FILE}` tests it without a model, and
`tunebook check --deep` tests it with the arguments that its jobs give it.
"""

{IMPORTS}
{CONSTANTS}

@task
def {NAME}(
    config_dir: str | None = None,
    dataset_path: str | None = None,
    system_prompt: str | None = None,
    prompt: str | None = None,
    split: str = "test",{PARAMETERS}
) -> Task:
    """Reads data and prompts from a run's setup_finetune.yaml (`config_dir`); other parameters take precedence."""
    dataset = read_dataset(config_dir, dataset_path, system_prompt, prompt, split=split{GROUPS})
    return {TASK}
{CODE}'''

TEST = '''\
"""Tests {NAME}.py with answers that are written here instead of a model's: `pytest {TEST_FILE}`."""

{IMPORTS}

{DATASET}


def first_targets() -> list[str]:
    return [str(sample.target).strip() for sample in {NAME}(dataset_path=DATASET).dataset][:5]

{TESTS}'''

TEST_OF_PROMPTS = """\

def test_the_prompts_of_the_plan_are_asked() -> None:
    system_prompt, prompt = {PROMPTS}
    *first, last = {NAME}(dataset_path=DATASET, system_prompt=system_prompt, prompt=prompt).dataset[0].input
    before, _, after = prompt.partition("{input}")
    assert [message.text for message in first] == ([system_prompt] if system_prompt else [])
    assert last.text.startswith(before) and last.text.endswith(after)
"""

TEST_OF_GROUPS = """\

def test_every_sample_has_its_groups() -> None:
    assert all(set(GROUPS) <= set(sample.metadata or {}) for sample in {NAME}(dataset_path=DATASET).dataset)
"""


@dataclass(frozen=True)
class Parts:
    """What one scorer adds to the script and to the test.

    Attributes:
        scorer: the call that makes the scorer.
        inspect_imports: module to the names that the script imports from it, beside those of every script.
        kit: names of the module with what all tasks share.
        modules: further modules of Python that the script imports.
        config: the task's generation settings.
        code: the scorer's code.
        tests: the test's code.
    """

    scorer: str
    inspect_imports: Mapping[str, tuple[str, ...]]
    tests: str
    kit: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    config: str = ""
    code: str = ""


def parts_of(scorer: Scorer) -> Parts:
    """The parts of a scorer."""
    return _PARTS[scorer]


def _own(*, letters: bool, metrics: str) -> Mapping[str, tuple[str, ...]]:
    """The imports of a script with a scorer of its own."""
    names = (*(("CORRECT", "INCORRECT") if letters else ()), "Score", "Scorer", "Target", metrics, "scorer", "stderr")
    return MappingProxyType({"inspect_ai.scorer": names, "inspect_ai.solver": ("TaskState", "generate")})


_RIGHT_AND_WRONG = """\

def test_the_targets_themselves_are_right(tmp_path: Path) -> None:
    targets = first_targets()
    scores = graded({NAME}(dataset_path=DATASET), targets, tmp_path)
    assert [score.value for score in scores] == [1] * len(targets)


def test_other_answers_are_wrong(tmp_path: Path) -> None:
    (score,) = graded({NAME}(dataset_path=DATASET), ["###"], tmp_path)
    assert score.value == 0
"""

_EXACT = '''

@scorer(metrics=[accuracy(), stderr()], name="exactly")
def score_exactly() -> Scorer:
    """Right is exactly the target: case and punctuation count, surrounding white space does not."""

    async def score(state: TaskState, target: Target) -> Score:
        answer = state.output.completion.strip()
        return Score(value=CORRECT if answer == target.text.strip() else INCORRECT, answer=answer)

    return score
'''

_CHOICE = '''

@scorer(metrics=[accuracy(), stderr()], name="choice")
def score_choice() -> Scorer:
    """Right is the target's choice. An answer that names no choice, or several, is wrong and marked as not parsed."""

    async def score(state: TaskState, target: Target) -> Score:
        choice = chosen(state.output.completion)
        if choice is None:
            return Score(value=INCORRECT, answer=state.output.completion, metadata={"parsed": False})
        value = CORRECT if choice == target.text.strip() else INCORRECT
        return Score(value=value, answer=choice, metadata={"parsed": True})

    return score


def chosen(answer: str) -> str | None:
    """The choice that the answer equals, otherwise the only one that it contains; capitals do not count.

    Of choices that contain each other the longest one counts: "I strongly agree" contains no "agree". Neither do the
    parts of a number: "-1.5" contains no "1".
    """
    choices = {choice.casefold(): choice for choice in CHOICES}
    text = answer.strip().casefold()
    for whole in (text, text.rstrip(".")):
        if whole in choices:
            return choices[whole]
    any_of = "|".join(re.escape(choice) for choice in sorted(choices, key=len, reverse=True))
    inside = set(re.findall(rf"(?<!\\w)(?<!\\d[.,])(?<![-−](?=\\d))(?:{any_of})(?!\\w|[.,]\\d)", text))
    return choices[inside.pop()] if len(inside) == 1 else None
'''

_CHOICE_TESTS = (
    _RIGHT_AND_WRONG
    + """\


def test_a_choice_in_a_sentence_is_read_and_two_choices_are_not(tmp_path: Path) -> None:
    target = first_targets()[0]
    (score,) = graded({NAME}(dataset_path=DATASET), [f"It is {target}."], tmp_path / "one")
    assert score.value == 1
    (score,) = graded({NAME}(dataset_path=DATASET), [" or ".join(CHOICES)], tmp_path / "several")
    assert (score.value, score.metadata) == (0, {"parsed": False})
"""
)

_NUMERIC = '''

@scorer(metrics=[mean(), stderr()], name="absolute_error")
def score_number() -> Scorer:
    """The distance of the first number in the answer from the target; an answer without a number has none.

    `tunebook analyze` reports MAE, RMSE, R² and the share of answers with a number.
    """

    async def score(state: TaskState, target: Target) -> Score:
        answer, number = state.output.completion, number_of(target.text)
        predicted = first_number(answer)
        if number is None:
            raise ValueError(f"the target {target.text!r} is not a number")
        if predicted is None:
            return Score(value=math.nan, answer=answer, metadata={"parsed": False})
        return Score(value=abs(predicted - number), answer=answer, metadata={"predicted": predicted})

    return score
'''

_NUMERIC_TESTS = """\

def test_the_targets_themselves_have_no_error(tmp_path: Path) -> None:
    targets = first_targets()
    scores = graded({NAME}(dataset_path=DATASET), targets, tmp_path)
    assert [score.value for score in scores] == [0] * len(targets)


def test_the_first_number_counts(tmp_path: Path) -> None:
    target = number_of(first_targets()[0])
    assert target is not None
    (score,) = graded({NAME}(dataset_path=DATASET), [f"It is {target + 2} or 0."], tmp_path)
    assert abs(score.value - 2) < 1e-6


def test_an_answer_without_a_number_has_no_error(tmp_path: Path) -> None:
    (score,) = graded({NAME}(dataset_path=DATASET), ["no idea"], tmp_path)
    assert math.isnan(score.value)
"""

_RISK = '''

@scorer(metrics=[accuracy(), stderr()], name="risk")
def score_risk() -> Scorer:
    """The probability of each option as the first token; right is the target if it is the more probable option.

    A sample is unusable, not wrong, if an option is not among the most probable tokens. `tunebook analyze` reports AUC,
    Brier score, calibration error, mean risk and the unusable samples from the metadata.
    """

    async def score(state: TaskState, target: Target) -> Score:
        probabilities = option_probabilities(state.output, OPTIONS)
        if probabilities is None:
            return Score(value=math.nan, answer=state.output.completion, metadata={"options": OPTIONS})
        risk = probabilities[OPTIONS[-1]]
        answer = OPTIONS[-1] if risk >= 0.5 else OPTIONS[0]
        value = float(answer == target.text.strip())
        return Score(value=value, answer=answer, metadata={"risk_score": risk, "option_probs": probabilities})

    return score
'''

_RISK_TESTS = """\

def test_the_probabilities_of_the_options_are_read(tmp_path: Path) -> None:
    other, outcome = OPTIONS
    (score,) = graded({NAME}(dataset_path=DATASET), [{outcome: 0.6, other: 0.2, "the": 0.1}], tmp_path)
    assert abs(score.metadata["risk_score"] - 0.75) < 1e-9
    assert score.answer == outcome
    assert score.value == (first_targets()[0] == outcome)


def test_a_sample_without_one_of_the_options_is_unusable(tmp_path: Path) -> None:
    (score,) = graded({NAME}(dataset_path=DATASET), [{OPTIONS[0]: 0.9, "the": 0.1}], tmp_path)
    assert math.isnan(score.value)
"""

_GRADED_TESTS = """\

def test_the_grade_of_the_grader_counts(tmp_path: Path) -> None:
    grader = written(["GRADE: C", "GRADE: I"])
    scores = graded({NAME}(dataset_path=DATASET, grader=grader), ["an answer", "another one"], tmp_path)
    assert [score.value for score in scores] == [1, 0]
"""

_GENERATE: Mapping[str, tuple[str, ...]] = {"inspect_ai.solver": ("generate",)}

_PARTS: Mapping[Scorer, Parts] = {
    Scorer.EXACT: Parts("score_exactly()", _own(letters=True, metrics="accuracy"), _RIGHT_AND_WRONG, code=_EXACT),
    Scorer.INCLUDES: Parts(
        "includes(ignore_case=False)", {"inspect_ai.scorer": ("includes",), **_GENERATE}, _RIGHT_AND_WRONG
    ),
    Scorer.CHOICE: Parts(
        "score_choice()", _own(letters=True, metrics="accuracy"), _CHOICE_TESTS, modules=("re",), code=_CHOICE
    ),
    Scorer.NUMERIC: Parts(
        "score_number()",
        _own(letters=False, metrics="mean"),
        _NUMERIC_TESTS,
        kit=("first_number", "number_of"),
        modules=("math",),
        code=_NUMERIC,
    ),
    Scorer.RISK: Parts(
        "score_risk()",
        {"inspect_ai.model": ("GenerateConfig",), **_own(letters=False, metrics="accuracy")},
        _RISK_TESTS,
        kit=("option_probabilities",),
        modules=("math",),
        config="GenerateConfig(logprobs=True, top_logprobs=20, max_tokens=1)",
        code=_RISK,
    ),
    Scorer.MODEL_GRADED: Parts(
        "model_graded_qa(model=grader)",
        {"inspect_ai.model": ("Model",), "inspect_ai.scorer": ("model_graded_qa",), **_GENERATE},
        _GRADED_TESTS,
    ),
}
