"""Replans: what an update keeps of the plan that is there, and the text that becomes of it. Pure."""

from __future__ import annotations

import difflib
from types import MappingProxyType

from tunebook.core.markdown import parse_markdown
from tunebook.core.paths import PLAN_FILE
from tunebook.core.plan import Plan
from tunebook.design.build_plan import Kept, identity
from tunebook.design.carry_status import column_names, with_status
from tunebook.design.preserve import with_own_sections, with_own_text

__all__ = ["keep_from", "plan_diff", "updated_text"]


def keep_from(text: str, plan: Plan) -> Kept:
    """The names and remarks of a plan, which an update keeps."""
    return Kept(
        run_names=MappingProxyType({identity(plan, run): run.name for run in plan.runs}),
        run_notes=MappingProxyType({run.name: run.notes for run in plan.runs if run.notes}),
        matrix_notes=MappingProxyType(_matrix_notes(text)),
    )


def _matrix_notes(text: str) -> dict[str, str]:
    """Run to its remark in the evaluation matrix."""
    sections = (part for part in parse_markdown(text).walk() if part.title.lower() == "evaluation matrix")
    matrix = next(sections, None)
    if matrix is None or not matrix.tables:
        return {}
    table = matrix.tables[0]
    names = column_names(table)
    if not {"run name", "notes"} <= set(names):
        return {}
    run, note = names.index("run name"), names.index("notes")
    return {row.cells[run].text: row.cells[note].text for row in table.rows if not row.cells[note].is_empty}


def updated_text(before: str, old: Plan, text: str, new: Plan) -> str:
    """The new plan with the status of runs that stay, and with everything that a person wrote.

    Args:
        before: the text of the old plan, ``old``.
        text: the text of the new plan, ``new``, as it would be written without an old one.
    """
    return with_own_sections(before, with_own_text(before, with_status(before, old, text, new)))


def plan_diff(before: str, after: str) -> str:
    """The changes as a unified diff."""
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    return "".join(difflib.unified_diff(old, new, f"{PLAN_FILE} (now)", f"{PLAN_FILE} (planned)"))
