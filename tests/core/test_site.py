"""Reading the site settings: values, unset settings, and warnings with their line."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.plans import EXAMPLE
from tunebook import api
from tunebook.core.site_file import parse_site, site_text


def test_the_example_site_is_read() -> None:
    site, problems = parse_site((EXAMPLE / "claude.local.md").read_text())
    assert problems == ()
    assert (site.cluster, site.account, site.constraint, site.partition) == ("della", "lab", "gpu80", "")
    assert site.modules == ("module load anaconda3/2025.6",)
    assert site.training.conda_env == site.evaluation.conda_env == "tuning"
    assert site.output_dir_base == "/scratch/gpfs/LAB/researcher/ck-outputs/"
    assert site.time_min == 59.0
    assert (site.wandb_entity, site.wandb_project) == ("lab", "capitalization")


@pytest.mark.parametrize("value", ["`<your account>`", "<account>", "(leave empty)", "-", "none", ""])
def test_placeholders_are_unset(value: str) -> None:
    assert parse_site(f"- **Account**: {value}\n")[0].account == ""


def test_training_and_evaluation_can_have_environments_of_their_own() -> None:
    site, _ = parse_site("- **Training conda environment:** tt\n- **Evaluation virtual environment:** /venvs/ev\n")
    assert (site.training.conda_env, site.training.venv) == ("tt", "")
    assert (site.evaluation.conda_env, site.evaluation.venv) == ("", "/venvs/ev")


def test_a_misspelt_setting_and_a_wrong_value_are_warnings_with_their_line() -> None:
    _, problems = parse_site("# Site\n- **Acount:** lab\n- **Default GPUs:** two\n- **Colour:** red\n")
    assert [(problem.line, problem.message.partition("`")[0]) for problem in problems] == [
        (2, "unknown setting "),
        (3, "Default GPUs is "),
    ]


def test_the_nearest_site_file_is_read(experiment: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    (tmp_path / "a" / "claude.local.md").write_text("- **Account:** above\n")
    assert api.check(experiment).site.account == "lab"
    (experiment / "claude.local.md").unlink()
    assert api.check(experiment).site.account == "above"
    (tmp_path / "a" / "claude.local.md").unlink()
    (tmp_path / "home" / ".claude").mkdir(parents=True)
    (tmp_path / "home" / ".claude" / "claude.local.md").write_text("- **Account:** home\n")
    assert api.check(experiment).site.account == "home"
    (tmp_path / "home" / ".claude" / "claude.local.md").unlink()
    report = api.check(experiment)
    assert report.site.file is None
    assert any("no site settings" in warning.message for warning in report.warnings)


@pytest.mark.parametrize(("value", "option"), [("`--gpus`", "gpus"), ("--gres=gpu:1", "gres"), ("", "gres")])
def test_gpus_are_requested_with_the_option_of_this_cluster(value: str, option: str) -> None:
    assert parse_site(f"- **GPU request syntax:** {value}\n")[0].gpu_syntax == option


def test_the_option_that_requests_gpus_is_kept_when_the_settings_are_written() -> None:
    site, problems = parse_site(site_text({"gpu_syntax": "--gpus"}))
    assert problems == ()
    assert site.gpu_syntax == "gpus"
