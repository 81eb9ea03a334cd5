"""Updates of plans that a person changed by hand, and of plans without a stored design."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from support.design_inputs import MODEL, OPTIONS, inputs_of, make_inputs
from support.plans import plan_of
from support.scaffolding import replace
from tunebook import api
from tunebook.core.plan import EvaluationTask, Model, Plan
from tunebook.design.values import Design, Factor
from tunebook.errors import ConflictError, ExitCode, PlanError, UsageError

PLAN = "experiment_summary.md"
BASIS: dict[str, Any] = {
    "question": "Does rank matter?",
    "model": {MODEL: f"models/{MODEL}"},
    "dataset": "words.json",
    "task": {"capitalization": "cap_task.py"},
    "factor": {"lora_rank": [8, 16]},
    "set": {"lr": "1e-4", "batch_size": 4, "epochs": 2, "gpus": 0},
}
EDITS = [
    (
        "- **Epochs:** 2",
        "- **Epochs:** 3",
        "Epochs was changed by hand: the plan has `3`, but the stored design gives `2`",
    ),
    ("- **Weight Decay:** 0.01", "- **Weight Decay:** 0.1", "--set weight_decay=0.1"),
    ("- **Scientific Question:** Does", "- **Scientific Question:** Why does", "--question 'Why does rank matter?'"),
    ("words.json`", "other.json`", "other.json"),
    ("| 16 |", "| 32 |", "--with name=Llama-3.2-1B-Instruct_rank16,model=Llama-3.2-1B-Instruct,lora_rank=32"),
    ("_rank8 | ✓ epoch 1 |", "_rank8 | ✓ epoch 0,1 |", "--matrix Llama-3.2-1B-Instruct_rank8:capitalization=0,1"),
    ("_rank8 | ✓ epoch 1 |", "_rank8 | - |", "--matrix Llama-3.2-1B-Instruct_rank8:capitalization=-"),
    ("- **Epochs to evaluate:** last", "- **Epochs to evaluate:** all", "--evaluate-epochs all"),
]


@pytest.fixture
def plan_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The plan of an experiment that was just designed."""
    monkeypatch.chdir(make_inputs(tmp_path / "work"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=2100 * 2**30))
    report = api.design(Path("exp"), given=inputs_of(BASIS))
    assert report.written
    return report.experiment / PLAN


def updated(**given: Any) -> api.DesignReport:
    return api.design(Path("exp"), api.DesignOptions(update=True), given=inputs_of(given, updated=Path("exp")))


def conflicts(**given: Any) -> list[str]:
    with pytest.raises(ConflictError) as caught:
        updated(**given)
    return [str(problem) for problem in caught.value.problems]


def facts(plan: Plan) -> object:
    return [(run.name, {key: written.value for key, written in run.parameters.items()}) for run in plan.runs]


@pytest.mark.parametrize(("old", "new", "message"), EDITS)
def test_an_update_refuses_to_undo_a_change_by_hand_and_names_the_option_that_takes_it_over(
    plan_file: Path, old: str, new: str, message: str
) -> None:
    replace(plan_file, old, new)
    before = plan_file.read_text()
    problems = conflicts(note=["more"])
    assert len(problems) == 1
    assert message in problems[0]
    assert problems[0].startswith(PLAN)
    assert plan_file.read_text() == before


@pytest.mark.parametrize("edit", [EDITS[0], EDITS[1], EDITS[2], EDITS[5], EDITS[6], EDITS[7]])
def test_an_update_with_the_option_that_it_named_keeps_the_change_by_hand(
    plan_file: Path, edit: tuple[str, str, str]
) -> None:
    replace(plan_file, edit[0], edit[1])
    option = re.search(r"add `(.+?)` to take", conflicts()[0])
    assert option is not None
    name, text = shlex.split(option[1])
    sources = api.DesignSources(options={name.removeprefix("--"): [text]}, updated=Path("exp"))
    report = api.design(Path("exp"), api.DesignOptions(update=True), given=api.read_inputs(sources))
    assert report.written
    assert edit[1] in plan_file.read_text()
    assert updated().diff == ""


def test_a_run_that_was_removed_or_added_by_hand_is_a_conflict(plan_file: Path) -> None:
    text = plan_file.read_text()
    text = re.sub(rf"\| {MODEL}_rank16 \|[^\n]*\n", "", text)
    text = text.replace("8, 16", "8").replace("3 (2 fine-tuned", "2 (1 fine-tuned")
    text = text.replace("**Total evaluations:** 3", "**Total evaluations:** 2")
    plan_file.write_text(text)
    assert f"run `{MODEL}_rank16` was changed by hand: the plan has nothing" in conflicts()[0]
    assert updated(factor={"lora_rank": [8]}).written
    assert [run.name for run in plan_of(plan_file.read_text()).fine_tuned] == [f"{MODEL}_rank8"]


def test_a_change_by_hand_that_the_update_makes_too_is_no_conflict(plan_file: Path) -> None:
    replace(plan_file, "- **Epochs:** 2", "- **Epochs:** 3")
    assert updated(set={"epochs": 3}).written
    assert plan_of(plan_file.read_text()).value("epochs") == 3


def test_names_remarks_order_and_own_text_are_no_conflicts(plan_file: Path) -> None:
    text = plan_file.read_text().replace(f"{MODEL}_rank16", "mine").replace("Base model, once", "Look at this")
    plan_file.write_text(text + "\n## Thoughts\nKeep me.\n")
    assert updated(factor={"lora_rank": [8, 16, 32]}).written
    text = plan_file.read_text()
    assert "Look at this" in text
    assert text.endswith("\n## Thoughts\nKeep me.\n")
    assert [run.name for run in plan_of(text).fine_tuned] == [f"{MODEL}_rank8", "mine", f"{MODEL}_rank32"]


