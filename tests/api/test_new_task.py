"""`task new`: what it writes where, what it refuses with which line, and what it leaves alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from support.command_line import tunebook
from support.tiny_model import build_tiny_model, write_tiny_experiment
from tunebook import api
from tunebook.core.scorers import Scorer
from tunebook.disk.atomic import write_text
from tunebook.errors import ConflictError, PlanError, Problem, UsageError


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with data, and no plan yet."""
    monkeypatch.chdir(tmp_path)
    write_data(tmp_path)
    return tmp_path


def write_data(folder: Path, **changes: Any) -> None:
    """Examples on lines 3, 4, … of the file; changes are those of the first test example."""
    examples = [
        {"input": f"person {n}", "output": ("No", "Yes")[n % 2], "age": ("young", "old")[n // 2 % 2]} for n in range(12)
    ]
    examples[0] |= changes
    lines = ",\n".join(json.dumps(example) for example in examples)
    train = json.dumps({"input": "other", "output": "Never"})
    (folder / "people.json").write_text(f'{{"train": [{train}],\n"test": [\n{lines}\n]}}\n')


def made(folder: Path, name: str = "income", dataset: str | None = "people.json", **options: Any) -> api.NewTaskReport:
    path = Path(dataset) if dataset else None
    return api.task_new(folder, api.NewTaskOptions(name=name, dataset=path, **options))


def problem_of(folder: Path, kind: type[PlanError | UsageError] = PlanError, **options: Any) -> Problem:
    """The only problem; nothing was written."""
    with pytest.raises(kind) as caught:
        made(folder, **options)
    assert not list(folder.glob("*.py"))
    (problem,) = caught.value.problems
    return problem


def test_without_a_plan_the_data_must_be_named(folder: Path) -> None:
    assert (
        "has no experiment_summary.md, and `--dataset` is missing"
        in problem_of(folder, UsageError, dataset=None).message
    )
    report = made(folder)
    assert [file.path.name for file in report.files] == ["income.py", "test_income.py"]
    assert report.row == ()
    assert not (folder / ".tunebook").exists()


def test_without_a_scorer_the_one_that_fits_is_taken_and_the_reason_is_given(folder: Path) -> None:
    report = made(folder)
    assert report.task.scorer is Scorer.CHOICE
    assert report.reasons[0] == "scorer: choice, since the 12 answers of the test split are `No` or `Yes`"
    assert 'CHOICES = ["No", "Yes"]' in report.files[0].text


@pytest.mark.parametrize(
    "name", ["Income", "my task", "", "1st", "class", "../up", "test_income", "json", "inspect_ai"]
)
def test_a_name_that_is_not_plain_or_is_a_modules_is_refused(folder: Path, name: str) -> None:
    assert problem_of(folder, UsageError, name=name).message.startswith(f"the task's name `{name}` is ")


def test_a_target_that_is_no_number_is_named_with_its_line(folder: Path) -> None:
    problem = problem_of(folder, scorer=Scorer.NUMERIC)
    assert (problem.file, problem.line) == (str(folder / "people.json"), 3)
    assert "the target `No` is not a number; 11 more of 12 targets are like this" in problem.message


def test_a_target_that_is_none_of_the_choices_is_named_with_its_line(folder: Path) -> None:
    write_data(folder, output="Never")
    problem = problem_of(folder, scorer=Scorer.CHOICE, choices=("No", "Yes"))
    assert (problem.line, problem.message.rpartition(": ")[2]) == (
        3,
        "the target `Never` is not one of the choices No, Yes",
    )


def test_a_choice_that_no_example_has_is_refused(folder: Path) -> None:
    problem = problem_of(folder, choices=("No", "Yes", "Yess"))
    assert problem.message == "no example has the answer `Yess`, which `--choices` names"
    assert (problem.file, problem.hint) == (str(folder / "people.json"), "did you mean `Yes`?")


def test_a_choice_of_the_training_data_only_is_a_warning(folder: Path) -> None:
    report = made(folder, choices=("No", "Yes", "Never"))
    (warning,) = report.warnings
    assert "no example of the test split has the answer `Never`" in warning.message


def test_a_column_that_no_example_has_is_refused(folder: Path) -> None:
    problem = problem_of(folder, groups=("agee",))
    assert "no example of the test split has the column `agee`" in problem.message
    assert problem.hint == "did you mean `age`?"


@pytest.mark.parametrize("missing", [None, "", " ", float("nan")])
def test_a_column_with_a_gap_is_refused_with_its_line(folder: Path, missing: object) -> None:
    write_data(folder, age=missing)
    problem = problem_of(folder, groups=("age",))
    assert (problem.line, problem.message) == (3, "example 0 of the test split: the column `age` has no text or number")


def test_a_column_with_too_many_values_is_a_warning(folder: Path) -> None:
    report = made(folder, groups=("age", "input"))
    assert [warning.message for warning in report.warnings] == []  # 12 values are the most
    write_data(folder, age=1.5)
    assert made(folder, name="other", groups=("output", "age")).warnings == ()


def test_the_outcome_of_a_risk_must_be_clear(folder: Path) -> None:
    assert made(folder, name="clear", scorer=Scorer.RISK).task.choices == ("No", "Yes")
    for file in folder.glob("*.py"):
        file.unlink()
    (folder / "people.json").write_text(json.dumps({"test": [{"input": t, "output": t} for t in ("cat", "dog")]}))
    assert "do not say which one is the outcome" in problem_of(folder, UsageError, scorer=Scorer.RISK).message
    assert made(folder, scorer=Scorer.RISK, choices=("dog", "cat")).task.choices == ("dog", "cat")


def test_options_that_do_not_belong_to_the_scorer_are_refused(folder: Path) -> None:
    assert "has no choices" in problem_of(folder, UsageError, scorer=Scorer.EXACT, choices=("No", "Yes")).message
    assert "asks no grader" in problem_of(folder, UsageError, scorer=Scorer.EXACT, grader="openai/x").message
    assert "every model would grade itself" in problem_of(folder, UsageError, scorer=Scorer.MODEL_GRADED).message
    problem = problem_of(folder, scorer=Scorer.RISK, choices=("No", "Yes", "Never"))
    assert problem.message == "risk is the probability of one of two options, but there are 3: No, Yes, Never"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"train": [{"input": "a", "output": "b"}]}', "has no test split; it has: train"),
        ('[{"input": "a", "output": "b"}]', "has no splits"),
        (
            '{"test": [\n{"input": "a", "output": 1}]}',
            "people.json:2, test, example 0: `output` is a number, not a text",
        ),
        ('{"test": [\n{"question": "a"}]}', "people.json:2, test, example 0"),
        ('{"test": [', "people.json"),
    ],
)
def test_data_that_cannot_be_asked_are_refused(folder: Path, content: str, message: str) -> None:
    (folder / "people.json").write_text(content)
    assert message in problem_of(folder).message


