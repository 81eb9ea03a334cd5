"""From `tunebook task new` to the report: a tiny model is evaluated by each kind of task, as a person would do it."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from support.command_line import tunebook
from support.tiny_model import MODEL, build_tiny_model, write_tiny_experiment

pytestmark = pytest.mark.filterwarnings("ignore")  # Transformers, torchao and torch warn of one another

BASE = f"{MODEL}_base"
TASKS = {
    "same": ["--scorer", "exact"],
    "within": ["--scorer", "includes"],
    "word": ["--scorer", "choice", "--choices", "House,Table,Water,Stone"],
    "price": ["--scorer", "numeric", "--dataset", "prices.json", "--group", "region"],
    "income": ["--scorer", "risk", "--dataset", "incomes.json", "--group", "age"],
    "judged": ["--scorer", "model-graded", "--grader", "openai/gpt-4o-mini"],
}
TRAINED = ("price", "income")  # the tasks that the trained run gets too
SAID = '''

@solver
def say_a_number() -> Solver:
    """Answers instead of the tiny model, which knows no numbers: every fourth answer has none."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        number = int(state.sample_id)
        state.output.completion = "no idea" if number % 4 == 0 else f"About ${1000 + number:,}, I think."
        return state

    return solve
'''
GRADER = """
def grade(*_: object) -> ModelOutput:
    output = ModelOutput.from_content("mockllm/model", "GRADE: C")
    output.usage = ModelUsage()
    return output


GRADER = get_model("mockllm/model", custom_outputs=grade)
"""


def changed(file: Path, *replacements: tuple[str, str]) -> None:
    text = file.read_text()
    for old, new in replacements:
        assert old in text, old
        text = text.replace(old, new)
    file.write_text(text)


def write_data(directory: Path) -> None:
    incomes = [
        {"input": f"person {n}", "output": ("No", "Yes")[n % 2], "age": ("young", "old")[n // 2 % 2]} for n in range(24)
    ]
    prices = [{"input": f"house {n}", "output": f"{1000 + 2 * n}", "region": "NS"[n % 2]} for n in range(24)]
    for name, examples in (("incomes", incomes), ("prices", prices)):
        splits = {"train": [{**one, "input": f"other {one['input']}"} for one in examples], "test": examples}
        (directory / f"{name}.json").write_text(json.dumps(splits, indent=1))


def add_to_plan(directory: Path, lines: Mapping[str, list[str]]) -> None:
    """Adds the printed tables, and the tasks to the matrix: the base model gets all of them."""
    page = directory / "experiment_summary.md"
    tables = "\n\n".join("\n".join(table) for table in lines.values())
    changed(page, ("\n## Evaluation Plan", f"\n{tables}\n\n## Evaluation Plan"))
    rows = page.read_text().partition("### Evaluation Matrix\n")[2].partition("\n\n")[0].splitlines()
    new = []
    for row in rows:
        cells = row.strip("|").split("|")
        if "Run Name" in row:
            more = list(TASKS)
        elif row.startswith("|-"):
            more = ["---"] * len(TASKS)
        elif BASE in row:
            cells[1], more = " - ", ["✓"] * len(TASKS)
        else:
            cells[1], more = " - ", ["✓" if name in TRAINED else "-" for name in TASKS]
        new.append("|" + "|".join([*cells[:2], *more, *cells[2:]]) + "|")
    changed(page, ("\n".join(rows), "\n".join(new)), ("**Total evaluations:** 2", "**Total evaluations:** 8"))


@pytest.fixture(scope="module")
def experiment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six written tasks in a plan with a training and its base model; two were edited as their owner may."""
    root = tmp_path_factory.mktemp("tasks")
    directory = root / "tiny"
    write_tiny_experiment(directory, build_tiny_model(root / MODEL), ranks=(4,))
    write_data(directory)
    lines = {}
    for name, options in TASKS.items():
        done = tunebook(directory, "task", "new", name, *options, "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        lines[name] = json.loads(done.stdout)["data"]["plan_lines"]
    add_to_plan(directory, lines)
    return directory


@pytest.fixture(scope="module")
def analyzed(experiment: Path) -> dict[str, Any]:
    """The document of `analyze` after all evaluations."""
    changed(experiment / "income.py", ("top_logprobs=20", "top_logprobs=300"))  # the model's tokens are all unlikely
    changed(
        experiment / "price.py",
        ("solver=generate()", "solver=[generate(), say_a_number()]"),
        ("import TaskState, generate", "import Generate, Solver, TaskState, generate, solver"),
    )
    with (experiment / "price.py").open("a") as file:
        file.write(SAID)
    changed(
        experiment / "judged.py",
        ('\nGRADER = "openai/gpt-4o-mini"\n', GRADER),
        ("import Model\n", "import Model, ModelOutput, ModelUsage, get_model\n"),
    )
    assert tunebook(experiment, "scaffold").returncode == 0
    done = tunebook(experiment, "run", "--jobs", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    done = tunebook(experiment, "analyze", "--json")
    data: dict[str, Any] = json.loads(done.stdout)["data"]
    assert (done.returncode, data["gaps"]) == (0, []), done.stdout + done.stderr
    return data


def logged(experiment: Path, task: str, run: str = "SmolLM2-135M_base") -> Any:
    from inspect_ai.log import read_eval_log

    (path,) = (experiment / run / "eval" / "logs").glob(f"*_{task}_*.eval")
    return read_eval_log(str(path))


def test_written_tests_pass_as_they_are(experiment: Path) -> None:
    files = [f"test_{name}.py" for name in TASKS]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n0", *files]
    done = subprocess.run(command, cwd=experiment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_plan_with_written_tasks_passes_check_and_its_deep_checks(experiment: Path) -> None:
    done = tunebook(experiment, "check", "--deep", "--json")
    document = json.loads(done.stdout)
    assert (done.returncode, document["errors"]) == (0, []), done.stdout
    figures = {proof["subject"]: proof["figure"] for proof in document["data"]["deep"] if proof["title"] == "task"}
    assert figures["income with config_dir, dataset_path"] == "24 samples, 24 in the test split (24 records)"
    assert {subject.partition(" ")[0] for subject in figures} == set(TASKS)


def test_each_measure_is_in_the_report(analyzed: dict[str, Any]) -> None:
    measures = {(row["task"], row["measure"]) for row in analyzed["scores"]}
    expected = {("same", "exactly"), ("within", "includes"), ("word", "choice"), ("judged", "model_graded_qa")}
    expected |= {("price", "absolute_error"), ("price", "absolute_error/parse_rate")}
    expected |= {("income", "risk"), ("income", "risk/brier")}
    assert expected <= measures
    (judged,) = [row for row in analyzed["scores"] if row["task"] == "judged"]
    assert (judged["score"], judged["n"]) == (1, 40)


def test_errors_of_numbers_are_those_of_the_answers(analyzed: dict[str, Any]) -> None:
    """Answer n says 1000 + n, the target is 1000 + 2 n, and every fourth answer has no number."""
    errors = [number for number in range(24) if number % 4]
    for run in (BASE, f"{MODEL}_rank4"):
        found = {row["measure"]: row for row in analyzed["scores"] if row["task"] == "price" and row["run"] == run}
        assert found["absolute_error"]["score"] == pytest.approx(sum(errors) / len(errors))
        assert found["absolute_error/parse_rate"]["score"] == pytest.approx(0.75)
        (rmse,) = [
            row["value"]
            for row in analyzed["aggregates"]
            if (row["run"], row["measure"]) == (run, "absolute_error/rmse")
        ]
        assert rmse == pytest.approx(math.sqrt(sum(error**2 for error in errors) / len(errors)))


def test_risks_are_the_probabilities_that_the_model_gives(experiment: Path, analyzed: dict[str, Any]) -> None:
    """By hand: the softmax of the model's first logits over the first tokens of both options."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model: Any = AutoModelForCausalLM.from_pretrained(experiment.parent / MODEL, dtype=torch.float32)
    tokenizer: Any = AutoTokenizer.from_pretrained(experiment.parent / MODEL)
    first = [tokenizer.encode(option, add_special_tokens=False)[0] for option in ("No", "Yes")]
    risks, outcomes = [], []
    for sample in logged(experiment, "income").samples:
        text = f"<|im_start|>user\n{sample.input[-1].text}<|im_end|>\n<|im_start|>assistant\n"
        ids = torch.tensor([tokenizer.encode(text, add_special_tokens=False)])
        with torch.inference_mode():
            logits = model(ids).logits[0, -1, first]
        risks.append(float(torch.softmax(logits, dim=0)[1]))
        outcomes.append(int(sample.target == "Yes"))
        assert sample.scores["risk"].metadata["risk_score"] == pytest.approx(risks[-1], abs=1e-4)
    brier = sum((risk - outcome) ** 2 for risk, outcome in zip(risks, outcomes, strict=True)) / len(risks)
    found = {row["measure"]: row["value"] for row in analyzed["aggregates"] if row["run"] == BASE}
    (score,) = [row["score"] for row in analyzed["scores"] if (row["run"], row["measure"]) == (BASE, "risk/brier")]
    assert score == pytest.approx(brier, abs=1e-4)
    assert {"risk/auc", "risk/ece"} <= set(found)


def test_groups_of_the_data_are_compared(analyzed: dict[str, Any]) -> None:
    columns = {(row["task"], row["column"], part["group"]) for row in analyzed["groups"] for part in row["groups"]}
    assert {("income", "age", "young"), ("income", "age", "old"), ("price", "region", "N")} <= columns
