"""Scaffolding, as a person sees it: the tree, what happens the second time, and what an edit survives."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest
import yaml

from support.scaffolding import golden, replace, scaffolded, stamps, tree
from tunebook.core.jobs import Resources, Stage
from tunebook.disk import atomic
from tunebook.disk.lock import exclusive
from tunebook.disk.manifest import read_manifest
from tunebook.errors import DamagedError, ExitCode, LockedError, NewerFormatError, PlanError, UsageError
from tunebook.scaffold.reconcile import Action
from tunebook.scaffold.summary import scaffold_summary

GOLDEN = Path(__file__).parents[1] / "golden" / "capitalization_sweep"
PLAN = "experiment_summary.md"
FIRST = "rank8_lr1e-5"


def test_the_example_makes_its_golden_tree(experiment: Path, tmp_path: Path) -> None:
    """After a deliberate change: TUNEBOOK_UPDATE_GOLDEN=1 pytest -k golden, and read the difference."""
    plain = tmp_path / "plain"
    shutil.copytree(experiment, plain)
    report = scaffolded(plain)
    assert report.exit_code is ExitCode.DONE
    found = {path: text.replace(str(plain), "/EXPERIMENT") for path, text in tree(plain).items()}
    # Inspect takes only a relative path to a task, and how far up that goes is the temporary directory's affair.
    found = {path: re.sub(r"(\.\./)+scratch", "../scratch", text) for path, text in found.items()}
    assert found == golden(found, GOLDEN)


def test_the_second_time_nothing_is_touched(experiment: Path) -> None:
    scaffolded(experiment)
    before = stamps(experiment)
    report = scaffolded(experiment)
    assert {step.action for step in report.steps} == {Action.UNCHANGED}
    assert stamps(experiment) == before
    assert "Everything is unchanged" in scaffold_summary(report)


def test_a_changed_plan_updates_what_it_changes(experiment: Path) -> None:
    scaffolded(experiment)
    replace(experiment / PLAN, "- **Seed:** 14", "- **Seed:** 15")
    report = scaffolded(experiment)
    updated = {step.path for step in report.steps if step.action is Action.UPDATE}
    assert updated == {
        f"{run}/{name}"
        for run in report.parts[0].runs
        for name in ("setup_finetune.yaml", "finetune.yaml", "eval/setup_finetune.yaml")
    }
    assert yaml.safe_load((experiment / FIRST / "finetune.yaml").read_text())["seed"] == 15


def test_an_edited_setup_survives_and_reaches_the_configuration(experiment: Path) -> None:
    scaffolded(experiment)
    setup = experiment / FIRST / "setup_finetune.yaml"
    replace(setup, "lr: 1.0e-05", "learning_rate: 3e-4  # mine")
    report = scaffolded(experiment)
    assert "learning_rate: 3e-4  # mine" in setup.read_text()
    assert yaml.safe_load((experiment / FIRST / "finetune.yaml").read_text())["optimizer"]["lr"] == 3e-4
    assert report.conflicts == (f"{FIRST}/setup_finetune.yaml",)
    assert report.exit_code is ExitCode.UNFINISHED
    assert any("lr is 0.0003 here and 1e-05 in the plan" in warning.message for warning in report.warnings)


def test_an_edited_setup_that_is_wrong_fails_its_run_and_no_other(experiment: Path) -> None:
    scaffolded(experiment)
    setup = experiment / FIRST / "setup_finetune.yaml"
    replace(setup, "lora_rank: 8", "lora_rnk: 8")
    report = scaffolded(experiment, on_failure=lambda _: True)
    (failure,) = report.parts[0].failures
    (problem, *_) = failure.problems
    assert (problem.file, problem.line) == (f"{FIRST}/setup_finetune.yaml", 17)
    assert "did you mean `lora_rank`?" in problem.hint
    assert len(report.parts[0].runs) == 7
    assert report.exit_code is ExitCode.FAILED


def test_an_edited_file_is_kept_unless_overwritten_and_then_kept_as_a_copy(experiment: Path) -> None:
    scaffolded(experiment)
    script = experiment / FIRST / "finetune.slurm"
    replace(script, "#SBATCH --nodes=1", "#SBATCH --nodes=2")
    edited = script.read_text()
    assert scaffolded(experiment).conflicts == (f"{FIRST}/finetune.slurm",)
    assert script.read_text() == edited
    report = scaffolded(experiment, overwrite=True)
    assert report.exit_code is ExitCode.DONE
    assert "--nodes=1" in script.read_text()
    assert script.with_name("finetune.slurm.orig").read_text() == edited
    assert scaffolded(experiment).exit_code is ExitCode.DONE


def test_verification_names_run_and_parameter(experiment: Path) -> None:
    """An edited finetune.yaml is kept, and its changes are reported."""
    scaffolded(experiment)
    replace(experiment / FIRST / "finetune.yaml", "lr: 1.0e-05", "lr: 1.0e-04")
    report = scaffolded(experiment)
    assert any(
        "rank8_lr1e-5`: optimizer.lr is 0.0001, but setup_finetune.yaml gives 1e-05" in item.message
        for item in report.warnings
    )


def test_runs_that_left_the_plan_are_reported_and_pruned_only_on_request(experiment: Path) -> None:
    scaffolded(experiment)
    (experiment / "rank64_lr1e-5" / "artifacts").mkdir()
    (experiment / "rank64_lr1e-5" / "artifacts" / "metrics.jsonl").write_text("{}\n")
    page = experiment / PLAN
    text = "".join(line for line in page.read_text().splitlines(keepends=True) if "rank64" not in line)
    text = text.replace("8, 16, 32, 64", "8, 16, 32").replace("Total Runs:** 9 (8", "Total Runs:** 7 (6")
    page.write_text(text.replace("Total evaluations:** 9", "Total evaluations:** 7"))
    report = scaffolded(experiment)
    assert len(report.orphans) == 10
    assert (experiment / "rank64_lr5e-5" / "finetune.yaml").exists()
    report = scaffolded(experiment, prune=True)
    assert len(report.pruned) == 5
    assert not (experiment / "rank64_lr5e-5").exists()
    assert len(report.orphans) == 5
    assert (experiment / "rank64_lr1e-5" / "finetune.yaml").exists()


def test_an_edited_orphan_is_never_removed(experiment: Path) -> None:
    scaffolded(experiment)
    replace(experiment / FIRST / "eval" / "capitalization_epoch0.slurm", "--ntasks=1", "--ntasks=2")
    replace(experiment / PLAN, f"| Llama-3.2-1B-Instruct_{FIRST} | ✓ epoch 0", f"| Llama-3.2-1B-Instruct_{FIRST} | -")
    replace(experiment / PLAN, "**Total evaluations:** 9\n\n###", "**Total evaluations:** 8\n\n###")
    report = scaffolded(experiment, prune=True)
    assert report.orphans == (f"{FIRST}/eval/capitalization_epoch0.slurm",)


def test_a_dry_run_shows_differences_and_writes_nothing(experiment: Path) -> None:
    report = scaffolded(experiment, dry_run=True)
    assert {step.action for step in report.steps} == {Action.CREATE}
    assert sorted(path.name for path in experiment.iterdir()) == ["claude.local.md", PLAN]
    scaffolded(experiment)
    replace(experiment / PLAN, "- **Seed:** 14", "- **Seed:** 15")
    before = stamps(experiment)
    report = scaffolded(experiment, dry_run=True)
    diff = next(step.diff() for step in report.steps if step.path == f"{FIRST}/finetune.yaml")
    assert "-seed: 14\n+seed: 15\n" in diff
    assert stamps(experiment) == before


def test_one_stage_and_single_runs_can_be_selected(experiment: Path) -> None:
    scaffolded(
        experiment, stages=frozenset({Stage.PREPARATION}), runs=("rank8*", "Llama-3.2-1B-Instruct_rank16_lr1e-5")
    )
    assert {path.partition("/")[0] for path in tree(experiment)} == {"rank8_lr1e-5", "rank8_lr5e-5", "rank16_lr1e-5"}
    assert not any("/eval/" in path for path in tree(experiment))
    with pytest.raises(UsageError, match="no run is called `rank9`"):
        scaffolded(experiment, runs=("rank9",))


def test_an_interrupted_scaffolding_is_completed_the_next_time(
    experiment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between two files of an update, and the plan changes again: no text looks like a person's."""
    scaffolded(experiment)
    replace(experiment / PLAN, "- **Seed:** 14", "- **Seed:** 15")
    written = 0
    real = atomic.write_text

    def failing(path: Path, text: str, *, within: Path, executable: bool = False) -> None:
        nonlocal written
        written += 1
        if written > 5:
            raise KeyboardInterrupt
        real(path, text, within=within, executable=executable)

    with monkeypatch.context() as patch:
        patch.setattr("tunebook.scaffold.write.write_text", failing)
        with pytest.raises(KeyboardInterrupt):
            scaffolded(experiment)
    replace(experiment / PLAN, "- **Seed:** 15", "- **Seed:** 16")
    report = scaffolded(experiment)
    assert report.conflicts == ()
    assert report.exit_code is ExitCode.DONE
    assert "seed: 16" in (experiment / FIRST / "finetune.yaml").read_text()


