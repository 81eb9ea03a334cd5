"""Proposes a plan: a complete design with estimates, what these rest on, and the details that a reader wants."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from tunebook.core.plan import Estimates, Fact, Plan, PlanDetails, Run, RunType
from tunebook.core.plan.settings import evaluations
from tunebook.core.site import Site
from tunebook.core.units import spoken_minutes
from tunebook.design.build_plan import Previous, identity, names_by_identity
from tunebook.design.estimate import Estimate, largest_batch, memory_gb
from tunebook.design.factors import is_literal
from tunebook.design.naming import naming_facts
from tunebook.design.resources import Resources
from tunebook.design.values import Decision, Design
from tunebook.design.workloads import ASSUMED_EXAMPLES, Surroundings, Workloads, file_bytes
from tunebook.errors import Problem

__all__ = ["Proposal", "Totals", "gpu_memory_gb", "propose", "record_checks", "record_design", "runs_on_a_gpu"]

_GIB = 2**30
_DISK_BUFFER = 1.2
_MIB_FROM = 10 * 2**20
_ASSUMED_GPU_GB = 80.0


@dataclass(frozen=True)
class Totals:
    """The totals of the experiment: hours of jobs and of GPUs, GiB of checkpoints, and free GiB if known."""

    runs: int
    fine_tuned: int
    evaluations: int
    training_h: float
    evaluation_h: float
    gpu_h: float
    disk_gib: float
    free_gib: float | None


@dataclass(frozen=True)
class Proposal:
    """A plan with its details and totals."""

    plan: Plan
    details: PlanDetails
    totals: Totals


def propose(
    design: Design, plan: Plan, kind: str, *, around: Surroundings, created: str, previous: Previous
) -> Proposal:
    """Adds splits, estimates, and details for people; what the estimates rest on is recorded too.

    Args:
        kind: the design in words.
        previous: runs that stay keep its estimates, since time limits follow from them and a job is only done for the
            script that it ran with. A job that was not submitted gets a longer estimate if it needs one.
    """
    history = around.history
    counts = f"{len(history.trainings)} trainings, {len(history.evaluations)} evaluations"
    around.found.record("FIND_PRIOR_RUNS", counts, details=", ".join(history.searched))
    plan = _with_splits(plan, around)
    work = Workloads(plan, around)
    training = {run.name: work.training(run) for run in plan.fine_tuned}
    evaluation = work.evaluation()
    plan = _with_estimates(plan, training, evaluation, previous)
    totals = _totals(plan, work)
    details = PlanDetails(
        design=kind,
        created=created,
        directory=str(around.experiment),
        verified=frozenset(around.found.verified),
        dataset=tuple(_dataset_facts(plan, around)),
        prerequisites=tuple(around.found.prerequisites),
        training=tuple(_training_facts(totals, work, training)),
        evaluation=(("Basis", _evaluation_basis(plan, evaluation)),) if evaluation else (),
        disk=tuple(_disk_facts(work, totals.disk_gib)),
        naming=naming_facts(plan),
        matrix_notes=MappingProxyType({**_matrix_notes(plan, design.matrix_notes), **previous.matrix_notes}),
        notes=design.notes,
    )
    result = f"{totals.training_h:.1f} h training, {totals.evaluation_h:.1f} h evaluation, {totals.gpu_h:.1f} GPU hours"
    around.found.record("ESTIMATE_TOTAL", f"{totals.runs} runs, {totals.evaluations} evaluations", result=result)
    return Proposal(plan, details, totals)


def _with_splits(plan: Plan, around: Surroundings) -> Plan:
    if plan.dataset is None:
        return plan
    found = around.found.splits(plan.dataset.path)
    splits = {name: found[name] for name in filter(str.isidentifier, found)}
    return replace(plan, dataset=replace(plan.dataset, splits=MappingProxyType(splits)))


def _with_estimates(
    plan: Plan, training: Mapping[str, Estimate], evaluation: Estimate | None, previous: Previous
) -> Plan:
    """The plan with estimates, rounded as it is written, so that its text says the same."""
    runs: list[Run] = []
    longest: dict[str, float] = {}
    for run in plan.runs:
        minutes = None
        if run.name in training:
            before, is_submitted = _previous_minutes(previous, plan, run)
            minutes = _kept_minutes(before, _rounded(training[run.name].minutes), is_submitted=is_submitted)
            longest[run.model] = max(minutes, longest.get(run.model, 0.0))
        runs.append(replace(run, estimate_min=minutes))
    each = None
    if evaluation:
        before = previous.plan.estimates.evaluation_min if previous.plan else None
        each = _kept_minutes(before, _rounded(evaluation.minutes), is_submitted=previous.is_evaluated)
    return replace(plan, runs=tuple(runs), estimates=Estimates(MappingProxyType(longest), each))


def _previous_minutes(previous: Previous, plan: Plan, run: Run) -> tuple[float | None, bool]:
    """The estimate of the same training, if there is one, and whether it was submitted."""
    if previous.plan is not None:
        for old in previous.plan.fine_tuned:
            if identity(previous.plan, old) == identity(plan, run):
                return old.estimate_min, old.name in previous.trained
    return None, False


def _kept_minutes(before: float | None, now: float, *, is_submitted: bool) -> float:
    """The old plan's minutes, unless they are too few now and nothing was submitted with them."""
    if before and is_submitted:
        return before
    return max(before or 0.0, now)


