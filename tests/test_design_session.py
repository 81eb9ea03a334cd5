"""A person at a terminal: from a question to scaffolded runs, through a real pseudo-terminal."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pexpect
import pytest

from conftest import plan_of
from design_inputs import make_inputs

TUNEBOOK = Path(sys.executable).with_name("tunebook")
PAGE = "experiment_summary.md"
DOWN, ENTER, SPACE, CLEAR = "\x1b[B", "\r", " ", "\x15"


class Session:
    """``tunebook design`` on a terminal; reads what a person reads, without escape sequences."""

    def __init__(self, directory: Path, *arguments: str) -> None:
        environment = os.environ | {"TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1", "COLUMNS": "120", "LINES": "50"}
        self.process = pexpect.spawn(
            str(TUNEBOOK),
            ["design", *arguments],
            cwd=str(directory),
            env=environment,
            dimensions=(50, 120),
            timeout=30,
            encoding="utf-8",
        )

    def sees(self, text: str) -> None:
        self.process.expect(re.escape(text))

    def answers(self, question: str, keys: str) -> None:
        self.sees(question)
        self.process.send(keys)

    def ends(self) -> int:
        self.process.expect(pexpect.EOF)
        self.process.close()
        return int(self.process.exitstatus if self.process.exitstatus is not None else -1)


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
    session.process.send(f"{CLEAR}lora_rank=8,16{ENTER}")
    session.answers("What varies?", ENTER)
    session.answers("Learning Rate?", f"{CLEAR}5e-5{ENTER}")
    session.answers("Batch Size?", ENTER)
    session.answers("Epochs?", f"{CLEAR}2{ENTER}")
    session.answers("The system prompt", ENTER)
    session.answers("The prompt, with {input}", f"{CLEAR}Capitalize: {{input}}{ENTER}")
    session.answers("How many runs of each combination", ENTER)
    session.answers("Which epochs are evaluated", f"{CLEAR}all{ENTER}")
    session.answers("The experiment's directory?", f"{CLEAR}exp{ENTER}")
    session.sees("3 runs (2 fine-tuned), 5 evaluations")
    session.answers("Write the page?", ENTER)
    session.answers("Scaffold now?", ENTER)
    session.sees("Scaffold Experiment Complete")
    assert session.ends() == 0
    plan = plan_of((inputs / "exp" / PAGE).read_text())
    assert [run.name for run in plan.runs] == [
        "Llama-3.2-1B-Instruct_rank8",
        "Llama-3.2-1B-Instruct_rank16",
        "Llama-3.2-1B-Instruct_base",
    ]
    assert (plan.value("lr"), plan.value("prompt"), plan.value("epochs")) == (5e-5, "Capitalize: {input}", 2)
    assert (inputs / "exp" / "rank8" / "finetune.yaml").is_file()
