"""``tunebook design`` as a user types it: plans that need no editing, what they are verified against, and updates."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from support.design_inputs import MODEL, NO_TENSORS, OPTIONS, inputs_of, make_inputs, make_model
from support.plans import plan_of
from support.scaffolding import replace
from tunebook import api
from tunebook.core.units import spoken_minutes
from tunebook.design.history import find_history
from tunebook.errors import ConflictError, ExitCode, UsageError

TUNEBOOK = Path(sys.executable).with_name("tunebook")
GOLDEN = Path(__file__).parents[1] / "golden" / "design"
PLAN = "experiment_summary.md"
CLOCK = datetime(2025, 10, 22, 14, 26, 0, tzinfo=UTC)
HOSTILE = 'Say $(touch x) | `id` "it\'s" ${oc.env:HOME} \\ {input}\n# Not a heading'
BASIS: dict[str, Any] = {
    "question": "How do LoRA rank and learning rate change how well a 1B model capitalizes words?",
    "model": {MODEL: f"models/{MODEL}"},
    "dataset": "words.json",
    "task": {"capitalization": {"script": "cap_task.py", "description": "Exact match on the capitalized word"}},
    "set": {"batch_size": 4, "epochs": 1, "gpus": 1},
}
GOLDEN_DESIGNS: dict[str, dict[str, Any]] = {
    "factorial": {
        "factor": {"lora_rank": [8, 16], "lr": ["1e-5", "5e-5"]},
        "exclude": ["rank=16,lr=5e-5"],
        "system_prompt": "Capitalize the given word",
    },
    "one_at_a_time": {
        "factor": {"lora_rank": [8, 32], "lr": ["1e-5", "1e-4"], "lora_dropout": [0, 0.1]},
        "combine": "one-at-a-time",
        "base": {"lr": "1e-4"},
        "replicates": 2,
        "set": {"batch_size": 4, "epochs": 3, "gpus": 1},
        "evaluate-epochs": "all",
    },
    "models_and_missing": {
        "model": {MODEL: f"models/{MODEL}", "Qwen2.5-0.5B": "models/Qwen2.5-0.5B"},
        "task": {"capitalization": "cap_task.py", "spelling": "spell.py@spelling"},
        "dataset": "absent.json",
        "set": {"lora_rank": 8, "lr": "1e-4", "batch_size": 4, "epochs": 1, "gpus": 1},
        "matrix": ["*_base:spelling=-"],
    },
    "prompts": {
        "factor": {"prompt": ["{input}", "Capitalize: {input}", HOSTILE]},
        "set": {"lora_rank": 8, "lr": "1e-4", "batch_size": 4, "epochs": 1, "gpus": 1},
        "note": ["The third prompt is *hostile* on purpose | see `HOSTILE`."],
    },
    "list_and_weights": {
        "with": [{"lora_rank": 8, "lr": "1e-5", "name": "small"}, {"lora_rank": 64, "lr": "1e-4"}],
        "eval-only": {"published": "weights/published"},
        "control": "no",
        "set": {"batch_size": 4, "epochs": 2, "gpus": 1},
        "evaluate-epochs": "0,1",
    },
}


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a model, data and a task, on a machine that always looks the same."""
    directory = make_inputs(tmp_path / "my work")
    monkeypatch.chdir(directory)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=2100 * 2**30))
    return directory


def designed(directory: str = "exp", *, update: bool = False, **given: Any) -> api.DesignReport:
    inputs = inputs_of(given, updated=Path(directory)) if update else inputs_of({**BASIS, **given})
    return api.design(Path(directory), api.DesignOptions(update=update), given=inputs, clock=lambda: CLOCK)


def tunebook(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(TUNEBOOK), *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        env=os.environ | {"COLUMNS": "200"},
    )


# --- plans ---------------------------------------------------------------------------------------------------------


def test_runs_that_are_the_same_training_are_found(work: Path) -> None:
    report = designed(factor={"lora_rank": ["8"], "lora_alpha": ["16", "2 × rank", "32"], "lr": ["1e-5"]})
    (error,) = report.errors
    assert "is the same training as run" in error.message
    assert not (work / "exp/experiment_summary.md").exists()


