"""``import``: plans in YAML are taken over, and what has no equivalent is a warning."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

import tunebook
from support.plans import parse_plan
from support.tiny_model import build_tiny_model
from tunebook import api
from tunebook.core.plan import Plan, RunType
from tunebook.core.plan.settings import effective, evaluations
from tunebook.errors import ExitCode, PlanError, Problem, UsageError

PLANS = Path(__file__).parents[1] / "yaml_plans"
GOLDEN = Path(__file__).parents[1] / "golden" / "yaml_complete.md"
DEMO_TASK = Path(tunebook.__file__).parent / "demo" / "files" / "cap_task.py"
SITE = "- **Default GPUs**: `1`\n"


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "claude.local.md").write_text(SITE)
    for path in PLANS.glob("*.yaml"):
        shutil.copy(path, tmp_path)
    return tmp_path


def designed(path: Path) -> api.DesignReport:
    clock: Callable[[], datetime] = lambda: datetime(2025, 11, 4, 9, 30, tzinfo=UTC)  # noqa: E731
    return api.import_plan(path, clock=clock)


def planned(report: api.DesignReport) -> Plan:
    assert [str(problem) for problem in report.errors] == []
    parsed = parse_plan(report.text)
    assert parsed.problems == ()
    return parsed.plan


def left(report: api.DesignReport) -> dict[int, str]:
    """Line to what was not carried over."""
    head = "not carried over: "
    return {
        item.line or 0: item.message.removeprefix(head) for item in report.warnings if item.message.startswith(head)
    }


def stable(text: str) -> str:
    """The plan without what depends on the machine, and without estimates."""
    for title in ("Prerequisites", "Compute Estimates", "Quick Reference"):
        text = re.sub(rf"## {title}\n.*?(?=\n## )", f"## {title}\n", text, flags=re.DOTALL)
    return re.sub(r"~[\d ]+(?:h|min|s)\b[^|]*", "~ ", text)


def test_a_complete_plan_in_yaml_becomes_the_golden_plan(work: Path) -> None:
    report = designed(work / "complete.yaml")
    assert report.written
    assert any(item.line == 12 and "does not exist on this machine" in item.message for item in report.warnings)
    assert stable(report.text) == GOLDEN.read_text()


def test_labels_of_the_matrix_arrive_in_the_plan(work: Path) -> None:
    text = (work / "neighbour.yaml").read_text()
    control = "  - {name: tiny_base, type: control, model: tiny}\nevaluation:"
    row = "  matrix:\n    - {run: tiny_base, vis_label: untrained, tasks: [upper]}"
    (work / "labels.yaml").write_text(text.replace("\nevaluation:", "\n" + control, 1).replace("  matrix:", row))
    report = designed(work / "labels.yaml")
    assert "| tiny_rank4 | ✓ epoch 0 | rank 4 |" in report.text
    assert "| tiny_base | ✓ | untrained; Base model, once |" in report.text


def test_every_value_of_a_complete_plan_arrives(work: Path) -> None:
    plan = planned(designed(work / "complete.yaml"))
    source = yaml.safe_load((work / "complete.yaml").read_text())
    assert (plan.name, plan.question) == (
        source["experiment"]["name"],
        " ".join(source["experiment"]["question"].split()),
    )
    assert [(run.name, run.model, run.type.value.lower()) for run in plan.runs] == [
        (run["name"], run["model"], run["type"]) for run in source["runs"]
    ]
    for run, given in zip(plan.runs, source["runs"], strict=True):
        if run.type is RunType.FINE_TUNED:
            wanted = {"prompt": source["controls"]["prompt"], **given["parameters"]}
            assert {key: effective(plan, run, key) for key in wanted} == {**wanted, "lr": float(wanted["lr"])}
    controls = source["controls"]
    for key in ("epochs", "batch_size", "gradient_accumulation_steps", "seed", "num_warmup_steps", "max_seq_len"):
        assert plan.value(key) == controls[key]
    assert plan.value("system_prompt") == controls["system_prompt"]
    assert (plan.value("run_val_every_n_steps"), plan.value("dataset_type")) == ("epoch", "instruct")
    assert [(model.name, model.path) for model in plan.models] == [
        (model["name"], model["path"]) for model in source["models"]["base"]
    ]
    assert plan.dataset is not None
    assert (plan.dataset.path, plan.dataset.format) == (source["data"]["training"]["path"], "json")
    assert [(task.name, f"{task.script}@{task.function}", task.dataset) for task in plan.tasks] == [
        (task["name"], task["script"], task.get("dataset")) for task in source["evaluation"]["tasks"]
    ]
    asked = {(item.run, item.task, item.epoch) for item in evaluations(plan)}
    assert asked == {
        ("rank4_lr1e-5", "capitalization", 0),
        ("rank4_lr1e-5", "capitalization", 1),
        ("rank4_lr1e-5", "generalization", 0),
        ("rank4_lr1e-5", "generalization", 1),
        ("rank8_lr5e-5", "capitalization", 0),
        ("rank8_lr5e-5", "capitalization", 1),
        ("rank8_lr5e-5_worded", "capitalization", 1),
        ("Llama-3.2-1B-Instruct_base", "capitalization", None),
        ("Llama-3.2-1B-Instruct_base", "generalization", None),
        ("earlier_best", "generalization", None),
    }
    assert (plan.value("eval_temperature"), plan.value("eval_max_tokens"), plan.value("eval_seed")) == (0.7, 20, 3)
    assert (plan.value("max_connections"), plan.value("eval_limit")) == (8, 100)


def test_keys_without_an_equivalent_are_warnings_with_line_note_and_log_entry(work: Path) -> None:
    report = designed(work / "complete.yaml")
    lines = (work / "complete.yaml").read_text().splitlines()
    told = left(report)
    expected = {
        "size_gb: 2.5": "models.base[].size_gb: 2.5",
        "size_gb: 6.4": "models.base[].size_gb: 6.4",
        "data_generation": "data.data_generation: script sample_words.py, word_length 5, count 1000",
        "size_kb": "data.training.size_kb: 60",
        "splits": "data.training.splits: train (800), validation (100), test (100)",
        "wandb_project": "output.wandb_project: capitalization",
        "system_prompt: Answer": "system_prompt of the task generalization: Answer in capitals",
        "scorers": "evaluation.scorers: match (params location exact, ignore_case false), includes",
    }
    assert sorted(told.values()) == sorted(expected.values())
    for line, message in told.items():
        key = next(key for key, text in expected.items() if text == message)
        assert key in lines[line - 1]
    notes = report.text.partition("## Notes")[2].replace("\\", "")
    log = (report.experiment / "design-experiment.log").read_text()
    for message in told.values():
        assert message in notes
        assert message in log
    assert "Hypothesis: Higher ranks learn faster | and `forget` more." in notes
    assert {"Project: capitalization", "Planned first on 2025-11-03"} <= {line[2:] for line in notes.splitlines()}


def test_older_keys_are_read_and_retired_ones_are_warnings(work: Path) -> None:
    report = designed(work / "older.yaml")
    plan = planned(report)
    assert [(run.type, effective(plan, run, "lora_rank")) for run in plan.runs] == [
        (RunType.FINE_TUNED, 4),
        (RunType.FINE_TUNED, 8),
        (RunType.CONTROL, None),
    ]
    assert plan.dataset is not None
    assert plan.dataset.path == str(work / "data" / "words.json")
    assert plan.models[0].path == str(work / "models" / "tiny")
    assert plan.tasks[0].script == str(work / "cap_task.py")
    assert plan.value("eval_temperature") == 0
    assert [text.partition(":")[0] for text in left(report).values()] == [
        "output.base_directory",
        "output.checkpoint_pattern",
        "evaluation.scorers",
    ]
    assert report.experiment == work / "caps_older"
    assert not any("does not exist on this machine" in item.message for item in report.warnings)


def test_the_directory_that_the_plan_names_is_used_if_it_is_here(work: Path) -> None:
    target = work / "elsewhere"
    target.mkdir()
    text = (work / "older.yaml").read_text().replace("directory: caps_older", "dir: elsewhere")
    (work / "older.yaml").write_text(text)
    assert designed(work / "older.yaml").experiment == target
    (target / "experiment_summary.md").unlink()
    moved = work / "moved" / "caps_older"
    moved.mkdir(parents=True)
    (moved / "plan.yaml").write_text(text.replace("dir: elsewhere", "dir: /gone/caps_older"))
    assert designed(moved / "plan.yaml").experiment == moved


def changed(work: Path, *pairs: tuple[str, str], name: str = "older.yaml") -> Path:
    text = (work / name).read_text()
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    path = work / f"changed-{name}"
    path.write_text(text)
    return path


def problems(path: Path) -> tuple[Problem, ...]:
    with pytest.raises((PlanError, UsageError)) as caught:
        designed(path)
    return caught.value.problems


@pytest.mark.parametrize(
    ("old", "new", "message", "hint"),
    [
        ("  learning_rate:", "  learning_rat:", "unknown parameter `variables.learning_rat`", "did you mean"),
        ("  batch_size:", "  batchsize:", "unknown parameter `controls.batchsize`", "did you mean `batch_size`?"),
        ("date: 2025-10-01", "date: 1.10.2025", "`experiment.date` is `1.10.2025`", "YYYY-MM-DD"),
        ('prompt: "{input}"', "prompt: {input}", "`controls.prompt` must be one text", '"{input}"'),
        ("temperature: 0.0", 'temperature: "0,7"', "`evaluation.temperature` is `0,7`", "a point instead of the comma"),
        ("temperature: 0.0", "temperature: 0.7", "a temperature of 0.7 without `do_sample: true`", "greedy"),
        ("temperature: 0.0", "do_sample: true", "`do_sample: true` needs a `temperature` above 0", ""),
        ("temperature: 0.0", "do_sample: maybe", "`evaluation.do_sample` is `maybe`", "true or false"),
        ("epochs: 1", "epochs: [1, 2]", "`controls.epochs` must be one text", ""),
        ("scorer: match", "matrix: [{run: a, tasks: [caps]}]", "the plan lists none", "list them under `runs`"),
    ],
)
def test_an_error_in_the_plan_names_its_line(work: Path, old: str, new: str, message: str, hint: str) -> None:
    path = changed(work, (old, new))
    found = next(problem for problem in problems(path) if message in problem.message)
    assert found.file == str(path)
    assert new.splitlines()[-1].split(":")[0].strip(" {") in path.read_text().splitlines()[(found.line or 0) - 1]
    assert hint in found.hint


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("type: eval-only", "type: eval-onyl", "has the unknown type `eval-onyl`"),
        ("- name: rank8_lr5e-5\n", "- name: rank4_lr1e-5\n", "two runs are named `rank4_lr1e-5`"),
        ("- name: rank8_lr5e-5\n", "- name: ../escape\n", "a run cannot be named `../escape`"),
        ("run: rank8_lr5e-5_worded", "run: rank9", "the matrix has the unknown run `rank9`"),
        ("tasks: [generalization]", "tasks: [generalisation]", "the matrix has the unknown task `generalisation`"),
        ("run: rank8_lr5e-5_worded", "run: rank8_lr5e-5", "the matrix has `rank8_lr5e-5` with `capitalization` twice"),
        ("{lora_rank: 4, lr: 1e-5}", "{lora_rank: 4, lrr: 1e-5}", "unknown parameter `parameters.lrr`"),
        ("{lora_rank: 4, lr: 1e-5}", "{lora_rank: four, lr: 1e-5}", "LoRA Rank is `four`"),
        ("tasks: [generalization]", "tasks: [generalization]\n      epochs: [1]", "not trained here, but has epochs 1"),
        ("name: gener", "name: capitalization # gener", "two tasks are named `capitalization`"),
    ],
)
def test_wrong_runs_and_matrices_are_errors(work: Path, old: str, new: str, message: str) -> None:
    path = changed(work, (old, new), name="complete.yaml")
    assert any(message in problem.message and problem.line for problem in problems(path))


def test_all_problems_come_together_in_order(work: Path) -> None:
    path = changed(
        work, ("lora_rank:", "lora_rnk:"), ("temperature: 0.0", "temperature: 1"), ("date: 2025-10-01", "date: soon")
    )
    lines = [problem.line for problem in problems(path)]
    assert len(lines) == 3
    assert lines == sorted(lines, key=lambda line: line or 0)


@pytest.mark.parametrize(
    "text", ["", "- a\n- b\n", "just text", "a: [1,", "a: 1\na: 2\n", "runs: 3\n", "controls: x\n"]
)
def test_a_file_that_is_not_a_plan_is_refused(work: Path, text: str) -> None:
    (work / "bad.yaml").write_text(text)
    found = problems(work / "bad.yaml")
    assert found[0].file == str(work / "bad.yaml")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("experiment:\n  name: x\n\tquestion: y\n", "the line is indented with a tab: use spaces"),
        ("experiment:\n\tname: x\n", "the line is indented with a tab: use spaces"),
        ("experiment: {name: Stra\udcdfe}\n", "save the file as UTF-8"),
    ],
)
def test_a_file_that_is_not_yaml_says_what_to_do(work: Path, text: str, words: str) -> None:
    (work / "bad.yaml").write_bytes(text.encode(errors="surrogateescape"))
    (problem,) = problems(work / "bad.yaml")
    assert words in f"{problem.message} {problem.hint}"


def test_a_model_that_no_list_has_is_to_be_listed(work: Path) -> None:
    path = changed(work, ("models:\n", "modelz_of_old:\n"), name="complete.yaml")
    hints = {problem.hint for problem in problems(path) if "unknown model" in problem.message}
    assert hints == {"list it under `models.base` with its name and path"}


def test_commands_in_notes_of_the_plan_can_be_copied(work: Path) -> None:
    path = changed(work, ("wandb_project: capitalization", "wandb_project: my_lab"), name="complete.yaml")
    text = designed(path).text
    assert "this is a site setting: tunebook site init --set wandb_project=my_lab" in text


def test_a_missing_file_is_an_error(work: Path) -> None:
    assert "was not found" in problems(work / "gone.yaml")[0].message


def test_the_tasks_prompt_wins_where_nothing_is_trained(work: Path) -> None:
    runs = "runs:\n  - {name: tiny_base, type: control, model: tiny}\nevaluation:\n"
    path = changed(
        work,
        ("evaluation:\n", runs),
        ("script: cap_task.py}", 'script: cap_task.py, prompt: "Q: {input}", system_prompt: Be brief}'),
    )
    path.write_text(re.sub(r"tools: .*\nvariables:\n.*\n.*\n", "", path.read_text()))
    plan = planned(designed(path))
    assert (plan.value("prompt"), plan.value("system_prompt")) == ("Q: {input}", "Be brief")
    assert plan.fine_tuned == ()


def test_a_runs_prompt_wins_and_a_controls_own_prompt_is_a_warning(work: Path) -> None:
    control = "type: control\n    model: Llama-3.2-1B-Instruct\n"
    own = control + '    parameters: {prompt: "Own {input}"}\n'
    path = changed(work, (control, own), name="complete.yaml")
    report = designed(path)
    plan = planned(report)
    worded = next(run for run in plan.runs if run.name == "rank8_lr5e-5_worded")
    assert effective(plan, worded, "prompt") == "Word: {input}\nAnswer:"
    assert any(
        "prompt of the control run Llama-3.2-1B-Instruct_base: Own {input}" in text for text in left(report).values()
    )


def test_a_second_control_of_a_model_is_a_warning_and_is_not_evaluated(work: Path) -> None:
    extra = "  - {name: again, type: control, model: Llama-3.2-1B-Instruct}\n\nevaluation:\n"
    row = "    - {run: again, tasks: [capitalization]}\n  scorers:\n"
    path = changed(work, ("\nevaluation:\n", extra), ("  scorers:\n", row), name="complete.yaml")
    report = designed(path)
    assert "the control again" in left(report).values()
    assert all(run.name != "again" for run in planned(report).runs)


def test_hostile_texts_arrive_unchanged(work: Path) -> None:
    hostile = "a|b `c` **d** $(touch x) \"e\" 'f' ${g} # h \\n {input}"
    quoted = "'" + hostile.replace("'", "''") + "'"
    plan = planned(designed(changed(work, ('prompt: "{input}"', f"prompt: {quoted}"))))
    assert plan.value("prompt") == hostile


def test_variables_that_differ_from_the_runs_are_warnings(work: Path) -> None:
    path = changed(
        work, ("lora_rank: [4, 8]", "lora_rank: [4, 8, 16]"), ("lr: [1e-5, 5e-5]", "lr: [1e-5]"), name="complete.yaml"
    )
    messages = [item.message for item in designed(path).warnings if "variables" in item.message]
    assert messages == [
        "no run has lora_rank 16, which `variables` lists",
        "a run has lr 5e-5, which `variables` does not list",
    ]


def test_the_plan_is_scaffolded_without_a_change(work: Path) -> None:
    build_tiny_model(work / "models" / "tiny")
    (work / "data").mkdir()
    rows = [{"input": f"word{number}", "output": f"WORD{number}"} for number in range(24)]
    splits = {"train": rows[:16], "validation": rows[16:20], "test": rows[20:]}
    (work / "data" / "words.json").write_text(json.dumps(splits))
    shutil.copy(DEMO_TASK, work / "cap_task.py")
    report = designed(work / "older.yaml")
    assert report.prerequisites == ()
    scaffolded = api.scaffold(report.experiment)
    assert scaffolded.exit_code is ExitCode.DONE
    setups = sorted(report.experiment.glob("*/setup_finetune.yaml"))
    assert [path.parent.name for path in setups] == ["rank4", "rank8"]
    setup = yaml.safe_load(setups[0].read_text())
    assert (setup["lora_rank"], float(setup["lr"]), setup["epochs"], setup["batch_size"]) == (4, 1e-5, 1, 4)
    assert setup["model_checkpoint"] == str(work / "models" / "tiny")
    assert len(list(report.experiment.glob("*/eval/*.slurm"))) == 3


def test_the_command_line_takes_a_plan_over_or_lists_its_errors(work: Path) -> None:
    def run(*words: str) -> subprocess.CompletedProcess[str]:
        argv = [str(Path(sys.executable).with_name("tunebook")), "import", *words]
        return subprocess.run(argv, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)

    done = run("complete.yaml", "--json")
    document = json.loads(done.stdout)
    assert (done.returncode, document["ok"], document["data"]["written"]) == (0, True, True)
    told = [item for item in document["warnings"] if item["message"].startswith("not carried over: ")]
    assert all(item["file"] == "complete.yaml" and item["line"] for item in told)
    assert len(told) == 8
    changed(work, ("  batch_size:", "  batchsize:"))
    wrong = run("changed-older.yaml")
    assert wrong.returncode == ExitCode.WRONG_PLAN
    assert "changed-older.yaml:13: error: unknown parameter `controls.batchsize`" in wrong.stderr
    again = run("complete.yaml")
    assert again.returncode == ExitCode.UNFINISHED
    assert "`tunebook design --update`" in again.stderr
    before = sorted(work.rglob("*"))
    dry = run("older.yaml", "elsewhere", "--dry-run")
    assert dry.returncode == ExitCode.DONE
    assert "# Experiment: caps_older" in dry.stdout
    assert sorted(work.rglob("*")) == before
    named = run("older.yaml", "elsewhere")
    assert named.returncode == ExitCode.DONE
    assert (work / "elsewhere" / "experiment_summary.md").is_file()
