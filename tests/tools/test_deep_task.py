"""check --deep: each task is built with the arguments of its job, and asked what it would ask the model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from support.deep import checks_of, here
from tunebook.core.deep_checks import DeepResult
from tunebook.errors import ToolError
from tunebook.tools.inspect import deep_checks

pytestmark = pytest.mark.filterwarnings("ignore")  # inspect-ai warns of the libraries that it uses

TASK = "task"


@pytest.fixture
def experiment(tiny_experiment: Path) -> Path:
    """Another word in each example."""
    splits = {"train": 320, "validation": 40, "test": 40}
    words = {split: [f"{split}word{number}" for number in range(count)] for split, count in splits.items()}
    data = {split: [{"input": word, "output": word.upper()} for word in some] for split, some in words.items()}
    (tiny_experiment / "words.json").write_text(json.dumps(data))
    return tiny_experiment


def as_worker(function: str, arguments: Mapping[str, Any], *, runs_others_code: bool = False) -> Mapping[str, Any]:
    """In this process, with the errors of the worker's."""
    try:
        return here(function, arguments, runs_others_code=runs_others_code)
    except Exception as error:
        raise ToolError(f"{type(error).__name__}: {error}") from error


def changed(experiment: Path, file: str, old: str, new: str) -> None:
    path = experiment / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def trained(experiment: Path) -> DeepResult:
    """The check of the task as the trained runs use it, which get the run's settings."""
    (check,) = [check for check in checks_of(experiment, TASK) if "config_dir" in check.subject]
    assert len(check.runs) == 2
    assert "running the experiment's own code" in check.announcement
    return check.look(as_worker)


def test_a_correct_task_shows_its_samples(experiment: Path) -> None:
    """Built before anything is scaffolded: the run's settings are in a scratch directory."""
    result = trained(experiment)
    assert result.errors == result.warnings == ()
    assert result.figure == "40 samples, 40 in the test split (40 records)"
    assert not (experiment / "logs").exists()


def test_a_task_that_ignores_its_data_set_is_an_error_at_its_line(experiment: Path) -> None:
    other = {"test": [{"input": f"other{number}", "output": "x"} for number in range(40)]}
    (experiment / "other.json").write_text(json.dumps(other))
    changed(
        experiment, "cap_task.py", "json.loads(Path(dataset_path)", "json.loads((Path(__file__).parent / 'other.json')"
    )
    (problem,) = trained(experiment).errors
    assert problem.message.startswith("40 of the 40 samples of task capitalization are not in ")
    line = (experiment / "experiment_summary.md").read_text().splitlines()[(problem.line or 0) - 1]
    assert "cap_task.py" in line


def test_a_task_with_a_prompt_of_its_own_is_an_error(experiment: Path) -> None:
    changed(experiment, "cap_task.py", 'template.replace("{input}", record["input"])', "record['input'] + '?'")
    (problem,) = trained(experiment).errors
    assert "does not use the plan's Prompt: it should ask 'Capitalize the given word: testword0'" in problem.message


def test_a_task_that_drops_the_system_prompt_is_an_error(experiment: Path) -> None:
    changed(experiment, "experiment_summary.md", '**System Prompt:** ""', '**System Prompt:** "Be brief."')
    assert trained(experiment).errors == ()
    changed(experiment, "cap_task.py", "if system else []", "if False else []")
    (problem,) = trained(experiment).errors
    assert "does not use the plan's System Prompt: it should ask 'Be brief.' and asks 'nothing'" in problem.message


def test_fewer_samples_than_the_split_has_are_a_warning(experiment: Path) -> None:
    changed(experiment, "cap_task.py", "enumerate(records)", "enumerate(records[:7])")
    (problem,) = trained(experiment).warnings
    assert "has 7 samples, but the test split" in problem.message


def test_a_task_that_reads_the_training_data_is_a_warning(experiment: Path) -> None:
    changed(experiment, "cap_task.py", 'split: str = "test"', 'split: str = "train"')
    assert any("evaluates on the training data" in problem.message for problem in trained(experiment).warnings)


def test_a_limit_above_the_number_of_samples_is_an_error(experiment: Path) -> None:
    changed(
        experiment,
        "experiment_summary.md",
        "- **Evaluation Max Tokens:** 12",
        "- **Evaluation Max Tokens:** 12\n- **Evaluation Limit:** 41",
    )
    (problem,) = trained(experiment).errors
    assert problem.message == "Limit is 41, but the task capitalization has only 40 samples"


def test_a_task_that_raises_is_an_error_in_its_own_words(experiment: Path) -> None:
    changed(experiment, "cap_task.py", "    setup = {}\n", "    raise RuntimeError('no such luck')\n")
    (problem,) = trained(experiment).errors
    assert "cannot be built with the arguments of its job: RuntimeError: no such luck" in problem.message


def test_other_code_beside_the_task_is_another_key(experiment: Path) -> None:
    before = [check.key for check in checks_of(experiment, TASK)]
    (experiment / "helper.py").write_text("x = 1\n")
    assert [check.key for check in checks_of(experiment, TASK)] != before


def test_what_is_not_installed_or_not_here_counts_as_not_checked(
    experiment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checks = [check for check in checks_of(experiment, TASK) if "config_dir" in check.subject]
    (experiment / "cap_task.py").rename(experiment / "elsewhere.py")
    assert checks[0].look(as_worker).unchecked == f"{experiment / 'cap_task.py'} was not found here"
    assert {check.announcement for check in checks_of(experiment, TASK)} == {""}  # nothing is run
    monkeypatch.setattr(deep_checks, "find_spec", lambda _: None)
    assert checks[0].look(as_worker).unchecked == "inspect-ai is not installed here"
