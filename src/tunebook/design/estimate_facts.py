"""States what estimates rest on: bullets for the plan, entries for the log, and warnings about memory and disk."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from tunebook.core.plan import Fact, Plan, Run
from tunebook.core.site import Site
from tunebook.core.units import spoken_minutes
from tunebook.design.defaults import gpu_memory_gb
from tunebook.design.estimate import Estimate, largest_batch, memory_gb
from tunebook.design.resources import Entry
from tunebook.design.workloads import ASSUMED_EXAMPLES, Workloads
from tunebook.errors import Problem

__all__ = ["EstimateFacts", "estimate_facts"]

_GIB = 2**30


@dataclass
class EstimateFacts:
    """The facts as they are found; ``bases`` is what the times of training rest on."""

    bases: list[str] = field(default_factory=list)
    memory: list[Fact] = field(default_factory=list)
    disk: list[Fact] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)


def estimate_facts(work: Workloads, training: Mapping[str, Estimate], *, site: Site, disk_gib: float) -> EstimateFacts:
    """The facts of one plan.

    Args:
        training: run name to the estimate of its training.
        disk_gib: what the checkpoints need, with a buffer.
    """
    facts = EstimateFacts()
    models = _runs_by_model(work.plan)
    for model, runs in models.items():
        _add_basis(facts, work, model, runs, training, is_only=len(models) == 1)
    if work.gpus:
        for model, runs in models.items():
            _add_memory(facts, work, model, runs, site)
    if models:
        _add_disk(facts, work, disk_gib)
    return facts


def _runs_by_model(plan: Plan) -> dict[str, list[Run]]:
    found: dict[str, list[Run]] = {}
    for run in plan.fine_tuned:
        found.setdefault(run.model, []).append(run)
    return found


def _add_basis(
    facts: EstimateFacts,
    work: Workloads,
    model: str,
    runs: list[Run],
    training: Mapping[str, Estimate],
    *,
    is_only: bool,
) -> None:
    """The basis of the longest run's estimate; the log has an entry for each time."""
    alike: dict[float, list[str]] = {}
    for run in runs:
        alike.setdefault(training[run.name].minutes, []).append(run.name)
    for minutes, names in sorted(alike.items()):
        explanation = training[names[0]].basis
        lines = {"details": ", ".join(names), "result": f"~{spoken_minutes(minutes)}", "explanation": explanation}
        facts.entries.append(("ESTIMATE_TRAINING", f"{model}, {len(names)} runs", lines))
    longest = alike[max(alike)]
    basis = training[longest[-1]].basis
    if not work.are_counted(runs):
        basis += f", {ASSUMED_EXAMPLES:,} examples assumed"
    facts.bases.append(basis if is_only else f"{model}: {basis}")


def _add_memory(facts: EstimateFacts, work: Workloads, model: str, runs: list[Run], site: Site) -> None:
    """The memory that the largest batch of a model needs, and the batch that would fit."""
    resource = work.model(model)
    if resource.parameters_b is None or resource.facts is None:
        return
    largest = max((work.workload(run) for run in runs), key=lambda workload: workload.batch_size)
    gpu_gb, known = gpu_memory_gb(site)
    config, size = resource.facts.config or {}, resource.parameters_b
    tokens = largest.max_seq_len or math.ceil(2 * largest.tokens_per_example)
    needed = memory_gb(config, size, batch_size=largest.batch_size, tokens=tokens, lora=largest.lora, gpus=work.gpus)
    fits = largest_batch(config, size, tokens=tokens, lora=largest.lora, gpu_gb=gpu_gb, gpus=work.gpus)
    text = f"batch {largest.batch_size} needs about {needed:.0f} GB at {tokens} tokens; up to {fits} fits into "
    text += f"{gpu_gb:.0f} GB ({known})"
    facts.entries.append(("ESTIMATE_MEMORY", model, {"result": text}))
    if largest.batch_size > fits:
        hint = "make the batch smaller and accumulate gradients, or shorten the sequences"
        facts.warnings.append(Problem(f"{model}: {text}", hint=hint))
    facts.memory.append((f"Memory of {model}", text))


def _add_disk(facts: EstimateFacts, work: Workloads, disk_gib: float) -> None:
    count, needed = work.epochs(), _gib(disk_gib)
    what = f"{needed} for {count} checkpoints"
    facts.disk.append(("Checkpoints", f"~{needed} for {count} epochs of all runs, 20% buffer included"))
    space = work.free_space()
    if space is None:
        facts.entries.append(("ESTIMATE_DISK", what, {"result": "space unknown here"}))
        facts.disk.append(("Available", "unknown: the output directory cannot be seen from here"))
        return
    directory, free_gib = space[0], space[1] / _GIB
    facts.entries.append(("ESTIMATE_DISK", what, {"command": f"free space of {directory}", "result": _gib(free_gib)}))
    if disk_gib < free_gib:
        facts.disk.append(("Available", f"{_gib(free_gib)} ✓"))
        return
    facts.disk.append(("Available", f"{_gib(free_gib)} ✗ not enough"))
    message = f"the checkpoints need {needed}, but {directory} has only {_gib(free_gib)}"
    hint = "evaluate in stages and remove checkpoints, or set another `Output base directory` in the site settings"
    facts.warnings.append(Problem(message, hint=hint))


def _gib(size: float) -> str:
    if size < 0.1:  # noqa: PLR2004
        return f"{size * 1024:,.0f} MiB"
    return f"{size:,.1f} GiB" if size < 10 else f"{size:,.0f} GiB"  # noqa: PLR2004
