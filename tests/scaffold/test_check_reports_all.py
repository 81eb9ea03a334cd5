"""Whatever scaffolding refuses, `check` has reported: as a property over plans and site settings that go wrong."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.plans import EXAMPLE
from support.scaffolding import replace, scaffolded
from tunebook import api
from tunebook.errors import PlanError, Problem

TASK = "from inspect_ai import task\n@task\ndef capitalization({}): ...\n"
VALUES = st.one_of(
    st.text(max_size=8),
    st.sampled_from(
        [
            "",
            "-",
            "none",
            "0",
            "-1",
            "1e999",
            "4 GPUs",
            "a b",
            "a\tb",
            "\x1b[0m",
            "$(id)",
            "`",
            '"',
            "99-00:00:00",
            "9T",
        ]
    ),
)
PLAN_TEXTS = (
    "cap_4L_lora_lr_sweep_2025-10-22",
    "`lora_finetune_single_device`",
    "- **GPUs:** 1",
    "- **Seed:** 14",
    "Llama-3.2-1B-Instruct_rank8_lr1e-5 |",
    "| 8 | 1e-5 |",
    "`/scratch/gpfs/LAB/pretrained-llms/Llama-3.2-1B-Instruct`",
    "~8 min",
    "`/scratch/gpfs/LAB/tasks/cap_task.py`",
    "| `/scratch/gpfs/LAB/data/words_4L_80P_300.json` ✓ | Exact",
)
SITE_TEXTS = ("`lab`", "`gpu80`", "`0:59:00`", "`1`", "`tuning`", "module load anaconda3/2025.6", "(leave empty)")
SIGNATURES = st.sampled_from(
    [
        "config_dir=None, dataset_path=None",
        "config_dir",
        "dataset_path",
        "colour",
        "",
        "config_dir=None",
        "**words",
        "(",
    ]
)


def refusals(experiment: Path) -> set[str]:
    """The errors with which scaffolding this experiment ends."""
    try:
        found: tuple[Problem, ...] = scaffolded(experiment, on_failure=lambda _: True).errors
    except PlanError as error:
        found = error.problems
    return {str(problem) for problem in found}


def with_value(text: str, old: str, value: str) -> str:
    """The text with one value replaced, inside the marks that surround it."""
    assert old in text
    core = old.strip("`| -")
    return text.replace(old, old.replace(core, value), 1)


@given(
    edits=st.lists(st.tuples(st.sampled_from(PLAN_TEXTS), VALUES), max_size=2, unique_by=lambda edit: edit[0]),
    site=st.lists(st.tuples(st.sampled_from(SITE_TEXTS), VALUES), max_size=2, unique_by=lambda edit: edit[0]),
    signature=SIGNATURES,
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_check_reports_everything_that_scaffold_refuses(
    tmp_path: Path, edits: list[tuple[str, str]], site: list[tuple[str, str]], signature: str
) -> None:
    experiment = tmp_path / "experiment"
    shutil.rmtree(experiment, ignore_errors=True)
    shutil.copytree(EXAMPLE, experiment)
    for name, changes in (("experiment_summary.md", edits), ("claude.local.md", site)):
        text = (experiment / name).read_text()
        for old, value in changes:
            text = with_value(text, old, value)
        (experiment / name).write_text(text)
    (experiment / "cap_task.py").write_text(TASK.format(signature))
    plan = experiment / "experiment_summary.md"
    plan.write_text(plan.read_text().replace("/scratch/gpfs/LAB/tasks/cap_task.py", "cap_task.py"))
    told = {str(problem) for problem in api.check(experiment).errors}
    assert refusals(experiment) <= told


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("claude.local.md", "`gpu80`", "`gpu 80`"),
        ("experiment_summary.md", "Llama-3.2-1B-Instruct`", "No-Such-Model`"),
    ],
)
def test_a_refusal_that_only_scaffolding_can_know_is_reported(experiment: Path, name: str, old: str, new: str) -> None:
    text = (experiment / name).read_text().replace(old, new)
    (experiment / name).write_text(
        text.replace("| Llama-3.2-1B-Instruct |", "| No-Such-Model |") if "Such" in new else text
    )
    report = api.check(experiment)
    assert report.errors
    assert refusals(experiment) <= {str(problem) for problem in report.errors}


@pytest.mark.parametrize(
    ("blocked", "is_directory"),
    [
        ("rank8_lr1e-5", False),
        ("rank8_lr1e-5/eval", False),
        (".tunebook", False),
        ("rank8_lr1e-5/finetune.slurm", True),
        ("scaffold-experiment.log", True),
    ],
)
def test_what_is_in_the_way_of_a_file_is_reported(experiment: Path, blocked: str, is_directory: bool) -> None:
    place = experiment / blocked
    place.parent.mkdir(exist_ok=True)
    if is_directory:
        place.mkdir()
    else:
        place.write_text("mine")
    assert blocked in {problem.file for problem in api.check(experiment).errors}


def test_a_run_directory_that_leads_elsewhere_is_reported(
    experiment: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    (experiment / "rank8_lr1e-5").symlink_to(tmp_path_factory.mktemp("elsewhere"))
    (problem,) = [item for item in api.check(experiment).errors if item.file == "rank8_lr1e-5"]
    assert "leads out of the experiment's directory" in problem.message


def test_edited_settings_in_another_encoding_are_reported(experiment: Path) -> None:
    (experiment / "rank8_lr1e-5").mkdir()
    (experiment / "rank8_lr1e-5" / "setup_finetune.yaml").write_bytes(b"lr: 1\nnote: caf\xe9\n")
    (problem,) = [item for item in api.check(experiment).errors if "UTF-8" in item.message]
    assert (problem.file, problem.line) == ("rank8_lr1e-5/setup_finetune.yaml", 2)


def test_a_path_that_no_machine_can_have_is_not_also_looked_for_elsewhere(experiment: Path) -> None:
    replace(
        experiment / "experiment_summary.md", "/scratch/gpfs/LAB/data/words_4L_80P_300.json", "~no-such-user/x.json"
    )
    report = api.check(experiment)
    assert any("the home directory of an unknown user" in error.message for error in report.errors)
    assert not [warning for warning in report.warnings if "no-such-user" in warning.message]