def test_a_lost_manifest_takes_equal_files_for_ours_and_others_for_edited(experiment: Path) -> None:
    scaffolded(experiment)
    shutil.rmtree(experiment / ".tunebook")
    assert {step.action for step in scaffolded(experiment).steps} == {Action.UNCHANGED}
    assert len(read_manifest(experiment).generated) == 41


def test_a_damaged_manifest_is_kept_aside_and_made_again(experiment: Path) -> None:
    scaffolded(experiment)
    before = read_manifest(experiment)
    (experiment / ".tunebook" / "manifest.json").write_text("{")
    with pytest.raises(DamagedError, match=r"manifest cannot be read.*tunebook scaffold"):
        scaffolded(experiment, dry_run=True)
    report = scaffolded(experiment)
    assert "kept as manifest.json.orig" in report.warnings[0].message
    assert (experiment / ".tunebook" / "manifest.json.orig").read_text() == "{"
    assert {step.action for step in report.steps} == {Action.UNCHANGED}
    assert read_manifest(experiment) == before


def test_a_manifest_of_a_newer_tunebook_is_left_alone(experiment: Path) -> None:
    scaffolded(experiment)
    path = experiment / ".tunebook" / "manifest.json"
    path.write_text(path.read_text().replace('"version": 1', '"version": 2'))
    newer = path.read_text()
    with pytest.raises(NewerFormatError, match="written by a newer tunebook: it has format 2"):
        scaffolded(experiment)
    assert path.read_text() == newer


