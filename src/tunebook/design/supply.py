"""Compares what the jobs of a plan need with what is there: memory of host and GPU, disk, and time limits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from tunebook.core.jobs import Job
from tunebook.core.plan import Plan, Run
from tunebook.core.units import megabytes, spoken_duration
from tunebook.design.estimate import Estimate, memory_gb
from tunebook.design.proposal import gpu_memory_gb, runs_on_a_gpu
from tunebook.design.workloads import Workloads
from tunebook.errors import Problem

__all__ = ["Need", "disk_need", "gpu_memory_needs", "host_memory_needs", "time_needs"]

_GIB = 2**30
_BYTES_OF_A_WEIGHT = 4  # in memory while it is loaded on a CPU or merged
_FULL_GPU = 0.9


@dataclass(frozen=True)
class Need:
    """One comparison.

    Attributes:
        figure: need and supply in words.
        problem: why it does not suffice; ``None`` if it does.
        is_certain: whether the problem is an error; estimates without prior runs only warn.
        unknown: why the supply is not known here; empty if it is.
    """

    figure: str
    problem: Problem | None = None
    is_certain: bool = True
    unknown: str = ""


def disk_need(work: Workloads) -> Need:
    """All checkpoints against the free space of the output directory."""
    needed = work.checkpoints_bytes()
    space = work.free_space()
    if space is None:
        return Need(f"{_gib(needed)} needed", unknown="the output directory cannot be seen from here")
    directory, free = space
    figure = f"{_gib(needed)} for all checkpoints, {_gib(free)} free in {directory}"
    if needed < free:
        return Need(figure)
    message = f"the checkpoints need about {_gib(needed)}, but {directory} has only {_gib(free)} free"
    hint = "remove other files, train fewer epochs, or set another `Output base directory` in the site settings"
    return Need(figure, Problem(message, work.plan.file, None, hint))


def time_needs(work: Workloads, jobs: Iterable[Job]) -> Iterator[Need]:
    """The estimated time of each training, and of the longest evaluation, against the job's limit."""
    runs = {run.name: run for run in work.plan.runs}
    evaluation = work.evaluation()
    for job in jobs:
        limit_min = job.resources.time_min
        estimate = evaluation if job.task is not None else work.training(runs[job.run])
        if estimate is not None and limit_min is not None:
            yield _time_need(work.plan, runs[job.run], job, estimate, limit_min)


def _time_need(plan: Plan, run: Run, job: Job, estimate: Estimate, limit_min: float) -> Need:
    what = "an evaluation" if job.task is not None else "the training"
    takes, limit = spoken_duration(60 * estimate.minutes), spoken_duration(60 * limit_min)
    figure = f"{what} takes about {takes} of {limit}"
    if estimate.minutes <= limit_min:
        return Need(figure)
    message = f"run `{run.name}`: {what} takes about {takes}, but its job ends after {limit} ({estimate.basis})"
    hint = "raise the estimate in the plan, from which the time limit follows, or the site's Default Time"
    return Need(figure, Problem(message, plan.file, run.line, hint), is_certain=not estimate.is_preliminary)


def host_memory_needs(work: Workloads, jobs: Iterable[Job]) -> Iterator[Need]:
    """The weights in 32 bits, which are the least that a job holds, against the memory that it asks for."""
    runs = {run.name: run for run in work.plan.runs}
    for job in jobs:
        run = runs[job.run]
        size = work.model(run.model).parameters_b
        asked_gb = megabytes(job.resources.memory) / 1024
        if size is None or not asked_gb:
            continue
        needed_gb = size * _BYTES_OF_A_WEIGHT * 1e9 / _GIB
        figure = f"weights of {_gib(needed_gb * _GIB)} in 32 bits, {job.resources.memory} asked for"
        if needed_gb < asked_gb:
            yield Need(figure)
            continue
        message = f"run `{run.name}`: a job asks for {job.resources.memory} of memory, but the weights of {run.model} "
        message += f"alone have {_gib(needed_gb * _GIB)} in 32 bits"
        yield Need(figure, Problem(message, work.plan.file, run.line, "ask for more memory, or leave it to tunebook"))


def gpu_memory_needs(work: Workloads, runs: Sequence[Run]) -> Iterator[Need]:
    """A training step of each run against the memory of the GPUs that the constraint names."""
    gpu_gb, known = gpu_memory_gb(work.around.site)
    together = runs_on_a_gpu(work.plan)
    for run in runs:
        resource, load = work.model(run.model), work.workload(run)
        if resource.parameters_b is None or resource.facts is None:
            continue
        step = load.step
        needed = together * memory_gb(resource.facts.config or {}, resource.parameters_b, step)
        figure = f"{needed:.0f} GB of {gpu_gb:.0f} GB ({known})"
        if known == "assumed":
            yield Need(figure, unknown="the GPU's memory is not known: the site's constraint names none")
        elif needed < _FULL_GPU * gpu_gb:
            yield Need(figure)
        else:
            message = f"run `{run.name}`: a batch of {load.batch_size} needs "
            hint = "make the batch smaller and accumulate gradients, or shorten the sequences"
            if together > 1:
                message = f"run `{run.name}`: {together} runs on one GPU, each with a batch of {load.batch_size}, need "
                hint = f"lower `Runs per GPU`, {hint}"
            message += f"about {needed:.0f} GB at {step.tokens} tokens, but a GPU has {gpu_gb:.0f} GB ({known})"
            yield Need(figure, Problem(message, work.plan.file, run.line, hint), is_certain=False)


def _gib(size: float) -> str:
    if size < 0.1 * _GIB:
        return f"{size / 2**20:,.0f} MiB"
    return f"{size / _GIB:,.1f} GiB"