def test_missing_data_are_missing(folder: Path) -> None:
    problem = problem_of(folder, dataset="nope.json")
    assert problem.missing == str(folder / "nope.json")


def test_long_texts_have_no_scorer_of_their_own(folder: Path) -> None:
    texts = [{"input": str(n), "output": f"{n} " + "word " * 40} for n in range(5)]
    (folder / "people.json").write_text(json.dumps({"test": texts}))
    assert problem_of(folder, UsageError).message.startswith("no scorer fits by itself: the 5 answers")


def test_a_file_is_replaced_only_on_request_and_kept(folder: Path) -> None:
    made(folder)
    assert {file.action for file in made(folder).files} == {"unchanged"}
    (folder / "income.py").write_text("mine\n")
    with pytest.raises(ConflictError, match=r"income\.py exists with another text"):
        made(folder)
    assert (folder / "income.py").read_text() == "mine\n"
    actions = [(file.action, file.original) for file in made(folder, overwrite=True).files]
    assert actions == [("replaced", folder / "income.py.orig"), ("unchanged", None)]
    assert (folder / "income.py.orig").read_text() == "mine\n"


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_file_that_somebody_saves_at_the_same_moment_is_kept(
    folder: Path, monkeypatch: pytest.MonkeyPatch, *, overwrite: bool
) -> None:
    script = folder / "income.py"
    if overwrite:
        script.write_text("an earlier task")

    def saved_meanwhile(path: Path, text: str, **options: Any) -> bool:
        if path == script:
            script.write_text("a person's own task")
        return write_text(path, text, **options)

    monkeypatch.setattr("tunebook.disk.atomic.write_text", saved_meanwhile)
    with pytest.raises(ConflictError, match=r"income\.py was changed while this ran"):
        made(folder, overwrite=overwrite)
    assert script.read_text() == "a person's own task"