@pytest.mark.parametrize("name", GOLDEN_DESIGNS)
def test_a_design_makes_its_golden_plan(work: Path, name: str) -> None:
    """After a deliberate change: TUNEBOOK_UPDATE_GOLDEN=1 pytest -k golden, and read the difference."""
    report = designed(**GOLDEN_DESIGNS[name])
    assert [str(problem) for problem in report.errors] == []
    text = (work / "exp" / PLAN).read_text().replace(str(work), "/WORK")
    golden = GOLDEN / f"{name}.md"
    if os.environ.get("TUNEBOOK_UPDATE_GOLDEN"):
        golden.parent.mkdir(parents=True, exist_ok=True)
        golden.write_text(text)
    assert text == golden.read_text()


@pytest.mark.parametrize("name", GOLDEN_DESIGNS)
def test_scaffolding_takes_every_plan_without_a_change(work: Path, name: str) -> None:
    designed(**GOLDEN_DESIGNS[name])
    before = (work / "exp" / PLAN).read_bytes()
    assert api.check(work / "exp").errors == ()
    assert api.scaffold(work / "exp").exit_code is ExitCode.DONE
    assert (work / "exp" / PLAN).read_bytes() == before


def test_a_hostile_prompt_reaches_the_training_unchanged(work: Path) -> None:
    designed(**GOLDEN_DESIGNS["prompts"])
    api.scaffold(work / "exp")
    assert yaml.safe_load((work / "exp" / "prompt3" / "setup_finetune.yaml").read_text())["prompt"] == HOSTILE
    assert not (work / "x").exists()


def test_options_and_a_file_make_the_same_plan(work: Path) -> None:
    file = work / "design.yaml"
    file.write_text(
        "question: Does rank matter?\nmodels:\n  - models/Llama-3.2-1B-Instruct\ndataset: words.json\n"
        "tasks:\n  capitalization: cap_task.py\nfactors: {lora_rank: [8, 16]}\n"
        "settings: {lr: 1e-4, batch_size: 4, epochs: 1}\n"
    )
    values = {
        "question": "Does rank matter?",
        "model": [f"models/{MODEL}"],
        "dataset": "words.json",
        "task": "capitalization=cap_task.py",
        "factor": {"rank": [8, 16]},
        "set": {"lr": "1e-4", "batch_size": 4, "epochs": 1},
    }
    api.design(Path("c/exp"), given=inputs_of(values), clock=lambda: CLOCK)
    assert tunebook("design", "a/exp", *OPTIONS, cwd=work).returncode == 0
    assert tunebook("design", "b/exp", "--config", file, cwd=work).returncode == 0
    pages = [without_what_moves((work / name / "exp" / PLAN).read_text()) for name in "abc"]
    assert pages[0] == pages[1] == pages[2]


def without_what_moves(text: str) -> list[str]:
    moving = ("- **Created:**", "- **Available:**", "- Experiment:")
    return [line for line in text.splitlines() if not line.startswith(moving)]


def test_check_and_scaffold_follow_at_once(work: Path) -> None:
    done = tunebook("design", *OPTIONS, cwd=work)
    assert done.returncode == 0, done.stderr
    experiment = next(work.glob("capitalization_lora_comparison_*"))
    assert f"next: tunebook scaffold '{experiment}'" in done.stdout
    assert tunebook("check", experiment, cwd=work).returncode == 0
    assert tunebook("scaffold", experiment, cwd=work).returncode == 0
    assert sorted(path.name for path in experiment.iterdir() if path.is_dir() and path.name[0] != ".") == [
        "Llama-3.2-1B_base",
        "rank16",
        "rank8",
    ]


# --- asking, and not asking ----------------------------------------------------------------------------------------


def test_without_a_terminal_everything_that_is_missing_is_listed(work: Path) -> None:
    done = tunebook("design", "--factor", "lora_rnk=8", "--set", "epochs=no", cwd=work)
    assert done.returncode == 2
    for message in ("unknown factor `lora_rnk`", "`question` is missing", "`model` is missing", "Epochs is `no`"):
        assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(path.name for path in work.iterdir()) == ["cap_task.py", "models", "words.json"]


def test_yes_takes_the_usual_values_and_lists_them(work: Path) -> None:
    options = [option for option in OPTIONS if not option.startswith("--set")]
    assert tunebook("design", "exp", *options, cwd=work).returncode == 2
    done = tunebook("design", "exp", *options, "--yes", cwd=work)
    assert done.returncode == 0
    assert "Learning Rate = 1e-4 (the usual default, since none was given)" in done.stdout
    assert plan_of((work / "exp" / PLAN).read_text()).value("lr") == 1e-4


