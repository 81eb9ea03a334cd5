"""What surrounds a job's program: offline settings, caches of its own, modules and environment, output directories."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.scaffolding import scaffolded
from tunebook.disk.manifest import read_manifest

RECORDER = """#!{python}
import json, os, sys
with open({log!r}, "a") as file:
    file.write(json.dumps(dict(os.environ)) + "\\n")
if "--out" in sys.argv:
    open(sys.argv[sys.argv.index("--out") + 1], "w").write("{{}}")
"""
SCRIPTS = ("rank8_lr1e-5/finetune.slurm", "rank8_lr1e-5/eval/capitalization_epoch0.slurm")


def environments(folder: Path, scripts: list[Path]) -> list[dict[str, str]]:
    """The environments in which the programs of these scripts ran, one for each script that found them."""
    folder.mkdir()
    found = []
    for number, script in enumerate(scripts):
        log = folder / f"{number}.jsonl"
        for name in ("tune", "inspect", "python"):
            (folder / name).write_text(RECORDER.format(python=sys.executable, log=str(log)))
            (folder / name).chmod(0o755)
        surroundings = os.environ | {"PATH": f"{folder}:{os.environ['PATH']}"}
        subprocess.run(["bash", str(script)], env=surroundings, check=True, capture_output=True)
        if log.is_file():  # programs of an activated environment are found before these
            found.append(json.loads(log.read_text().splitlines()[-1]))
    return found


def test_every_job_is_offline_and_has_a_cache_of_its_own(experiment: Path, tmp_path: Path) -> None:
    """Look-ups on the Hub cost a minute without internet, and jobs that share a cache overwrite each other's files."""
    (experiment / "claude.local.md").write_text("# Site\n- **Account:** `lab`\n")
    scaffolded(experiment)
    found = environments(tmp_path / "bin", [experiment / script for script in SCRIPTS])
    for environment in found:
        for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE"):
            assert environment[name] == "1"
    caches = {environment["HF_DATASETS_CACHE"] for environment in found}
    assert len(caches) == len(found)
    assert not any(Path(cache).exists() for cache in caches)


def test_modules_are_loaded_and_the_environment_is_activated(experiment: Path, tmp_path: Path) -> None:
    venv = tmp_path / "venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "bin" / "activate").write_text(f'export ACTIVATED=yes PATH="{venv}/bin:$PATH"\n')
    (venv / "bin" / "python").write_text(RECORDER.format(python=sys.executable, log=str(tmp_path / "calls.jsonl")))
    (venv / "bin" / "python").chmod(0o755)
    lines = ["# Site", f"- **Virtual environment:** `{venv}`", "## Modules", "- `export LOADED=yes`"]
    (experiment / "claude.local.md").write_text("\n".join(lines) + "\n")
    scaffolded(experiment)
    environments(tmp_path / "bin", [experiment / script for script in SCRIPTS])
    calls = [json.loads(line) for line in (tmp_path / "calls.jsonl").read_text().splitlines()]
    assert {(call["LOADED"], call["ACTIVATED"]) for call in calls} == {("yes", "yes")}


@pytest.mark.parametrize("slash", ["", "/"])
def test_an_output_directory_is_joined_as_a_path(experiment: Path, tmp_path: Path, slash: str) -> None:
    base = tmp_path / "outputs"
    text = f"# Site\n- **Output base directory:** `{base}{slash}`\n"
    (experiment / "claude.local.md").write_text(text)
    scaffolded(experiment)
    job = next(job for job in read_manifest(experiment).jobs if job.checkpoints)
    name = Path(job.directory).name
    assert job.checkpoints[0] == f"{base}/cap_4L_lora_lr_sweep_2025-10-22/ck-out-{name}/epoch_0"