def _rounded(minutes: float) -> float:
    return float(math.ceil(minutes)) if minutes > 1 else math.ceil(minutes * 60) / 60


def _evaluation_basis(plan: Plan, estimate: Estimate) -> str:
    if plan.estimates.evaluation_min == _rounded(estimate.minutes):
        return estimate.basis
    return "as before, since time limits follow from it"


def _totals(plan: Plan, work: Workloads) -> Totals:
    training_h = sum(run.estimate_min or 0 for run in plan.fine_tuned) / 60
    count = len(evaluations(plan))
    evaluation_h = count * (plan.estimates.evaluation_min or 0) / 60
    free = work.free_space()
    return Totals(
        runs=len(plan.runs),
        fine_tuned=len(plan.fine_tuned),
        evaluations=count,
        training_h=training_h,
        evaluation_h=evaluation_h,
        gpu_h=training_h * work.gpus + evaluation_h * min(1, work.gpus),
        disk_gib=work.checkpoints_bytes() * _DISK_BUFFER / _GIB,
        free_gib=free[1] / _GIB if free else None,
    )


def _training_facts(totals: Totals, work: Workloads, training: Mapping[str, Estimate]) -> Iterator[Fact]:
    runs: dict[str, list[Run]] = {}
    for run in work.plan.fine_tuned:
        runs.setdefault(run.model, []).append(run)
    if not runs:
        return
    gpu_hours = "0: the runs use no GPU"
    if work.gpus:
        gpu_hours = f"{totals.gpu_h:.1f} with evaluations"
    yield "Total training time", f"{spoken_minutes(totals.training_h * 60)}, one run at a time"
    yield "Total GPU hours", gpu_hours
    bases: list[str] = []
    for model, own in runs.items():
        basis = _basis(work, model, own, training)
        if len(runs) > 1:
            basis = f"{model}: {basis}"
        bases.append(basis)
    yield "Basis", "; ".join(bases)
    if work.gpus:
        for model, own in runs.items():
            yield from _memory_facts(work, model, own)


def _basis(work: Workloads, model: str, runs: list[Run], training: Mapping[str, Estimate]) -> str:
    """The basis of the longest run's estimate; the log has an entry for each time."""
    alike: dict[float, list[str]] = {}
    for run in runs:
        alike.setdefault(training[run.name].minutes, []).append(run.name)
    basis = ""
    for minutes, names in sorted(alike.items()):
        basis = training[names[-1]].basis
        lines = {"details": ", ".join(names), "result": f"~{spoken_minutes(minutes)}"}
        explanation = training[names[0]].basis
        work.around.found.record("ESTIMATE_TRAINING", f"{model}, {len(names)} runs", **lines, explanation=explanation)
    if not work.are_counted(runs):
        basis += f", {ASSUMED_EXAMPLES:,} examples assumed"
    return basis


def _memory_facts(work: Workloads, model: str, runs: list[Run]) -> Iterator[Fact]:
    """The memory that the largest batch of a model needs, and the batch that would fit."""
    resource = work.model(model)
    if resource.parameters_b is None or resource.facts is None:
        return
    largest = max((work.workload(run) for run in runs), key=lambda workload: workload.batch_size)
    gpu_gb, known = gpu_memory_gb(work.around.site)
    config, size = resource.facts.config or {}, resource.parameters_b
    step, together = largest.step, runs_on_a_gpu(work.plan)
    needed = memory_gb(config, size, step)
    fits = largest_batch(config, size, step, gpu_gb=gpu_gb / together)
    text = f"batch {largest.batch_size} needs about {needed:.0f} GB at {step.tokens} tokens; up to {fits} fits into "
    text += f"{gpu_gb:.0f} GB ({known})"
    if together > 1:
        text += f", which {together} runs share"
    work.around.found.record("ESTIMATE_MEMORY", model, result=text)
    if largest.batch_size > fits:
        hint = "make the batch smaller and accumulate gradients, or shorten the sequences"
        work.around.found.warnings.append(Problem(f"{model}: {text}", hint=hint))
    yield f"Memory of {model}", text


def runs_on_a_gpu(plan: Plan) -> int:
    """How many trainings share a GPU."""
    number = plan.value("runs_per_gpu")
    return number if isinstance(number, int) else 1


