"""The logs of scaffolding: the orchestrator's, with the seed's actions, and one for each tool."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from tunebook.core.jobs import Stage
from tunebook.core.plan import Plan
from tunebook.core.shortened import counted
from tunebook.core.site import Site
from tunebook.core.units import spoken_duration
from tunebook.disk.log import Log
from tunebook.errors import Problem
from tunebook.scaffold.reconcile import Step
from tunebook.scaffold.report import PartReport, ScaffoldReport
from tunebook.tools.base import Findings, Tool

__all__ = [
    "log_complete",
    "log_discovery",
    "log_part",
    "log_part_start",
    "log_problems",
    "log_prune",
    "log_tools",
    "log_validation",
]

_Entry = tuple[str, str, dict[str, str]]
_AT_MOST = 20  # problems in one entry of the orchestrator's log; the tool's own log has all
_WORK = {Stage.PREPARATION: "fine-tuning", Stage.EVALUATION: "evaluation"}


def log_discovery(journal: Log, plan: Plan, path: str) -> None:
    """DISCOVER_EXPERIMENT."""
    result = f"{len(plan.fine_tuned)} fine-tuned of {len(plan.runs)} runs, {len(plan.tasks)} evaluation task(s)"
    journal.entry("DISCOVER_EXPERIMENT", "Found experiment", details=path, result=result)


def log_problems(journal: Log, problems: Sequence[Problem]) -> None:
    """VERIFY_PREREQUISITES, when the plan or the site settings are wrong and nothing is written."""
    journal.entry(
        "VERIFY_PREREQUISITES",
        "The plan cannot be scaffolded",
        details=_joined(problems),
        result=f"{len(problems)} problem(s); nothing was written",
    )


def log_tools(journal: Log, plan: Plan, site: Site, findings: Findings) -> None:
    """VERIFY_PREREQUISITES and READ_TOOL_SPECS."""
    settings = "no site settings: local defaults apply"
    if site.file:
        settings = f"site settings from {site.file}"
    result = "All prerequisites satisfied"
    if findings.warnings:
        result = f"Could not be verified or needs a look: {_joined(findings.warnings)}"
    journal.entry(
        "VERIFY_PREREQUISITES",
        "Checking required files",
        details="; ".join([f"{plan.file} exists, {settings}", *findings.notes]),
        result=result,
    )
    tools = plan.tools
    details = f"Reading Tools section, line {tools.line or tools.evaluation_line}"
    explanation = "Preparation comes first: evaluation is added to the run directories"
    if tools.assumed:
        details = "No Tools section"
        explanation = f"The plan has no Tools section: {tools.preparation} and {tools.evaluation_text} were assumed"
    journal.entry(
        "READ_TOOL_SPECS",
        "Parsing tool specifications",
        details=details,
        result=f"Preparation tool = {tools.preparation}, Evaluation tool = {tools.evaluation_text}",
        explanation=explanation,
    )


def log_part_start(journal: Log, tool: Tool, now: datetime) -> None:
    """INVOKE_SCAFFOLD_…."""
    journal.entry(
        f"INVOKE_SCAFFOLD_{tool.short.upper()}",
        f"Generating {_WORK[tool.stage]} configs",
        details=f"Calling scaffold-{tool.short}",
        result=f"Started at {now:%Y-%m-%d %H:%M:%S}",
    )


def log_part(journal: Log, own: Log, report: PartReport) -> None:
    """SCAFFOLD_…_COMPLETE, _FAILED or _SKIPPED in the orchestrator's log, and every run in the tool's own log."""
    action = f"SCAFFOLD_{report.tool.short.upper()}"
    configs = f"{_WORK[report.tool.stage].capitalize()} configs"
    if report.skipped:
        journal.entry(f"{action}_SKIPPED", configs, details=report.skipped, result="nothing was written")
        return
    ending, description = "COMPLETE", "generated"
    if not report.ok:
        ending, description = "FAILED", "are incomplete"
    failures = len(report.problems) + len(report.failures)
    done = f"{len(report.scripts)} script(s) of {len(report.runs)} run(s) ({failures} failures)"
    journal.entry(
        f"{action}_{ending}",
        f"{configs} {description}",
        details=f"{done}; files: {report.counts() or 'none'}",
        errors=_first(report.errors),
        warnings=_first(report.warnings),
        missing=", ".join(report.missing),
        duration=spoken_duration(report.duration_s),
        result=f"See {report.log} for the detailed process",
        outputs=", ".join(f"{run}/" for run in report.runs),
    )
    own.entries(_own_entries(report))


def _own_entries(report: PartReport) -> list[_Entry]:
    """The entries of the tool's own log."""
    files: dict[str, list[str]] = {run: [] for run in report.runs}
    for step in report.steps:
        run, _, name = step.path.partition("/")
        files.setdefault(run, []).append(f"{name} {step.action.value}")
    entries: list[_Entry] = []
    for run, names in files.items():
        entries.append(("SCAFFOLD_RUN", f"{run}/", {"details": ", ".join(names)}))
    for failure in report.failures:
        lines = {"details": _joined(failure.problems), "result": "nothing was written"}
        entries.append(("RUN_FAILED", failure.run, lines))
    groups = (("FAILED", report.problems), ("WARNING", report.warnings), ("VERIFICATION_FAILED", report.mismatches))
    for action, problems in groups:
        entries += [(action, str(problem), {}) for problem in problems]
    counts = {
        "details": f"{len(report.runs)} run(s), {len(report.scripts)} script(s)",
        "result": "the part could not be done" if report.problems else _verified(report),
    }
    entries.append(("COMPLETE" if report.ok else "INCOMPLETE", f"scaffold-{report.tool.short}", counts))
    return entries