def test_a_dry_run_writes_nothing(folder: Path) -> None:
    report = made(folder, dry_run=True)
    assert not report.written
    assert not list(folder.glob("*.py"))


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("planned")
    write_tiny_experiment(root / "tiny", build_tiny_model(root / "model"))
    write_data(root / "tiny")
    return root / "tiny"


def test_the_plans_data_and_prompts_are_those_of_the_task(planned: Path) -> None:
    report = made(planned, name="same", dataset=None, scorer=Scorer.EXACT)
    assert report.task.dataset == str(planned / "words.json")
    assert report.task.prompts == ("", "Capitalize the given word: {input}")
    assert report.row[-1] == "| same | `same.py` |  | Exact match |"
    assert 'Path(__file__).parent / "words.json"' in report.files[1].text


def test_other_data_are_named_in_the_row(planned: Path) -> None:
    report = made(planned, dataset=str(planned / "people.json"), scorer=Scorer.RISK)
    assert report.row[-1] == "| income | `income.py` | `people.json` | Probability of an outcome |"


def test_options_that_a_model_begins_with_the_same_token_are_refused(planned: Path) -> None:
    (planned / "alike.json").write_text(
        json.dumps({"test": [{"input": "a", "output": "Yesterday"}, {"input": "b", "output": "Yes"}]})
    )
    with pytest.raises(PlanError) as caught:
        made(
            planned, name="alike", dataset=str(planned / "alike.json"), scorer=Scorer.RISK, choices=("Yesterday", "Yes")
        )
    (problem,) = caught.value.problems
    assert "begins the options `Yesterday` and `Yes` with the same token" in problem.message
    line = (planned / "experiment_summary.md").read_text().splitlines()[(problem.line or 0) - 1]
    assert "rank4" in line


def test_risk_behind_a_server_is_refused_at_its_line(planned: Path, tmp_path: Path) -> None:
    page = (planned / "experiment_summary.md").read_text()
    (tmp_path / "experiment_summary.md").write_text(
        page.replace("- **Seed:** 14", "- **Seed:** 14\n- **Inference:** vllm")
    )
    with pytest.raises(PlanError) as caught:
        made(tmp_path, dataset=str(planned / "people.json"), scorer=Scorer.RISK)
    (problem,) = caught.value.problems
    assert "gives no log-probabilities" in problem.message
    assert problem.file == "experiment_summary.md"
    assert problem.line


def test_a_plan_whose_tool_takes_no_files_is_refused(planned: Path, tmp_path: Path) -> None:
    page = (planned / "experiment_summary.md").read_text()
    assert "inspect-ai" in page
    (tmp_path / "experiment_summary.md").write_text(page.replace("inspect-ai", "lm-eval"))
    with pytest.raises(UsageError, match="the plan evaluates with lm-eval, for which no task can be written"):
        made(tmp_path, dataset=str(planned / "people.json"))


def test_the_command_line_prints_what_comes_next_and_one_document(planned: Path) -> None:
    done = tunebook(planned, "task", "new", "shown", "--dataset", "people.json", "--choices", '["No", "Yes"]')
    assert done.returncode == 0, done.stderr
    assert "| shown | `shown.py` | `people.json` | One choice of several |" in done.stdout
    assert "tunebook check" in done.stdout
    done = tunebook(planned, "task", "new", "shown", "--scorer", "numeric", "--dataset", "people.json", "--json")
    document = json.loads(done.stdout)
    assert (done.returncode, document["exit_code"], document["errors"][0]["line"]) == (3, 3, 3)
    done = tunebook(planned, "task", "new", "shown", "--choices", "[1]")
    assert (done.returncode, "`--choices` is not a list of texts" in done.stderr) == (2, True)
