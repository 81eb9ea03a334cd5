"""``setup-finetune``: assignments without effect or with missing files, and the directories that it names."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from support.scaffolding import replace, scaffolded
from tunebook import api
from tunebook.errors import ExitCode, PlanError, UsageError

RUN = "rank8_lr1e-5"
TUNEBOOK = Path(sys.executable).with_name("tunebook")


@pytest.fixture
def scaffold(experiment: Path) -> Path:
    scaffolded(experiment)
    return experiment


def settings(experiment: Path) -> str:
    return (experiment / RUN / "setup_finetune.yaml").read_text()


def refused(experiment: Path, *assignments: str) -> str:
    """The problems of assignments that change no file."""
    before = settings(experiment)
    with pytest.raises(UsageError) as caught:
        api.setup_finetune(experiment / RUN, assignments=assignments)
    assert settings(experiment) == before
    return "\n".join(map(str, caught.value.problems))


@pytest.mark.parametrize(
    ("assignments", "message"),
    [
        (["lr=1e-5"], "--set lr=1e-5 has no effect: the file has this value already"),
        (["learning_rate=0.00001"], "has no effect: the file has this value already"),
        (["lr=2e-5", "seed=14"], "--set seed=14 has no effect"),
        (["lr=2e-5", "lr=3e-5"], "--set lr=3e-5: lr is given twice"),
        (["lr=2e-5", "learning_rate=3e-5"], "lr is given twice"),
        (["recipe=x"], "unknown key `recipe`"),
        (["dataset=/data/words.json"], "input_dir_base, input_formatting, dataset_label, dataset_ext"),
        (["precision=bf16"], "--set precision=bf16 has no effect: every file of the run stays the same"),
        (["lr=2e-5", "precision=bf16"], "--set precision=bf16 has no effect: every file of the run stays the same"),
        (["stash_adapter_weights=false"], "--set stash_adapter_weights=false has no effect: every file of the run"),
    ],
)
def test_an_assignment_without_effect_is_an_error(scaffold: Path, assignments: list[str], message: str) -> None:
    assert message in refused(scaffold, *assignments)


def test_settings_of_adapters_have_no_effect_where_all_weights_are_trained(scaffold: Path) -> None:
    found = refused(scaffold, "lora_rank=null", "lora_alpha=32", "lora_dropout=0.5")
    assert "--set lora_alpha=32 has no effect: lora_rank is unset" in found
    assert "--set lora_dropout=0.5 has no effect: lora_rank is unset" in found


@pytest.mark.parametrize("key", ["epochs=3", "system_prompt=Shout", "mem=9G", "log_every_n_steps=2", "account=other"])
def test_an_assignment_with_an_effect_on_any_file_is_made(scaffold: Path, key: str) -> None:
    assert api.setup_finetune(scaffold / RUN, assignments=[key]).exit_code is ExitCode.DONE


def test_assignments_that_need_each_other_are_made(scaffold: Path) -> None:
    """Packing needs a maximum length, so that it cannot be derived alone."""
    derived = api.setup_finetune(scaffold / RUN, assignments=["packed=true", "max_seq_len=64"])
    assert derived.exit_code is ExitCode.DONE
    assert "packed: true" in settings(scaffold)


def test_an_assignment_may_correct_a_wrong_file(scaffold: Path) -> None:
    replace(scaffold / RUN / "setup_finetune.yaml", "\nlr: ", "\nlr: fast # ")
    assert api.setup_finetune(scaffold / RUN, assignments=["lr=2e-5"]).exit_code is ExitCode.DONE


@pytest.mark.parametrize(
    ("assignment", "path"),
    [
        ("model_checkpoint=/nowhere/model", "the model /nowhere/model was not found"),
        ("dataset_label=no_words", "/no_words.json was not found"),
        ("input_dir_base=/nowhere", "the data set /nowhere/"),
        ("venv=/nowhere/venv", "the environment /nowhere/venv was not found"),
        ("custom_recipe=mine/recipe.py", "mine/recipe.py was not found"),
    ],
)
def test_a_path_that_does_not_exist_is_an_error(scaffold: Path, assignment: str, path: str) -> None:
    found = refused(scaffold, assignment)
    assert f"--set {assignment}" in found
    assert path in found


def test_paths_that_exist_are_taken_and_relative_ones_are_relative_to_the_experiment(scaffold: Path) -> None:
    (scaffold / "venv").mkdir()
    words = {split: [{"input": "a", "output": "A"}] * 200 for split in ("train", "validation")}
    (scaffold / "other.json").write_text(json.dumps(words))
    changes = [f"input_dir_base={scaffold}", "dataset_label=other", "venv=venv"]
    assert api.setup_finetune(scaffold / RUN, assignments=changes).exit_code is ExitCode.DONE
    assert str(scaffold / "other.json") in (scaffold / RUN / "finetune.yaml").read_text().replace("''", "'")


# --- directories


def called(cwd: Path, *words: str) -> subprocess.CompletedProcess[str]:
    argv = [str(TUNEBOOK), "setup-finetune", *words]
    environment = os.environ | {"COLUMNS": "500"}
    return subprocess.run(argv, cwd=cwd, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("cwd", "argument"),
    [
        (RUN, "."),
        (RUN, "./"),
        (".", RUN),
        (".", f"{RUN}/"),
        ("..", f"{{experiment}}/{RUN}"),
        (f"{RUN}/eval", ".."),
        (f"{RUN}/eval", "."),
        ("rank16_lr1e-5", f"../{RUN}"),
        (RUN, "setup_finetune.yaml"),
    ],
)
def test_the_run_is_found_and_named_from_every_directory(scaffold: Path, cwd: str, argument: str) -> None:
    words = (argument.format(experiment=scaffold), "--set", "lr=3e-5")
    done = called(scaffold / cwd, *words)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{scaffold}:\n")
    assert f"updated  {RUN}/finetune.yaml" in done.stdout
    assert f"next: tunebook run {shlex.quote(str(scaffold))} --run {RUN}\n" in done.stdout
    assert f"{scaffold}/{RUN}/setup_finetune.yaml: warning:" in done.stderr
    assert "lr: 3.0e-05" in (scaffold / RUN / "finetune.yaml").read_text()


def test_json_names_the_whole_directory(scaffold: Path) -> None:
    done = called(scaffold / RUN, ".", "--set", "lr=3e-5", "--json")
    data = json.loads(done.stdout)["data"]
    assert (data["experiment"], data["directory"]) == (str(scaffold), str(scaffold / RUN))


def test_an_error_in_the_settings_names_the_whole_path(scaffold: Path) -> None:
    replace(scaffold / RUN / "setup_finetune.yaml", "\nlr: ", "\nlr: fast # ")
    with pytest.raises(PlanError) as caught:
        api.setup_finetune(scaffold / RUN)
    assert caught.value.problems[0].file == str(scaffold / RUN / "setup_finetune.yaml")
    (scaffold / RUN / "setup_finetune.yaml").unlink()
    for assignments in ([], ["lr=1"]):
        with pytest.raises(PlanError, match=r"was not found") as caught:
            api.setup_finetune(scaffold / RUN, assignments=assignments)
        assert caught.value.problems[0].file == str(scaffold / RUN / "setup_finetune.yaml")


@pytest.mark.parametrize("name", ["", "Llama-3.2-1B-Instruct_base", "rank9"])
def test_another_directory_of_the_experiment_is_refused_with_the_runs_to_choose_from(scaffold: Path, name: str) -> None:
    with pytest.raises(UsageError) as caught:
        api.setup_finetune(scaffold / name)
    (problem,) = caught.value.problems
    assert problem.message == f"{scaffold / name} is not the directory of a fine-tuned run"
    assert str(scaffold / RUN) in problem.hint


def test_a_directory_outside_of_experiments_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"is in no experiment: no directory above it has experiment_summary.md"):
        api.setup_finetune(tmp_path / "rank8")


def test_a_derived_file_that_was_edited_is_kept_and_the_next_step_names_the_experiment(scaffold: Path) -> None:
    replace(scaffold / RUN / "finetune.yaml", "epochs: ", "epochs:  ")
    done = called(scaffold / RUN, ".", "--set", "lr=3e-5")
    assert done.returncode == ExitCode.UNFINISHED
    assert f"`tunebook scaffold {shlex.quote(str(scaffold))} --overwrite`" in done.stdout
