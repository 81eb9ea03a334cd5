"""Proposes a plan: a complete design with estimates, and the details that a reader of the plan wants to know."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from tunebook.core.plan import Estimates, Fact, Plan, PlanDetails, Run, RunType
from tunebook.core.plan.settings import evaluations
from tunebook.core.units import spoken_minutes
from tunebook.design.build_plan import Previous, identity
from tunebook.design.estimate import Estimate
from tunebook.design.estimate_facts import EstimateFacts, estimate_facts
from tunebook.design.factors import is_literal
from tunebook.design.naming import describe_design, naming_facts
from tunebook.design.resources import Entry
from tunebook.design.values import Design
from tunebook.design.workloads import Surroundings, Workloads, file_bytes
from tunebook.errors import Problem

__all__ = ["Proposal", "Totals", "propose"]

_GIB = 2**30
_DISK_BUFFER = 1.2
_MIB_FROM = 10 * 2**20


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
    """A plan with its details; the entries go to the log."""

    plan: Plan
    details: PlanDetails
    totals: Totals
    entries: tuple[Entry, ...]
    warnings: tuple[Problem, ...]


def propose(design: Design, plan: Plan, *, around: Surroundings, created: str, previous: Previous) -> Proposal:
    """Adds splits, estimates, and details for people.

    Args:
        previous: runs that stay keep its estimates, since time limits follow from them and a job is only done for the
            script that it ran with. A job that was not submitted gets a longer estimate if it needs one.
    """
    plan = _with_splits(plan, around)
    work = Workloads(plan, around)
    training = {run.name: work.training(run) for run in plan.fine_tuned}
    evaluation = work.evaluation()
    plan = _with_estimates(plan, training, evaluation, previous)
    totals = _totals(plan, work)
    facts = estimate_facts(work, training, site=around.site, disk_gib=totals.disk_gib)
    details = PlanDetails(
        design=_kind(design, plan, previous.plan),
        created=created,
        directory=str(around.experiment),
        verified=frozenset(around.found.verified),
        dataset=tuple(_dataset_facts(plan, around)),
        prerequisites=tuple(around.found.prerequisites),
        training=tuple(_training_facts(totals, work, facts)),
        evaluation=(("Basis", _evaluation_basis(plan, evaluation)),) if evaluation else (),
        disk=tuple(facts.disk),
        naming=naming_facts(plan),
        matrix_notes=MappingProxyType({**_matrix_notes(plan), **previous.matrix_notes}),
        notes=design.notes,
    )
    return Proposal(plan, details, totals, tuple(facts.entries), tuple(facts.warnings))


def _kind(design: Design, plan: Plan, old: Plan | None) -> str:
    """The design in words; the old plan's words while its runs are the same."""
    if old and old.kind and [identity(old, run) for run in old.runs] == [identity(plan, run) for run in plan.runs]:
        return old.kind
    return describe_design(design, plan)


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


def _training_facts(totals: Totals, work: Workloads, facts: EstimateFacts) -> Iterator[Fact]:
    if not work.plan.fine_tuned:
        return
    gpu_hours = "0: the runs use no GPU"
    if work.gpus:
        gpu_hours = f"{totals.gpu_h:.1f} with evaluations"
    yield "Total training time", f"{spoken_minutes(totals.training_h * 60)}, one run at a time"
    yield "Total GPU hours", gpu_hours
    yield "Basis", "; ".join(facts.bases)
    yield from facts.memory


def _dataset_facts(plan: Plan, around: Surroundings) -> Iterator[Fact]:
    if plan.dataset is None:
        return
    size = file_bytes(around.experiment / plan.dataset.path)
    if size >= _MIB_FROM:
        yield "Size", f"{size / 2**20:,.0f} MiB"
    elif size:
        yield "Size", f"{size / 1024:,.0f} KiB"


def _matrix_notes(plan: Plan) -> dict[str, str]:
    """Remarks on the evaluations of models that are not trained here."""
    words = {RunType.CONTROL: "Base model, once", RunType.EVAL_ONLY: "Weights as they are, once"}
    if any(map(is_literal, plan.columns)):
        words[RunType.CONTROL] += ", with the prompts of the configuration"
    evaluated = {item.run for item in evaluations(plan)}
    return {run.name: words[run.type] for run in plan.runs if run.type in words and run.name in evaluated}
