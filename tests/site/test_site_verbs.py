"""``site`` and ``site init`` where SLURM's programs are played back, and where environments are started."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from support.played_machine import CONFIG, PARTITIONS, SINFO, conda_environment, program
from support.terminal import Terminal
from tunebook import api
from tunebook.core.site import Environment
from tunebook.core.site_reading import parse_site
from tunebook.errors import ExitCode
from tunebook.site.probe import probe

TUNEBOOK = str(Path(sys.executable).with_name("tunebook"))
SACCTMGR = """\
case "$*" in
    *user*) echo "$USER_NAME|" ;;
esac
case "$*" in
    *assoc*) printf 'anycluster|physics|normal,gpu|normal\\nanycluster|lab|normal|normal\\n' ;;
    *"show account"*) printf 'lab\\nphysics\\nroot\\n' ;;
    *"show qos"*) printf 'normal\\ngpu\\n' ;;
esac
"""
SBATCH = 'case "$*" in *--gres*) echo "sbatch: error: use --gpus here" >&2; exit 1 ;; esac\n'


@pytest.fixture
def login_node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cluster of other people's, played back; returns an empty directory to work in."""
    for name, text in {"config": CONFIG, "partitions": PARTITIONS, "nodes": SINFO}.items():
        (tmp_path / name).write_text(text)
    program(
        tmp_path, "scontrol", f'case "$2" in config) cat "{tmp_path}/config" ;; *) cat "{tmp_path}/partitions" ;; esac'
    )
    program(tmp_path, "sinfo", f'cat "{tmp_path}/nodes"')
    program(tmp_path, "sacctmgr", SACCTMGR)
    program(tmp_path, "sbatch", SBATCH)
    scratch = tmp_path / "scratch"
    (scratch / "models" / "tiny").mkdir(parents=True)
    (scratch / "models" / "tiny" / "config.json").touch()
    (scratch / "models" / "tiny" / "model.safetensors").touch()
    for name in [name for name in os.environ if name.startswith(("SLURM_", "WANDB_", "CONDA")) or "SCRATCH" in name]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    monkeypatch.setenv("SCRATCH", str(scratch))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return work


def test_a_cluster_of_many_partitions_is_described(login_node: Path) -> None:
    draft = api.site_init(login_node, api.SiteInitOptions(assignments=("account=lab",)))
    parsed = parse_site(draft.text)
    site, problems = parsed.site, (*parsed.errors, *parsed.warnings)
    assert problems == ()
    assert (site.cluster, site.account, site.partition, site.gpu_syntax) == ("anycluster", "lab", "gpu", "gpus")
    assert site.scratch == os.environ["SCRATCH"]
    assert site.models_dir == f"{site.scratch}/models"
    assert "| gpu | 1-00:00:00 | 4 × a100 per node | 64 | 976 GB |" in draft.text
    basis = {finding.key: chosen.basis for finding, chosen in draft.chosen}
    assert basis["gpu_syntax"] == "sbatch --test-only accepts only --gpus=1"
    report = api.site(login_node, quick=True)
    assert report.errors == ()


def test_each_shown_setting_has_its_source(login_node: Path) -> None:
    (login_node / "claude.local.md").write_text("- **Partition**: `mig`\n- **Constraint**: `mig`\n- **QOS**: `gpu`\n")
    done = subprocess.run([TUNEBOOK, "site", "--quick"], capture_output=True, text=True, check=False)
    assert done.returncode == ExitCode.WRONG_PLAN
    assert any("Partition" in line and "claude.local.md:1" in line for line in done.stdout.splitlines())
    assert any("Default GPUs" in line and "default: 1" in line for line in done.stdout.splitlines())
    assert "claude.local.md:1: error: partition mig: it is for the groups mig-users" in done.stderr


def test_questions_offer_what_was_found(login_node: Path) -> None:
    terminal = Terminal([TUNEBOOK, "site", "init"])
    terminal.sees("Which account do your jobs run under")
    terminal.answers("lab", "\x1b[B\r")  # down: lab
    terminal.sees("Which partition do your jobs go to")
    terminal.answers("up to 00:30:00", "\x1b[B\r")  # down: mixed
    terminal.answers("several kinds of GPUs", "\x1b[B\x1b[B\x1b[B\r")  # past any, v100 and t4: another value
    terminal.answers("several kinds of GPUs", "v100\r")
    terminal.answers("send mail about jobs", "none\r")
    terminal.answers("the site file cannot hold", "\x7f" * 4 + "ada@example.org\r")
    terminal.sees("wrote ")
    assert terminal.ends() == 0
    site = parse_site((login_node / "claude.local.md").read_text()).site
    assert (site.account, site.partition, site.constraint, site.time) == ("lab", "mixed", "v100", "00:30:00")
    assert site.mail_user == "ada@example.org"


