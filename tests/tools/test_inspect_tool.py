"""Evaluations from the matrix: what a task is given, read from its source, and what is refused."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.scaffolding import replace, scaffolded
from tunebook import api
from tunebook.core.jobs import Pack
from tunebook.disk.manifest import read_manifest
from tunebook.errors import ExitCode
from tunebook.tools.inspect.task_source import read_task_script

PLAN = "experiment_summary.md"
SCRIPT = "/scratch/gpfs/LAB/tasks/cap_task.py"
HEAD = "from inspect_ai import Task, task\nraise RuntimeError('a task is never imported')\n\n"


def with_task(experiment: Path, signature: str, *, name: str = "capitalization", spec: str = "") -> Path:
    """The experiment with a task script of its own."""
    script = experiment / "cap_task.py"
    script.write_text(f"{HEAD}@task\ndef {name}({signature}) -> Task:\n    return Task()\n")
    replace(experiment / PLAN, SCRIPT, f"{script}{spec}")
    return script


def arguments(experiment: Path, script: str) -> dict[str, Any]:
    """The arguments that a script gives to its task."""
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
    assert arguments(experiment, TUNED) == {"config_dir": f"{experiment}/rank8_lr1e-5/eval"}
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
    assert "\noptions=(--seed 14 --max-connections 32)\n" in text
    base = "/scratch/gpfs/LAB/pretrained-llms/Llama-3.2-1B-Instruct"
    assert f"\nprepare_options=(--precision bf16 --base {base})\n" in text


def test_a_task_that_takes_neither_is_an_error_that_says_what_to_add(experiment: Path) -> None:
    with_task(experiment, "limit=5")
    (problem,) = scaffolded(experiment).parts[1].problems
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
    (problem,) = scaffolded(experiment).parts[1].problems
    assert message in problem.message
    assert api.check(experiment).exit_code is ExitCode.WRONG_PLAN


@pytest.mark.parametrize(
    ("signature", "given"),
    [
        ("config_dir", {"config_dir": "/Llama-3.2-1B_base/eval"}),
        ("config_path", {"config_path": "/Llama-3.2-1B_base/eval/setup_finetune.yaml"}),
        ("config_path=''", {"config_path": "/Llama-3.2-1B_base/eval/setup_finetune.yaml"}),
        ("data_path, config_path=''", {"config_path": "/Llama-3.2-1B_base/eval/setup_finetune.yaml", "data_path": ""}),
    ],
)
def test_a_base_model_is_asked_with_the_plans_prompts_by_a_task_that_reads_them_from_a_file(
    experiment: Path, signature: str, given: dict[str, str]
) -> None:
    with_task(experiment, signature)
    assert scaffolded(experiment).exit_code is ExitCode.DONE
    places = {name: f"{experiment}{path}" if path else DATA for name, path in given.items()}
    assert arguments(experiment, BASE) == places
    found = yaml.safe_load((experiment / "Llama-3.2-1B_base/eval/setup_finetune.yaml").read_text())
    assert found == {
        "input_dir_base": "/scratch/gpfs/LAB/data",
        "input_formatting": "",
        "dataset_label": "words_4L_80P_300",
        "dataset_ext": ".json",
        "dataset_type": "instruct",
        "system_prompt": "Capitalize the given word",
        "prompt": "{input}",
    }


def test_the_evaluation_of_a_base_model_depends_on_the_file_with_its_prompts(experiment: Path) -> None:
    """Otherwise a new prompt would leave the old score as it is."""
    with_task(experiment, "data_path, config_path=''")
    jobs = {job.script: job for job in scaffolded(experiment).blueprint.jobs}
    assert "Llama-3.2-1B_base/eval/setup_finetune.yaml" in jobs[BASE].texts
    assert not any(text.endswith(".yaml") for text in jobs[TUNED].texts)


def test_a_base_model_gets_no_file_where_the_task_takes_everything_that_matters(experiment: Path) -> None:
    with_task(experiment, "config_dir=None, dataset_path=None, system_prompt=''")  # the plan's prompt is {input}
    assert scaffolded(experiment).exit_code is ExitCode.DONE
    assert set(arguments(experiment, BASE)) == {"dataset_path", "system_prompt"}
    assert not (experiment / "Llama-3.2-1B_base/eval/setup_finetune.yaml").exists()


def test_missing_data_that_nothing_is_trained_on_are_a_warning(experiment: Path) -> None:
    with_task(experiment, "config_dir=None, dataset_path=None, system_prompt=None, prompt=None")
    name_data(experiment, "`other.json`")
    (found,) = [item for item in api.check(experiment).warnings if item.message.startswith("data set other.json")]
    assert "`other.json` | Exact match" in (experiment / PLAN).read_text().splitlines()[(found.line or 0) - 1]


def test_a_task_that_requires_its_data_gets_them_beside_the_configuration(experiment: Path) -> None:
    with_task(experiment, "data_path, config_path=''")
    assert scaffolded(experiment).exit_code is ExitCode.DONE
    config = f"{experiment}/rank8_lr1e-5/eval/setup_finetune.yaml"
    assert arguments(experiment, TUNED) == {"config_path": config, "data_path": DATA}


def test_a_task_that_may_use_other_prompts_is_a_warning(experiment: Path) -> None:
    with_task(experiment, "dataset_path")
    report = api.check(experiment)
    assert any("does not accept system_prompt" in warning.message for warning in report.warnings)


@pytest.mark.parametrize("parameters", ["dataset_path, split='test'", "dataset_path, *, split: str = 'test'"])
def test_data_without_the_split_that_a_task_reads_are_a_warning(experiment: Path, parameters: str) -> None:
    """Otherwise the evaluation stops at its start, after the training."""
    with_task(experiment, parameters)
    name_data(experiment, "`words.jsonl`")
    (experiment / "words.jsonl").write_text('{"input": "a", "output": "A"}\n')
    (found,) = [item for item in api.check(experiment).warnings if "reads the split" in item.message]
    assert found.message.endswith("reads the split `test`, but words.jsonl has only train (1)")
    assert "test.jsonl" in found.hint


def test_the_split_is_compared_with_the_runs_own_data_without_a_matrix_too(experiment: Path) -> None:
    with_task(experiment, "dataset_path, split='test'")
    name_data(experiment, "")
    (experiment / "words.jsonl").write_text('{"input": "a", "output": "A"}\n')
    text = (experiment / PLAN).read_text().replace(DATA, "words.jsonl")
    text = re.sub(r"### Evaluation Matrix\n.*?(?=\n##)", "", text, flags=re.DOTALL)
    (experiment / PLAN).write_text(text)
    assert any("reads the split `test`" in item.message for item in api.check(experiment).warnings)


@pytest.mark.parametrize("split", ["'test'", "'dev'", "None", "other()"])
def test_a_split_that_exists_or_cannot_be_read_is_no_warning(experiment: Path, split: str) -> None:
    with_task(experiment, f"dataset_path, split={split}")
    name_data(experiment, "`words.json`")
    example = [{"input": "a", "output": "A"}]
    (experiment / "words.json").write_text(json.dumps({"test": example, "validation": example}))
    assert not any("reads the split" in item.message for item in api.check(experiment).warnings)


def test_a_missing_script_is_a_warning_and_other_tasks_are_built(experiment: Path) -> None:
    script = with_task(experiment, "config_dir=None, dataset_path=None, system_prompt=None")
    row = f"| capitalization | `{script}` ✓"
    replace(experiment / PLAN, row, f"| other | `/nowhere/other.py` | - | - |\n{row}")
    replace(experiment / PLAN, "| Run Name | capitalization | Notes |", "| Run Name | capitalization | other | Notes |")
    replace(experiment / PLAN, "|----------|----------------|-------|", "|---|---|---|---|")
    replace(experiment / PLAN, "✓ epoch 0 | |", "✓ epoch 0 | ✓ | |")
    replace(experiment / PLAN, "| ✓ | Base model, once |", "| ✓ | - | Base model, once |")
    replace(experiment / PLAN, "**Total evaluations:** 9\n\n###", "**Total evaluations:** 17\n\n###")
    report = scaffolded(experiment)
    assert report.exit_code is ExitCode.DONE
    assert len(report.parts[1].scripts) == 17
    assert any("/nowhere/other.py was not found" in warning.message for warning in report.warnings)
    text = (experiment / "rank8_lr1e-5" / "eval" / "other_epoch0.slurm").read_text()
    assert "nowhere/other.py\n" in text


def test_an_eval_only_run_is_evaluated_at_its_own_checkpoint(experiment: Path) -> None:
    page = experiment / PLAN
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
        experiment / PLAN,
        "- **Evaluation seed:** 14",
        "- **Evaluation seed:** 3\n- **Temperature:** 0.7\n- **Max tokens:** 20",
    )
    scaffolded(experiment)
    text = (experiment / BASE).read_text()
    assert "\noptions=(--seed 3 --max-connections 32 --max-tokens 20 --temperature 0.7)\n" in text
    assert "\nprepare_options=(--precision bf16 --sample)\n" in text


ROW = "| `/scratch/gpfs/LAB/data/words_4L_80P_300.json` ✓ | Exact match"


def name_data(experiment: Path, cell: str) -> None:
    """Writes another data set, or none, into the table of tasks."""
    replace(experiment / PLAN, ROW, f"| {cell} | Exact match")


def test_the_configuration_is_in_config_dir_and_one_level_above(experiment: Path) -> None:
    """Task scripts look in either place; both files have the same settings, also after a person's edit."""
    with_task(experiment, "config_dir=None, dataset_path=None")
    scaffolded(experiment)
    directory = Path(arguments(experiment, TUNED)["config_dir"])
    above = yaml.safe_load((directory.parent / "setup_finetune.yaml").read_text())
    assert yaml.safe_load((directory / "setup_finetune.yaml").read_text()) == above
    replace(directory.parent / "setup_finetune.yaml", "system_prompt: Capitalize the given word", "system_prompt: Mine")
    scaffolded(experiment)
    assert yaml.safe_load((directory / "setup_finetune.yaml").read_text())["system_prompt"] == "Mine"


