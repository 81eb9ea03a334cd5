"""The example plug-in, installed and driven through the command line from the plan to the report."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.plugins import TOYTRAINER, install_project
from support.tiny_model import build_tiny_model
from tunebook.demo.data import task_source

pytestmark = pytest.mark.filterwarnings("ignore")  # Transformers and torch warn of one another
TUNEBOOK = Path(sys.executable).with_name("tunebook")
FOREIGN = ("torchtune", "finetune.yaml", "finetune.slurm", "setup_finetune")


@dataclass(frozen=True)
class Toy:
    """An experiment whose plan names the plug-in, and the environment in which the plug-in is installed."""

    directory: Path
    environment: dict[str, str]

    def tunebook(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(TUNEBOOK), *arguments],
            cwd=self.directory,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def run_text(self, *arguments: str) -> str:
        done = self.tunebook(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def texts(self, *patterns: str) -> str:
        files = [path for pattern in patterns for path in sorted(self.directory.glob(pattern))]
        assert files
        return "\n".join(path.read_text() for path in files)


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Toy:
    """Two runs of the plug-in, one of them evaluated; designed, but not scaffolded."""
    root = tmp_path_factory.mktemp("plug-in")
    install_project(TOYTRAINER, root / "site")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("VIRTUAL_ENV", "INSPECT"))}
    environment["PYTHONPATH"] = str(root / "site")
    build_tiny_model(root / "tiny")
    letters = {"train": "abcdefgh", "validation": "ij", "test": "kl"}
    data = {split: [{"input": key, "output": key.upper()} for key in keys] for split, keys in letters.items()}
    (root / "letters.json").write_text(json.dumps(data))
    (root / "cap_task.py").write_text(task_source())
    (root / "claude.local.md").write_text("# Site\n")
    here = Toy(root, environment)
    options = ["--preparation", "toytrainer", "--model", f"tiny={root}/tiny", "--dataset", "letters.json"]
    options += ["--task", "capitals=cap_task.py", "--factor", "decay=0.1,0.2", "--matrix", "*0.2:*=-"]
    options += ["--set", "lr=1e-4", "--set", "epochs=2", "--set", "eval_max_tokens=4", "--gpus", "0"]
    options += ["--question", "Does it run?"]
    here.run_text("design", "toy", "--yes", "--no-controls", *options)
    return Toy(root / "toy", environment)


@pytest.fixture(scope="module")
def scaffolded(toy: Toy) -> tuple[Toy, str]:
    return toy, toy.run_text("scaffold")


@pytest.fixture(scope="module")
def finished(scaffolded: tuple[Toy, str]) -> tuple[Toy, str]:
    toy, _ = scaffolded
    return toy, toy.run_text("run", "--executor", "local", "--jobs", "2")


def without_foreign_words(text: str) -> str:
    assert [word for word in FOREIGN if word in text] == []
    return text


def test_design_names_the_plug_in_and_how_to_get_a_model_without_another_tool(toy: Toy) -> None:
    assert "- **Model Preparation:** toytrainer" in without_foreign_words(toy.texts("experiment_summary.md", "*.log"))
    options = ["--preparation", "toytrainer", "--model", "Qwen2.5-0.5B=/nowhere", "--dataset", "../letters.json"]
    options += ["--task", "capitals=../cap_task.py", "--factor", "lr=1e-4,3e-4", "--question", "Does it run?"]
    planned = toy.run_text("design", "other", "--yes", "--dry-run", *options)
    assert "hf download Qwen/Qwen2.5-0.5B" in without_foreign_words(planned)
    assert "tune download" not in planned


def test_its_own_parameter_is_a_column_of_the_runs_table_and_names_the_directories(toy: Toy) -> None:
    plan = toy.texts("experiment_summary.md")
    assert "| Run Name | Model | Loss Decay | Type |" in plan
    assert "| Loss Decay | 0.1, 0.2 |" in plan
    assert "Recipe" not in plan
    wrong = toy.tunebook("design", "wrong", "--yes", "--dry-run", "--preparation", "toytrainer", "--set", "decay=1")
    assert "Loss Decay is `1`; it must be a number of at least 0 and below 1" in wrong.stderr


def test_check_accepts_the_plan_and_reads_the_model(toy: Toy) -> None:
    assert f"model {toy.directory.parent}/tiny: complete" in without_foreign_words(toy.run_text("check"))


def test_summary_and_logs_name_the_files_of_the_plug_in_only(scaffolded: tuple[Toy, str]) -> None:
    toy, summary = scaffolded
    assert "- toytrainer.json (settings of the training: edit this one)" in without_foreign_words(summary)
    assert "for script in decay0.1/toytrainer.slurm decay0.2/toytrainer.slurm;" in summary
    logs = without_foreign_words(toy.texts("*.log"))
    assert "INVOKE_SCAFFOLD_TOYTRAINER" in logs
    assert "decay0.1/\nDetails: toytrainer.json created, toytrainer.slurm created" in logs
    assert sorted(path.name for path in (toy.directory / "decay0.1").iterdir()) == [
        "eval",
        "toytrainer.json",
        "toytrainer.slurm",
    ]


def test_its_verbs_exist_and_those_of_a_tool_that_the_plan_does_not_name_refuse(scaffolded: tuple[Toy, str]) -> None:
    toy, _ = scaffolded
    assert "scaffold-toytrainer" in toy.run_text("scaffold-toytrainer", "--dry-run", "--help")
    assert "4 files unchanged" in toy.run_text("scaffold-toytrainer")
    for verb in ("scaffold-torchtune", "run-torchtune"):
        done = toy.tunebook(verb)
        assert done.returncode == 2
        assert "the plan does not use the tool torchtune: it names toytrainer and inspect-ai" in done.stderr


def test_its_settings_are_edited_by_key_and_an_edit_is_kept(toy: Toy, tmp_path: Path) -> None:
    plan = (toy.directory / "experiment_summary.md").read_text()
    (tmp_path / "experiment_summary.md").write_text(plan)
    copy = Toy(tmp_path, toy.environment)
    copy.run_text("scaffold", "--stage", "preparation")
    assert "updated  decay0.1/toytrainer.json" in copy.run_text("setup-finetune", "decay0.1", "--set", "decay=0.25")
    assert json.loads((tmp_path / "decay0.1" / "toytrainer.json").read_text())["decay"] == 0.25
    done = copy.tunebook("scaffold", "--stage", "preparation")
    assert done.returncode == 4
    assert "decay is 0.25 here and 0.1 in the plan" in done.stderr
    assert "unknown" not in copy.tunebook("setup-finetune", "decay0.1", "--set", "rank=8").stdout


def test_it_trains_and_its_checkpoint_is_evaluated(finished: tuple[Toy, str]) -> None:
    toy, summary = finished
    assert "✓ 2 of 2 trainings completed" in without_foreign_words(summary)
    assert "✓ all 3 jobs are completed" in summary
    assert (toy.directory / "decay0.1" / "artifacts" / "epoch_1" / "config.json").is_file()
    assert "loss 0.697" in without_foreign_words(toy.run_text("status"))


def test_the_report_has_its_curve_and_no_other_tool(finished: tuple[Toy, str]) -> None:
    toy, _ = finished
    done = toy.tunebook("analyze", "--json")
    assert done.returncode in {0, 4}, done.stderr
    texts = toy.texts("analysis/report.md", "analysis/report.html", "*.log")
    # The environment has these packages, and the report says so.
    installed = re.compile(r"(torchtune|inspect-ai)(: |</dt><dd>)\d[\w.]* \(")
    report = without_foreign_words(installed.sub("", texts))
    assert "toytrainer" in report
    assert (toy.directory / "analysis" / "figures" / "loss.svg").is_file()
    with (toy.directory / "analysis" / "runs.csv").open(newline="") as stream:
        trained = {
            row["directory"]: (row["training_steps"], round(float(row["training_final_loss"]), 3))
            for row in csv.DictReader(stream)
        }
    assert trained == {"decay0.1": ("10", 0.697), "decay0.2": ("10", 0.215)}
