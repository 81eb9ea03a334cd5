"""What `check` says about recipes and checkpoints, each at its line of the plan."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from support.scaffolding import replace, scaffolded
from tunebook import api
from tunebook.core.paths import PLAN_FILE
from tunebook.errors import ExitCode, Problem
from tunebook.scaffold.blueprint import build_blueprint
from tunebook.tools.base import Prepared
from tunebook.tools.inspect.tool import InspectTool

SINGLE = "lora_finetune_single_device"
RECIPE_LINE, SEED_LINE = 79, 88
NAME = "Llama-3.2-1B-Instruct"
Edit = Callable[..., None]


@pytest.fixture
def edit(experiment: Path) -> Edit:
    """Replaces texts of the example's plan."""

    def edited(*pairs: tuple[str, str]) -> None:
        for old, new in pairs:
            replace(experiment / PLAN_FILE, old, new)

    return edited


def bullet(text: str) -> tuple[str, str]:
    name, value = text.split(": ")
    return "- **Seed:** 14", f"- **Seed:** 14\n- **{name}:** {value}"


def found(problems: tuple[Problem, ...], words: str) -> list[int | None]:
    return [problem.line for problem in problems if words in problem.message]


def test_a_recipe_of_ones_own_is_a_warning_at_its_line(experiment: Path, edit: Edit) -> None:
    edit((SINGLE, "my_lab.lora_train"))
    warnings = api.check(experiment).warnings
    assert found(warnings, "tunebook cannot promise its steps, the order of its examples") == [RECIPE_LINE]


def test_a_distributed_recipe_is_a_warning_at_its_line(experiment: Path, edit: Edit) -> None:
    edit((SINGLE, "lora_finetune_distributed"), ("- **GPUs:** 1", "- **GPUs:** 2"), bullet("Save: adapter"))
    report = api.check(experiment)
    assert found(report.warnings, "drops the last incomplete batch of an epoch") == [RECIPE_LINE]
    assert found(report.warnings, "adapters have the precision of the base") == [RECIPE_LINE]
    assert not report.errors


@pytest.mark.parametrize("tool", ["torchtune", "trl"])
def test_several_gpus_in_the_plan_mean_the_distributed_recipe(experiment: Path, edit: Edit, tool: str) -> None:
    recipe = "- **Recipe:** `lora_finetune_single_device`\n"
    several = ("- **GPUs:** 1", "- **GPUs:** 2\n- **Save:** adapter")
    edit((recipe, ""), several, ("- **Model Preparation:** torchtune", f"- **Model Preparation:** {tool}"))
    assert api.check(experiment).errors == ()


def test_several_gpus_of_the_site_mean_the_distributed_recipe(experiment: Path, edit: Edit) -> None:
    edit(("- **GPUs:** 1\n", ""))
    site = experiment / "claude.local.md"
    replace(site, "**Default GPUs**: `1`", "**Default GPUs**: `2`")
    report = api.check(experiment)
    assert found(report.warnings, "`lora_finetune_distributed` drops the last incomplete batch") == [RECIPE_LINE]
    assert any("merges adapters into weights in bf16" in error.message for error in report.errors)
    edit(bullet("Save: adapter"))
    assert not api.check(experiment).errors


def test_the_recipe_of_tunebook_needs_no_warning(experiment: Path) -> None:
    assert not found(api.check(experiment).warnings, "recipe")


@pytest.mark.parametrize(("precision", "warned"), [("bf16", True), ("fp32", False)])
def test_all_weights_in_16_bits_are_a_warning(experiment: Path, edit: Edit, precision: str, warned: bool) -> None:
    edit(
        (SINGLE, "full_finetune_single_device"),
        ("- **LoRA alpha:** Auto-set to 2 × rank\n", ""),
        ("| LoRA Rank | Learning Rate | Batch Size |", "| Weight Decay | Learning Rate | Batch Size |"),
        ("| LoRA Rank | 8, 16", "| Weight Decay | 8, 16"),
        bullet(f"Precision: {precision}"),
    )
    lines = found(api.check(experiment).warnings, "updates that are small against the weights are lost")
    assert bool(lines) is warned


def test_adapters_that_the_evaluation_cannot_load_are_an_error(
    experiment: Path, edit: Edit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(InspectTool, "loads_adapters", False)
    assert not api.check(experiment).errors
    edit(bullet("Save: adapter"))
    assert found(api.check(experiment).errors, "but inspect-ai evaluates whole models only") == [SEED_LINE + 1]


def test_without_an_evaluation_of_adapters_weights_are_merged(
    experiment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(InspectTool, "loads_adapters", False)
    assert scaffolded(experiment).exit_code is ExitCode.DONE
    settings = (experiment / "rank8_lr1e-5" / "setup_finetune.yaml").read_text()
    assert "save_adapter_weights_only: false\nstash_adapter_weights: true\n" in settings


@pytest.mark.parametrize(
    ("model", "words"),
    [("Phi-3-mini-4k-instruct", "cannot write adapters of this model"), ("Qwen2.5-7B-Instruct", "")],
)
def test_adapters_without_a_form_in_peft_are_an_error(experiment: Path, edit: Edit, model: str, words: str) -> None:
    edit((NAME, model), bullet("Save: adapter"))
    errors = api.check(experiment).errors
    assert found(errors, words) == ([SEED_LINE + 1] if words else [])


def test_qwens_adapters_of_torchtunes_own_recipe_are_an_error(experiment: Path, edit: Edit) -> None:
    edit(
        (NAME, "Qwen2.5-7B-Instruct"),
        (SINGLE, "lora_finetune_distributed"),
        ("- **GPUs:** 1", "- **GPUs:** 2"),
        bullet("Save: adapter"),
    )
    assert found(api.check(experiment).errors, "permutes the heads of Qwen 2's adapters") == [SEED_LINE + 1]


@pytest.mark.parametrize(("save", "is_adapter"), [("adapter", True), ("merged", False)])
def test_a_preparation_names_the_base_and_the_rank_of_its_adapters(
    experiment: Path, edit: Edit, save: str, is_adapter: bool
) -> None:
    from tunebook.api.loading import load_correct

    edit(bullet(f"Save: {save}"))
    loaded = load_correct(experiment)
    prepared: list[Prepared | None] = []
    for part in build_blueprint(loaded.tools, loaded.context).parts:
        prepared += [built.unit.prepared for built in part.built if built.unit.prepared is not None]
    first = prepared[0]
    assert first is not None
    base = f"/scratch/gpfs/LAB/pretrained-llms/{NAME}"
    assert (first.base, first.rank) == ((base, 8) if is_adapter else ("", None))


@pytest.mark.parametrize(
    ("save", "precision", "evaluated"), [("true", "fp32", "fp32"), ("true", "bf16", "bf16"), ("false", "bf16", "fp32")]
)
def test_the_evaluation_has_the_precision_of_edited_settings_and_fp32_for_merged_weights(
    experiment: Path, save: str, precision: str, evaluated: str
) -> None:
    scaffolded(experiment)
    settings = experiment / "rank8_lr1e-5" / "setup_finetune.yaml"
    replace(settings, "precision: null", f"precision: {precision}")
    replace(settings, "save_adapter_weights_only: true", f"save_adapter_weights_only: {save}")
    scaffolded(experiment)
    script = (experiment / "rank8_lr1e-5" / "eval" / "capitalization_epoch0.slurm").read_text()
    assert f"prepare_options=(--precision {evaluated}" in script
