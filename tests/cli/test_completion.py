"""Help, version, and shell completion through the protocol that the completion script of Bash uses."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import tunebook

TUNEBOOK = Path(sys.executable).with_name("tunebook")
RANK8 = ["Llama-3.2-1B-Instruct_rank8_lr1e-5", "Llama-3.2-1B-Instruct_rank8_lr5e-5"]


def completed(line: str, cwd: Path) -> list[str]:
    """The completions of the last word of a command line."""
    words = shlex.split(line)
    position = len(words) if line.endswith(" ") else len(words) - 1
    protocol = {"_TUNEBOOK_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(position)}
    done = subprocess.run(
        [str(TUNEBOOK)], cwd=cwd, capture_output=True, text=True, check=True, env=os.environ | protocol
    )
    assert done.stderr == ""
    return done.stdout.split()


def test_verbs_are_completed_and_those_of_tools_too(tmp_path: Path) -> None:
    assert completed("tunebook scaf", tmp_path) == [
        "scaffold",
        "scaffold-inspect",
        "scaffold-lm-eval",
        "scaffold-torchtune",
        "scaffold-trl",
    ]


def test_options_are_completed(tmp_path: Path) -> None:
    assert completed("tunebook run --retry", tmp_path) == ["--retry-failed", "--retry-oom"]


@pytest.mark.parametrize("verb", ["run", "scaffold", "scaffold-torchtune", "cancel"])
def test_runs_are_completed_from_the_plan_of_the_current_directory(experiment: Path, verb: str) -> None:
    assert completed(f"tunebook {verb} --run Llama-3.2-1B-Instruct_rank8", experiment) == RANK8


def test_runs_are_completed_from_the_plan_of_the_directory_that_is_named(experiment: Path, tmp_path: Path) -> None:
    line = f"tunebook run {shlex.quote(str(experiment))} --run Llama-3.2-1B-Instruct_rank8"
    assert completed(line, tmp_path) == RANK8


@pytest.mark.parametrize("text", [None, b"\xff\xfe", b"| no plan |"])
def test_without_a_plan_that_can_be_read_no_run_is_completed_and_nothing_is_printed(
    tmp_path: Path, text: bytes | None
) -> None:
    if text is not None:
        (tmp_path / "experiment_summary.md").write_bytes(text)
    assert completed("tunebook run --run r", tmp_path) == []


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("tunebook run --executor ", ["auto", "local", "slurm"]),
        ("tunebook run --stage p", ["preparation"]),
        ("tunebook design --factor lora_r", ["lora_rank="]),
        ("tunebook design --set lora_r", ["lora_rank="]),
        ("tunebook design --preparation ", ["torchtune", "trl"]),
        ("tunebook design --evaluation i", ["inspect-ai"]),
        ("tunebook setup-finetune . --set lora_r", ["lora_rank="]),
        ("tunebook site init --set mail", ["mail_user=", "mail_type="]),
    ],
)
def test_values_are_completed(tmp_path: Path, line: str, expected: list[str]) -> None:
    assert completed(line, tmp_path) == expected


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_a_script_that_asks_tunebook(tmp_path: Path, shell: str) -> None:
    environment = os.environ | {"_TUNEBOOK_COMPLETE": f"source_{shell}"}
    done = subprocess.run([str(TUNEBOOK)], cwd=tmp_path, capture_output=True, text=True, check=True, env=environment)
    assert f"_TUNEBOOK_COMPLETE=complete_{shell}" in done.stdout


def test_the_version_is_printed(tmp_path: Path) -> None:
    done = subprocess.run([str(TUNEBOOK), "--version"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == f"tunebook {tunebook.__version__}\n"


@pytest.mark.parametrize("verb", [[], ["run"], ["scaffold-torchtune"], ["site"], ["site", "init"], ["site", "show"]])
def test_the_short_option_prints_the_same_help(tmp_path: Path, verb: list[str]) -> None:
    short, long = (
        subprocess.run([str(TUNEBOOK), *verb, option], cwd=tmp_path, capture_output=True, text=True, check=True)
        for option in ("-h", "--help")
    )
    assert short.stdout == long.stdout
    assert short.stdout.startswith("Usage: tunebook")
