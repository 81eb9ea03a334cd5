"""Reading the site settings: values, unset settings, and warnings with their line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from support.plans import EXAMPLE
from tunebook import api
from tunebook.api.loading import find_site
from tunebook.core.jobs import Stage
from tunebook.core.site import Environment, line_of
from tunebook.core.site_file import site_text
from tunebook.core.site_reading import ParsedSite, parse_site


def test_the_example_site_is_read() -> None:
    parsed = parse_site((EXAMPLE / "claude.local.md").read_text())
    site, problems = parsed.site, (*parsed.errors, *parsed.warnings)
    assert problems == ()
    assert (site.cluster, site.account, site.constraint, site.partition) == ("della", "lab", "gpu80", "")
    assert site.modules == ("module load anaconda3/2025.6",)
    assert site.training.conda_env == site.evaluation.conda_env == "tuning"
    assert site.output_dir_base == "/scratch/gpfs/LAB/researcher/ck-outputs/"
    assert site.time_min == 59.0
    assert (site.wandb_entity, site.wandb_project) == ("lab", "capitalization")


@pytest.mark.parametrize("value", ["`<your account>`", "<account>", "(leave empty)", "-", "none", ""])
def test_placeholders_are_unset(value: str) -> None:
    assert parse_site(f"- **Account**: {value}\n").site.account == ""


def test_training_and_evaluation_can_have_environments_of_their_own() -> None:
    site = parse_site("- **Training conda environment:** tt\n- **Evaluation virtual environment:** /venvs/ev\n").site
    assert (site.training.conda_env, site.training.venv) == ("tt", "")
    assert (site.evaluation.conda_env, site.evaluation.venv) == ("", "/venvs/ev")


def test_a_misspelt_setting_is_a_warning_and_a_wrong_value_an_error_with_their_lines() -> None:
    parsed = parse_site("# Site\n- **Acount:** lab\n- **Default GPUs:** two\n- **Colour:** red\n")
    assert [(problem.line, problem.message) for problem in parsed.warnings] == [(2, "unknown setting `Acount`")]
    assert [(problem.line, problem.message) for problem in parsed.errors] == [
        (3, "Default GPUs is `two`; it must be a whole number")
    ]


@pytest.mark.parametrize(
    ("written", "key", "value"),
    [
        ("**Partition**: `gpu` (leave empty if the cluster has no partitions)", "partition", "gpu"),
        ("**Partition**: gpu (the long queue)", "partition", "gpu"),
        ("**Partition**: `<your partition>` (leave empty if there is none)", "partition", ""),
        ("**Partition**: <your partition> (leave empty if there is none)", "partition", ""),
        ("**Partition**: (leave empty)", "partition", ""),
        ("**Default time**: `0:59:00` (under 1 hour to use the test queue)", "time", "0:59:00"),
        ("**Entity**: `my-team` (user name or team name)", "wandb_entity", "my-team"),
        ("**Models directory**: `/data (old)/llms` (shared)", "models_dir", "/data (old)/llms"),
    ],
)
def test_a_remark_after_a_value_is_no_part_of_it(written: str, key: str, value: str) -> None:
    parsed = parse_site(f"- {written}\n")
    assert (getattr(parsed.site, key), parsed.errors) == (value, ())


def test_a_conda_environment_with_a_remark_is_its_name() -> None:
    assert parse_site("- **Default conda environment**: `tuning` (recommended)\n").site.training.conda_env == "tuning"
    (error,) = parse_site("- **Default conda environment**: tuning or so\n").errors
    assert "must be one word, the name of a conda environment" in error.message


@pytest.mark.parametrize("label", ["Account", "Partition", "Constraint", "QOS", "Mail user"])
def test_a_value_that_no_sbatch_line_can_hold_is_an_error_with_its_line(label: str) -> None:
    (error,) = parse_site(f"# Site\n- **{label}**: `a b`\n").errors
    assert error.line == 2
    assert f"{label} is `a b`; it must be one word" in error.message


@pytest.mark.parametrize("text", ["- **Scratch directory**: `/s\x1b[31m`\n", "## Modules\n```\nml a\x07\n```\n"])
def test_control_characters_are_refused(text: str) -> None:
    (error,) = parse_site(text).errors
    assert "with a control character" in error.message


def test_a_refused_value_reaches_no_tool() -> None:
    found = parse_site("- **Default GPUs**: `\x1b`\n- **Default CPUs**: `many`\n")
    assert len(found.errors) == 2
    assert (found.site.gpus, found.site.cpus) == ("", "")


def test_two_values_for_one_setting_are_an_error_with_both_lines() -> None:
    (error,) = parse_site("- **Account**: `a`\n- **Account**: `a`\n- **Account**: `b`\n").errors
    assert (error.line, error.message) == (3, "Account is `b` here and `a` on line 1")
    assert parse_site("- **Username**: `a`\n## GitHub\n- **Username**: `b`\n").errors == ()


@pytest.mark.parametrize(
    ("written", "option", "kind", "number"),
    [
        ("GPU request syntax**: `--gres=gpu:a100:1`", "gres", "a100", "1"),
        ("GPU request syntax**: `--gres=gpu:a100:N`", "gres", "a100", ""),
        ("GPU request syntax**: `--gres=gpu:<n>`", "gres", "", ""),
        ("GPU request syntax**: --gpus-per-node=h100:2", "gpus-per-node", "h100", "2"),
        ("GPU request syntax**: `--gpus`", "gpus", "", ""),
        ("Default GPUs**: `a100:2`", "gres", "a100", "2"),
        ("Default GPUs**: 1 GPU", "gres", "", "1"),
        ("GPU type**: `nvidia_a100_80gb_pcie_1g.10gb`", "gres", "nvidia_a100_80gb_pcie_1g.10gb", ""),
    ],
)
def test_the_kind_and_the_number_of_gpus_are_read_wherever_they_stand(
    written: str, option: str, kind: str, number: str
) -> None:
    parsed = parse_site(f"- **{written}\n")
    assert parsed.errors == ()
    assert (parsed.site.gpu_syntax, parsed.site.gpu_type, parsed.site.gpus) == (option, kind, number)


@pytest.mark.parametrize(
    "value", ["--gpus-per-task=1", "--gres=shard:1", "--gres=gpu:a100:1,lscratch:10", "--gres=gpu:a100:1:1", "GPU"]
)
def test_a_request_for_gpus_that_cannot_be_honoured_is_an_error(value: str) -> None:
    (error,) = parse_site(f"- **GPU request syntax**: `{value}`\n").errors
    assert "must be --gres, --gpus or --gpus-per-node" in error.message


def test_two_numbers_of_gpus_are_an_error() -> None:
    (error,) = parse_site("- **Default GPUs**: 2\n- **GPU request syntax**: `--gres=gpu:1`\n").errors
    assert "GPU request syntax is `--gres=gpu:1`, but Default GPUs is 2 on line 1" in error.message


def test_the_kind_of_gpu_reaches_every_script(experiment: Path) -> None:
    with (experiment / "claude.local.md").open("a") as file:
        file.write("\n## SLURM Defaults\n- **GPU request syntax**: `--gpus-per-node=a100:1`\n")
    api.scaffold(experiment)
    scripts = sorted(experiment.rglob("*.slurm"))
    assert len(scripts) == 17
    for script in scripts:
        assert "#SBATCH --gpus-per-node=a100:1\n" in script.read_text()


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
    assert parse_site(f"- **GPU request syntax:** {value}\n").site.gpu_syntax == option


def test_the_option_that_requests_gpus_is_kept_when_the_settings_are_written() -> None:
    parsed = parse_site(site_text({"gpu_syntax": "--gpus"}))
    site, problems = parsed.site, (*parsed.errors, *parsed.warnings)
    assert problems == ()
    assert site.gpu_syntax == "gpus"


def settings(*lines: str) -> ParsedSite:
    return parse_site("\n".join(("# Site", "", *lines, "")))


def bullet(name: str, value: str) -> ParsedSite:
    return settings("## SLURM Defaults", f"- **{name}**: {value}")


def test_a_table_of_settings_is_read() -> None:
    found = settings("| Parameter | Value |", "|---|---|", "| Account | `lab` |", "| Default GPUs | 2 |").site
    assert (found.account, found.gpus, found.lines["account"]) == ("lab", "2", 5)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (("## SLURM Defaults", "Account: lab"), "claude.local.md:4: `Account: lab` is not read as a setting"),
        (("```", "#SBATCH --account=lab", "```"), ":4: `#SBATCH --account=lab` is not read as a setting"),
        (("## Environment", "```", "module load cuda", "```"), ":5: `module load cuda` is not read"),
        (("## Modules", "- **Modules**: `cuda/12`"), ":4: `Modules` is not read here"),
        (("## Modules", "```", "module load <module>", "```"), ":5: the module line `module load <module>` holds"),
    ],
)
def test_lines_that_look_like_settings_and_are_not_read_are_named(lines: tuple[str, ...], message: str) -> None:
    found = settings(*lines)
    assert (found.site.account, found.site.modules) == ("", ())
    (warning,) = found.warnings
    assert message in str(warning)


@pytest.mark.parametrize("text", ["TODO", "xxx", "your-account-here", "[account]", "{account}", "...", "a<account>"])
def test_placeholders_in_other_styles_count_as_unset_with_a_warning(text: str) -> None:
    found = bullet("Account", text)
    assert found.site.account == ""
    assert not found.errors
    assert "looks like a placeholder" in str(found.warnings[0])


@pytest.mark.parametrize("text", ["null", "unset", "not set", "leave empty", '""', "''"])
def test_other_words_for_unset_are_unset(text: str) -> None:
    found = bullet("Account", text)
    assert (found.site.account, found.errors, found.warnings) == ("", (), ())


@pytest.mark.parametrize(
    ("name", "text", "key", "value"),
    [
        ("Account", '"lab"', "account", "lab"),
        ("Account", "“lab”", "account", "lab"),
        ("Partition", "gpu, gpu80", "partition", "gpu,gpu80"),
        ("Mail type", "END, FAIL", "mail_type", "END,FAIL"),
        ("Constraint", "[gpu40|gpu80]", "constraint", "[gpu40|gpu80]"),
        ("Default memory", "32 GB", "mem", "32G"),
        ("Default memory", "32GiB", "mem", "32G"),
        ("Default memory", "64000", "mem", "64000"),
        ("Default GPUs", "gpu:a100:2", "gpu_type", "a100"),
        ("Default GPUs", "gpu:2", "gpu_type", ""),
    ],
)
def test_other_spellings_are_written_as_slurm_reads_them(name: str, text: str, key: str, value: str) -> None:
    found = bullet(name, text)
    assert not found.errors
    assert getattr(found.site, key) == value


def test_memory_without_a_unit_is_an_error_since_slurm_reads_megabytes() -> None:
    (error,) = bullet("Default memory", "32").errors
    assert "SLURM reads it as 32 MB" in str(error)


def test_a_time_of_two_numbers_is_named_as_minutes_and_seconds() -> None:
    found = bullet("Default time", "1:00")
    assert found.site.time == "1:00"
    assert "1 minutes and 0 seconds to SLURM" in str(found.warnings[0])
    assert not bullet("Default time", "1:00:00").warnings


@pytest.mark.parametrize(
    ("name", "path", "message"),
    [
        ("Output base directory", "/scratch/$USER/out", "contains a variable"),
        ("Output base directory", "~no-such-user/out", "the home directory of an unknown user"),
        ("Models directory", "file:///models", "is a URL"),
        ("Conda environment", "${HOME}/envs/tuning", "contains a variable"),
        ("Virtual environment", "source /venv/bin/activate", "names the script that activates an environment"),
    ],
)
def test_paths_that_no_job_can_use_are_errors(name: str, path: str, message: str) -> None:
    (error,) = bullet(name, path).errors
    assert message in str(error)


def test_shell_commands_among_the_modules_are_read_or_are_an_error() -> None:
    found = settings(
        "## Modules", "- `export MKL_THREADING_LAYER=GNU`", "- `source /opt/setvars.sh`", "", ". /opt/x.sh"
    )
    assert found.site.modules == ("export MKL_THREADING_LAYER=GNU", "source /opt/setvars.sh", ". /opt/x.sh")
    (error,) = settings("## Modules", "- export MKL_THREADING_LAYER=GNU").errors
    assert "claude.local.md:4: `export MKL_THREADING_LAYER = GNU` is not read as a module line" in str(error)


def test_modules_in_bullets_and_paragraphs_of_their_section_are_read() -> None:
    found = settings(
        "## Module System", "Load these:", "- `module load cuda/12`", "- module load anaconda", "", "ml gcc"
    )
    assert found.site.modules == ("module load cuda/12", "module load anaconda", "ml gcc")
    (warned,) = settings("## Modules", "```", "$ module load cuda", "```").site.modules
    assert warned == "module load cuda"


def test_a_file_in_another_encoding_is_an_error_with_line_and_byte(tmp_path: Path) -> None:
    (tmp_path / "claude.local.md").write_bytes("# Site\n- **Account**: caf\xe9\n".encode("latin-1"))
    (error,) = [item for item in find_site(tmp_path).errors if "UTF-8" in item.message]
    assert (error.message, error.line) == ("not UTF-8: byte 0xe9", 2)


def test_a_tool_may_have_an_environment_of_its_own() -> None:
    usual, own = "- **Conda environment:** tt\n", "- **TRL conda environment:** trl\n"
    parsed = parse_site(usual + own + "- **lm-eval virtual environment:** `/venvs/lm`\n")
    assert (parsed.errors, parsed.warnings) == ((), ())
    site = parsed.site
    assert site.environment_for("trl", Stage.PREPARATION) == Environment(conda_env="trl")
    assert site.environment_for("lm-eval", Stage.EVALUATION) == Environment(venv="/venvs/lm")
    assert site.environment_for("torchtune", Stage.PREPARATION) == Environment(conda_env="tt")
    assert (line_of(site, "environment.trl"), line_of(site, "environment.lm-eval")) == (2, 3)
    assert line_of(site, "environment.inspect-ai") is None


def test_a_misspelt_stage_is_not_taken_for_a_tool() -> None:
    parsed = parse_site("- **Trainig conda environment:** tt\n")
    assert parsed.site.tool_environments == {}
    assert [problem.message for problem in parsed.warnings] == ["unknown setting `Trainig conda environment`"]


def test_two_environments_of_one_tool_are_an_error() -> None:
    parsed = parse_site("- **TRL conda environment:** a\n- **trl conda environment:** b\n")
    assert [problem.line for problem in parsed.errors] == [2]


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("export HF_TOKEN=hf_abcdefghijklmnopqrstuvwx", "HF_TOKEN"),
        ("export OPENAI_API_KEY='made-up-secret'", "OPENAI_API_KEY"),
        ("WANDB_API_KEY=0123456789abcdef wandb login", "WANDB_API_KEY"),
        ("export X=sk-abcdefghijklmnopqrstu", "X"),
        ("huggingface-cli login --token hf_abcdefghijklmnopqrstuvwx", "a token"),
    ],
)
def test_a_secret_in_a_module_line_is_an_error_that_does_not_repeat_it(command: str, name: str) -> None:
    parsed = parse_site(f"# Site\n\n## Modules\n\n```bash\nmodule load cuda\n{command}\n```\n")
    (problem,) = parsed.errors
    assert problem.line == 7
    assert f"a module line holds a secret ({name})" in problem.message
    words = re.split(r"[\s='\"]+", command)
    assert not [word for word in words if len(word) > 8 and word != name and word in str(problem)]
    assert parsed.site.modules == ("module load cuda",)


@pytest.mark.parametrize(
    "command",
    [
        "export HF_TOKEN=$(cat ~/.hf_token)",
        'export HF_TOKEN="$MY_TOKEN"',
        "export HF_TOKEN_PATH=/home/me/.token",
        "export SSL_KEY=/etc/ssl/private.pem",
        "export TOKENIZERS_PARALLELISM=false",
        "export USE_API_KEY=1",
        "module load cuda/12.4",
    ],
)
def test_a_module_line_that_reads_its_secret_elsewhere_is_fine(command: str) -> None:
    parsed = parse_site(f"# Site\n\n## Modules\n\n```bash\n{command}\n```\n")
    assert parsed.errors == ()
    assert parsed.site.modules == (command,)


def test_a_partition_that_the_table_of_partitions_lacks_is_a_warning() -> None:
    columns = "| Partition | Time limit | GPUs | CPUs per node | Memory per node |\n|---|---|---|---|---|\n"
    table = f"## Partitions seen\n{columns}| gpu (default) | 1:00:00 | 4 × a100 per node | 64 | 500 GB |\n"
    assert parse_site(f"- **Partition**: `gpu`\n\n{table}").warnings == ()
    (warning,) = parse_site(f"- **Partition**: `gpux`\n\n{table}").warnings
    assert "partition `gpux` is not in the table of the partitions seen" in warning.message
    assert (warning.line, warning.hint) == (1, "seen: gpu; `tunebook site` asks the cluster for it")
