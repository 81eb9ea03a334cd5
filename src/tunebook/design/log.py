"""The entries of ``design-experiment.log``: every decision, verification and estimate, in the order they were made."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tunebook.core.plan import Plan, RunType
from tunebook.design.build_plan import names_by_identity
from tunebook.design.history import History
from tunebook.design.proposal import Proposal
from tunebook.design.resources import Entry, Resources
from tunebook.design.values import Decision
from tunebook.errors import Problem

__all__ = ["design_entries"]


def design_entries(
    decisions: Sequence[Decision],
    proposal: Proposal,
    old: Plan | None,
    found: Resources,
    history: History,
    *,
    errors: Sequence[Problem],
    warnings: Sequence[Problem],
) -> Iterator[Entry]:
    """The entries of one design, from the question to its end; ``old`` is the plan that it replaces."""
    plan, totals = proposal.plan, proposal.totals
    yield "DESIGN_EXPERIMENT", plan.name, {"details": plan.question}
    if old:
        yield _update(old, plan)
    for what, why in decisions:
        yield "DECIDE", what, {"explanation": why}
    yield _runs(proposal)
    yield from found.entries
    counts = f"{len(history.trainings)} trainings, {len(history.evaluations)} evaluations"
    yield "FIND_PRIOR_RUNS", counts, {"details": ", ".join(history.searched)}
    yield from proposal.entries
    result = f"{totals.training_h:.1f} h training, {totals.evaluation_h:.1f} h evaluation, {totals.gpu_h:.1f} GPU hours"
    yield "ESTIMATE_TOTAL", f"{totals.runs} runs, {totals.evaluations} evaluations", {"result": result}
    checked = "read back and checked by the rules of `tunebook check`"
    result = f"{len(errors)} errors, {len(warnings)} warnings"
    problems = "; ".join(map(str, (*errors, *warnings)))
    yield "CHECK_PLAN", checked, {"result": result, "details": problems}
    for item in found.prerequisites:
        yield "PREREQUISITE", item, {}
    yield "COMPLETE", "the plan is written", {"result": plan.file}


def _runs(proposal: Proposal) -> Entry:

    plan = proposal.plan
    factors = "; ".join(f"{factor.name}: {', '.join(factor.levels)}" for factor in plan.factors)
    types = [run.type for run in plan.runs]
    result = ", ".join(f"{types.count(kind)} {kind.value}" for kind in RunType if kind in types)
    lines = {"details": factors, "result": result, "runs": ", ".join(run.name for run in plan.runs)}
    return ("FACTORS_TO_RUNS", proposal.details.design, lines)


def _update(old: Plan, new: Plan) -> Entry:

    before, after = names_by_identity(old), names_by_identity(new)
    come = [after[key] for key in after if key not in before]
    go = [before[key] for key in before if key not in after]
    result = f"{len(after) - len(come)} runs stay, {len(come)} come, {len(go)} go"
    return ("UPDATE_PLAN", old.name, {"result": result, "come": ", ".join(come), "go": ", ".join(go)})
