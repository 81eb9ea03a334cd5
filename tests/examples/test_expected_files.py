"""Every example: its inputs can be made, its plan has no problem, and scaffolding writes the files that it shows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from support.examples import EXAMPLES, EXPECTED, ExampleCopy, copied, example_names
from support.scaffolding import golden

WARNINGS = {
    "moved_income": [
        "`Scorer` has no effect",
        "`Checkpoint directory` has no effect",
        "`Naming pattern` has no effect",
        "`Example` has no effect",
    ]
}
PLAN, YAML_PLAN = "experiment_summary.md", "experiment_summary.yaml"


def test_every_example_has_a_readme_and_inputs_and_a_plan() -> None:
    folders = sorted(path for path in EXAMPLES.iterdir() if path.is_dir() and path.name != "__pycache__")
    assert [folder.name for folder in folders] == example_names()
    for folder in folders:
        assert (folder / "README.md").is_file(), folder
        assert (folder / PLAN).is_file() != (folder / YAML_PLAN).is_file(), folder


def test_the_readme_lists_every_example() -> None:
    listed = re.findall(r"\]\((\w+)/README\.md\)", (EXAMPLES / "README.md").read_text())
    assert sorted(listed) == example_names()


@pytest.fixture(params=example_names())
def example(request: pytest.FixtureRequest, tmp_path: Path) -> ExampleCopy:
    made = copied(request.param, tmp_path)
    made.make_inputs()
    if (made.directory / YAML_PLAN).is_file():
        made.tunebook_text("import", YAML_PLAN, ".")
    return made


def test_an_example_makes_its_golden_tree(example: ExampleCopy) -> None:
    """After a deliberate change: TUNEBOOK_UPDATE_GOLDEN=1 pytest -k golden, and read the difference."""
    done = example.tunebook("check")
    assert done.returncode == 0, done.stderr
    assert re.findall(r"warning: (.*)", done.stderr) == WARNINGS.get(example.directory.name, [])
    before = example.paths()
    example.tunebook_text("scaffold")
    found = example.texts(example.paths() - before)
    assert found
    assert found == golden(found, EXAMPLES / example.directory.name / EXPECTED)
