"""Shows what ``tunebook design`` and ``tunebook import`` did: plan, changes, problems and totals."""

from __future__ import annotations

import shlex
from typing import Any

from tunebook import api
from tunebook.cli.output import console, most_lines, print_explained, print_next, print_problems
from tunebook.core.notes import UNCHECKED, with_sign
from tunebook.core.paths import PLAN_FILE
from tunebook.core.shortened import counted, first_lines

__all__ = ["design_data", "show_design", "show_totals"]


def show_design(report: api.DesignReport, *, dry_run: bool, every: bool = False) -> None:
    """Prints the plan in a dry run, or the changes of an update; then the problems and the totals."""
    out = console()
    if report.before is not None:
        end = "" if report.diff else "\n"
        out.print(report.diff or "Nothing changes.", markup=False, soft_wrap=True, end=end)
    elif dry_run:
        out.print(report.text, markup=False, soft_wrap=True, end="")
    print_explained(report.errors, report.exit_code, every=every)
    print_problems(report.warnings, kind="warning", every=every)
    if dry_run and report.before is None:
        return
    show_totals(report, every=every)
    if report.errors:
        out.print(f"\n{counted(len(report.errors), 'error')}: nothing was written", markup=False, emoji=False)
    elif report.written:
        out.print(f"✓ {report.experiment / PLAN_FILE}", markup=False, emoji=False)
        print_next(f"tunebook scaffold {shlex.quote(str(report.experiment))}")


def show_totals(report: api.DesignReport, *, every: bool = False) -> None:
    """Prints decisions, prerequisites, and the totals: runs, hours and disk space."""
    out, totals = console(), report.totals
    decisions = [f"• {what} ({why})" for what, why in report.decisions]
    needed = [f"☐ {item}" for item in report.prerequisites]
    unchecked = [with_sign(f"{UNCHECKED}{item}") for item in report.unchecked]
    for lines in (decisions, needed, unchecked, [f"• {sentence}" for sentence in report.power]):
        for line in first_lines(lines, most_lines(every=every), more="lines: `--all` shows them"):
            out.print(line, markup=False, emoji=False)
    free = "free space unknown here" if totals.free_gib is None else f"{totals.free_gib:,.0f} GiB free"
    out.print(
        f"{totals.runs} runs ({totals.fine_tuned} fine-tuned), {totals.evaluations} evaluations; "
        f"about {_hours(totals.training_h)} of training and {_hours(totals.evaluation_h)} of evaluation, "
        f"{totals.gpu_h:.1f} GPU hours; {totals.disk_gib:.1f} GiB of checkpoints, {free}",
        markup=False,
        emoji=False,
    )


def _hours(hours: float) -> str:
    return f"{hours:.1f} h" if hours >= 1 else f"{hours * 60:.0f} min"


def design_data(report: api.DesignReport) -> dict[str, Any]:
    """A designed plan for ``--json``."""
    plan = report.plan
    return {
        "experiment": str(report.experiment),
        "name": plan.name,
        "written": report.written,
        "runs": [{"name": run.name, "model": run.model, "type": run.type.value} for run in plan.runs],
        "totals": vars(report.totals),
        "decisions": [{"decision": what, "why": why} for what, why in report.decisions],
        "prerequisites": list(report.prerequisites),
        "verified": list(report.verified),
        "not_checked": list(report.unchecked),
        "hypotheses": [hypothesis.text for hypothesis in plan.hypotheses],
        "power": list(report.power),
        "diff": report.diff,
        "plan": report.text,
    }
