"""Scaffolding after a power failure, after an interrupted pruning, and where links lead out of the experiment."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from support.scaffolding import replace, scaffolded
from tunebook.api import check
from tunebook.disk.manifest import read_manifest
from tunebook.disk.originals import original_of
from tunebook.errors import LinkError
from tunebook.scaffold.reconcile import Action

PLAN = "experiment_summary.md"
FIRST = "rank8_lr1e-5"
GONE = "rank64_lr5e-5"


def without_rank64(experiment: Path) -> None:
    """Removes two runs from the plan."""
    page = experiment / PLAN
    text = "".join(line for line in page.read_text().splitlines(keepends=True) if "rank64" not in line)
    text = text.replace("8, 16, 32, 64", "8, 16, 32").replace("Total Runs:** 9 (8", "Total Runs:** 7 (6")
    page.write_text(text.replace("Total evaluations:** 9", "Total evaluations:** 7"))


def test_an_interrupted_pruning_is_completed_with_its_directories(experiment: Path) -> None:
    scaffolded(experiment)
    without_rank64(experiment)
    for path in (experiment / GONE).rglob("*"):
        if path.is_file():
            path.unlink()
    scaffolded(experiment)
    assert any(path.startswith(GONE) for path in read_manifest(experiment).generated)
    report = scaffolded(experiment, prune=True)
    assert not (experiment / GONE).exists()
    assert not (experiment / "rank64_lr1e-5").exists()
    assert report.orphans == ()
    assert not any("rank64" in path for path in read_manifest(experiment).generated)


@pytest.mark.parametrize("left", ["", "\0" * 900])
def test_a_file_that_a_power_failure_emptied_is_not_a_persons_edit(experiment: Path, left: str) -> None:
    scaffolded(experiment)
    whole = (experiment / FIRST / "setup_finetune.yaml").read_text()
    (experiment / FIRST / "setup_finetune.yaml").write_text(left)
    report = scaffolded(experiment)
    assert {step.path for step in report.steps if step.action is Action.UPDATE} == {f"{FIRST}/setup_finetune.yaml"}
    assert (experiment / FIRST / "setup_finetune.yaml").read_text() == whole


def test_nothing_is_removed_or_kept_through_a_link_that_leads_out(experiment: Path, tmp_path: Path) -> None:
    scaffolded(experiment)
    without_rank64(experiment)
    outside = tmp_path / "outside"
    (experiment / GONE).rename(outside)
    (experiment / GONE).symlink_to(outside)
    with pytest.raises(LinkError, match=GONE):
        scaffolded(experiment, prune=True)
    assert (outside / "finetune.yaml").exists()
    (experiment / GONE).unlink()
    shutil.rmtree(outside)
    edited = experiment / FIRST / "finetune.yaml"
    replace(edited, "lr: 1.0e-05", "lr: 1.0e-04")
    edited.with_name("finetune.yaml.orig").symlink_to(tmp_path / "new")
    scaffolded(experiment, overwrite=True)
    assert not (tmp_path / "new").exists()
    assert "1.0e-04" in edited.with_name("finetune.yaml.orig.1").read_text()


def test_a_file_that_is_a_link_out_is_found_by_check_and_not_written(experiment: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("a person's")
    (experiment / FIRST).mkdir()
    (experiment / FIRST / "finetune.yaml").symlink_to(outside)
    assert any(
        problem.file == f"{FIRST}/finetune.yaml" and f"to {outside}" in problem.message
        for problem in check(experiment).errors
    )
    report = scaffolded(experiment, overwrite=True)
    assert "leads out of the experiment's directory" in str(report.parts[0].problems)
    assert outside.read_text() == "a person's"


def test_the_copy_of_an_edited_file_is_made_once(tmp_path: Path) -> None:
    """An interruption between the copy and the replacement leaves the copy."""
    path = tmp_path / "a.yaml"
    assert original_of(path, "edited").name == "a.yaml.orig"
    (tmp_path / "a.yaml.orig").write_text("edited")
    assert original_of(path, "edited").name == "a.yaml.orig"
    assert original_of(path, "another edit").name == "a.yaml.orig.1"
