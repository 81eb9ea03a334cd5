"""How long ``status`` and ``run --dry-run`` take on 1,000 completed runs with 1,000 evaluations and a large data set.

Prints wall times of fresh processes, without and with the cache of digests.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from scaffold import plan
from tunebook.disk.inputs import InputReader
from tunebook.disk.manifest import read_manifest

_MIB = 1 << 20
_OUTCOME = {"exit_code": 0, "started": "2026-01-01T10:00:00Z", "ended": "2026-01-01T11:00:00Z", "host": "node"}


def write_experiment(folder: Path, count: int, data_mib: int) -> Path:
    """A sweep that is scaffolded; its data set is a directory of this size, most of which only digests read."""
    experiment = folder / "sweep"
    experiment.mkdir()
    text = plan(count).replace("/data/words.json", f"{folder}/data").replace("/tasks/cap.py", f"{folder}/cap.py")
    (experiment / "experiment_summary.md").write_text(text)
    (experiment / "claude.local.md").write_text("# Site\n")
    (folder / "cap.py").write_text("from inspect_ai import task\n\n\n@task\ndef capitalization(config_dir): ...\n")
    (folder / "data").mkdir()
    for split, number in (("train", 240), ("validation", 30), ("test", 30)):
        lines = [json.dumps({"input": f"{split}{line}", "output": "x"}) + "\n" for line in range(number)]
        (folder / "data" / f"{split}.jsonl").write_text("".join(lines))
    _scaffold(experiment)
    with (folder / "data" / "images.bin").open("wb") as stream:
        for _ in range(data_mib):
            stream.write(os.urandom(_MIB))
    return experiment


def _scaffold(experiment: Path) -> None:
    subprocess.run([_tunebook(), "scaffold"], cwd=experiment, check=True, stdout=subprocess.DEVNULL)


def _tunebook() -> str:
    return shutil.which("tunebook", path=str(Path(sys.executable).parent)) or "tunebook"


def complete(experiment: Path) -> None:
    """Writes what the jobs of all runs would have left."""
    reader = InputReader(experiment)
    seen: dict[str, str] = {}
    for job in read_manifest(experiment).jobs:
        digests = reader.read(job, seen).digests
        outcome = _OUTCOME | {"tag": "", "inputs": digests.contents, "places": digests.places}
        if job.needs:
            outcome |= {"started": "2026-01-01T12:00:00Z", "ended": "2026-01-01T13:00:00Z"}
        (experiment / job.outcome).write_text(json.dumps(outcome))
        for path in job.checkpoints:
            Path(path).mkdir(parents=True)
        if job.result:
            (experiment / job.result).write_text('{"status": "success", "samples": 4, "completed": 4, "scores": []}')


def timed(arguments: list[str], cwd: Path) -> float:
    """Wall seconds of a command."""
    started = time.perf_counter()
    subprocess.run([_tunebook(), *arguments], cwd=cwd, check=False, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def main() -> None:
    """Prints a table of wall times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--data-mib", type=int, default=1024)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        experiment = write_experiment(Path(folder), given.runs, given.data_mib)
        complete(experiment)
        rows = [
            ("status, nothing cached", timed(["status"], experiment)),
            ("status", timed(["status"], experiment)),
            ("run --dry-run", timed(["run", "--dry-run"], experiment)),
        ]
    print(f"{given.runs} runs, {given.runs} evaluations, a data set of {given.data_mib} MiB")
    for name, seconds in rows:
        print(f"{name:<30}{seconds:8.2f} s")


if __name__ == "__main__":
    main()
