"""``doctor``: on a machine without SLURM, on a login node, and with environments that are not fit for jobs."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from support.command_line import tunebook
from support.plans import EXAMPLE
from support.played_machine import program
from tunebook import api
from tunebook.api.loading import find_site
from tunebook.core.site import Environment, Site
from tunebook.disk.look import Place, look
from tunebook.errors import ExitCode
from tunebook.site.doctor import disks, environments
from tunebook.site.doctor.diagnosis import Condition, Diagnosis
from tunebook.site.doctor.disks import diagnose_disks
from tunebook.site.doctor.environments import diagnose_environments
from tunebook.site.doctor.quotas import Quota, read_quota
from tunebook.site.doctor.scheduler import diagnose_scheduler
from tunebook.site.doctor.shell import diagnose_shell
from tunebook.site.environments import Use, uses_of_site
from tunebook.site.machine import Surroundings
from tunebook.site.probe import Probed
from tunebook.tools.base import Package
from tunebook.tools.fitting import Installed

OK, WARNING = Condition.OK, Condition.WARNING
PROBLEM, NOT_CHECKED = Condition.PROBLEM, Condition.NOT_CHECKED
PATIENT = "600"  # seconds: imports are slow on a busy machine


def of(condition: Condition, found: Iterable[Diagnosis]) -> list[str]:
    return [item.message for item in found if item.condition is condition]


def add_package(venv: Path, name: str, version: str, *requirements: str, module: str = "", code: str = "") -> None:
    """Installs a package that has nothing but its metadata and an empty module."""
    library = next(venv.glob("lib/python*/site-packages"))
    facts = library / f"{name}-{version}.dist-info"
    facts.mkdir()
    needs = "".join(f"Requires-Dist: {requirement}\n" for requirement in requirements)
    (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}")
    (library / (module or name)).mkdir()
    (library / (module or name) / "__init__.py").write_text(code)


def site_with(venv: Path, key: str = "Virtual environment") -> str:
    return f"- **{key}**: `{venv}`\n"


def test_without_a_plan_and_slurm_everything_is_examined_and_fit(tmp_path: Path) -> None:
    done = tunebook(tmp_path, "doctor", "--timeout-s", PATIENT)
    assert (done.returncode, done.stderr) == (ExitCode.DONE, "")
    assert "✓ there is no plan here: every tool is examined" in done.stdout
    assert "locks work" in done.stdout
    assert "✓ training, evaluation: the Python that runs tunebook starts: Python 3." in done.stdout
    assert done.stdout.endswith("\n0 problems, 0 warnings\n")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("alone")
def test_what_was_not_checked_has_no_tick(tmp_path: Path) -> None:
    shown = tunebook(tmp_path, "doctor", "--timeout-s", "1").stdout
    assert not [line for line in shown.splitlines() if "✓" in line and "not checked" in line], shown


def test_with_a_plan_only_what_its_jobs_need_is_examined(tmp_path: Path, make_venv: Callable[[str], Path]) -> None:
    experiment = tmp_path / "experiment"
    shutil.copytree(EXAMPLE, experiment)
    (experiment / "claude.local.md").write_text(site_with(make_venv("empty")))
    report = api.doctor(experiment)
    assert report.exit_code is ExitCode.FAILED
    assert report.has_plan
    lacking = [problem.message for problem in report.errors if "cannot import" in problem.message]
    assert {message.partition(":")[0] for message in lacking} == {"torchtune", "inspect-ai"}
    assert not any("trl" in message for message in lacking)
    assert {problem.line for problem in report.errors} == {1}


def test_a_plan_with_errors_is_no_problem_of_the_machine(alone: Path, make_venv: Callable[[str], Path]) -> None:
    (alone / "experiment_summary.md").write_text("# Nothing\n")
    (alone / "claude.local.md").write_text(site_with(make_venv("empty")))
    report = api.doctor(alone)
    (found,) = [item for item in report.diagnoses if "the plan has" in item.message]
    assert (found.condition, found.hint) == (WARNING, "`tunebook check` lists them")


def test_the_document_has_every_diagnosis(alone: Path, make_venv: Callable[[str], Path]) -> None:
    (alone / "claude.local.md").write_text(site_with(make_venv("empty")))
    done = tunebook(alone, "doctor", "--json", "--timeout-s", PATIENT)
    document = json.loads(done.stdout)
    data = document["data"]
    assert (done.returncode, document["exit_code"], document["ok"]) == (1, 1, False)
    conditions = [item["condition"] for item in data["diagnoses"]]
    assert data["counts"] == {condition.value: conditions.count(condition.value) for condition in Condition}
    assert data["counts"]["problem"] == len(document["errors"]) > 0
    assert {error["line"] for error in document["errors"]} == {1}
    subjects = list(dict.fromkeys(item["subject"] for item in data["diagnoses"]))
    assert (subjects[0], subjects[-1]) == ("Installation", "Environments of the jobs")


def test_a_directory_that_is_missing_is_wrong_usage(tmp_path: Path) -> None:
    done = tunebook(tmp_path, "doctor", "missing")
    assert done.returncode == ExitCode.USAGE
    assert "missing is not a directory" in done.stderr


# --- the scheduler ---------------------------------------------------------------------------------------------------


def scheduler_part(directory: Path, timeout_s: float = 60.0) -> list[Diagnosis]:
    return list(diagnose_scheduler(find_site(directory).site, Surroundings.here(directory), timeout_s=timeout_s))


def test_a_cluster_that_answers_takes_the_jobs(login_node: Path, tmp_path: Path) -> None:
    program(tmp_path, "squeue", "echo 4711; echo 4712_3")
    program(tmp_path, "sacct", "exit 0")
    (login_node / "claude.local.md").write_text(
        "- **Account**: `lab`\n- **Partition**: `cpu`\n- **Default GPUs**: `0`\n"
    )
    found = scheduler_part(login_node)
    assert of(PROBLEM, found) == of(NOT_CHECKED, found) == []
    fine = of(OK, found)
    assert "squeue answers: 2 jobs of yours in the queue of anycluster" in fine
    assert "sacct answers: accounting knows how jobs ended, and what they used" in fine
    assert "sbatch --test-only accepts a job with these settings" in fine


def test_wrong_settings_are_problems_with_their_line(login_node: Path, tmp_path: Path) -> None:
    program(tmp_path, "squeue", "exit 0")
    program(tmp_path, "sacct", "echo 'Slurm accounting storage is disabled' >&2; exit 1")
    (login_node / "claude.local.md").write_text("- **Account**: `lab`\n- **Partition**: `gpus`\n")
    found = scheduler_part(login_node)
    assert of(PROBLEM, found) == ["anycluster has no partition `gpus`"]
    assert [item.line for item in found if item.condition is PROBLEM] == [2]
    assert "accounting does not answer: `sacct` failed: Slurm accounting storage is disabled" in of(WARNING, found)


def test_a_scheduler_that_hangs_is_given_up_in_time(login_node: Path, tmp_path: Path) -> None:
    program(tmp_path, "sinfo", "exec sleep 600")
    found = scheduler_part(login_node, timeout_s=2)
    assert of(PROBLEM, found) == ["SLURM does not answer (`sinfo` did not end within 2 s)"]


@pytest.mark.usefixtures("alone")
def test_a_clusters_settings_without_slurm_are_not_checked(tmp_path: Path) -> None:
    (tmp_path / "claude.local.md").write_text("- **Account**: `lab`\n")
    found = scheduler_part(tmp_path)
    assert of(NOT_CHECKED, found) == ["there is no SLURM on this machine, but the site settings are for a cluster"]


# --- environments ----------------------------------------------------------------------------------------------------


def environment_part(directory: Path, timeout_s: float = 60.0, gpus: int = 0) -> list[Diagnosis]:
    site = find_site(directory).site
    uses = uses_of_site(site)
    return list(diagnose_environments(site, uses, gpus=gpus, is_cluster=bool(site.partition), timeout_s=timeout_s))


def test_a_package_that_a_plan_needs_is_a_problem_without_site_settings() -> None:
    package = Package("no_such_module", "no-such", "no-such")
    use = Use("training", "tool", Site().training, (package,))
    for is_needed, condition in ((True, PROBLEM), (False, WARNING)):
        uses = [replace(use, is_needed=is_needed)]
        found = diagnose_environments(Site(), uses, gpus=0, is_cluster=False, timeout_s=60)
        (message,) = of(condition, found)
        assert message.startswith("tool: the Python that runs tunebook ")
        assert "no_such_module" in message


def test_versions_that_do_not_fit_together_are_problems(alone: Path, make_venv: Callable[[str], Path]) -> None:
    venv = make_venv("venv")
    add_package(venv, "torchtune", "0.6.1", "datasets<4", "absent; extra == 'dev'")
    add_package(venv, "torchao", "0.13.0")
    add_package(venv, "torch", "2.13.0+cpu")
    add_package(venv, "Transformers", "4.57.1", module="transformers")
    add_package(venv, "peft", "0.21.2")
    add_package(venv, "datasets", "5.2.0")
    (alone / "claude.local.md").write_text(site_with(venv))
    found = environment_part(alone)
    problems = [message.partition("torchtune: ")[2] for message in of(PROBLEM, found) if "torchtune: " in message]
    assert (
        "torchao 0.13.0 does not fit: the last release of torchtune cannot be imported with torchao 0.12 or later"
        in problems
    )
    assert "transformers 4.57.1 does not fit: tunebook is tested with <6,>=5 only" in problems
    assert len(problems) == 2
    assert any(
        message.endswith("torchtune requires datasets<4, but datasets 5.2.0 is installed")
        for message in of(WARNING, found)
    )
    hints = {item.hint for item in found}
    assert "in this environment: pip install 'torchao<0.12,>=0.9'" in hints


@pytest.mark.parametrize(("is_needed", "condition"), [(True, PROBLEM), (False, WARNING)])
def test_versions_count_as_problems_where_jobs_will_run(
    monkeypatch: pytest.MonkeyPatch, *, is_needed: bool, condition: Condition
) -> None:
    """The Python that runs tunebook may have inspect-ai for the analysis only."""
    versions = {"no_such": "1.0"}
    packages = {"no-such": Installed("1.0", ("absent>2",))}
    probed = Probed("python", versions=versions, packages=packages, python_version="3.11.2")
    monkeypatch.setattr(environments, "start_environments", lambda *_, **__: {Environment(): probed})
    package = Package("no_such", "no-such", "tunebook[lm-eval]")
    uses = [Use("evaluation", "tool", Environment(), (package,), is_needed=is_needed)]
    found = list(diagnose_environments(Site(), uses, gpus=0, is_cluster=False, timeout_s=60))
    name = "tool: the Python that runs tunebook"
    assert f"{name}: no_such: torch is missing" in of(condition, found)
    assert f"{name}: no-such requires absent>2, but absent is missing" in of(WARNING, found)


def test_another_tunebook_in_the_environment_is_reported(alone: Path, make_venv: Callable[[str], Path]) -> None:
    venv = make_venv("venv")
    add_package(venv, "tunebook", "0.0.1")
    (alone / "claude.local.md").write_text(site_with(venv, "Training virtual environment"))
    (message,) = [message for message in of(WARNING, environment_part(alone)) if "another tunebook" in message]
    assert message.endswith("has another tunebook (0.0.1) than the one that runs here: jobs would run its code")


def test_an_environment_that_hangs_or_cannot_start_holds_up_nothing(
    alone: Path, make_venv: Callable[[str], Path]
) -> None:
    hanging = make_venv("hanging")
    (hanging / "bin" / "activate").write_text("sleep 600\n")
    text = site_with(hanging, "Training virtual environment") + site_with(
        alone / "none", "Evaluation virtual environment"
    )
    (alone / "claude.local.md").write_text(text)
    (alone / "bin" / "sleep").symlink_to(str(shutil.which("sleep", path="/usr/bin:/bin")))
    found = environment_part(alone, timeout_s=5)
    assert of(NOT_CHECKED, found) == [f"training: venv:{hanging} did not answer within 5 s"]
    (problem,) = [item for item in found if item.condition is PROBLEM]
    assert (problem.line, "is not a virtual environment" in problem.message) == (2, True)


def test_packages_of_the_persons_own_directory_are_reported(alone: Path) -> None:
    venv = alone / "venv"
    command = [sys.executable, "-m", "venv", "--without-pip", "--system-site-packages", str(venv)]
    subprocess.run(command, check=True)
    number = f"python{sys.version_info.major}.{sys.version_info.minor}"
    outside = alone / ".local" / "lib" / number / "site-packages" / "torchtune"
    outside.mkdir(parents=True)
    (outside / "__init__.py").touch()
    (alone / "claude.local.md").write_text(site_with(venv))
    assert any("imports torchtune from ~/.local" in message for message in of(WARNING, environment_part(alone)))


def test_a_torch_without_gpus_is_a_problem_where_jobs_ask_for_them(
    alone: Path, make_venv: Callable[[str], Path]
) -> None:
    venv = make_venv("venv")
    code = "class cuda:\n    is_available = staticmethod(lambda: False)\n"
    add_package(venv, "torch", "2.13.0+cpu", code=code)
    add_package(venv, "torchtune", "0.6.1")
    (alone / "claude.local.md").write_text(site_with(venv) + "- **Partition**: `gpu`\n")
    message = "torch 2.13.0+cpu computes on CPUs only, but jobs ask for GPUs"
    assert any(found.endswith(message) for found in of(PROBLEM, environment_part(alone)))
    (alone / "claude.local.md").write_text(site_with(venv) + "- **Partition**: `gpu`\n- **Default GPUs**: `0`\n")
    assert not any(found.endswith(message) for found in of(PROBLEM, environment_part(alone)))
    message = "torch 2.13.0+cpu cannot use the 1 GPU(s) of this machine"
    assert any(found.endswith(message) for found in of(PROBLEM, environment_part(alone, gpus=1)))


# --- disks and variables ---------------------------------------------------------------------------------------------


def test_a_directory_that_cannot_be_written_is_a_problem(tmp_path: Path) -> None:
    found = list(diagnose_disks(tmp_path, Site(output_dir_base="/proc/no/such"), timeout_s=60))
    (message,) = of(PROBLEM, found)
    assert message.startswith("the outputs /proc/no/such: no file can be made in /proc")
    assert list(tmp_path.iterdir()) == []


def test_a_file_system_that_does_not_answer_is_given_up(tmp_path: Path) -> None:
    found = list(diagnose_disks(tmp_path, Site(), timeout_s=0.001))
    assert {item.condition for item in found} == {NOT_CHECKED}
    assert of(NOT_CHECKED, found)[0].endswith("its file system did not answer within 0.001 s")


def test_a_file_system_without_locks_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert look(tmp_path / "new" / "directory").directory == str(tmp_path)
    assert look(tmp_path).lockless == ""
    monkeypatch.setattr("tunebook.disk.look.fcntl.flock", lambda *_: None)
    assert look(tmp_path).lockless == "two locks of one file do not exclude each other"


@pytest.mark.parametrize(
    ("place", "condition", "message"),
    [
        ({"free_bytes": 50 * 2**20}, PROBLEM, "50 MiB free"),
        ({"free_bytes": 5 * 2**30}, WARNING, "only 5 GiB free"),
        ({"free_files": 900}, PROBLEM, "only room for 900 files"),
        ({"free_files": 9_000}, WARNING, "only room for 9,000 files"),
        ({"lockless": "No locks available"}, WARNING, "files cannot be locked (No locks available)"),
        ({"free_files": None}, OK, "writable, 1,000 GiB free, locks work (nfs4)"),
    ],
)
def test_space_files_and_locks_are_judged(
    place: dict[str, Any], condition: Condition, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = Place(str(tmp_path), "nfs4", "server:/home", "/home", 1000 * 2**30, 2000 * 2**30, 10**6)
    monkeypatch.setattr(disks, "_look", lambda *_: (replace(usual, **place), ""))
    found = list(diagnose_disks(tmp_path, Site(), timeout_s=60))
    assert of(condition, found)[0] == f"the experiment's directory {tmp_path}: {message}"


QUOTA = """\
Disk quotas for user ada (uid 1000):
     Filesystem  blocks   quota   limit   grace   files   quota   limit   grace