def _verified(report: PartReport) -> str:
    """How the files were verified, and what was found."""
    read = len(report.runs) - report.known
    done = []
    if read and not (report.mismatches or report.differing):
        done.append(f"every file of {counted(read, 'run')} was read back and matches the plan")
    elif read:
        done.append(f"the files of {counted(read, 'run')} were read back")
    if report.mismatches:
        done.append(f"{counted(len(report.mismatches), 'difference')} from the plan")
    if report.differing:
        done.append(f"{counted(report.differing, 'difference')} from the plan in edited files")
    if report.known:
        done.append(f"{counted(report.known, 'run')} not read again: unchanged since they were found to match the plan")
    return "; ".join(done) or "no files"


def log_prune(journal: Log, lost: Sequence[Step], removed: Sequence[str]) -> None:
    """PRUNE."""
    kept = [step.path for step in lost if step.path not in removed]
    journal.entry(
        "PRUNE",
        "Removing files that are no longer in the plan",
        details=", ".join(removed) or "none",
        kept=", ".join(kept),
        result=f"{len(removed)} file(s) removed, {len(kept)} kept, because they were edited or belong to results",
    )


def log_validation(journal: Log, report: ScaffoldReport) -> None:
    """VALIDATE."""
    holding = sum(point.holds for point in report.validation)
    journal.entry(
        "VALIDATE",
        "Checking that everything was created",
        details="; ".join(map(str, report.validation)),
        result=f"{holding} of {len(report.validation)} points hold",
    )


def log_complete(journal: Log, report: ScaffoldReport) -> None:
    """COMPLETE; or INCOMPLETE or FAILED, with the next step."""
    action, description, following = "COMPLETE", "Experiment scaffolding finished", "tunebook run"
    if report.is_complete_failure:
        action, description = "FAILED", "Complete failure: nothing could be scaffolded"
        following = "fix the problems in the tools' logs, check experiment_summary.md, and scaffold again"
    elif not report.ok:
        action, description = "INCOMPLETE", "Experiment scaffolding is incomplete"
        following = "fix the problems in the tools' logs, and scaffold again"
    journal.entry(
        action,
        description,
        summary="; ".join(f"{_WORK[part.tool.stage]}: {len(part.scripts)} script(s) ready" for part in report.parts),
        conflicts=", ".join(report.conflicts),
        orphans=", ".join(report.orphans),
        next=following,
    )


def _joined(problems: Sequence[Problem]) -> str:
    return "; ".join(map(str, problems))


def _first(problems: Sequence[Problem]) -> str:
    more = len(problems) - _AT_MOST
    if more <= 0:
        return _joined(problems)
    return f"{_joined(problems[:_AT_MOST])}; and {more} more in the tool's log"