def test_a_dry_run_prints_the_plan_and_writes_nothing(work: Path) -> None:
    done = tunebook("design", "exp", *OPTIONS, "--dry-run", cwd=work)
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, "# Experiment: exp")
    assert plan_of(done.stdout).name == "exp"
    odd = tunebook("design", "exp", *OPTIONS, "--prompt=:fire: [bold]{input}[/bold]", "--dry-run", cwd=work)
    assert plan_of(odd.stdout).value("prompt") == ":fire: [bold]{input}[/bold]"
    assert not (work / "exp").exists()


def test_json_is_one_document(work: Path) -> None:
    done = tunebook("design", "exp", *OPTIONS, "--json", cwd=work)
    found = json.loads(done.stdout)
    assert (found["command"], found["ok"], found["data"]["written"]) == ("design", True, True)
    assert [run["name"] for run in found["data"]["runs"]] == [f"{MODEL}_rank8", f"{MODEL}_rank16", f"{MODEL}_base"]
    assert found["data"]["totals"]["runs"] == 3
    failed = json.loads(tunebook("design", "--json", "--sample", "x", cwd=work).stdout)
    assert failed["exit_code"] == 2
    found = [error for error in failed["errors"] if error["file"] == "--sample"]
    assert [error["message"] for error in found] == ["`x` must be a whole number of at most 18 digits"]


def test_an_existing_plan_is_never_overwritten(work: Path) -> None:
    designed(factor={"rank": [8]}, set={"lr": "1e-4", "batch_size": 4, "epochs": 1})
    before = (work / "exp" / PLAN).read_bytes()
    done = tunebook("design", "exp", *OPTIONS, cwd=work)
    assert done.returncode == 4
    assert "--update" in done.stderr
    assert (work / "exp" / PLAN).read_bytes() == before
    with pytest.raises(ConflictError, match="is a file"):
        designed("words.json", set={"lora_rank": 8, "lr": 1, "batch_size": 4, "epochs": 1})


def test_a_text_that_the_plan_cannot_hold_is_an_error_and_nothing_is_written(work: Path) -> None:
    given: dict[str, Any] = {
        "dataset": "bad\nname.json",
        "set": {"lora_rank": 8, "lr": "1e-4", "batch_size": 4, "epochs": 1},
    }
    report = designed(**given)
    assert report.exit_code is ExitCode.WRONG_PLAN
    assert any("would be read as" in problem.message for problem in report.errors)
    assert not (work / "exp").exists()


# --- resources -----------------------------------------------------------------------------------------------------


def prerequisites(**given: Any) -> str:
    fixed = {"set": {"lora_rank": 8, "lr": "1e-4", "batch_size": 4, "epochs": 1, "gpus": 1}}
    return "\n".join(designed(**{**fixed, **given}).prerequisites)


def test_a_design_with_all_resources_has_no_prerequisites(work: Path) -> None:
    assert prerequisites() == ""
    assert "## Prerequisites" not in (work / "exp" / PLAN).read_text()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"model": {"Llama-3.2-3B": "m"}}, "`hf download meta-llama/Llama-3.2-3B --local-dir"),
        ({"dataset": "none.json"}, "is missing: create it (JSON with the keys `train`"),
        (
            {"task": {"t": "none.py"}},
            "is missing: write it, or let `tunebook task new` write it (an inspect-ai task that accepts `config_dir`",
        ),
        ({"eval-only": ["old=none"]}, "The weights of eval-only run `old` are not at"),
    ],
)
def test_a_missing_resource_is_a_prerequisite_and_the_plan_is_written(
    work: Path, given: Mapping[str, Any], told: str
) -> None:
    assert told in prerequisites(**given)
    text = (work / "exp" / PLAN).read_text()
    assert told in text
    assert len(plan_of(text).runs) >= 2


@pytest.mark.usefixtures("work")
def test_a_missing_resource_is_not_also_a_warning() -> None:
    absent: dict[str, Any] = {"model": {"Llama-3.2-3B": "absent"}, "dataset": "absent.json", "task": {"t": "absent.py"}}
    report = designed(**absent, set={"lora_rank": 8, "lr": "1e-4", "batch_size": 4, "epochs": 1, "gpus": 1})
    assert len(report.prerequisites) == 3
    assert not any("absent" in warning.message for warning in report.warnings)


@pytest.mark.parametrize(
    ("file", "told"),
    [
        ("config.json", "it has no config.json"),
        ("tokenizer.json", "it has no tokenizer"),
        ("tokenizer_config.json", "has no chat template"),
        ("model.safetensors", "it has no weights"),
    ],
)
def test_the_missing_parts_of_an_incomplete_model_are_named(work: Path, file: str, told: str) -> None:
    (work / "models" / MODEL / file).unlink()
    assert told in prerequisites()
    assert "✓ verified\n\n### Dataset" not in (work / "exp" / PLAN).read_text()


