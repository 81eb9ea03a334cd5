"""Small experiments, each with a command on it, for faults of files: what it is, and what must be true afterwards."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from stress.zygote import Ended, Zygote
from support.plans import EXAMPLE
from support.scaffolding import replace

__all__ = ["Case", "cases", "faults_of", "problems_after", "state_of"]

_PLAN = "experiment_summary.md"
_EDITED = "rank8_lr1e-5/setup_finetune.yaml"
_MINE = "rank16_lr1e-5/notes.txt"


@dataclass(frozen=True)
class Case:
    """A command on an experiment.

    Attributes:
        verb: the command's words.
        prepare: makes the experiment as it is before the command.
        weight: how many points of this case are tried for each one of the slowest.
        persons: files of a person's, which must stay as they are.
    """

    name: str
    verb: tuple[str, ...]
    prepare: Callable[[Path, Zygote], None]
    weight: int
    persons: tuple[str, ...] = ()

    def make(self, folder: Path, zygote: Zygote, kept: Path) -> Path:
        """The experiment, always at the same place, since scripts name it; it is prepared once and then copied."""
        experiment, template = folder / "it's a sweep", kept / self.name
        shutil.rmtree(experiment, ignore_errors=True)
        if not template.exists():
            self.prepare(experiment, zygote)
            shutil.copytree(experiment, template, symlinks=True)
        else:
            shutil.copytree(template, experiment, symlinks=True)
        return experiment


def _new(experiment: Path, _: Zygote) -> None:
    shutil.copytree(EXAMPLE, experiment)


def _with_edits(experiment: Path, zygote: Zygote) -> None:
    """Scaffolded; a person edited one file and has another one, and then the plan changed."""
    _new(experiment, zygote)
    _must(zygote.run(["scaffold"], experiment))
    edited = experiment / _EDITED
    edited.write_text(edited.read_text() + "# a person's\n")
    (experiment / _MINE).write_text("a person's")
    replace(experiment / _PLAN, "- **Seed:** 14", "- **Seed:** 15")


def _with_orphans(experiment: Path, zygote: Zygote) -> None:
    """Scaffolded; a run has left the plan, and another one has results."""
    _with_edits(experiment, zygote)
    text = (experiment / _PLAN).read_text()
    text = "".join(line for line in text.splitlines(keepends=True) if "rank64" not in line)
    for old, new in (
        ("8, 16, 32, 64", "8, 16, 32"),
        ("Total Runs:** 9 (8", "Total Runs:** 7 (6"),
        ("Total evaluations:** 9", "Total evaluations:** 7"),
    ):
        text = text.replace(old, new)
    (experiment / _PLAN).write_text(text)
    results = experiment / "rank64_lr1e-5" / "artifacts"
    results.mkdir(exist_ok=True)
    (results / "metrics.jsonl").write_text("{}\n")


def _jobs(experiment: Path, _: Zygote) -> None:
    from support.bash_jobs import Experiment

    made = Experiment(experiment)
    made.training("rank8")
    made.training("rank4")
    made.evaluation("rank8")


def _results(experiment: Path, _: Zygote) -> None:
    from support.sweeps import Sweep, SweepRun

    runs = tuple(SweepRun(f"rank{rank}", {"LoRA Rank": str(rank)}, {0: [1, 0, 1, rank > 4]}) for rank in (4, 8))
    Sweep(runs, base=[0, 0, 1, 0], gpus=0).write(experiment)


def _must(ended: Ended) -> None:
    if ended.code not in {0, 4}:
        raise RuntimeError(ended.text)


def cases() -> tuple[Case, ...]:
    """The commands, those with the fastest first."""
    return (
        Case("new", ("scaffold",), _new, 8),
        Case("update", ("scaffold", "--overwrite"), _with_edits, 6, (_MINE,)),
        Case("prune", ("scaffold", "--prune"), _with_orphans, 6, (_MINE, _EDITED)),
        Case("run", ("run-jobs",), _jobs, 4),
        Case("analyze", ("analyze",), _results, 1),
    )


def state_of(experiment: Path) -> dict[str, str]:
    """What a command leaves: every file but logs, locks, times and caches, and for runs the jobs that ran."""
    found: dict[str, str] = {}
    for path in sorted(experiment.rglob("*")):
        name = path.relative_to(experiment).as_posix()
        is_timed = path.suffix in {".log", ".jsonl", ".out"} or path.name in {"provenance.json", _PLAN}
        if name.startswith(".tunebook/") and name != ".tunebook/manifest.json":
            continue
        if path.is_dir():
            found[name] = "directory"
        elif not is_timed and "outcome" not in name and not name.startswith("analysis/"):
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
        elif name.startswith("analysis/"):
            found[name] = "there"
    order = experiment / "order.log"
    if order.exists():
        found["jobs"] = " ".join(sorted(set(order.read_text().split())))
    return found


def problems_after(case: Case, ended: Ended) -> list[str]:
    """What is wrong with the words of a command that was disturbed."""
    found = []
    if ended.code in {2, 3}:
        found.append(f"the harness's own experiment is wrong: {ended.text.strip()[-300:]}")
    if "Traceback" in ended.text or "bug in tunebook" in ended.text:
        found.append(f"a traceback: {ended.text.strip()[-600:]}")
    return [f"{case.name}: {problem}" for problem in found]


def faults_of(case: Case, experiment: Path, wanted: dict[str, str], mine: dict[str, bytes], again: Ended) -> list[str]:
    """What is wrong after the command was repeated undisturbed.

    Args:
        wanted: the state that the command leaves undisturbed.
        mine: the person's files as they were.
        again: how the repetition ended.
    """
    found = problems_after(case, again)
    for name, content in mine.items():
        path = experiment / name
        if not path.exists() or path.read_bytes() != content:
            found.append(f"{case.name}: the person's {name} was changed")
    parts = [path for path in experiment.rglob("*.part") if "@" in path.name]
    if parts:
        found.append(f"{case.name}: {parts[0].relative_to(experiment)} was left")
    state = state_of(experiment)
    for name in sorted(wanted.keys() | state.keys()):
        if wanted.get(name) != state.get(name):
            found.append(f"{case.name}: {name} differs from the undisturbed one ({_said(again)})")
            break
    return found


def _said(ended: Ended) -> str:
    return f"exit code {ended.code}: {ended.text.strip()[-300:]}"


def persons(case: Case, experiment: Path) -> dict[str, bytes]:
    """The person's files."""
    names: Sequence[str] = case.persons
    return {name: (experiment / name).read_bytes() for name in names}