def test_an_edited_copy_of_the_configuration_is_reported(experiment: Path) -> None:
    with_task(experiment, "config_dir=None, dataset_path=None")
    scaffolded(experiment)
    replace(experiment / "rank8_lr1e-5/eval/setup_finetune.yaml", "system_prompt: Capitalize", "system_prompt: Read")
    report = scaffolded(experiment)
    assert report.exit_code is ExitCode.UNFINISHED
    assert any("differs from the run's own settings" in warning.message for warning in report.warnings)


def test_a_task_with_config_path_or_data_path_gets_these(experiment: Path) -> None:
    with_task(experiment, "config_path=None, data_path=None, system_prompt=None, prompt=None")
    assert scaffolded(experiment).exit_code is ExitCode.DONE
    assert arguments(experiment, TUNED) == {"config_path": f"{experiment}/rank8_lr1e-5/eval/setup_finetune.yaml"}
    assert arguments(experiment, BASE)["data_path"] == DATA


def test_a_task_reads_the_data_set_that_the_table_names(experiment: Path) -> None:
    with_task(experiment, "config_dir=None, dataset_path=None, system_prompt=None, prompt=None")
    name_data(experiment, "`other.json`")
    scaffolded(experiment)
    assert arguments(experiment, TUNED)["dataset_path"] == f"{experiment}/other.json"
    assert arguments(experiment, BASE)["dataset_path"] == f"{experiment}/other.json"