def test_leaving_the_questions_writes_nothing(login_node: Path) -> None:
    terminal = Terminal([TUNEBOOK, "site", "init"])
    terminal.answers("Which account", "\x03")
    assert terminal.ends() == ExitCode.INTERRUPTED
    assert list(login_node.iterdir()) == []


def test_the_end_of_the_input_at_a_question_writes_nothing(login_node: Path) -> None:
    terminal = Terminal([TUNEBOOK, "site", "init", "--set", "account=lab", "--set", "partition=gpu"])
    terminal.answers("send mail about jobs", "\x04")
    assert terminal.ends() == ExitCode.INTERRUPTED
    assert list(login_node.iterdir()) == []


@pytest.mark.usefixtures("login_node")
def test_a_question_that_a_test_does_not_expect_fails_with_what_is_shown() -> None:
    terminal = Terminal([TUNEBOOK, "site", "init"])
    with pytest.raises(pytest.fail.Exception, match="Which account"):
        terminal.sees("another question")


def test_yes_asks_nothing_and_takes_the_first(login_node: Path) -> None:
    terminal = Terminal([TUNEBOOK, "site", "init", "--yes"])
    terminal.sees("wrote ")
    assert terminal.ends() == 0
    site = parse_site((login_node / "claude.local.md").read_text()).site
    assert (site.account, site.partition) == ("physics", "gpu")


def test_a_nearer_file_that_hides_the_users_own_is_reported(login_node: Path) -> None:
    (login_node / "claude.local.md").write_text("- **Account**: `lab`\n")
    draft = api.site_init(login_node, api.SiteInitOptions(for_user=True))
    assert draft.path == Path.home() / ".claude" / "claude.local.md"
    assert draft.path.is_file()
    assert any(str(login_node / "claude.local.md") in note for note in draft.notes)


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without SLURM."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("bash", "cat", "uname"):
        (programs / name).symlink_to(str(shutil.which(name)))
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_environments_are_started_as_a_job_would(alone: Path, make_venv: Callable[[str], Path]) -> None:
    empty = make_venv("an empty one")
    text = f"- **Training virtual environment**: `{empty}`\n- **Evaluation virtual environment**: `{sys.prefix}`\n"
    (alone / "claude.local.md").write_text(text)
    report = api.site(alone)
    assert report.exit_code is ExitCode.WRONG_PLAN
    messages = [(problem.line, problem.message.partition(": ")[2], problem.hint) for problem in report.errors]
    missing = f"venv:{empty} cannot import torchtune: ModuleNotFoundError: No module named 'torchtune'"
    assert (1, missing, "in this environment: pip install 'tunebook[torchtune]' or 'tunebook[trl]'") in messages
    assert all(line == 1 for line, _, _ in messages)
    assert any(note.startswith(f"evaluation: venv:{sys.prefix} imports inspect_ai 0.") for note in report.notes)


@pytest.fixture
def make_venv(tmp_path: Path) -> Callable[[str], Path]:
    def make(name: str) -> Path:
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / name)], check=True)
        return tmp_path / name

    return make


def test_the_environment_of_one_tool_is_started_too(alone: Path, make_venv: Callable[[str], Path]) -> None:
    empty = make_venv("empty")
    lines = [f"- **Torchtune virtual environment**: `{empty}`", "- **Helm conda environment**: helm"]
    lines.append(f"- **vLLM virtual environment**: `{empty}`")
    (alone / "claude.local.md").write_text("\n".join(lines))
    report = api.site(alone)
    found = [(problem.line, problem.message) for problem in report.errors]
    assert (
        1,
        f"torchtune: venv:{empty} cannot import torchtune: ModuleNotFoundError: No module named 'torchtune'",
    ) in found
    of_server = f"vllm: venv:{empty} cannot import vllm: ModuleNotFoundError: No module named 'vllm'"
    assert [message for line, message in found if line == 3] == [of_server]
    unknown = "an environment is given for helm, but no tool has this name: the line has no effect"
    assert (2, unknown) in [(problem.line, problem.message) for problem in report.warnings]