def test_weights_are_complete_against_their_index(work: Path) -> None:
    index = {"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}
    (work / "models" / MODEL / "model.safetensors.index.json").write_text(json.dumps(index))
    (work / "models" / MODEL / "model-00001-of-00002.safetensors").write_bytes(NO_TENSORS)
    (work / "models" / MODEL / "model.safetensors").unlink()
    told = prerequisites()
    assert "weight file model-00001-of-00002.safetensors lacks 1 tensors that the index places in it, such as a" in told
    assert "weight file model-00002-of-00002.safetensors is missing" in told


def test_git_lfs_pointers_do_not_count_as_weights(work: Path) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 2471645608\n"
    (work / "models" / MODEL / "model.safetensors").write_text(pointer)
    assert "weight file model.safetensors is a Git LFS pointer, not the weights: run `git lfs pull`" in prerequisites()


def test_a_model_without_a_path_is_in_the_sites_models_directory(work: Path) -> None:
    (work / "claude.local.md").write_text(
        f"# Site\n- **Models directory**: `{work / 'models'}`\n- **Default GPUs**: 2\n"
    )
    fixed = {"lora_rank": 8, "lr": "1e-4", "batch_size": 4, "epochs": 1, "recipe": "lora_finetune_distributed"}
    report = designed(model=[MODEL], set=fixed)
    assert (report.plan.models[0].path, report.plan.value("gpus")) == (str(work / "models" / MODEL), 2)
    (work / "claude.local.md").unlink()
    with pytest.raises(UsageError, match="has no path"):
        designed("other", model=[MODEL], set=fixed)


def test_a_directory_here_is_a_model_by_its_name_alone(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(work / "models")
    given = GOLDEN_DESIGNS["factorial"] | {"dataset": str(work / "words.json"), "task": str(work / "cap_task.py")}
    report = designed(str(work / "exp"), **given | {"model": [MODEL]})
    assert report.plan.models[0].path == str(work / "models" / MODEL)


def test_a_model_that_no_tool_can_train_is_an_error(work: Path) -> None:
    config = work / "models" / MODEL / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"model_type": "mamba"}))
    fixed = {"lora_rank": 8, "lr": "1e-4", "batch_size": 4, "epochs": 1}
    assert any("its model_type is mamba" in problem.message for problem in designed(set=fixed).errors)
    report = designed("only", set={}, train=False)
    assert report.errors == ()


def test_the_environments_of_the_jobs_are_asked_for_their_tools(work: Path) -> None:
    python = work / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\necho 0.6.1\n")
    python.chmod(0o755)
    site = f"# Site\n- **Training virtual environment**: `{work / 'venv'}`\n"
    (work / "claude.local.md").write_text(f"{site}- **Evaluation virtual environment**: `/nowhere`\n")
    found = prerequisites()
    assert "inspect-ai could not be found in the evaluation environment `/nowhere`" in found
    assert "torchtune" not in found
    journal = (work / "exp" / "design-experiment.log").read_text()
    assert f"VERIFY_ENVIRONMENT: torchtune (preparation)\nDetails: {work / 'venv'}\nResult: 0.6.1" in journal


def test_contradictions_are_errors_and_nothing_is_written(work: Path) -> None:
    (work / "words.json").write_text('{"test": []}')
    report = designed(set={"lora_rank": 8, "lr": "1e-4", "batch_size": 4, "epochs": 1})
    assert any("has no train split" in problem.message for problem in report.errors)
    assert not (work / "exp").exists()


def test_the_log_has_every_decision_verification_and_estimate(work: Path) -> None:
    designed(factor={"rank": [8, 16]}, set={"lr": "1e-4", "batch_size": 4, "epochs": 1})
    journal = (work / "exp" / "design-experiment.log").read_text()
    actions = [line.split("] ")[1].split(":")[0] for line in journal.splitlines() if line.startswith("[2025")]
    assert list(dict.fromkeys(actions)) == [
        "DESIGN_EXPERIMENT",
        "DECIDE",
        "FACTORS_TO_RUNS",
        "VERIFY_MODEL",
        "VERIFY_DATASET",
        "VERIFY_TASK",
        "VERIFY_ENVIRONMENT",
        "FIND_PRIOR_RUNS",
        "ESTIMATE_TRAINING",
        "ESTIMATE_DISK",
        "ESTIMATE_TOTAL",
        "CHECK_PLAN",
        "COMPLETE",
    ]
    assert "Result: train (320), validation (40), test (40)" in journal