def test_runs_with_data_of_their_own_are_evaluated_on_the_tables_data(experiment: Path) -> None:
    """The table names the plan's data; a run that is trained on another file must get that path."""
    with_task(experiment, "config_dir=None, dataset_path=None, system_prompt=None, prompt=None")
    page = experiment / PLAN
    text = page.read_text().replace("| Batch Size | Type", "| Batch Size | Dataset | Type")
    text = text.replace("|------------|------|-----", "|------------|---|------|-----")
    text = text.replace("| 4 | Fine-tuned", f"| 4 | `{DATA}` | Fine-tuned", 7)
    text = text.replace("| 4 | Fine-tuned", "| 4 | `mine.json` | Fine-tuned").replace("- | Control", "- | - | Control")
    page.write_text(text)
    assert scaffolded(experiment).exit_code is ExitCode.DONE
    mine = next(experiment.glob("*mine*/eval/*.slurm")).relative_to(experiment)
    assert arguments(experiment, str(mine))["dataset_path"] == DATA
    assert "dataset_path" not in arguments(
        experiment, next(iter(map(str, experiment.glob("rank8_lr1e-5*/eval/*.slurm"))))
    )


def test_a_task_that_cannot_take_the_tables_data_is_an_error(experiment: Path) -> None:
    with_task(experiment, "config_dir=None, system_prompt=None")
    name_data(experiment, "`other.json`")
    report = scaffolded(experiment)
    message = report.parts[1].failures[0].problems[0].message
    assert f"cannot read {experiment}/other.json, which the tasks table names" in message
    assert report.exit_code is ExitCode.FAILED


