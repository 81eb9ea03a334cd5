"""The entries of ``design-experiment.log``: every decision, verification and estimate, in the order they were made."""

from __future__ import annotations

from collections.abc import Sequence

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
) -> list[Entry]:
    """The entries of one design, from the question to its end; ``old`` is the plan that it replaces."""
    plan, totals = proposal.plan, proposal.totals
    entries: list[Entry] = [("DESIGN_EXPERIMENT", plan.name, {"details": plan.question})]
    if old:
        entries.append(_update(old, plan))
    entries += [("DECIDE", what, {"explanation": why}) for what, why in decisions]
    entries.append(_runs(proposal))
    entries += found.entries
    searched = ", ".join(history.searched)
    counts = f"{len(history.trainings)} trainings, {len(history.evaluations)} evaluations"
    entries.append(("FIND_PRIOR_RUNS", counts, {"details": searched}))
    entries += proposal.entries
    result = f"{totals.training_h:.1f} h training, {totals.evaluation_h:.1f} h evaluation, {totals.gpu_h:.1f} GPU hours"
    entries.append(("ESTIMATE_TOTAL", f"{totals.runs} runs, {totals.evaluations} evaluations", {"result": result}))
    checked = "read back and checked by the rules of `tunebook check`"
    result = f"{len(errors)} errors, {len(warnings)} warnings"
    problems = "; ".join(map(str, (*errors, *warnings)))
    entries.append(("CHECK_PAGE", checked, {"result": result, "details": problems}))
    entries += [("PREREQUISITE", item, {}) for item in found.prerequisites]
    entries.append(("COMPLETE", "the plan is written", {"result": plan.file}))
    return entries


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
    return ("UPDATE_PAGE", old.name, {"result": result, "come": ", ".join(come), "go": ", ".join(go)})
