"""Evaluations from the matrix: what a task is given, read from its source, and what is refused."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from support.scaffolding import replace, scaffolded
from tunebook import api
from tunebook.errors import ExitCode, PlanError
from tunebook.tools.inspect.task_source import read_task_script

PAGE = "experiment_summary.md"
SCRIPT = "/scratch/gpfs/LAB/tasks/cap_task.py"
HEAD = "from inspect_ai import Task, task\nraise RuntimeError('a task is never imported')\n\n"


def with_task(experiment: Path, signature: str, *, name: str = "capitalization", spec: str = "") -> Path:
    """The experiment with a task script of its own."""
    script = experiment / "cap_task.py"
    script.write_text(f"{HEAD}@task\ndef {name}({signature}) -> Task:\n    return Task()\n")
    replace(experiment / PAGE, SCRIPT, f"{script}{spec}")
    return script


def arguments(experiment: Path, script: str) -> dict[str, Any]:
    """What a script gives to its task."""
    text = (experiment / script).read_text()
    match = re.search(r"^task_arguments='(.*)'$", text, re.MULTILINE)
    assert match
    found: dict[str, Any] = json.loads(match[1].replace("'\"'\"'", "'"))
    return found


TUNED = "rank8_lr1e-5/eval/capitalization_epoch0.slurm"
BASE = "Llama-3.2-1B_base/eval/capitalization_base.slurm"
DATA = "/scratch/gpfs/LAB/data/words_4L_80P_300.json"


def test_a_task_with_config_dir_reads_the_runs_own_configuration(experiment: Path) -> None:
    with_task(experiment, "config_dir=None, dataset_path=None, system_prompt='', prompt='{input}'")
    assert scaffolded(experiment).exit_code is ExitCode.DONE
    assert arguments(experiment, TUNED) == {"config_dir": f"{experiment}/rank8_lr1e-5"}
    assert arguments(experiment, BASE) == {
        "dataset_path": DATA,
        "system_prompt": "Capitalize the given word",
        "prompt": "{input}",
    }


def test_a_task_without_config_dir_gets_data_and_prompts(experiment: Path) -> None:
    with_task(experiment, "dataset_path, system_prompt='', prompt=''")
    scaffolded(experiment)
    assert arguments(experiment, TUNED)["system_prompt"] == "Capitalize the given word"
    assert "config_dir" not in arguments(experiment, TUNED)


def test_the_scripts_function_is_named_and_the_exact_file(experiment: Path) -> None:
    script = with_task(experiment, "config_dir=None, dataset_path=None, system_prompt=None", name="caps")
    scaffolded(experiment)
    text = (experiment / TUNED).read_text()
    quoted = str(script).replace("'", "'\"'\"'")
    assert f"\ntask='{quoted}@caps'\n" in text
    assert "\nmodel=hf/rank8_lr1e-5_epoch0\n" in text
    assert "\noptions=(--seed 14)\n" in text
    assert "\nprepare_options=()\n" in text


def test_a_task_that_takes_neither_is_an_error_that_says_what_to_add(experiment: Path) -> None:
    with_task(experiment, "limit=5")
    with pytest.raises(PlanError) as caught:
        scaffolded(experiment)
    (problem,) = caught.value.problems
    assert problem.line == 57
    assert "accepts neither config_dir nor dataset_path" in problem.message
    assert "add a parameter `config_dir: str | None = None` on line 5" in problem.hint


@pytest.mark.parametrize(
    ("signature", "name", "spec", "message"),
    [
        ("config_dir", "a", "@b", "has no task `b`"),
        ("config_dir, colour", "a", "", "requires the parameter `colour`, which tunebook does not supply"),
        ("config_dir=None) -> Task:\n    x = (", "a", "", "is not valid Python"),
    ],
)
def test_a_script_that_cannot_be_used_is_refused(
    experiment: Path, signature: str, name: str, spec: str, message: str
) -> None:
    with_task(experiment, signature, name=name, spec=spec)
    with pytest.raises(PlanError, match=message):
        scaffolded(experiment)


def test_a_base_model_cannot_use_a_task_that_takes_a_training_only(experiment: Path) -> None:
    """Its run fails with what to add; the tuned runs go on."""
    with_task(experiment, "config_dir")
    report = scaffolded(experiment)
    (failure,) = report.parts[1].failures
    assert failure.run == "Llama-3.2-1B-Instruct_base"
    assert "accepts only a training's config_dir" in failure.problems[0].message
    assert len(report.parts[1].scripts) == 8


def test_a_task_with_words_of_its_own_is_told(experiment: Path) -> None:
    with_task(experiment, "dataset_path")
    report = api.check(experiment)
    assert any("does not accept system_prompt" in warning.message for warning in report.warnings)


def test_a_missing_script_is_a_warning_and_other_tasks_go_on(experiment: Path) -> None:
    script = with_task(experiment, "config_dir=None, dataset_path=None, system_prompt=None")
    row = f"| capitalization | `{script}` ✓"
    replace(experiment / PAGE, row, f"| other | `/nowhere/other.py` | - | - |\n{row}")
    replace(experiment / PAGE, "| Run Name | capitalization | Notes |", "| Run Name | capitalization | other | Notes |")
    replace(experiment / PAGE, "|----------|----------------|-------|", "|---|---|---|---|")
    replace(experiment / PAGE, "✓ epoch 0 | |", "✓ epoch 0 | ✓ | |")
    replace(experiment / PAGE, "| ✓ | Base model, once |", "| ✓ | - | Base model, once |")
    replace(experiment / PAGE, "**Total evaluations:** 9\n\n###", "**Total evaluations:** 17\n\n###")
    report = scaffolded(experiment)
    assert report.exit_code is ExitCode.DONE
    assert len(report.parts[1].scripts) == 17
    assert any("/nowhere/other.py was not found" in warning.message for warning in report.warnings)
    text = (experiment / "rank8_lr1e-5" / "eval" / "other_epoch0.slurm").read_text()
    assert "nowhere/other.py\n" in text


def test_an_eval_only_run_is_evaluated_at_its_own_checkpoint(experiment: Path) -> None:
    page = experiment / PAGE
    text = (
        page.read_text()
        .replace("| Type | Est. Time |", "| Type | Checkpoint |")
        .replace("|------|-----------|", "|------|---|")
    )
    text = re.sub(r"\| ~\d+ min \|", "| - |", text).replace("| Control | N/A |", "| Control | - |")
    control = "| Llama-3.2-1B-Instruct_base | Llama-3.2-1B-Instruct | - | - | - | Control | - |"
    assert control in text
    text = text.replace(
        control, f"{control}\n| mine | Llama-3.2-1B-Instruct | - | - | - | Eval-only | `/ck/mine/epoch_2` |"
    )
    text = text.replace("| Llama-3.2-1B-Instruct_base | ✓ |", "| mine | ✓ | |\n| Llama-3.2-1B-Instruct_base | ✓ |")
    text = text.replace("Runs:** 9", "Runs:** 10").replace(
        "evaluations:** 9\n\n### Eval", "evaluations:** 10\n\n### Eval"
    )
    page.write_text(text)
    report = scaffolded(experiment)
    assert report.exit_code is ExitCode.DONE
    script = (experiment / "mine" / "eval" / "capitalization_base.slurm").read_text()
    assert "\nmodel_path=/ck/mine/epoch_2\n" in script


def test_sampling_is_explicit_and_greedy_has_no_temperature(experiment: Path) -> None:
    scaffolded(experiment)
    assert "--temperature" not in (experiment / BASE).read_text()
    replace(
        experiment / PAGE,
        "- **Evaluation seed:** 14",
        "- **Evaluation seed:** 3\n- **Temperature:** 0.7\n- **Max tokens:** 20",
    )
    scaffolded(experiment)
    text = (experiment / BASE).read_text()
    assert "\noptions=(--seed 3 --max-tokens 20 --temperature 0.7)\n" in text
    assert "\nprepare_options=(--sample)\n" in text


def test_parameters_are_read_without_importing(tmp_path: Path) -> None:
    path = tmp_path / "t.py"
    path.write_text(
        f"{HEAD}import inspect_ai\n\n@inspect_ai.task(name='other')\ndef f(a, b=1, *, c, d=2, **rest):\n    ...\n\ndef g(x):\n    ...\n"
    )
    facts = read_task_script(path)
    assert facts is not None
    (function,) = facts.functions
    assert (function.name, function.parameters, function.required) == ("other", ("a", "b", "c", "d"), ("a", "c"))
    assert function.accepts("anything")
    assert read_task_script(tmp_path / "none.py") is None