def test_a_task_with_data_of_its_own_gets_prompts_only(experiment: Path) -> None:
    with_task(experiment, "system_prompt=None, split='test'")
    name_data(experiment, "-")
    assert scaffolded(experiment).exit_code is ExitCode.DONE
    assert arguments(experiment, TUNED) == {"system_prompt": "Capitalize the given word"}
    assert not (experiment / "rank8_lr1e-5/eval/setup_finetune.yaml").exists()


def test_a_task_with_data_of_its_own_cannot_require_ours(experiment: Path) -> None:
    with_task(experiment, "config_dir")
    name_data(experiment, "-")
    (problem,) = scaffolded(experiment).parts[1].problems
    assert "does not supply to a task with data of its own" in problem.message


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed package with a task, which must not be imported."""
    site = tmp_path / "site"
    metadata = site / "quizzes-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: quizzes\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[inspect_ai]\nquizzes = quizzes._registry\n")
    (site / "quizzes").mkdir()
    (site / "quizzes" / "__init__.py").write_text("raise RuntimeError('never imported')\n")
    (site / "quizzes" / "easy.py").write_text(f"{HEAD}@task\ndef easy_quiz(shots: int = 0): ...\n")
    monkeypatch.syspath_prepend(str(site))
    return site


@pytest.mark.parametrize(
    ("name", "gpus", "memory"),
    [("Llama-3.2-1B-Instruct", 1, "16G"), ("Llama-3.1-70B-Instruct", 1, "368G"), ("Llama-3.1-70B-Instruct", 0, "856G")],
)
def test_an_evaluation_asks_for_memory_by_the_models_size(experiment: Path, name: str, gpus: int, memory: str) -> None:
    text = (experiment / PLAN).read_text().replace("Llama-3.2-1B-Instruct", name)
    (experiment / PLAN).write_text(text.replace("- **GPUs:** 1", f"- **GPUs:** {gpus}"))
    scaffolded(experiment)
    assert f"#SBATCH --mem={memory}\n" in next(experiment.glob("*_base/eval/*.slurm")).read_text()


def test_a_task_of_an_installed_package_is_passed_on_as_it_stands(experiment: Path, package: Path) -> None:
    assert package.is_dir()
    replace(experiment / PLAN, f"`{SCRIPT}` ✓", "quizzes/easy_quiz")
    name_data(experiment, "-")
    assert scaffolded(experiment).exit_code is ExitCode.DONE
    assert "\ntask=quizzes/easy_quiz\n" in (experiment / TUNED).read_text()
    assert arguments(experiment, TUNED) == {}
    assert any("easy_quiz(shots)" in note for note in api.check(experiment).notes)


def test_a_package_without_that_task_is_an_error_and_a_package_that_is_not_here_a_warning(
    experiment: Path, package: Path
) -> None:
    assert package.is_dir()
    replace(experiment / PLAN, f"`{SCRIPT}` ✓", "quizzes/hard_quiz")
    assert "names no task" in scaffolded(experiment).parts[1].problems[0].message
    replace(experiment / PLAN, "quizzes/hard_quiz", "inspect_evals/mmlu_0_shot")
    report = scaffolded(experiment)
    assert report.exit_code is ExitCode.DONE
    assert any("inspect_evals/mmlu_0_shot is not installed here" in warning.message for warning in report.warnings)
    assert "\ntask=inspect_evals/mmlu_0_shot\n" in (experiment / TUNED).read_text()


@pytest.mark.parametrize(
    "decorator", ['@task(name="word-caps")', "@task(name=NAME)", "@quiz(name=NAME)", '@task(name="word-caps", b=1)']
)
def test_the_name_in_the_decorator_is_the_tasks(experiment: Path, decorator: str) -> None:
    source = "from inspect_ai import task, task as quiz\nNAME = 'word-caps'\n"
    (experiment / "hyphen@name.py").write_text(
        f"{source}{decorator}\ndef capitalization(config_dir=None, data_path=''): ...\n"
    )
    replace(experiment / PLAN, SCRIPT, "hyphen@name.py@word-caps")
    assert scaffolded(experiment).exit_code is ExitCode.DONE
    assert "/hyphen@name.py@word-caps" in (experiment / TUNED).read_text()
    job = next(item for item in read_manifest(experiment).jobs if item.script == TUNED)
    assert "hyphen@name.py" in job.texts


@pytest.mark.parametrize("name", ["f'{1}'", "NAMES[0]", "TWICE"])
def test_a_name_that_cannot_be_read_is_an_error_that_says_how_to_write_it(experiment: Path, name: str) -> None:
    head = "from inspect_ai import task\nTWICE = 'a'\nTWICE = 'b'\n"
    (experiment / "t.py").write_text(f"{head}@task(name={name})\ndef a(config_dir=None, dataset_path=''): ...\n")
    replace(experiment / PLAN, SCRIPT, "t.py")
    (problem,) = scaffolded(experiment).parts[1].problems
    assert "the name of the task on line 5 cannot be read" in problem.message


@pytest.mark.parametrize(
    "source", ['S = f"{X["a"]}"', "type Row = dict[str, str]", "def first[T](x: list[T]) -> T: ..."]
)
@pytest.mark.skipif(sys.version_info >= (3, 12), reason="this Python reads the syntax of 3.12")
def test_the_syntax_of_a_newer_python_is_a_warning(experiment: Path, source: str) -> None:
    (experiment / "t.py").write_text(f"{HEAD}{source}\n@task\ndef capitalization(config_dir=None): ...\n")
    replace(experiment / PLAN, SCRIPT, "t.py")
    report = scaffolded(experiment)
    assert report.exit_code is ExitCode.DONE
    assert any("its parameters could not be read, since Python 3.11" in item.message for item in report.warnings)
    assert arguments(experiment, TUNED) == {"config_dir": f"{experiment}/rank8_lr1e-5/eval"}


TASK = "\n@task\ndef quiz(dataset_path=None): ...\n"


@pytest.mark.parametrize(
    ("name", "source", "problem"),
    [
        ("t.py", b"# \xe9\n" + TASK.encode(), "is not UTF-8, line 1"),
        ("t.py", "# coding: nonsense" + TASK, "is not valid Python: unknown encoding: nonsense"),
        ("t.py", TASK + "print 'a'\n", "is not valid Python: Missing parentheses"),
        ("t.py", TASK + "if 1:\n    a\n  b\n", "is not valid Python: unindent"),
        ("t.py", TASK + "f(x for x in y, 1)\n", "is not valid Python: Generator expression"),
        ("t.py", TASK + "return 1\n", "is not valid Python: 'return' outside function"),
        ("t.py", "from .words import load" + TASK, "imports `.words` on line 1"),
        ("t.txt", TASK, "has the ending `.txt`"),
        ("t.ipynb", "{}", "has the ending `.ipynb`"),
    ],
)
def test_a_script_that_inspect_cannot_load_has_a_problem(
    tmp_path: Path, name: str, source: str | bytes, problem: str
) -> None:
    script = tmp_path / name
    script.write_bytes(source if isinstance(source, bytes) else source.encode())
    found = read_task_script(script)
    assert found is not None
    assert found.problem.startswith(problem)


def test_a_directory_or_a_pipe_is_no_script(tmp_path: Path) -> None:
    for make in (os.mkdir, os.mkfifo):
        make(tmp_path / f"{make.__name__}.py")
        found = read_task_script(tmp_path / f"{make.__name__}.py")
        assert found is not None
        assert found.problem == "is not a file"


def test_a_parameter_that_cannot_be_passed_by_name_is_not_accepted(tmp_path: Path) -> None:
    (tmp_path / "t.py").write_text("@task\ndef quiz(config_dir=None, /, dataset_path=None): ...\n")
    found = read_task_script(tmp_path / "t.py")
    assert found is not None
    assert found.functions[0].parameters == ("dataset_path",)


def test_tasks_below_an_if_or_a_try_are_found_as_inspect_finds_them(tmp_path: Path) -> None:
    source = "try:\n    import x\nexcept ImportError:\n    pass\nelse:\n    @task\n    def quiz(dataset_path): ...\n"
    (tmp_path / "t.py").write_text("\ufeff" + source)
    found = read_task_script(tmp_path / "t.py")
    assert found is not None
    assert [function.name for function in found.functions] == ["quiz"]


def test_a_function_of_a_package_task_is_an_error(experiment: Path) -> None:
    replace(experiment / PLAN, f"`{SCRIPT}` ✓", "inspect_evals/mmlu_0_shot@other")
    (problem,) = api.check(experiment).errors
    assert "inspect_evals/mmlu_0_shot@other names a task of a package" in problem.message


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


def test_jobs_share_allocations_as_the_plan_says(experiment: Path) -> None:
    page = experiment / PLAN
    text = page.read_text()
    page.write_text(text.replace("- **GPUs:** 1", "- **GPUs:** 1\n- **Runs per GPU:** 4\n- **Evaluations per job:** 6"))
    (experiment / "claude.local.md").write_text("# Site\n## SLURM Defaults\n- **CUDA MPS**: yes\n")
    scaffolded(experiment)
    jobs = read_manifest(experiment).jobs
    trainings = {job.pack for job in jobs if job.task is None}
    assert trainings == {Pack("trainings", size=4, mps=True)}
    (evaluations,) = {job.pack for job in jobs if job.task is not None}
    assert evaluations is not None
    assert (evaluations.size, evaluations.at_once, evaluations.service) == (6, 1, "warm_inspect.sh")
    assert "runtime.warm_evaluations" in (experiment / evaluations.service).read_text()
    assert not any("warm_inspect.sh" in job.inputs for job in jobs)
    page.write_text(text)
    scaffolded(experiment, prune=True)
    assert {job.pack for job in read_manifest(experiment).jobs} == {None}
    assert not (experiment / "warm_inspect.sh").exists()
