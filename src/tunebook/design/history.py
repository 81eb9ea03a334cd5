"""Prior runs, as the measure of coming ones: what earlier experiments wrote about their trainings and evaluations."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import yaml

from tunebook.core.jobs import Job, Stage, outcome_from_json
from tunebook.core.paths import MANIFEST
from tunebook.disk.atomic import read_text
from tunebook.disk.manifest import read_manifest
from tunebook.errors import PlanError
from tunebook.tools.torchtune.files import SETUP

__all__ = ["History", "PriorEvaluation", "PriorTraining", "find_history"]

_MOST_EXPERIMENTS = 100
_MOST_JOBS = 200
_TAIL_BYTES = 1 << 17
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class PriorTraining:
    """A training that ended well.

    Attributes:
        model: the last part of its model's path.
        gpu: what tells one kind of GPU from another here: the constraint or the partition; empty without GPU.
        tokens_per_second: of one GPU, the median over its steps.
        overhead_s: what it took beside its steps: starting, loading, validating, saving.
        peak_memory_gb: of the GPU; 0 if it was not measured.
        epochs: how many it made; each is saved.
    """

    experiment: str
    run: str
    model: str
    gpus: int
    gpu: str
    lora: bool
    batch_size: int
    max_seq_len: int
    tokens_per_second: float
    overhead_s: float
    duration_s: float
    peak_memory_gb: float
    epochs: int = 1

    @property
    def precision(self) -> str:
        """As tunebook's configurations have it."""
        return "bf16" if self.gpus else "fp32"


@dataclass(frozen=True)
class PriorEvaluation:
    """An evaluation that ended well; ``model`` as for trainings, where it is known."""

    experiment: str
    task: str
    model: str
    gpus: int
    samples: int
    duration_s: float


@dataclass(frozen=True)
class History:
    """What was found, and where it was looked for."""

    trainings: tuple[PriorTraining, ...] = ()
    evaluations: tuple[PriorEvaluation, ...] = ()
    searched: tuple[str, ...] = ()


def find_history(roots: Iterable[Path]) -> History:
    """Reads the experiments in these directories (and these directories themselves), the newest first."""
    roots = list(dict.fromkeys(root for root in roots if root.is_dir()))
    trainings: list[PriorTraining] = []
    evaluations: list[PriorEvaluation] = []
    for experiment in _experiments(roots):
        try:
            jobs = read_manifest(experiment).jobs[:_MOST_JOBS]
        except (PlanError, OSError):
            continue  # somebody else's broken experiment is no reason to stop this design
        models: dict[str, str] = {}
        for job in jobs:
            if job.stage is Stage.PREPARATION:
                training = _training(experiment, job, models)
                trainings += [training] if training else []
        for job in jobs:
            if job.stage is Stage.EVALUATION:
                evaluation = _evaluation(experiment, job, models)
                evaluations += [evaluation] if evaluation else []
    return History(tuple(trainings), tuple(evaluations), tuple(map(str, roots)))


def _experiments(roots: list[Path]) -> list[Path]:
    found: dict[Path, float] = {}
    for root in roots:
        for directory in (root, *_subdirectories(root)):
            manifest = directory / MANIFEST
            if manifest.is_file():
                found[directory] = manifest.stat().st_mtime
    return sorted(found, key=lambda path: (-found[path], str(path)))[:_MOST_EXPERIMENTS]


def _subdirectories(root: Path) -> Iterator[Path]:
    try:
        with os.scandir(root) as entries:
            yield from (Path(entry.path) for entry in entries if entry.is_dir())
    except OSError:
        return


def _elapsed_s(experiment: Path, job: Job) -> float | None:
    """How long a job took by its own word, if it ended well."""
    outcome = outcome_from_json(_read(experiment / job.outcome))
    if outcome is None or outcome.exit_code != 0:
        return None
    try:
        start, end = datetime.fromisoformat(outcome.started), datetime.fromisoformat(outcome.ended)
        return (end - start).total_seconds()
    except (ValueError, TypeError):
        return None


def _read(path: Path) -> str:
    try:
        return read_text(path) or ""
    except OSError:
        return ""


def _training(experiment: Path, job: Job, models: dict[str, str]) -> PriorTraining | None:
    setup = _setup(experiment / job.directory / SETUP)
    models[job.run] = Path(str(setup.get("model_checkpoint", ""))).name
    duration = _elapsed_s(experiment, job)
    steps = list(_steps(Path(job.metrics))) if job.metrics else []
    speeds = [speed for step in steps if (speed := _measured(step.get("tokens_per_second")))]
    if duration is None or not speeds or not setup:
        return None
    try:
        return PriorTraining(
            experiment=experiment.name,
            run=job.run,
            model=models[job.run],
            gpus=job.resources.gpus,
            gpu=str(setup.get("constraint") or setup.get("partition") or "") if job.resources.gpus else "",
            lora=setup.get("lora_rank") is not None,
            batch_size=max(1, int(setup["batch_size"])),
            max_seq_len=int(setup.get("max_seq_len") or 0),
            tokens_per_second=median(speeds),
            overhead_s=max(0.0, duration - _stepping_s(steps)),
            duration_s=duration,
            peak_memory_gb=max(_measured(step.get("peak_memory_gb")) for step in steps),
            epochs=max(1, int(setup.get("epochs") or 1)),
        )
    except (KeyError, ValueError, TypeError):
        return None


def _setup(path: Path) -> Mapping[str, Any]:
    try:
        values = yaml.load(_read(path), Loader=_LOADER)  # noqa: S506  a safe loader, in C where there is one
    except yaml.YAMLError:
        return {}
    return values if isinstance(values, dict) else {}


def _steps(path: Path) -> Iterator[Mapping[str, Any]]:
    """The steps of a training's metrics, the last ones if there are very many."""
    try:
        with path.open("rb") as file:
            file.seek(0, os.SEEK_END)
            start = max(0, file.tell() - _TAIL_BYTES)
            file.seek(start)
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return
    for line in lines[1 if start else 0 :]:
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict) and "loss" in entry:
            yield entry


def _measured(value: object) -> float:
    """A measured figure; 0 for anything else that a file may hold."""
    is_number = isinstance(value, int | float) and math.isfinite(value)
    return max(0.0, float(value)) if is_number else 0.0  # type: ignore[arg-type]


def _stepping_s(steps: list[Mapping[str, Any]]) -> float:
    """Seconds in all steps by the usual time of one; what lies between two epochs is none of it."""
    each = []
    try:
        moments = [(int(step["step"]), datetime.fromisoformat(str(step["time"]))) for step in steps]
        for (before, start), (after, end) in pairwise(moments):
            if after > before:
                each.append((end - start).total_seconds() / (after - before))
    except (KeyError, ValueError, TypeError):
        return 0.0
    return median(each) * moments[-1][0] if each else 0.0


def _evaluation(experiment: Path, job: Job, models: Mapping[str, str]) -> PriorEvaluation | None:
    duration = _elapsed_s(experiment, job)
    if duration is None or not job.result:
        return None
    try:
        result = json.loads(_read(experiment / job.result))
        samples = int(result["completed"])
    except (ValueError, KeyError, TypeError):
        return None
    if result.get("status") != "success" or not samples:
        return None
    model = models.get(job.run, job.run.removesuffix("_base"))
    return PriorEvaluation(experiment.name, job.task or "", model, job.resources.gpus, samples, duration)
