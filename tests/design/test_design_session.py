"""A person at a terminal: from a question to scaffolded runs, through a real pseudo-terminal."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from support.design_inputs import OPTIONS, make_inputs
from support.plans import plan_of
from support.terminal import Terminal

TUNEBOOK = Path(sys.executable).with_name("tunebook")
PLAN = "experiment_summary.md"
DOWN, ENTER, SPACE, CLEAR = "\x1b[B", "\r", " ", "\x15"


class Session(Terminal):
    """``tunebook design`` on a terminal."""

    def __init__(self, directory: Path, *arguments: str) -> None:
        super().__init__([TUNEBOOK, "design", *arguments], directory=directory)


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    return make_inputs(tmp_path / "my work")


def test_from_the_question_to_scaffolded_runs(inputs: Path) -> None:
    session = Session(inputs)
    session.answers("The scientific question", f"Does rank matter?{ENTER}")
    session.answers("Which models?", f"{SPACE}{ENTER}")
    session.answers("The data set?", ENTER)
    session.answers("The evaluation task?", ENTER)
    session.answers("What varies?", f"lora_rnk=8,16{ENTER}")
    session.sees("did you mean `lora_rank`?")
    session.types(f"{CLEAR}lora_rank=8,16{ENTER}")
    session.answers("What else varies?", ENTER)
    session.answers("Learning Rate?", f"{CLEAR}5e-5{ENTER}")
    session.answers("Batch Size?", ENTER)
    session.answers("Epochs?", f"{CLEAR}2{ENTER}")
    session.answers("The system prompt", ENTER)
    session.answers("The prompt, with {input}", f"{CLEAR}Capitalize: {{input}}{ENTER}")
    session.answers("How many runs of each combination", ENTER)
    session.answers("Which epochs are evaluated", f"{CLEAR}all{ENTER}")
    session.answers("What do you expect?", f"H1: rank16 = rank8{ENTER}")
    session.sees("no data can show that two scores are exactly equal")
    session.types(f"{CLEAR}H1: rank16 > rank8{ENTER}")
    session.answers("Anything else?", ENTER)
    session.answers("The experiment's directory?", f"{CLEAR}exp{ENTER}")
    session.sees("3 runs (2 fine-tuned), 5 evaluations")
    session.answers("Write the plan?", ENTER)
    session.answers("Scaffold now?", ENTER)
    session.sees("Scaffold Experiment Complete")
    assert session.ends() == 0
    plan = plan_of((inputs / "exp" / PLAN).read_text())
    assert [run.name for run in plan.runs] == [
        "Llama-3.2-1B-Instruct_rank8",
        "Llama-3.2-1B-Instruct_rank16",
        "Llama-3.2-1B-Instruct_base",
    ]
    assert (plan.value("lr"), plan.value("prompt"), plan.value("epochs")) == (5e-5, "Capitalize: {input}", 2)
    assert [item.text for item in plan.hypotheses] == ["H1: rank16 > rank8"]
    assert (inputs / "exp" / "rank8" / "finetune.yaml").is_file()


@pytest.mark.parametrize("key", ["\x03", "\x04"], ids=["ctrl-c", "ctrl-d"])
def test_leaving_the_questions_writes_nothing(inputs: Path, key: str) -> None:
    session = Session(inputs)
    if key == "\x04":  # the end of the input, which lists do not know
        session.answers("The scientific question", key)
    else:
        session.answers("The scientific question", f"Does rank matter?{ENTER}")
        session.answers("Which models?", key)
    assert session.ends() == 130
    assert sorted(path.name for path in inputs.iterdir()) == ["cap_task.py", "models", "words.json"]


def test_several_factors_are_combined_as_asked(inputs: Path) -> None:
    options = [option for option in OPTIONS if not option.startswith(("--factor", "--set=lr"))]
    session = Session(inputs, "exp", *options, "--prompt={input}", "--system-prompt=", "--replicates=1")
    session.answers("What varies?", f"rank=8,16{ENTER}")
    session.answers("What else varies?", f"lora_rank=32{ENTER}")
    session.sees("is given twice")
    session.types(f"{CLEAR}lr=1e-5,5e-5{ENTER}")
    session.answers("What else varies?", ENTER)
    session.answers("How are they combined?", ENTER)
    session.answers("Combinations to leave out?", f"alpha=2{ENTER}")
    session.sees("is in an exclusion, but is not a factor")
    session.types(f"{CLEAR}rank=16,lr=5e-5{ENTER}")
    session.answers("Others to leave out?", ENTER)
    session.answers("What do you expect?", ENTER)
    session.sees("4 runs (3 fine-tuned)")
    session.answers("Write the plan?", "n")
    assert session.ends() == 0


def test_questions_that_options_answer_are_not_asked(inputs: Path) -> None:
    session = Session(inputs, "exp", *OPTIONS)
    session.sees("3 runs (2 fine-tuned), 3 evaluations")
    session.answers("Write the plan?", ENTER)
    session.answers("Scaffold now?", "n")
    session.sees("next: tunebook scaffold")
    assert session.ends() == 0
    assert (inputs / "exp" / PLAN).is_file()
    assert not (inputs / "exp" / "rank8").exists()


def test_changes_of_an_update_are_shown_and_can_be_declined(inputs: Path) -> None:
    session = Session(inputs, "exp", *OPTIONS, "--yes")
    assert session.ends() == 0
    before = (inputs / "exp" / PLAN).read_bytes()
    session = Session(inputs, "exp", "--update", "--factor", "rank=8,64")
    session.sees("+| Llama-3.2-1B-Instruct_rank64 |")
    session.answers("Write these changes to the plan?", "n")
    session.sees("Nothing was written.")
    assert session.ends() == 0
    assert (inputs / "exp" / PLAN).read_bytes() == before


def test_a_path_can_be_given_in_place_of_those_that_were_found(inputs: Path) -> None:
    session = Session(inputs, "exp", *(option for option in OPTIONS if not option.startswith("--dataset")))
    session.answers("The data set?", f"{DOWN}{ENTER}")
    session.answers("The data set?", f"other.json{ENTER}")
    session.answers("The system prompt", ENTER)
    session.answers("The prompt, with {input}", f"{CLEAR}no placeholder{ENTER}")
    session.sees("otherwise all examples would be the same text")
    session.types(f"{CLEAR}{{input}}{ENTER}")
    session.answers("How many runs of each combination", ENTER)
    session.answers("What do you expect?", ENTER)
    session.sees("other.json` is missing: create it")
    session.answers("Write the plan?", ENTER)
    session.answers("Scaffold now?", "n")
    assert session.ends() == 0
    plan = plan_of((inputs / "exp" / PLAN).read_text())
    assert plan.dataset is not None
    assert plan.dataset.path == str(inputs / "other.json")