# --- estimates -----------------------------------------------------------------------------------------------------


def finish(experiment: Path, run: str, *, speed: float, seconds: int) -> None:
    """Writes the outcome and the metrics of a training."""
    output = experiment / run / "artifacts"
    output.mkdir(parents=True)
    steps = [
        {"step": step, "epoch": 0, "loss": 1.0, "tokens_per_second": speed, "time": f"2025-10-22T10:00:{step:02}+00:00"}
        for step in range(1, 41)
    ]
    (output / "metrics.jsonl").write_text("".join(json.dumps(step) + "\n" for step in steps))
    outcome = {"exit_code": 0, "started": "2025-10-22T10:00:00+00:00", "host": "x", "tag": "", "inputs": ""}
    outcome |= {"ended": f"2025-10-22T10:{seconds // 60:02}:{seconds % 60:02}+00:00"}
    (experiment / run / "finetune.outcome.json").write_text(json.dumps(outcome))


def test_estimates_follow_prior_runs(work: Path) -> None:
    fixed = {"lr": "1e-4", "batch_size": 4, "epochs": 1, "gpus": 1}
    first = designed("first", factor={"rank": [8, 16]}, set=fixed)
    assert "preliminary, no prior runs" in first.text
    api.scaffold(work / "first")
    finish(work / "first", "rank8", speed=500.0, seconds=100)
    second = designed("second", factor={"rank": [8, 32]}, set=fixed)
    assert f"1 prior run(s) of {MODEL}, such as first/{MODEL}_rank8: 500 tokens/s (bf16, batch 4)" in second.text
    tokens = (work / "words.json").stat().st_size / 400 / 4 + 7 / 4 + 24
    expected = (60 + 320 * tokens / 500) / 60
    assert second.plan.runs[0].estimate_min == pytest.approx(expected, abs=1.0)


def test_saving_between_epochs_is_part_of_an_estimate(work: Path) -> None:
    """A minute after every ten steps; a second for each step: the same training takes as long again."""
    fixed = {"lora_rank": 8, "lr": "1e-4", "batch_size": 4, "epochs": 4, "gpus": 1}
    designed("first", set=fixed)
    api.scaffold(work / "first")
    run = next((work / "first").glob("*/finetune.yaml")).parent
    finish(work / "first", run.name, speed=1.0, seconds=40 + 4 * 60)
    metrics = run / "artifacts" / "metrics.jsonl"
    steps = [json.loads(line) for line in metrics.read_text().splitlines()]
    for index, step in enumerate(steps):
        minute, second = index // 10, index
        seconds = 60 * minute + second
        step["time"] = f"2025-10-22T10:{seconds // 60:02}:{seconds % 60:02}+00:00"
    metrics.write_text("".join(json.dumps(step) + "\n" for step in steps))
    (prior,) = find_history([work / "first"]).trainings
    assert prior.overhead_s == pytest.approx(4 * 60)


@pytest.mark.parametrize("speed", ["NaN", "Infinity", '"fast"', "[]", "-1"])
def test_metrics_that_are_not_numbers_are_ignored(work: Path, speed: str) -> None:
    fixed = {"lora_rank": 8, "lr": "1e-4", "batch_size": 4, "epochs": 1, "gpus": 1}
    designed("first", set=fixed)
    api.scaffold(work / "first")
    run = next((work / "first").glob("*/finetune.yaml")).parent
    finish(work / "first", run.name, speed=500.0, seconds=100)
    metrics = run / "artifacts" / "metrics.jsonl"
    metrics.write_text(metrics.read_text().replace("500.0", speed))
    assert "preliminary, no prior runs" in designed("second", set=fixed).text


@pytest.mark.usefixtures("work")
def test_the_time_of_unlike_runs_is_a_sum() -> None:
    report = designed(factor={"epochs": [1, 30]}, set={"lora_rank": 8, "lr": "1e-4", "batch_size": 4, "gpus": 0})
    short, long = (run.estimate_min or 0.0 for run in report.plan.fine_tuned)
    total, longest = spoken_minutes(short + long), spoken_minutes(long)
    assert f"~{longest} per run at most, 2 runs = {total}" in report.text
    assert report.plan.estimates.training_min[MODEL] == long


