"""Prior runs, by which new ones are estimated: the trainings and evaluations of earlier experiments."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, pairwise
from pathlib import Path
from statistics import median

from tunebook.artifacts.metrics import MetricsRecord, read_last_metrics
from tunebook.artifacts.outcome import read_outcome
from tunebook.artifacts.result import read_result
from tunebook.core.jobs import Job, Stage
from tunebook.core.paths import MANIFEST, expanded
from tunebook.disk.manifest import read_manifest
from tunebook.errors import PlanError
from tunebook.tools.registry import installed_tools
from tunebook.tools.results import TrainingResults

__all__ = ["History", "PriorEvaluation", "PriorTraining", "find_history", "prior_roots"]

_MOST_EXPERIMENTS = 100
_MOST_JOBS = 200
_TAIL_BYTES = 1 << 17


@dataclass(frozen=True)
class PriorTraining:
    """A training that succeeded.

    Attributes:
        model: the last part of its model's path.
        gpu: the constraint or the partition, which tell one kind of GPU from another; empty without a GPU.
        tokens_per_second: of one GPU, the median over its steps.
        overhead_s: the time outside its steps: starting, loading, validating, saving.
        peak_memory_gb: of the GPU; 0 if it was not measured.
        epochs: how many it trained; the checkpoint of each is saved.
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
    peak_memory_gb: float
    epochs: int = 1

    @property
    def precision(self) -> str:
        """The precision that tunebook's configurations set."""
        return "bf16" if self.gpus else "fp32"


@dataclass(frozen=True)
class PriorEvaluation:
    """An evaluation that succeeded; ``model`` as for trainings, where it is known."""

    experiment: str
    model: str
    gpus: int
    samples: int
    duration_s: float


@dataclass(frozen=True)
class History:
    """The prior runs, and the directories in which they were searched for."""

    trainings: tuple[PriorTraining, ...] = ()
    evaluations: tuple[PriorEvaluation, ...] = ()
    searched: tuple[str, ...] = ()


def prior_roots(experiment: Path, output_dir_base: str) -> list[Path]:
    """Where prior experiments may be: next to this one, in the working directory, and where checkpoints go."""
    roots = [experiment, experiment.parent, Path.cwd()]
    if output_dir_base:
        base = Path(expanded(output_dir_base))
        roots += [base, base.parent]
    return roots


def find_history(roots: Iterable[Path]) -> History:
    """Reads the experiments in these directories (and these directories themselves), the newest first."""
    roots = list(dict.fromkeys(filter(Path.is_dir, roots)))
    trainings: list[PriorTraining] = []
    evaluations: list[PriorEvaluation] = []
    for experiment in _experiments(roots):
        try:
            jobs = read_manifest(experiment).jobs[:_MOST_JOBS]
        except (PlanError, OSError):
            continue  # a broken experiment next to this one does not stop the design
        models: dict[str, str] = {}
        for job, settings in _settings(experiment, jobs):
            models[job.run] = Path(str(settings.get("model_checkpoint", ""))).name
            trainings += _training(experiment, job, models[job.run], settings)
        for job in jobs:
            if job.stage is Stage.EVALUATION:
                evaluations += _evaluation(experiment, job, models.get(job.run, job.run.removesuffix("_base")))
    return History(tuple(trainings), tuple(evaluations), tuple(map(str, roots)))


def _settings(experiment: Path, jobs: Iterable[Job]) -> Iterator[tuple[Job, Mapping[str, object]]]:
    """The trainings with the settings that they ran with."""
    tools = {tool.short: tool.results for tool in installed_tools().preparation}
    for job in jobs:
        results = tools.get(job.tool)
        if job.stage is Stage.PREPARATION and isinstance(results, TrainingResults):
            yield job, results.read_settings(experiment / job.directory).values


def _experiments(roots: list[Path]) -> list[Path]:
    found: dict[Path, float] = {}
    for root in roots:
        with suppress(OSError):
            for manifest in chain([root / MANIFEST], root.glob(f"*/{MANIFEST}")):
                if manifest.is_file():
                    found[manifest.parents[1]] = manifest.stat().st_mtime
    return sorted(found, key=lambda path: (-found[path], str(path)))[:_MOST_EXPERIMENTS]


def _duration_s(experiment: Path, job: Job) -> float | None:
    """How long a job took by its own outcome, if it succeeded."""
    outcome = read_outcome(experiment / job.outcome)
    if outcome is None or outcome.exit_code != 0:
        return None
    return outcome.elapsed_s


def _training(experiment: Path, job: Job, model: str, settings: Mapping[str, object]) -> Iterator[PriorTraining]:
    """The training, if it succeeded and was measured."""
    duration = _duration_s(experiment, job)
    batch_size = _whole(settings.get("batch_size"))
    steps = _last_steps(job)
    speeds = [step.tokens_per_second for step in steps if step.tokens_per_second and step.tokens_per_second > 0]
    if duration is None or not speeds or not batch_size:
        return
    yield PriorTraining(
        experiment=experiment.name,
        run=job.run,
        model=model,
        gpus=job.resources.gpus,
        gpu=_gpu(job, settings),
        lora=settings.get("lora_rank") is not None,
        batch_size=batch_size,
        max_seq_len=_whole(settings.get("max_seq_len")),
        tokens_per_second=median(speeds),
        overhead_s=max(0.0, duration - _stepping_s(steps)),
        peak_memory_gb=max(0.0, *(step.peak_memory_gb or 0.0 for step in steps)),
        epochs=max(1, _whole(settings.get("epochs"))),
    )


def _gpu(job: Job, settings: Mapping[str, object]) -> str:
    if not job.resources.gpus:
        return ""
    return str(settings.get("constraint") or settings.get("partition") or "")


def _whole(value: object) -> int:
    """A setting that counts something; 0 for anything else that a file may hold."""
    if not isinstance(value, int):
        return 0
    return max(0, int(value))


def _last_steps(job: Job) -> list[MetricsRecord]:
    """The steps of a training's metrics; the last ones if there are very many."""
    if not job.metrics:
        return []
    try:
        records = read_last_metrics(Path(job.metrics), size=_TAIL_BYTES).records
    except OSError:
        return []
    return [record for record in records if record.is_training]


def _stepping_s(steps: Sequence[MetricsRecord]) -> float:
    """Seconds in all steps, by the median time of one: the time between two epochs does not count."""
    seconds_per_step = []
    for before, after in pairwise(steps):
        if before.time_s is not None and after.time_s is not None and after.step > before.step:
            seconds_per_step.append((after.time_s - before.time_s) / (after.step - before.step))
    if not seconds_per_step:
        return 0.0
    return median(seconds_per_step) * steps[-1].step


def _evaluation(experiment: Path, job: Job, model: str) -> Iterator[PriorEvaluation]:
    duration = _duration_s(experiment, job)
    result = read_result(experiment / job.result) if job.result else None
    if duration is not None and result is not None and result.status == "success" and result.completed:
        yield PriorEvaluation(experiment.name, model, job.resources.gpus, result.completed, duration)
