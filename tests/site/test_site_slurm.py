"""``site`` and ``site init`` on a real SLURM of the tests' own, with accounting and without."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.slurm_cluster import Cluster, cluster_at, why_not
from support.terminal import Terminal
from tunebook import api
from tunebook.api.loading import find_site
from tunebook.core.site import Site
from tunebook.core.site_reading import parse_site
from tunebook.errors import ConflictError, ExitCode, ToolError
from tunebook.site.doctor.diagnosis import Condition
from tunebook.site.doctor.scheduler import diagnose_scheduler
from tunebook.site.machine import Surroundings

TUNEBOOK = [str(Path(sys.executable).with_name("tunebook"))]
LINES = (
    "PartitionName=debug Nodes={host} MaxTime=00:10:00 State=UP\n"
    "PartitionName=physics Nodes={host} MaxTime=01:00:00 State=UP AllowAccounts=physics\n"
)


@pytest.fixture(scope="module")
def accounted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    if reason := why_not(accounting=True):
        pytest.skip(reason)
    with cluster_at(tmp_path_factory.mktemp("accounted"), accounting=True) as cluster:
        host = cluster.ask("hostname", "-s").strip()
        with cluster.conf.open("a") as conf:
            conf.write(LINES.format(host=host))
        cluster.ask("scontrol", "reconfigure")
        cluster.ask("sacctmgr", "-i", "add", "account", "physics", check=False)
        yield cluster


@pytest.fixture(scope="module")
def unaccounted(plain_slurm: Cluster) -> Cluster:
    return plain_slurm


@pytest.fixture
def enter(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[Cluster], Path]:
    def into(cluster: Cluster) -> Path:
        for name in ("SLURM_CONF", "PATH"):
            monkeypatch.setenv(name, cluster.env[name])
        monkeypatch.setenv("HOME", str(tmp_path / "home"))
        (tmp_path / "home").mkdir()
        directory = tmp_path / 'it\'s $HOME; "a" site'
        directory.mkdir()
        monkeypatch.chdir(directory)
        return directory

    return into


def test_a_site_that_init_wrote_is_what_the_cluster_takes(accounted: Cluster, enter: Callable[[Cluster], Path]) -> None:
    draft = api.site_init(enter(accounted))
    assert (draft.written, draft.cluster) == (True, accounted.name)
    parsed = parse_site(draft.path.read_text())
    site, problems = parsed.site, (*parsed.errors, *parsed.warnings)
    assert problems == ()
    assert (site.cluster, site.account, site.partition, site.gpus) == (accounted.name, "root", "", "1")
    assert site.gpu_syntax == "gres"
    assert int(site.cpus) >= 1
    basis = {finding.key: chosen.basis for finding, chosen in draft.chosen}
    assert basis["account"] == "sacctmgr: the default account of this user"
    assert basis["gpu_syntax"] == "sbatch --test-only accepts --gres=gpu:1"
    assert "the default partition `main` has GPUs" in basis["partition"]
    assert "| debug | 00:10:00 | 2 × GPU per node |" in draft.text
    report = api.site(draft.path.parent, quick=True)
    assert report.errors == ()
    assert "sbatch --test-only accepts a job with these settings" in report.notes
    sources = {item.key: item.source for item in report.settings}
    lines = draft.text.splitlines()
    assert "**Account**" in lines[int(sources["account"].removeprefix("claude.local.md:")) - 1]
    assert sources["partition"] == "default: the cluster's default"


@pytest.mark.parametrize(
    ("line", "message", "hint"),
    [
        ("- **Account**: `lbb`", " has no account `lbb`", "your accounts: lab, root"),
        ("- **Account**: `physics`", "root has no access to the account `physics`", "your accounts: lab, root"),
        ("- **Partition**: `mian`", " has no partition `mian`", "did you mean `main`?"),
        ("- **Partition**: `physics`", "partition physics: it is for the accounts physics", ""),
        ("- **QOS**: `norml`", " has no QOS `norml`", "did you mean `normal`?"),
        ("- **Constraint**: `a100&gpu80`", "has the feature `a100`", "no features"),
        ("- **Default GPUs**: `9`", "jobs ask for 9 GPU(s), but a node of partition main has at most 2", "main"),
        ("- **Default CPUs**: `512`", "jobs ask for 512 CPUs", ""),
        ("- **Default memory**: `9T`", "jobs ask for 9T of memory", ""),
        (
            "- **Partition**: `debug`\n- **Default time**: `1:00:00`",
            "longer than partition debug allows",
            "at most 10m",
        ),
    ],
)
def test_settings_that_the_cluster_does_not_have_are_reported_with_their_line(
    accounted: Cluster, enter: Callable[[Cluster], Path], line: str, message: str, hint: str
) -> None:
    directory = enter(accounted)
    (directory / "claude.local.md").write_text(f"# Site\n\n{line}\n")
    report = api.site(directory, quick=True)
    assert report.exit_code is ExitCode.WRONG_PLAN
    problem = next(item for item in report.errors if message in item.message)
    assert problem.file == "claude.local.md"
    assert problem.line == 3 + line.count("\n")
    assert hint in problem.hint


def test_accounts_and_qos_are_compared_as_slurm_does(accounted: Cluster, enter: Callable[[Cluster], Path]) -> None:
    directory = enter(accounted)
    (directory / "claude.local.md").write_text("- **Account**: `LAB`\n- **QOS**: `Normal`\n- **Default CPUs**: `1`\n")
    report = api.site(directory, quick=True)
    assert report.errors == ()
    assert "sbatch --test-only accepts a job with these settings" in report.notes


def test_without_accounting_no_account_is_needed(unaccounted: Cluster, enter: Callable[[Cluster], Path]) -> None:
    directory = enter(unaccounted)
    draft = api.site_init(directory, api.SiteInitOptions(assignments=("partition=urgent", "mail-user=ada@example.org")))
    site = parse_site(draft.path.read_text()).site
    assert (site.account, site.partition, site.mail_user) == ("", "urgent", "ada@example.org")
    report = api.site(directory, quick=True)
    assert report.errors == ()
    assert any("accounting does not answer" in note for note in report.notes)


def test_an_existing_file_is_kept(unaccounted: Cluster, enter: Callable[[Cluster], Path]) -> None:
    directory = enter(unaccounted)
    path = directory / "claude.local.md"
    path.write_text("mine\n")
    with pytest.raises(ConflictError, match="--overwrite"):
        api.site_init(directory)
    draft = api.site_init(directory, api.SiteInitOptions(dry_run=True))
    assert not draft.written
    assert "-mine" in draft.diff()
    assert path.read_text() == "mine\n"
    draft = api.site_init(directory, api.SiteInitOptions(overwrite=True))
    assert draft.original is not None
    assert draft.original.read_text() == "mine\n"
    assert unaccounted.name in path.read_text()


def test_the_scheduler_has_the_last_word(unaccounted: Cluster, enter: Callable[[Cluster], Path]) -> None:
    directory = enter(unaccounted)
    (directory / "claude.local.md").write_text("- **Default GPUs**: `2`\n- **Default CPUs**: `2`\n- **Account**: `x`\n")
    unaccounted.ask("scontrol", "update", "PartitionName=main", "MaxTime=5", "MaxCPUsPerNode=1")
    try:
        report = api.site(directory, quick=True)
    finally:
        unaccounted.ask("scontrol", "update", "PartitionName=main", "MaxTime=UNLIMITED", "MaxCPUsPerNode=UNLIMITED")
    assert any("the cluster would refuse a job" in problem.message for problem in report.errors)


def test_a_cluster_that_does_not_answer_is_not_taken_for_a_local_site(
    unaccounted: Cluster, enter: Callable[[Cluster], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = enter(unaccounted)
    conf = tmp_path / "slurm.conf"
    text = unaccounted.conf.read_text()
    conf.write_text("\n".join("SlurmctldPort=1" if "SlurmctldPort" in row else row for row in text.splitlines()))
    monkeypatch.setenv("SLURM_CONF", str(conf))
    with pytest.raises(ToolError, match="does not answer"):
        api.site_init(directory)
    assert not (directory / "claude.local.md").exists()
    (directory / "claude.local.md").write_text("- **Account**: `lab`\n")
    report = api.site(directory, quick=True)
    assert any("SLURM does not answer" in warning.message for warning in report.warnings)


def test_the_command_line_prints_one_document(accounted: Cluster, enter: Callable[[Cluster], Path]) -> None:
    enter(accounted)
    answer = subprocess.run([*TUNEBOOK, "site", "init", "--json"], capture_output=True, text=True, check=True)
    document = json.loads(answer.stdout)
    assert (document["command"], document["data"]["cluster"]) == ("site init", accounted.name)
    again = subprocess.run([*TUNEBOOK, "site", "init", "--json"], capture_output=True, text=True, check=False)
    assert again.returncode == ExitCode.UNFINISHED
    assert json.loads(again.stdout)["errors"][0]["hint"]
    shown = subprocess.run([*TUNEBOOK, "site", "--quick", "--json"], capture_output=True, text=True, check=True)
    document = json.loads(shown.stdout)
    account = next(item for item in document["data"]["settings"] if item["key"] == "account")
    assert (document["ok"], account["value"]) == (True, "root")


def test_on_a_terminal_only_what_cannot_be_found_is_asked(accounted: Cluster, enter: Callable[[Cluster], Path]) -> None:
    directory = enter(accounted)
    terminal = Terminal([*TUNEBOOK, "site", "init"])
    terminal.sees("send mail about jobs")
    assert "account do your jobs" not in terminal.before
    terminal.types("ada@example.org\r")
    while terminal.sees("wrote ", "scratch space", "base models"):
        terminal.types("\r")
    assert terminal.ends() == 0
    site = parse_site((directory / "claude.local.md").read_text()).site
    assert (site.mail_user, site.account) == ("ada@example.org", "root")


def test_doctor_asks_a_real_cluster_and_its_accounting(
    accounted: Cluster, unaccounted: Cluster, enter: Callable[[Cluster], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = enter(accounted)
    api.site_init(directory)
    site, here = find_site(directory).site, Surroundings.here(directory)
    found = list(diagnose_scheduler(site, here, timeout_s=60))
    assert {item.condition for item in found} == {Condition.OK}
    messages = " ".join(item.message for item in found)
    for words in ("squeue answers: 0 jobs of yours", "sacct answers", "sbatch --test-only accepts a job"):
        assert words in messages
    monkeypatch.setenv("SLURM_CONF", unaccounted.env["SLURM_CONF"])
    found = list(diagnose_scheduler(Site(gpus="0"), here, timeout_s=60))
    doubtful, unchecked = (item for item in found if item.condition is not Condition.OK)
    assert doubtful.message.startswith("accounting does not answer: `sacct` failed: ")
    assert doubtful.condition is Condition.WARNING
    assert unchecked.message == "the account, since accounting does not answer here"
    assert unchecked.condition is Condition.NOT_CHECKED
