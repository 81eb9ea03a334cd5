"""Deep checks of what the jobs ask for: the scheduler's answer, and memory, disk and time against what is there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

from tunebook.core.deep_checks import Ask, DeepCheck, DeepResult
from tunebook.core.jobs import Job, Resources
from tunebook.design.history import find_history, prior_roots
from tunebook.design.resources import ModelResource
from tunebook.design.resources import Resources as Found
from tunebook.design.supply import Need, disk_need, gpu_memory_needs, host_memory_needs, time_needs
from tunebook.design.workloads import Surroundings, Workloads
from tunebook.errors import ExecutorError, Problem
from tunebook.executors.base import AsksScheduler
from tunebook.executors.registry import AUTO, choose_executor
from tunebook.scaffold.blueprint import Blueprint
from tunebook.tools.base import Context
from tunebook.tools.known_models import known_model
from tunebook.tools.model_facts import ModelFacts
from tunebook.tools.model_inputs import model_size_b
from tunebook.tools.plan_inputs import model_path

__all__ = ["disk_supply", "scheduler_checks", "supply_checks"]

_REQUEST = "scheduler's answer"


def scheduler_checks(blueprint: Blueprint) -> Iterator[DeepCheck]:
    """One check per distinct request; without a scheduler a single one, which names that reason."""
    runs: dict[Resources, list[str]] = {}
    for job in blueprint.jobs:
        runs.setdefault(job.resources, []).append(job.run)
    if not runs:
        return
    try:
        executor = choose_executor(AUTO).executor
    except ExecutorError as error:
        yield _not_asked(str(error))
        return
    if not isinstance(executor, AsksScheduler):
        yield _not_asked("there is no scheduler here")
        return
    for resources, names in runs.items():
        look = partial(_ask_scheduler, executor, resources)
        yield DeepCheck(_REQUEST, _in_words(resources), look, runs=tuple(dict.fromkeys(names)))


def _not_asked(reason: str) -> DeepCheck:
    return DeepCheck(_REQUEST, "all jobs", lambda _: DeepResult(unchecked=reason))


def _ask_scheduler(executor: AsksScheduler, resources: Resources, ask: Ask) -> DeepResult:  # noqa: ARG001
    try:
        words = executor.refusal(resources)
    except ExecutorError as error:
        return DeepResult(unchecked=f"{executor.scheduler} does not answer: {error}")
    if not words:
        return DeepResult(figure=f"{executor.scheduler} would take it")
    message = f"{executor.scheduler} would refuse a job with {_in_words(resources)}: {words}"
    hint = "change the request in the site settings or the plan; nothing was submitted"
    return DeepResult(errors=(Problem(message, hint=hint),))


def _in_words(resources: Resources) -> str:
    parts = {
        "partition": resources.partition,
        "account": resources.account,
        "constraint": resources.constraint,
        "qos": resources.qos,
        "time": resources.time,
        "memory": resources.memory,
        "CPUs": str(resources.cpus or ""),
        "GPUs": str(resources.gpus or ""),
    }
    return ", ".join(f"{name} {value}" for name, value in parts.items() if value) or "no requirements"


def supply_checks(context: Context, blueprint: Blueprint) -> Iterator[DeepCheck]:
    """Memory, disk and time, one check each."""
    jobs = blueprint.jobs
    if not jobs:
        return
    work = Workloads(context.plan, _surroundings(context))
    trained = [run for run in context.plan.fine_tuned if any(job.run == run.name for job in jobs)]
    yield _supply("disk", "all checkpoints", lambda: [disk_need(work)])
    yield _supply("memory of the host", "all jobs", lambda: host_memory_needs(work, _distinct(jobs)))
    if work.gpus and trained:
        yield _supply("memory of the GPU", "all trainings", lambda: gpu_memory_needs(work, trained))
    yield _supply("time", "all jobs", lambda: time_needs(work, jobs))


def disk_supply(context: Context) -> Need:
    """The space that all checkpoints of the plan need, against what is free."""
    return disk_need(Workloads(context.plan, _surroundings(context)))


def _surroundings(context: Context) -> Surroundings:
    """The facts that were already read, and prior runs."""
    plan, site = context.plan, context.site
    models: dict[str, ModelResource] = {}
    for run in plan.runs:
        path = model_path(plan, site, run)
        facts, known = context.models.get(path), known_model(run.model)
        if facts is None and known is not None:
            facts = ModelFacts(known.config)
        models[run.model] = ModelResource(path, facts, model_size_b(run.model, facts))
    found = Found(models=models, datasets=dict(context.datasets))
    history = find_history(prior_roots(context.experiment, site.output_dir_base))
    return Surroundings(site=site, experiment=context.experiment, found=found, history=history)


def _distinct(jobs: Sequence[Job]) -> list[Job]:
    """One job per run and request."""
    return list({(job.run, job.resources): job for job in jobs}.values())


def _supply(title: str, subject: str, needs: Callable[[], Iterable[Need]]) -> DeepCheck:
    return DeepCheck(title, subject, lambda _: _result(list(needs())))


def _result(needs: Sequence[Need]) -> DeepResult:
    """All needs of one kind as one result."""
    errors: list[Problem] = []
    warnings: list[Problem] = []
    for need in needs:
        if need.problem is None:
            continue
        if need.is_certain:
            errors.append(need.problem)
        else:
            warnings.append(need.problem)
    figures = list(dict.fromkeys(need.figure for need in needs))
    if not figures:
        return DeepResult(unchecked="the sizes of the models are not known here")
    figure = figures[0]
    if len(figures) > 1:
        figure += f" and {len(figures) - 1} more"
    unknown = [need.unknown for need in needs if need.unknown]
    unchecked = f"{unknown[0]} ({figure})" if unknown else ""
    return DeepResult(tuple(errors), tuple(warnings), figure, unchecked)
