"""``status``, ``status --json`` and ``run --dry-run`` on sweeps whose trainings and evaluations are completed.

The peer reads the same JSON files with ``json`` and looks at the same inputs and checkpoints with ``os.stat``: nothing
that answers from files as they are now can do with less.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from measure import TUNEBOOK, Cost, measured, ratio, taking_turns
from results import Row, report

from scaffold import plan
from tunebook.core.jobs import Job, JobState
from tunebook.disk.inputs import InputReader
from tunebook.disk.ledger import Event, EventKind, record
from tunebook.disk.manifest import read_manifest

_MIB = 1 << 20
_STEPS = 60
_OUTCOME = {
    "exit_code": 0,
    "started": "2026-01-01T10:00:00+00:00",
    "ended": "2026-01-01T11:00:00+00:00",
    "host": "node",
}
_LATER = {"started": "2026-01-01T12:00:00+00:00", "ended": "2026-01-01T13:00:00+00:00"}
_RESULT = {
    "status": "success",
    "samples": 4,
    "completed": 4,
    "scores": [{"scorer": "match", "metric": "a", "value": 0.5}],
}
_GOALS = {1000: "< 0.5 s", 10_000: "< 4 s"}
_PEER = """
import json, os, sys
def load(path):
    with open(path, "rb") as stream:
        return json.load(stream)
manifest = load(".tunebook/manifest.json")
with open(".tunebook/ledger.jsonl", "rb") as stream:
    ledger = [json.loads(line) for line in stream]
for job in manifest["jobs"]:
    load(job["outcome"])
    if job["result"]:
        load(job["result"])
    for path in (*job["texts"], *job["checkpoints"]):
        os.stat(path)
"""


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
    subprocess.run([TUNEBOOK, "scaffold"], cwd=experiment, check=True, stdout=subprocess.DEVNULL)
    with (folder / "data" / "images.bin").open("wb") as stream:
        for _ in range(data_mib):
            stream.write(os.urandom(_MIB))
    return experiment


def complete(experiment: Path) -> None:
    """Writes what the jobs of all runs would have left, and the ledger of their submissions."""
    reader = InputReader(experiment)
    seen: dict[str, str] = {}
    events: list[Event] = []
    for number, job in enumerate(read_manifest(experiment).jobs):
        tag = f"tag{number}"
        digests = reader.read(job, seen).digests
        outcome = _OUTCOME | {"tag": tag, "inputs": digests.contents, "places": digests.places}
        if job.needs:
            outcome |= _LATER
        (experiment / job.outcome).write_text(json.dumps(outcome))
        for path in job.checkpoints:
            Path(path).mkdir(parents=True)
        if job.metrics:
            _write_metrics(Path(job.metrics), digests.combined)
        if job.result:
            (experiment / job.result).write_text(json.dumps(_RESULT))
        events += _submission(job, tag, digests.word, str(number))
    record(experiment, *events)


def _write_metrics(path: Path, trained_with: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    steps = range(1, _STEPS + 1)
    lines = [{"step": step, "total_steps": _STEPS, "epoch": 0, "loss": 2 - step / 100, "lr": 1e-4} for step in steps]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    (path.parent / "inputs.sha256").write_text(f"{trained_with}\n")


def _submission(job: Job, tag: str, inputs: str, job_id: str) -> list[Event]:
    now = "2026-01-01T10:00:00+00:00"
    begun = Event(now, tag, job.name, EventKind.SUBMITTING, executor="slurm", host="", inputs=inputs)
    others = [Event(now, tag, job.name, kind, job_id) for kind in (EventKind.SUBMITTED, EventKind.RUNNING)]
    return [begun, *others, Event(now, tag, job.name, EventKind.ENDED, job_id, state=JobState.COMPLETED)]


def main() -> None:
    """Reports one row per command and size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, nargs="*", default=[1000, 10_000])
    parser.add_argument("--data-mib", type=int, default=256)
    parser.add_argument("--repetitions", type=int, default=5)
    given = parser.parse_args()
    for runs in given.runs:
        _measure(runs, given.data_mib, given.repetitions)


def _measure(runs: int, data_mib: int, repetitions: int) -> None:
    commands = {
        "peer": [sys.executable, "-c", _PEER],
        "`status`": [TUNEBOOK, "status"],
        "`status --json`": [TUNEBOOK, "status", "--json"],
    }
    with tempfile.TemporaryDirectory() as folder:
        experiment = write_experiment(Path(folder), runs, data_mib)
        complete(experiment)
        first = measured(commands["`status`"], experiment)
        preview = measured([TUNEBOOK, "run", "--dry-run"], experiment)
        costs = taking_turns(commands, repetitions, experiment)
    peer = costs.pop("peer")
    named = {"`status`, no digest known": first, **costs, "`run --dry-run`": preview}
    rows = [_row(name, cost, peer, _GOALS.get(runs, "") if name == "`status`" else "") for name, cost in named.items()]
    report(f"Status of {runs:,} trainings and {runs:,} evaluations, a data set of {data_mib} MiB", rows)


def _row(name: str, cost: Cost, peer: Cost, goal: str) -> Row:
    return Row(
        work=name, measured=str(cost), peer=f"same files with `json`: {peer}", ratio=ratio(cost, peer), goal=goal
    )


if __name__ == "__main__":
    main()
