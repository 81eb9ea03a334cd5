"""What ``design-experiment.log`` tells: every decision, verification and calculation, in the order they were made."""

from __future__ import annotations

from collections.abc import Sequence

from tunebook.core.plan import Plan, RunType
from tunebook.design.complete import Completed
from tunebook.design.history import History
from tunebook.design.proposal import Proposal
from tunebook.design.resources import Entry, Resources
from tunebook.design.runs import identity
from tunebook.errors import Problem

__all__ = ["design_entries"]


def design_entries(
    done: Completed,
    proposal: Proposal,
    found: Resources,
    history: History,
    *,
    errors: Sequence[Problem],
    warnings: Sequence[Problem],
) -> list[Entry]:
    """The entries of one design, from the question to its end."""
    plan, totals = proposal.plan, proposal.totals
    entries: list[Entry] = [("DESIGN_EXPERIMENT", plan.name, {"details": plan.question})]
    entries += [_update(proposal.old, plan)] if proposal.old else []
    entries += [("DECIDE", what, {"explanation": why}) for what, why in done.decisions]
    counts = {kind: sum(run.type is kind for run in plan.runs) for kind in RunType}
    entries.append(
        (
            "FACTORS_TO_RUNS",
            proposal.details.design,
            {
                "details": "; ".join(f"{factor.name}: {', '.join(factor.levels)}" for factor in plan.factors),
                "result": ", ".join(f"{count} {kind.value}" for kind, count in counts.items() if count),
                "runs": ", ".join(run.name for run in plan.runs),
            },
        )
    )
    entries += found.entries
    entries.append(
        (
            "FIND_PRIOR_RUNS",
            f"{len(history.trainings)} trainings, {len(history.evaluations)} evaluations",
            {"details": ", ".join(history.searched)},
        )
    )
    entries += proposal.entries
    result = f"{totals.training_h:.1f} h training, {totals.evaluation_h:.1f} h evaluation, {totals.gpu_h:.1f} GPU hours"
    entries.append(("ESTIMATE_TOTAL", f"{totals.runs} runs, {totals.evaluations} evaluations", {"result": result}))
    entries.append(
        (
            "CHECK_PAGE",
            "read back and checked by the rules of `tunebook check`",
            {"result": f"{len(errors)} errors, {len(warnings)} warnings", "details": _told([*errors, *warnings])},
        )
    )
    entries += [("PREREQUISITE", item, {}) for item in found.prerequisites]
    entries.append(("COMPLETE", "the page is written", {"result": plan.file}))
    return entries


def _update(old: Plan, new: Plan) -> Entry:
    """Which runs stay, come and go on a page that is planned again."""
    before, after = ({identity(plan, run): run.name for run in plan.runs} for plan in (old, new))
    stay = [name for key, name in after.items() if key in before]
    come = [name for key, name in after.items() if key not in before]
    go = [name for key, name in before.items() if key not in after]
    result = f"{len(stay)} runs stay, {len(come)} come, {len(go)} go"
    return ("UPDATE_PAGE", old.name, {"result": result, "come": ", ".join(come), "go": ", ".join(go)})


def _told(problems: Sequence[Problem]) -> str:
    return "; ".join(str(problem) for problem in problems)
