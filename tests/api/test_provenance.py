"""The record of each run: how its results came about."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from support.played_programs import play_programs
from support.scaffolding import replace
from support.tiny_model import build_tiny_model, write_tiny_experiment
from tunebook import api
from tunebook.core.paths import PLAN_FILE, PROVENANCE
from tunebook.disk.git import read_commit
from tunebook.errors import ExitCode
from tunebook.tools.runtime.versions import environment_versions, main

TRAINING, EVALUATION = "rank4/finetune", "rank4/eval/capitalization_epoch0"
LOCAL = api.RunOptions(executor="local", slots=2, poll_s=0.05, runs=("rank4",))
GIT = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main"]


def git(directory: Path, *arguments: str) -> str:
    done = subprocess.run([*GIT, *arguments], cwd=directory, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def record(experiment: Path) -> dict[str, Any]:
    jobs: dict[str, Any] = json.loads((experiment / "rank4" / PROVENANCE).read_text())["jobs"]
    return jobs


@pytest.fixture(scope="module")
def experiment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training and its evaluation have run from a commit; the training has left a proof."""
    root = tmp_path_factory.mktemp("provenance")
    build_tiny_model(root / "tiny")
    here = root / "sweep"
    write_tiny_experiment(here, root / "tiny")
    (here / "claude.local.md").write_text(f"# Site\n- **Virtual environment:** `{play_programs(root / 'venv')}`\n")
    assert api.scaffold(here).exit_code is ExitCode.DONE
    git(here, "init", "-q")
    git(here, "add", PLAN_FILE, "cap_task.py", "words.json")
    git(here, "commit", "-qm", "plan")
    (here / "rank4" / "artifacts").mkdir()
    (here / "rank4" / "artifacts" / "proof.json").write_text('{"epochs": []}')
    assert api.run(here, LOCAL).exit_code is ExitCode.DONE
    return here


def test_the_record_has_the_digest_and_the_path_of_every_input(experiment: Path) -> None:
    training = record(experiment)[TRAINING]
    kinds = [(item["kind"], Path(item["path"]).name) for item in training["inputs"]]
    assert kinds == [("text", "finetune.yaml"), ("text", "finetune.slurm"), ("data", "words.json"), ("model", "tiny")]
    assert {len(item["sha256"]) for item in training["inputs"]} == {64}
    evaluated = {Path(item["path"]).name for item in record(experiment)[EVALUATION]["inputs"]}
    assert {"capitalization_epoch0.slurm", "cap_task.py", "words.json"} <= evaluated


def test_the_record_has_the_versions_of_the_jobs_environment(experiment: Path) -> None:
    for job in (TRAINING, EVALUATION):
        versions = record(experiment)[job]["versions"]
        assert versions == environment_versions()
        assert {"tunebook", "torch", "transformers"} <= versions["packages"].keys()
        assert versions["python"] == sys.version.partition(" ")[0]


def test_the_record_has_the_commit_of_the_experiment(experiment: Path) -> None:
    commit = record(experiment)[TRAINING]["commit"]
    assert commit == {"sha": git(experiment, "rev-parse", "HEAD"), "changed": []}


def test_status_tables_do_not_make_the_plan_differ_from_its_commit_but_a_setting_does(experiment: Path) -> None:
    assert git(experiment, "diff", "--name-only") == PLAN_FILE  # `run` wrote its tables
    found = read_commit(experiment)
    assert found is not None
    assert found.changed == ()
    plan = (experiment / PLAN_FILE).read_text()
    replace(experiment / PLAN_FILE, "1e-2", "2e-2")
    changed = read_commit(experiment)
    (experiment / PLAN_FILE).write_text(plan)
    assert changed is not None
    assert changed.changed == (PLAN_FILE,)


def test_an_experiment_outside_of_a_repository_has_no_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert read_commit(tmp_path) is None
    monkeypatch.setenv("PATH", os.devnull)
    assert read_commit(tmp_path) is None


def test_the_record_has_the_settings_in_effect_with_their_sources(experiment: Path) -> None:
    run = json.loads((experiment / "rank4" / PROVENANCE).read_text())["run"]
    settings = {(item["group"], item["key"]): item for item in record(experiment)[TRAINING]["settings"]}
    checked = {(item.group, item.key): item for item in api.check(experiment).effects[run]}
    rate = next(item for item in settings.values() if item["key"] == "lr")
    assert rate["value"] == "1e-2"
    assert rate["source"].startswith(PLAN_FILE)
    assert all(vars(checked[key]) == item for key, item in settings.items())
    assert not any(group.startswith("evaluation") for group, _ in settings)


def test_the_record_has_the_jobs_times_and_exit_codes(experiment: Path) -> None:
    training = record(experiment)[TRAINING]
    assert (training["state"], training["exit_code"], training["executor"]) == ("completed", 0, "local")
    assert training["submitted"] <= training["ended"] or training["submitted"]
    assert all(training[key] for key in ("started", "ended", "host", "job_id", "tag"))
    assert record(experiment)[EVALUATION]["result"]["completed"] == 4


def test_the_record_has_the_proof_as_the_training_left_it(experiment: Path) -> None:
    assert record(experiment)[TRAINING]["proof"] == {"epochs": []}
    assert record(experiment)[EVALUATION]["proof"] is None


def test_the_record_of_a_training_stays_when_its_evaluation_runs_again(experiment: Path) -> None:
    before = record(experiment)
    (experiment / EVALUATION).with_suffix(".outcome.json").unlink()
    assert api.run(experiment, LOCAL).submitted == (EVALUATION,)
    after = record(experiment)
    assert after[TRAINING] == before[TRAINING]
    assert after[EVALUATION]["tag"] != before[EVALUATION]["tag"]


def test_a_script_that_was_started_by_hand_is_in_the_record(experiment: Path) -> None:
    subprocess.run(["bash", str(experiment / EVALUATION) + ".slurm"], check=True, capture_output=True)
    assert api.run(experiment, LOCAL).submitted == ()
    evaluation = record(experiment)[EVALUATION]
    assert (evaluation["tag"], evaluation["exit_code"], evaluation["settings"]) == ("", 0, [])
    assert evaluation["versions"]["python"]


def test_an_environment_without_tunebook_leaves_no_versions_and_does_no_harm(experiment: Path) -> None:
    python = experiment.parent / "venv" / "bin" / "python"
    text = python.read_text()
    python.write_text(text.replace("sys.exit(subprocess", "sys.exit(1) # (subprocess"))
    subprocess.run(["bash", str(experiment / EVALUATION) + ".slurm"], check=True, capture_output=True)
    python.write_text(text)
    assert not (experiment / EVALUATION).with_suffix(".versions.json").exists()
    assert json.loads((experiment / EVALUATION).with_suffix(".outcome.json").read_text())["exit_code"] == 0


def test_versions_name_the_gpus_of_the_job_and_their_driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text('#!/bin/sh\n[ "$3" = --id=0,1 ] && printf "NVIDIA H100, 80GB, 550.1\\nNVIDIA A100, 550.1\\n"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    assert main(["--out", str(tmp_path / "v.json")]) == 0
    found = json.loads((tmp_path / "v.json").read_text())
    assert (found["gpus"], found["driver"]) == (["NVIDIA H100, 80GB", "NVIDIA A100"], "550.1")
