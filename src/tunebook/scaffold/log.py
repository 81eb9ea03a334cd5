"""The three logs of scaffolding: the orchestrator's, with the seed's actions, and one of each tool."""

from __future__ import annotations

from tunebook.core.jobs import Stage
from tunebook.core.plan import Plan
from tunebook.core.site import Site
from tunebook.core.units import spoken_duration
from tunebook.disk.log import Log
from tunebook.errors import Problem
from tunebook.scaffold.reconcile import Action
from tunebook.scaffold.report import PartReport, ScaffoldReport
from tunebook.tools.base import Findings, Tool

__all__ = ["log_complete", "log_discovery", "log_part", "log_part_start", "log_problems", "log_tools"]

_WHAT = {Stage.PREPARATION: "fine-tuning", Stage.EVALUATION: "evaluation"}


def log_discovery(journal: Log, plan: Plan, path: str) -> None:
    """DISCOVER_EXPERIMENT."""
    result = f"{len(plan.fine_tuned)} fine-tuned of {len(plan.runs)} runs, {len(plan.tasks)} evaluation task(s)"
    journal.entry("DISCOVER_EXPERIMENT", "Found experiment", details=path, result=result)


def log_problems(journal: Log, problems: tuple[Problem, ...]) -> None:
    """VERIFY_PREREQUISITES, when the plan or the site is wrong and nothing is written."""
    journal.entry(
        "VERIFY_PREREQUISITES",
        "The plan cannot be scaffolded",
        details="; ".join(map(str, problems)),
        result=f"{len(problems)} problem(s); nothing was written",
    )


def log_tools(journal: Log, plan: Plan, site: Site, findings: Findings) -> None:
    """VERIFY_PREREQUISITES and READ_TOOL_SPECS."""
    found = f"site settings from {site.file}" if site.file else "no site settings: local defaults hold"
    unverified = "; ".join(map(str, findings.warnings))
    journal.entry(
        "VERIFY_PREREQUISITES",
        "Checking required files",
        details=f"{plan.file} exists, {found}" + ("; " + "; ".join(findings.notes) if findings.notes else ""),
        result=f"Could not be verified or needs a look: {unverified}" if unverified else "All prerequisites satisfied",
    )
    tools = plan.tools
    line = tools.line or tools.evaluation_line
    assumed = "The page has no Tools section: torchtune and inspect-ai were assumed" if tools.assumed else ""
    journal.entry(
        "READ_TOOL_SPECS",
        "Parsing tool specifications",
        details="No Tools section" if tools.assumed else f"Reading Tools section, line {line}",
        result=f"Preparation tool = {tools.preparation}, Evaluation tool = {tools.evaluation}",
        explanation=assumed or "Preparation comes first: evaluation is added to the run directories",
    )


def log_part_start(journal: Log, tool: Tool) -> None:
    """INVOKE_SCAFFOLD_…."""
    what = f"Generating {_WHAT[tool.stage]} configs"
    journal.entry(f"INVOKE_SCAFFOLD_{tool.short.upper()}", what, details=f"Calling scaffold-{tool.short}")


def log_part(journal: Log, own: Log, report: PartReport) -> None:
    """SCAFFOLD_…_COMPLETE or _FAILED in the orchestrator's log, and every run in the tool's own."""
    name = f"SCAFFOLD_{report.short.upper()}"
    what = f"{_WHAT[report.stage].capitalize()} configs"
    if report.skipped:
        journal.entry(f"{name}_SKIPPED", what, details=report.skipped, result="nothing was written")
        return
    counts = ", ".join(f"{report.count(action)} {action.value}" for action in Action if report.count(action))
    done = f"{len(report.scripts)} script(s) of {len(report.runs)} run(s)"
    journal.entry(
        f"{name}_{'COMPLETE' if report.ok else 'FAILED'}",
        f"{what} {'generated' if report.ok else 'are incomplete'}",
        details=f"{done} ({len(report.failures)} failures); files: {counts or 'none'}",
        duration=spoken_duration(report.duration_s),
        result=f"See {report.log} for the detailed process",
        outputs=", ".join(f"{run}/" for run in report.runs),
    )
    own.entries(_own_entries(report))


def _own_entries(report: PartReport) -> list[tuple[str, str, dict[str, str]]]:
    entries: list[tuple[str, str, dict[str, str]]] = []
    by_run: dict[str, list[str]] = {run: [] for run in report.runs}
    for step in report.steps:
        by_run.setdefault(step.path.partition("/")[0], []).append(f"{step.path.partition('/')[2]} {step.action.value}")
    entries += [("SCAFFOLD_RUN", f"{run}/", {"details": ", ".join(files)}) for run, files in by_run.items()]
    entries += [
        ("RUN_FAILED", failure.run, {"details": "; ".join(map(str, failure.problems)), "result": "nothing was written"})
        for failure in report.failures
    ]
    entries += [("WARNING", str(problem), {}) for problem in report.warnings]
    entries += [("VERIFICATION_FAILED", str(problem), {}) for problem in report.mismatches]
    result = (
        "every file was read back and agrees" if not report.mismatches else f"{len(report.mismatches)} mismatch(es)"
    )
    counts = {"details": f"{len(report.runs)} run(s), {len(report.scripts)} script(s)", "result": result}
    return [*entries, ("COMPLETE" if report.ok else "INCOMPLETE", f"scaffold-{report.short}", counts)]


def log_complete(journal: Log, report: ScaffoldReport) -> None:
    """COMPLETE, or INCOMPLETE with what is left."""
    ok = all(part.ok for part in report.parts)
    ready = "; ".join(f"{_WHAT[part.stage]}: {len(part.scripts)} script(s) ready" for part in report.parts)
    journal.entry(
        "COMPLETE" if ok else "INCOMPLETE",
        "Experiment scaffolding finished" if ok else "Experiment scaffolding is incomplete",
        summary=ready,
        conflicts=", ".join(report.conflicts),
        orphans=", ".join(report.orphans),
        next="tunebook run" if ok else "mend what the tool's log names, and scaffold again",
    )