@pytest.mark.usefixtures("work")
def test_a_batch_that_does_not_fit_is_a_warning() -> None:
    fixed = {"lora_rank": 8, "lr": "1e-4", "batch_size": 64, "epochs": 1, "gpus": 1, "max_seq_len": 8192}
    report = designed(set=fixed)
    assert any("batch 64 needs about" in problem.message for problem in report.warnings)


def test_too_little_disk_space_is_a_warning(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=2**30))
    report = designed(set={"lora_rank": 8, "lr": "1e-4", "batch_size": 4, "epochs": 3, "gpus": 1, "save": "merged"})
    assert any("the checkpoints need" in problem.message for problem in report.warnings)
    assert "1.0 GiB ✗ not enough" in (work / "exp" / PLAN).read_text()


# --- updating a plan ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", GOLDEN_DESIGNS)
def test_an_update_without_a_change_leaves_the_plan_as_it_is(work: Path, name: str) -> None:
    designed(**GOLDEN_DESIGNS[name])
    before = (work / "exp" / PLAN).read_text()
    report = designed(update=True)
    assert report.diff == ""
    assert plan_of((work / "exp" / PLAN).read_text()).runs == plan_of(before).runs


def test_an_update_keeps_notes_and_the_status_of_runs_that_stay(work: Path) -> None:
    designed(factor={"rank": [8, 16]}, set={"lr": "1e-4", "batch_size": 4, "epochs": 1})
    plan_file = work / "exp" / PLAN
    replace(plan_file, f"| {MODEL}_rank8 | pending | - |", f"| {MODEL}_rank8 | completed | 4711 |")
    replace(plan_file, "Base model, once", "Mine: look at this")
    plan_file.write_text(plan_file.read_text() + "\n## Thoughts\nKeep me.\n")
    report = designed(update=True, factor={"rank": [8, 64]}, note=["why 64"])
    text = plan_file.read_text()
    assert f"| {MODEL}_rank8 | completed | 4711 |" in text
    assert f"| {MODEL}_rank64 | pending | - |" in text
    assert f"{MODEL}_rank16" not in text
    assert "Mine: look at this" in text
    assert text.endswith("## Notes\n- why 64\n\n## Thoughts\nKeep me.\n")
    assert f"-| {MODEL}_rank16 |" in report.diff
    assert [run.name for run in plan_of(text).runs] == [f"{MODEL}_rank8", f"{MODEL}_rank64", f"{MODEL}_base"]


def test_an_update_takes_other_replicates_and_gives_a_new_model_its_control(work: Path) -> None:
    fixed = {"lr": "1e-4", "batch_size": 4, "epochs": 1}
    designed(factor={"rank": [8, 16]}, replicates=2, set=fixed)
    report = designed(update=True, replicates=3, model={"Qwen2.5-0.5B": "models/Qwen2.5-0.5B"})
    assert len(report.plan.fine_tuned) == 12
    assert [run.name for run in report.plan.runs[-2:]] == [f"{MODEL}_base", "Qwen2.5-0.5B_base"]
    journal = (work / "exp" / "design-experiment.log").read_text()
    assert "UPDATE_PLAN: exp\nResult: 5 runs stay, 9 come, 0 go" in journal


@pytest.mark.usefixtures("work")
@pytest.mark.parametrize(
    "said",
    [
        {"factor": {"rank": [8, 16], "alpha": [16, 32]}, "pair": ["rank", "alpha"]},
        {"factor": {"rank": [8, 16], "lr": ["1e-4", "1e-5"]}, "exclude": ["rank=16,lr=1e-5"], "replicates": 2},
        {"factor": {"rank": [8, 16]}, "eval-only": {"published": "weights/published"}, "control": [MODEL]},
    ],
)
def test_giving_the_same_design_again_changes_nothing(said: dict[str, Any]) -> None:
    fixed = {} if "lr" in said["factor"] else {"lr": "1e-4"}
    designed(**said, set={"batch_size": 4, "epochs": 1, **fixed})
    assert designed(update=True, **said).diff == ""


@pytest.mark.usefixtures("work")
def test_pairs_and_exclusions_end_with_their_factors() -> None:
    fixed = {"batch_size": 4, "epochs": 1}
    designed(factor={"rank": [8, 16], "lr": ["1e-4", "1e-5"]}, exclude=["rank=16,lr=1e-5"], set=fixed)
    report = designed(update=True, set={"lora_rank": 32})
    assert len(report.plan.fine_tuned) == 2
    assert any("lora_rank are left out" in what for what, _ in report.decisions)
    designed("paired", factor={"rank": [8, 16], "alpha": [16, 32]}, pair=["rank", "alpha"], set={**fixed, "lr": "1e-4"})
    report = designed("paired", update=True, set={"lora_alpha": 64})
    assert len(report.plan.fine_tuned) == 2


