"""`make demo` on a fresh machine: what is missing is named, and a failed attempt does not stop the next one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / ".ci" / "environment"


def make(python: Path | str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = ["sh", str(SCRIPT), str(python), str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def program(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_an_environment_without_pip_is_made_again(tmp_path: Path) -> None:
    """Debian leaves one behind where python3-venv is missing."""
    folder = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    assert make(sys.executable, folder).returncode == 0
    subprocess.run([str(folder / "bin" / "python"), "-m", "pip", "--version"], check=True, capture_output=True)


def test_an_environment_that_works_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    program(tmp_path / "bin" / "python", "exit 0")
    assert make("no-such-python", tmp_path).returncode == 0


def test_an_environment_of_an_old_python_is_kept_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "pyvenv.cfg").touch()
    program(tmp_path / "bin" / "python", 'case "$1" in -c) exit 1;; --version) echo Python 3.9.18;; esac')
    done = make(sys.executable, tmp_path)
    assert done.returncode == 1
    assert "is an environment of Python 3.9.18, and is kept" in done.stderr
    assert "make demo VENV=NAME" in done.stderr
    assert (tmp_path / "pyvenv.cfg").exists()
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["bin", "python", "pyvenv.cfg"]


def test_an_old_python_is_named_with_what_to_do(tmp_path: Path) -> None:
    old = program(tmp_path / "python", 'if [ "$1" = --version ]; then echo Python 3.9.18; else exit 1; fi')
    done = make(old, tmp_path / "venv")
    assert done.returncode == 1
    assert "needs Python 3.11 or newer" in done.stderr
    assert "Python 3.9.18" in done.stderr
    assert not (tmp_path / "venv").exists()


def test_a_python_that_is_missing_is_named(tmp_path: Path) -> None:
    assert "but no-such-python is missing" in make("no-such-python", tmp_path / "venv").stderr


def test_a_python_without_venv_leads_to_the_package(tmp_path: Path) -> None:
    bare = program(tmp_path / "python", 'case "$2" in *ensurepip*) exit 1;; *) exit 0;; esac')
    done = make(bare, tmp_path / "venv")
    assert done.returncode == 1
    assert "sudo apt install python3-venv" in done.stderr
    assert not (tmp_path / "venv").exists()


@pytest.mark.parametrize("name", ["notes.txt", "bin/notes.txt"])
def test_a_folder_that_is_no_environment_keeps_its_files(tmp_path: Path, name: str) -> None:
    kept = tmp_path / name
    kept.parent.mkdir(exist_ok=True)
    kept.write_text("mine")
    make(sys.executable, tmp_path)
    assert kept.read_text() == "mine"
