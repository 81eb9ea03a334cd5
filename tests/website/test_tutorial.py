"""What the tutorial quotes is what the demo writes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from support.scaffolding import scaffolded
from support.tiny_model import build_tiny_model
from support.website import DOCS
from tunebook.demo.data import SPLITS, capitalization_data, task_source
from tunebook.demo.plan import DemoPlan
from tunebook.tools.parameters import installed_parameters

pytestmark = pytest.mark.filterwarnings("ignore")  # Transformers and torch warn of one another
_TUTORIAL = DOCS / "tutorial"
_HOME = "/home/ada/tunebook/tunebook-demo"


def _blocks(page: str, language: str) -> list[str]:
    text = (_TUTORIAL / page).read_text()
    found: list[str] = re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert found
    return found


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's experiment with a tiny model, scaffolded."""
    root = tmp_path_factory.mktemp("tutorial")
    directory = root / "tunebook-demo"
    (directory / "data").mkdir(parents=True)
    (directory / "data" / "words.json").write_text(json.dumps(capitalization_data()))
    (directory / "cap_task.py").write_text(task_source())
    (directory / "claude.local.md").write_text("# Site settings\n")
    plan = DemoPlan(
        name="tunebook-demo",
        directory=directory,
        model=build_tiny_model(root / "model"),
        dataset=directory / "data" / "words.json",
        task=directory / "cap_task.py",
        created="2026-01-01 00:00",
        parameters=installed_parameters(),
        learning_rates=("1e-4", "3e-4"),
    )
    (directory / "experiment_summary.md").write_text(plan.text())
    scaffolded(directory)
    return directory


def test_the_plan_that_it_explains_is_the_demos(demo: Path) -> None:
    plan = (demo / "experiment_summary.md").read_text().replace(str(demo), _HOME)
    for block in _blocks("plan.md", "markdown"):
        assert block in plan


def test_the_settings_that_it_explains_are_the_demos(demo: Path) -> None:
    settings = (demo / "rank4_lr3e-4" / "setup_finetune.yaml").read_text()
    for block in _blocks("run-directories.md", "yaml"):
        assert block in settings


def test_the_lines_of_the_script_that_it_explains_are_the_demos(demo: Path) -> None:
    script = (demo / "rank4_lr3e-4" / "finetune.slurm").read_text()
    lines = [line for line in _blocks("run-directories.md", "bash")[0].splitlines() if line]
    assert lines
    assert all(f"{line}\n" in script for line in lines)


def test_its_directories_are_the_demos(demo: Path) -> None:
    text = "".join(_blocks("run-directories.md", "text"))
    for name in ("setup_finetune.yaml", "finetune.yaml", "finetune.slurm", "eval/"):
        assert name in text
        assert (demo / "rank4_lr3e-4" / name).exists()
    assert (demo / "rank4_lr3e-4" / "eval" / "capitalization_epoch0.slurm").is_file()


def test_the_numbers_of_the_data_are_the_demos() -> None:
    plan = (_TUTORIAL / "plan.md").read_text()
    assert f"train ({SPLITS['train']}), validation ({SPLITS['validation']}), test ({SPLITS['test']})" in plan
    assert f"trained on {SPLITS['train']} words and tested on {SPLITS['test']}" in plan


def test_readme_and_tutorial_show_the_same_output() -> None:
    readme = (DOCS.parent / "README.md").read_text()
    shown = "".join(_blocks("demo.md", "text"))
    for line in re.findall(r"^(?:│ SmolLM2|✓ H1|· No interaction).*", readme, re.MULTILINE):
        assert line in shown
