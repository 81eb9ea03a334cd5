"""Reads SLURM's accounting from a fake ``sacct``, which prints what a real one printed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tunebook.slurm.accounting import SlurmUse, read_usage

SAID = """\
4711|COMPLETED|754||billing=8,cpu=8,gres/gpu:a100=1,gres/gpu=1,mem=64G,node=1|||della-g7
4711.batch|COMPLETED|754|12582912K|cpu=8,gres/gpu=1|cpu=00:10:00,gres/gpumem=18G,gres/gpuutil=71|gres/gpumem=20480M,gres/gpuutil=99|della-g7
4711.extern|COMPLETED|754|0|cpu=8|cpu=00:00:00|cpu=00:00:00|della-g7
4712_3|CANCELLED by 1000|3||cpu=8,mem=64G|||None assigned
not a line of sacct
"""


def install(folder: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> Path:
    program = folder / "sacct"
    program.write_text(f"#!/bin/bash\nprintf '%s\\n' \"$@\" >{folder}/asked\n{body}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return folder / "asked"


def test_a_jobs_use_is_the_largest_of_its_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "said").write_text(SAID)
    install(tmp_path, monkeypatch, f"cat {tmp_path}/said")
    found = read_usage(["4711", "4712_3"])
    assert found["4711"] == SlurmUse(754.0, 12.0, 1, 71.0, 20.0, "COMPLETED", "della-g7")
    assert found["4712_3"] == SlurmUse(3.0, None, None, None, None, "CANCELLED by 1000", "None assigned")
    assert len(found) == 2


def test_one_query_asks_for_all_jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "said").write_text(SAID)
    asked = install(tmp_path, monkeypatch, f"cat {tmp_path}/said")
    assert read_usage(["4711", "4712_3", "4711", "$(id)", ""]).keys() == {"4711", "4712_3"}
    assert asked.read_text().splitlines()[-1] == "--jobs=4711,4712_3"


def test_missing_accounting_is_not_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, monkeypatch, "echo 'Slurm accounting storage is disabled' >&2; exit 1")
    assert read_usage(["4711"]) == {}
    (tmp_path / "sacct").unlink()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert read_usage(["4711"]) == {}
