"""A check that could not be made has no tick, and its reason is shown."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from support.command_line import TUNEBOOK
from support.design_inputs import OPTIONS, make_inputs


def called(*arguments: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(TUNEBOOK), *arguments], cwd=cwd, env=os.environ | variables, capture_output=True, text=True, check=False
    )


def document(done: subprocess.CompletedProcess[str]) -> Any:
    return json.loads(done.stdout)["data"]


def test_a_plan_whose_files_are_not_here_gets_no_tick(experiment: Path) -> None:
    done = called("check", cwd=experiment)
    assert done.returncode == 0, done.stderr
    warnings = json.loads(called("check", "--json", cwd=experiment).stdout)["warnings"]
    missing = [warning for warning in warnings if "was not found" in warning["message"]]
    assert len(missing) == 3
    assert {warning["code"] for warning in missing} == {"missing-file"}
    last = done.stdout.splitlines()[-1]
    assert last.startswith("– ")
    assert last.endswith("not checked, as said above")


def test_environments_that_were_not_started_get_no_tick(tmp_path: Path) -> None:
    done = called("site", "--quick", cwd=tmp_path)
    assert "– not checked: the Python environments, which were not started" in done.stdout
    data = document(called("site", "--quick", "--json", cwd=tmp_path))
    assert data["not_checked"] == ["the Python environments, which were not started"]
    assert not any("environments" in note for note in data["verified"])


def test_an_environment_that_design_cannot_start_gets_no_tick(tmp_path: Path) -> None:
    inputs = make_inputs(tmp_path / "inputs")
    (inputs / "claude.local.md").write_text("- **Training conda environment**: `nowhere`\n")
    options = ["design", "exp", *OPTIONS, "--yes", "--dry-run"]
    data = document(called(*options, "--json", cwd=inputs, PATH="/usr/bin:/bin"))
    assert [
        item for item in data["not_checked"] if item.endswith("in conda environment nowhere: there is no conda here")
    ]
    (inputs / "exp").mkdir(exist_ok=True)
    shown = called(*options[:-1], cwd=inputs, PATH="/usr/bin:/bin").stdout
    assert "– not checked: " in shown
    assert "✓ not checked" not in shown