@pytest.mark.usefixtures("work")
def test_more_replicates_add_to_the_stored_seeds() -> None:
    designed(seeds=[3, 7], set={"lora_rank": 8, "lr": "1e-4", "batch_size": 4, "epochs": 1})
    for count, seeds in ((3, [3, 7, 8]), (1, [3])):
        report = designed(update=True, replicates=count)
        assert [run.parameters["seed"].value for run in report.plan.fine_tuned] == seeds


def test_an_update_keeps_own_text_wherever_it_is(work: Path) -> None:
    designed(factor={"rank": [8, 16]}, set={"lr": "1e-4", "batch_size": 4, "epochs": 1})
    plan_file = work / "exp" / PLAN
    title, rest = plan_file.read_text().split("\n", 1)
    plan_file.write_text(f"{title}\n\nFor the *thesis*.\n{rest}\n# Appendix\n## Status\nof nothing\n")
    before = plan_file.read_text()
    assert designed(update=True).diff == ""
    designed(update=True, factor={"rank": [8, 32]})
    assert plan_file.read_text().startswith(f"{title}\n\nFor the *thesis*.\n\n## Overview")
    assert plan_file.read_text().endswith("\n\n# Appendix\n## Status\nof nothing\n")
    assert plan_file.read_text() != before


def test_an_update_keeps_paragraphs_facts_and_subsections_within_its_own_sections(work: Path) -> None:
    designed(factor={"rank": [8, 16]}, set={"lr": "1e-4", "batch_size": 4, "epochs": 1})
    plan_file = work / "exp" / PLAN
    replace(plan_file, "- **Created:**", "- **PI:** Jane Doe,\n  of the lab\n- **Created:**")
    replace(plan_file, "## Tools\n", "For a paper.\n\n### Hypotheses\n- More is better\n\n## Tools\n")
    replace(plan_file, "## Configuration\n", "## Configuration\nAs in prior work.\n\n")
    replace(plan_file, "### Dataset\n", "### Dataset\n```\n| made\n\n- by **hand:**\n```\n\n")
    plan_file.write_text(f"<!-- draft -->\n\n{plan_file.read_text()}")
    designed(update=True, factor={"rank": [8, 32]})
    text = plan_file.read_text()
    assert text.startswith("<!-- draft -->\n\n# Experiment: exp\n")
    assert "- **PI:** Jane Doe,\n  of the lab\n\nFor a paper.\n\n### Hypotheses\n- More is better\n\n## Tools" in text
    assert "## Configuration\nAs in prior work.\n\n- **Recipe:**" in text
    assert "### Dataset\n```\n| made\n\n- by **hand:**\n```\n\n- **Path:**" in text
    assert designed(update=True).diff == ""


def test_a_run_whose_training_changes_is_pending_again(work: Path) -> None:
    designed(factor={"rank": [8, 16]}, set={"lr": "1e-4", "batch_size": 4, "epochs": 1})
    plan_file = work / "exp" / PLAN
    replace(plan_file, f"| {MODEL}_rank8 | pending | - |", f"| {MODEL}_rank8 | completed | 4711 |")
    designed(update=True, set={"epochs": 2})
    assert f"| {MODEL}_rank8 | pending | - |" in plan_file.read_text()
    assert plan_of(plan_file.read_text()).value("epochs") == 2


@pytest.mark.parametrize(
    ("changed", "is_kept"),
    [
        ({"task": {"capitalization": "other.py"}}, False),
        ({"set": {"eval_temperature": "0.7"}}, False),
        ({"task-description": "capitalization=as before"}, True),
        ({"task-measure": "capitalization=exactly", "task-direction": "capitalization=lower"}, True),
        ({"set": {"eval_temperature": "0.0"}}, True),
    ],
)
def test_an_evaluation_that_changes_is_pending_again(work: Path, changed: dict[str, Any], *, is_kept: bool) -> None:
    designed(factor={"rank": [8, 16]}, set={"lr": "1e-4", "batch_size": 4, "epochs": 1})
    (work / "other.py").write_text((work / "cap_task.py").read_text())
    plan_file = work / "exp" / PLAN
    replace(plan_file, f"| {MODEL}_rank8 | pending | - |", f"| {MODEL}_rank8 | completed | 4711 |")
    replace(
        plan_file, "_rank8 | capitalization | 0 | pending | - |", "_rank8 | capitalization | 0 | completed | 4712 |"
    )
    designed(update=True, **changed)
    assert f"| {MODEL}_rank8 | completed | 4711 |" in plan_file.read_text()
    assert ("| completed | 4712 |" in plan_file.read_text()) is is_kept
    assert plan_file.read_text().count("_rank8 | capitalization | 0 | ") == 1