def gpu_memory_gb(site: Site) -> tuple[float, str]:
    """The memory of the GPUs that jobs get, and how it is known."""
    match = re.search(r"gpu(\d{2,3})\b|\b(\d{2,3})g(?:b)?\b", site.constraint, re.IGNORECASE)
    if match:
        return float(match[1] or match[2]), f"constraint {site.constraint}"
    return _ASSUMED_GPU_GB, "assumed"


def _disk_facts(work: Workloads, disk_gib: float) -> Iterator[Fact]:
    if not work.plan.fine_tuned:
        return
    found, count, needed = work.around.found, work.epochs(), _gib(disk_gib)
    what = f"{needed} for {count} checkpoints"
    yield "Checkpoints", f"~{needed} for {count} epochs of all runs, 20% buffer included"
    space = work.free_space()
    if space is None:
        found.record("ESTIMATE_DISK", what, result="space unknown here")
        yield "Available", "unknown: the output directory cannot be seen from here"
        found.unchecked.append("the free space: the output directory cannot be seen from here")
        return
    directory, free_gib = space[0], space[1] / _GIB
    found.record("ESTIMATE_DISK", what, command=f"free space of {directory}", result=_gib(free_gib))
    if disk_gib < free_gib:
        yield "Available", f"{_gib(free_gib)} ✓"
        return
    yield "Available", f"{_gib(free_gib)} ✗ not enough"
    message = f"the checkpoints need {needed}, but {directory} has only {_gib(free_gib)}"
    hint = "evaluate in stages and remove checkpoints, or set another `Output base directory` in the site settings"
    found.warnings.append(Problem(message, hint=hint))


def _gib(size: float) -> str:
    if size < 0.1:  # noqa: PLR2004
        return f"{size * 1024:,.0f} MiB"
    return f"{size:,.1f} GiB" if size < 10 else f"{size:,.0f} GiB"  # noqa: PLR2004


def _dataset_facts(plan: Plan, around: Surroundings) -> Iterator[Fact]:
    if plan.dataset is None:
        return
    size = file_bytes(around.experiment / plan.dataset.path)
    if size >= _MIB_FROM:
        yield "Size", f"{size / 2**20:,.0f} MiB"
    elif size:
        yield "Size", f"{size / 1024:,.0f} KiB"


def _matrix_notes(plan: Plan, given: Mapping[str, str]) -> dict[str, str]:
    """The given remarks, and remarks on the evaluations of models that are not trained here."""
    words = {RunType.CONTROL: "Base model, once", RunType.EVAL_ONLY: "Weights as they are, once"}
    if any(map(is_literal, plan.columns)):
        words[RunType.CONTROL] += ", with the prompts of the configuration"
    evaluated = {item.run for item in evaluations(plan)}
    notes = {run.name: words[run.type] for run in plan.runs if run.type in words and run.name in evaluated}
    for run, note in given.items():
        notes[run] = "; ".join(filter(None, [note, notes.get(run, "")]))
    return notes


# --- the log --------------------------------------------------------------------------------------------------------


def record_design(found: Resources, decisions: Sequence[Decision], plan: Plan, kind: str, *, old: Plan | None) -> None:
    """The question, the decisions and the runs; ``old`` is the plan that this one replaces."""
    found.record("DESIGN_EXPERIMENT", plan.name, details=plan.question)
    if old:
        before, after = names_by_identity(old), names_by_identity(plan)
        come = [after[key] for key in after if key not in before]
        go = [before[key] for key in before if key not in after]
        result = f"{len(after) - len(come)} runs stay, {len(come)} come, {len(go)} go"
        found.record("UPDATE_PLAN", old.name, result=result, come=", ".join(come), go=", ".join(go))
    for what, why in decisions:
        found.record("DECIDE", what, explanation=why)
    factors = "; ".join(f"{factor.name}: {', '.join(factor.levels)}" for factor in plan.factors)
    types = [run.type for run in plan.runs]
    result = ", ".join(f"{types.count(type_)} {type_.value}" for type_ in RunType if type_ in types)
    found.record("FACTORS_TO_RUNS", kind, details=factors, result=result, runs=", ".join(run.name for run in plan.runs))


def record_checks(found: Resources, plan: Plan, *, errors: Sequence[Problem], warnings: Sequence[Problem]) -> None:
    """The problems and prerequisites of the plan."""
    checked = "read back and checked by the rules of `tunebook check`"
    result = f"{len(errors)} errors, {len(warnings)} warnings"
    found.record("CHECK_PLAN", checked, result=result, details="; ".join(map(str, (*errors, *warnings))))
    for item in found.prerequisites:
        found.record("PREREQUISITE", item)
    found.record("COMPLETE", "the plan is written", result=plan.file)