def test_a_second_scaffolder_is_kept_out(experiment: Path) -> None:
    with exclusive(experiment, "scaffold"), pytest.raises(LockedError, match=f"process {os.getpid()}"):
        scaffolded(experiment)


def test_a_wrong_plan_writes_nothing_and_all_its_problems_are_reported(experiment: Path) -> None:
    replace(experiment / PLAN, "| Learning Rate | Batch", "| Learning Rat | Batch")
    replace(experiment / PLAN, '"{input}"', '"x"')
    with pytest.raises(PlanError) as caught:
        scaffolded(experiment)
    assert len(caught.value.problems) == 2
    assert tree(experiment) == {}
    assert "nothing was written" in (experiment / "scaffold-experiment.log").read_text()


def test_a_training_on_several_gpus_asks_for_their_host_memory_and_its_evaluation_for_one_gpu(experiment: Path) -> None:
    def resources() -> dict[str, Resources]:
        scaffolded(experiment)
        return {job.name: job.resources for job in read_manifest(experiment).jobs}

    training, evaluation = f"{FIRST}/finetune", f"{FIRST}/eval/capitalization_epoch0"
    one = resources()
    replace(experiment / PLAN, "- **GPUs:** 1", "- **GPUs:** 4\n- **Save:** adapter")
    replace(experiment / PLAN, "lora_finetune_single_device", "lora_finetune_distributed")
    four = resources()
    assert (one[training].gpus, four[training].gpus) == (1, 4)
    assert (one[training].memory, four[training].memory) == ("16G", "40G")
    assert four[training].cpus == 4 * one[training].cpus
    assert four[evaluation] == one[evaluation]
    assert four[evaluation].gpus == 1
