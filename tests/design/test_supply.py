"""check --deep: memory, disk and time that the jobs need, against what is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.deep import looked
from support.scaffolding import replace
from tunebook.core.deep_checks import DeepResult
from tunebook.design.workloads import Workloads

PLAN, SITE = "experiment_summary.md", "claude.local.md"


def messages(result: DeepResult) -> list[str]:
    return [problem.message for problem in (*result.errors, *result.warnings)]


def test_enough_is_shown_with_its_figures(experiment: Path) -> None:
    replace(experiment / SITE, "`/scratch/gpfs/LAB/researcher/ck-outputs/`", "(leave empty)")
    disk = looked(experiment, "disk")
    assert (messages(disk), disk.unchecked) == ([], "")
    assert " for all checkpoints, " in disk.figure
    assert looked(experiment, "memory of the host").figure == "weights of 4.6 GiB in 32 bits, 16G asked for"
    assert looked(experiment, "memory of the GPU").figure == "8 GB of 80 GB (constraint gpu80)"
    assert looked(experiment, "time").figure.startswith("the training takes about ")


def test_a_disk_without_space_for_the_checkpoints_is_an_error(
    experiment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Workloads, "free_space", lambda _: (experiment, 2**20))
    (problem,) = looked(experiment, "disk").errors
    assert problem.message.startswith("the checkpoints need about ")
    assert problem.message.endswith("has only 1 MiB free")


def test_an_output_directory_elsewhere_is_not_checked(experiment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Workloads, "free_space", lambda _: None)
    assert "the output directory cannot be seen from here" in looked(experiment, "disk").unchecked


def test_memory_for_less_than_the_weights_is_an_error(experiment: Path) -> None:
    replace(experiment / SITE, "- **Default GPUs**: `1`", "- **Default GPUs**: `1`\n- **Default memory**: `2G`")
    found = looked(experiment, "memory of the host").errors
    text = "asks for 2G of memory, but the weights of Llama-3.2-1B-Instruct alone have 4.6 GiB in 32 bits"
    assert text in found[0].message


def test_a_batch_that_no_gpu_holds_is_a_warning(experiment: Path) -> None:
    replace(experiment / SITE, "`gpu80`", "(leave empty)")
    assert "the GPU's memory is not known" in looked(experiment, "memory of the GPU").unchecked
    replace(experiment / SITE, "- **Constraint**: (leave empty)", "- **Constraint**: `gpu10`")
    replace(experiment / PLAN, "- **Batch sizes:** 4", "- **Batch sizes:** 4, 64")
    replace(experiment / PLAN, "| 64 | 5e-5 | 4 |", "| 64 | 5e-5 | 64 |")
    (problem,) = looked(experiment, "memory of the GPU").warnings
    assert "a batch of 64 needs about " in problem.message


def test_runs_that_share_a_gpu_need_its_memory_together(experiment: Path) -> None:
    replace(experiment / PLAN, "- **GPUs:** 1", "- **GPUs:** 1\n- **Runs per GPU:** 12")
    problem = looked(experiment, "memory of the GPU").warnings[0]
    assert "12 runs on one GPU, each with a batch of 4, need about " in problem.message
    assert problem.hint is not None
    assert problem.hint.startswith("lower `Runs per GPU`")


def test_a_training_that_takes_longer_than_its_limit_is_doubtful_without_prior_runs(experiment: Path) -> None:
    replace(experiment / PLAN, "- **Epochs:** 1", "- **Epochs:** 4000")
    result = looked(experiment, "time")
    assert result.errors == ()
    assert "the training takes about " in result.warnings[0].message