def test_runs_that_stay_keep_their_name_and_estimate(work: Path) -> None:
    designed(factor={"rank": [8, 16]}, set={"lr": "1e-4", "batch_size": 4, "epochs": 1})
    plan_file = work / "exp" / PLAN
    plan_file.write_text(
        plan_file.read_text().replace(f"{MODEL}_rank8 ", "my-own-name ").replace("~3 min |", "~59 min |")
    )
    api.scaffold(work / "exp")
    report = designed(update=True, factor={"rank": [8, 16, 32]})
    assert [run.name for run in report.plan.runs][:2] == ["my-own-name", f"{MODEL}_rank16"]
    before = {path: path.read_bytes() for path in (work / "exp").glob("rank8/*.*")}
    api.scaffold(work / "exp")
    assert {path: path.read_bytes() for path in (work / "exp").glob("rank8/*.*")} == before


@pytest.mark.parametrize(("status", "is_longer"), [("pending | -", True), ("pending | 4711", False)])
def test_more_data_makes_longer_estimates_unless_submitted(work: Path, status: str, *, is_longer: bool) -> None:
    """Time limits follow from them; the script of a job that was submitted stays."""
    data = (work / "words.json").rename(work / "later.json")
    before = designed(set={"lora_rank": 8, "lr": "1e-4", "batch_size": 4, "epochs": 1, "gpus": 1})
    replace(work / "exp" / PLAN, f"| {MODEL}_rank8_lr1e-4 | pending | - |", f"| {MODEL}_rank8_lr1e-4 | {status} |")
    splits = json.loads(data.read_text())
    (work / "words.json").write_text(json.dumps({**splits, "train": splits["train"] * 500}))
    after = designed(update=True)
    run, was = after.plan.runs[0], before.plan.runs[0]
    assert run.estimate_min is not None
    assert was.estimate_min is not None
    assert (run.estimate_min > 3 * was.estimate_min) is is_longer
    assert (run.estimate_min == was.estimate_min) is not is_longer


def test_an_update_in_a_dry_run_shows_what_would_change(work: Path) -> None:
    designed(factor={"rank": [8, 16]}, set={"lr": "1e-4", "batch_size": 4, "epochs": 1})
    before = (work / "exp" / PLAN).read_bytes()
    done = tunebook("design", "exp", "--update", "--factor", "rank=8,16,32", "--dry-run", cwd=work)
    assert done.returncode == 0
    assert f"+| {MODEL}_rank32 |" in done.stdout
    assert (work / "exp" / PLAN).read_bytes() == before
    assert tunebook("design", "--update", cwd=work).returncode == 2


def test_the_commands_of_the_how_to_work(work: Path) -> None:
    text = (Path(__file__).parents[2] / "docs" / "how-to" / "design.md").read_text()
    blocks = re.findall(r"```(bash|yaml)\n(.*?)```", text, re.DOTALL)
    (work / "design.yaml").write_text(next(block for kind, block in blocks if kind == "yaml"))
    commands = [block.replace("\\\n", "") for kind, block in blocks if kind == "bash" and len(block.split()) > 2]
    assert len(commands) == 3
    for command in commands:
        done = tunebook(*shlex.split(command)[1:], cwd=work)
        assert done.returncode == 0, f"{command}\n{done.stderr}"
    assert len(list(work.glob("capitalization_lora_lr_sweep_*"))) == 1
    plan = plan_of((work / "my_sweep" / PLAN).read_text())
    assert {run.parameters["lora_rank"].text for run in plan.fine_tuned} == {"8", "16", "64"}


def test_a_known_model_can_be_made_for_these_tests(tmp_path: Path) -> None:
    assert json.loads((make_model(tmp_path / MODEL) / "config.json").read_text())["model_type"] == "llama"


def test_designing_without_a_question_loads_nothing_heavy(work: Path) -> None:
    code = (
        "import sys; from tunebook.cli.main import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "sys.stderr.write(' '.join(name for name in ('torch', 'transformers', 'questionary', 'prompt_toolkit') "
        "if name in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "design", "exp", *OPTIONS, "--json"],
        cwd=work,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert json.loads(done.stdout)["ok"] is True
    assert done.stderr == ""
