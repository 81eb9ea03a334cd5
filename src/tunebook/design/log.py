"""Records for ``design-experiment.log`` what a design begins and ends with; what is found in between records itself."""

from __future__ import annotations

from collections.abc import Sequence

from tunebook.core.plan import Plan, RunType
from tunebook.design.build_plan import names_by_identity
from tunebook.design.resources import Resources
from tunebook.design.values import Decision
from tunebook.errors import Problem

__all__ = ["record_checks", "record_design"]


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
