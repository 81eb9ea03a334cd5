"""Machines to play with: a login node of a cluster, a machine without SLURM, and virtual environments."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from support.played_machine import CONFIG, PARTITIONS, SINFO, program

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


@pytest.fixture
def make_venv(tmp_path: Path) -> Callable[[str], Path]:
    def make(name: str) -> Path:
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / name)], check=True)
        return tmp_path / name

    return make