def test_the_stored_design_is_readable_and_has_the_decisions(plan_file: Path) -> None:
    document = json.loads((plan_file.parent / ".tunebook" / "design.json").read_text())
    assert document["version"] == 1
    assert document["design"]["factor"] == {"lora_rank": ["8", "16"]}
    assert document["design"]["set"] == {"lr": "1e-4", "batch_size": "4", "epochs": "2", "gpus": "0"}
    assert document["design"]["model"] == {MODEL: str(Path(f"models/{MODEL}").absolute())}


def test_an_update_keeps_the_parts_of_a_design_that_a_plan_does_not_show(plan_file: Path) -> None:
    """A sample of all combinations, and exclusions, are in the stored design only."""
    updated(factor={"lora_rank": [8, 16, 32, 64], "lr": ["1e-4", "1e-5"]}, exclude=["rank=64"], sample=4)
    runs = facts(plan_of(plan_file.read_text()))
    assert updated(note=["again"]).diff.count("\n+") == len(("+++ file", "", "## Notes", "- again"))
    assert facts(plan_of(plan_file.read_text())) == runs
    assert len(updated(sample=6).plan.fine_tuned) == 6


def test_a_dry_run_leaves_the_stored_design_as_it_is(plan_file: Path) -> None:
    stored = plan_file.parent / ".tunebook" / "design.json"
    before = stored.read_bytes()
    api.design(
        Path("exp"),
        api.DesignOptions(update=True, dry_run=True),
        given=inputs_of({"set": {"epochs": 5}}, updated=Path("exp")),
    )
    assert stored.read_bytes() == before


def test_without_a_stored_design_an_update_asks_for_the_whole_design(plan_file: Path) -> None:
    (plan_file.parent / ".tunebook" / "design.json").unlink()
    before = plan_file.read_text()
    with pytest.raises(UsageError) as caught:
        updated(factor={"lora_rank": [8, 16, 32]})
    messages = [problem.message for problem in caught.value.problems]
    assert messages[0].startswith(".tunebook/design.json is missing")
    assert "`question` is missing" in messages
    assert "Learning Rate is missing" in messages
    assert plan_file.read_text() == before
    assert len(updated(**BASIS).plan.fine_tuned) == 2
    assert updated().diff == ""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "the stored design cannot be read"),
        ("[]", "the stored design cannot be read"),
        ('{"version": 2, "design": {}}', "has format 2, and this one reads formats up to 1"),
        ('{"version": 1, "design": []}', "the stored design cannot be read"),
        ('{"version": 1, "design": {"factors": {"lora_rnk": ["8"]}}}', "unknown factor `lora_rnk`"),
    ],
)
def test_a_damaged_stored_design_is_an_error_that_names_the_file(plan_file: Path, text: str, message: str) -> None:
    (plan_file.parent / ".tunebook" / "design.json").write_text(text)
    with pytest.raises(PlanError, match=message) as caught:
        updated()
    assert caught.value.problems[0].file == ".tunebook/design.json"


def test_a_program_gives_a_typed_design(plan_file: Path) -> None:
    value = Design(
        question="Does rank matter?",
        models=(Model(MODEL, f"models/{MODEL}"),),
        dataset="words.json",
        tasks=(EvaluationTask("capitalization", "cap_task.py"),),
        factors=(Factor("lora_rank", ("8", "16")),),
        settings={"lr": "1e-4", "batch_size": "4", "epochs": "2", "gpus": "0"},
    )
    report = api.design(Path("typed"), given=value)
    assert facts(report.plan) == facts(plan_of(plan_file.read_text()))
    again = api.design(
        Path("typed"), api.DesignOptions(update=True), given=Design(factors=(Factor("lora_rank", ("8", "64")),))
    )
    assert [run.parameters["lora_rank"].value for run in again.plan.fine_tuned] == [8, 64]


def test_questions_of_an_update_are_only_asked_for_what_is_missing(plan_file: Path) -> None:
    assert api.missing_answers(api.read_inputs(api.DesignSources(updated=plan_file.parent))) == ()
    given = {name.partition("=")[0].strip("-"): [name.partition("=")[2]] for name in OPTIONS[:2]}
    (plan_file.parent / ".tunebook" / "design.json").unlink()
    missing = api.missing_answers(api.read_inputs(api.DesignSources(options=given, updated=plan_file.parent)))
    assert missing == ("dataset", "task", "lora_rank", "lr", "batch_size", "epochs")


def test_a_task_with_data_of_its_own_is_designed_stored_and_updated(tmp_path: Path, plan_file: Path) -> None:
    task = "from inspect_ai import Task, task\n\n\n@task\ndef quiz(system_prompt='', prompt=''): ...\n"
    (tmp_path / "work" / "quiz.py").write_text(task)
    own = {"script": "quiz.py", "dataset": "-"}
    assert updated(task={"quiz": own}).written
    for _ in range(2):  # the second update reads the stored design
        quiz = next(task for task in plan_of(plan_file.read_text()).tasks if task.name == "quiz")
        assert (quiz.dataset, quiz.has_own_data) == (None, True)
        assert updated(set={"seed": 15}).exit_code is ExitCode.DONE
    assert updated(task={"quiz": {"script": "cap_task.py", "dataset": "words.json"}}).written
    quiz = next(task for task in plan_of(plan_file.read_text()).tasks if task.name == "quiz")
    assert (Path(quiz.dataset or "").name, quiz.has_own_data) == ("words.json", False)