server:/export/home
                 41943040* 40000000 52428800 1767225600   90000  100000  110000       0
/dev/sda1             4       0       0       0       1       0       0       0
"""
LFS = "/lustre 99614720 0 104857600 - 12 0 0 -\n"


def test_quotas_are_read_as_the_programs_print_them() -> None:
    home = read_quota(QUOTA, "server:/export/home")
    assert home is not None
    assert (home.space, home.files) == ("40 of 38 GiB", "90,000 of 100,000 files")
    assert home.space_share > 1
    assert read_quota(QUOTA, "/dev/sda1") is None
    assert read_quota(QUOTA, "/dev/sdb1") is None
    assert read_quota(LFS, "/lustre") == Quota("95 of 100 GiB", 0.95)


def test_a_quota_is_asked_for_once_per_file_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = look(tmp_path).source
    program(tmp_path, "quota", f"cat <<END\n{QUOTA.replace('server:/export/home', source)}\nEND")
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    found = list(diagnose_disks(tmp_path, Site(scratch=str(tmp_path)), timeout_s=60))
    assert [message.partition(" is ")[2] for message in of(PROBLEM, found)] == ["used up: 40 of 38 GiB"]
    assert [message.partition(" is ")[2] for message in of(WARNING, found)] == [
        "nearly used up: 90,000 of 100,000 files"
    ]


def test_a_quota_that_cannot_be_asked_for_is_not_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, "quota", "echo 'quota: error while getting quota from server: timed out' >&2; exit 1")
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    (message,) = of(NOT_CHECKED, diagnose_disks(tmp_path, Site(), timeout_s=60))
    assert message.endswith(": `quota` failed: quota: error while getting quota from server: timed out")


def test_variables_that_jobs_inherit_are_judged() -> None:
    assert of(OK, diagnose_shell({}, Site())) == [
        (
            "every job sets HF_HUB_OFFLINE, TRANSFORMERS_OFFLINE, HF_DATASETS_OFFLINE: "
            "it reads local files and waits for no network"
        )
    ]
    assert "WANDB_MODE is online" in of(WARNING, diagnose_shell({"WANDB_MODE": "online"}, Site()))[0]
    modules = Site(modules=("export WANDB_MODE=online",))
    assert "WANDB_MODE is online" in of(WARNING, diagnose_shell({}, modules))[0]
    assert of(WARNING, diagnose_shell({"WANDB_MODE": "offline", "PYTHONPATH": ""}, Site())) == []
    assert "PYTHONPATH is set (/x)" in of(WARNING, diagnose_shell({"PYTHONPATH": "/x"}, Site()))[0]
    assert "PYTHONHOME is set (/x)" in of(PROBLEM, diagnose_shell({"PYTHONHOME": "/x"}, Site()))[0]