def test_a_missing_environment_is_reported(alone: Path) -> None:
    (alone / "claude.local.md").write_text("- **Virtual environment**: `/no/venv`\n")
    report = api.site(alone)
    told = ["training: venv:/no/venv cannot be started", "evaluation: venv:/no/venv cannot be started"]
    assert [problem.message.partition(": tunebook")[0] for problem in report.errors] == told
    assert all("has no bin/activate" in problem.message for problem in report.errors)


def test_a_conda_environment_is_activated_by_condas_own_hook(alone: Path, make_venv: Callable[[str], Path]) -> None:
    real = make_venv("real")
    hook = 'conda() { [ "$2" = "it\'s \\$HOME" ] && export CONDA_PREFIX="REAL" PATH="REAL/bin:$PATH"; }'.replace(
        "REAL", str(real)
    )
    program(alone, "conda", f"cat <<'HOOK'\n{hook}\nHOOK")
    probed = probe(Environment(conda_env="it's $HOME"), modules=(), names=["json", "no_such"])
    assert probed.failed == ""
    assert Path(probed.python).parent == real / "bin"
    assert list(probed.versions) == ["json"]
    assert probed.errors == {"no_such": "ModuleNotFoundError: No module named 'no_such'"}
    assert "could not be activated" in probe(Environment(conda_env="other"), modules=(), names=["json"]).failed


def test_an_activation_that_leads_to_another_python_is_no_success(
    alone: Path, make_venv: Callable[[str], Path]
) -> None:
    """What quotes in a path do to the activation script of Python 3.11, and a conda environment without Python."""
    other = make_venv("other")
    (other / "bin" / "activate").write_text("VIRTUAL_ENV=/elsewhere\n")
    assert "leads to" in probe(Environment(venv=str(other)), modules=(), names=["json"]).failed
    program(alone, "conda", "echo 'conda() { export CONDA_PREFIX=/elsewhere; }'")
    assert "leads to" in probe(Environment(conda_env="bare"), modules=(), names=["json"]).failed


def test_module_lines_are_run_first_and_their_failure_is_reported(alone: Path) -> None:
    works = probe(Environment(), modules=('export PYTHONHASHSEED="0"', "true"), names=["json"])
    assert (works.failed, list(works.versions)) == ("", ["json"])
    broken = probe(Environment(), modules=("module load nothing",), names=["json"])
    assert "a module line of the site settings failed" in broken.failed
    assert "module" in broken.failed
    assert "conda was not found" in probe(Environment(conda_env="x"), modules=(), names=["json"]).failed
    assert [path.name for path in alone.iterdir()] == ["bin"]


def test_the_error_of_a_tool_that_breaks_on_import_is_reported(make_venv: Callable[[str], Path]) -> None:
    venv = make_venv("broken")
    package = next(venv.glob("lib/python*/site-packages")) / "torchtune"
    package.mkdir()
    (package / "__init__.py").write_text("print('noise')\nraise ImportError('torchao is too new')\n")
    probed = probe(Environment(venv=str(venv)), modules=(), names=["torchtune"])
    assert probed.errors == {"torchtune": "ImportError: torchao is too new"}


def test_without_slurm_and_file_a_local_site_is_reported(alone: Path) -> None:
    conda_environment(alone / "unused")
    report = api.site(alone, quick=True)
    assert report.exit_code is ExitCode.DONE
    assert any("this is a local site" in note for note in report.notes)
    assert {item.value for item in report.settings} == {""}
    draft = api.site_init(alone)
    assert any("this is a local site" in note for note in draft.notes)
    assert "There is no SLURM here" in draft.text
    assert api.site(alone, quick=True).errors == ()


def test_a_clusters_file_on_a_laptop_is_reported_as_unverified(alone: Path) -> None:
    (alone / "claude.local.md").write_text(
        f"\n- **Account**: `lab`\n- **Output base directory**: `{alone}/claude.local.md/x`\n"
    )
    report = api.site(alone, quick=True)
    warning = next(item for item in report.warnings if "no SLURM" in item.message)
    assert (warning.line, warning.hint) == (2, "run this on a login node of the cluster")
    assert [item.line for item in report.errors] == [3]


def test_values_that_a_script_cannot_hold_are_reported_on_any_machine(alone: Path) -> None:
    (alone / "claude.local.md").write_text("- **QOS**: `gpu short`\n- **Mail user**: `me\t@x`\n")
    report = api.site(alone, quick=True)
    assert sorted((item.line, item.message.partition("; ")[0]) for item in report.errors) == [
        (1, "QOS is `gpu short`"),
        (2, "Mail user is 'me\\t@x', with a control character"),
    ]
