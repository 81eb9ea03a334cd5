"""The combined summary in Markdown: what was created, the logs, and the exact next commands."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from tunebook.core.jobs import Stage
from tunebook.core.paths import PLAN_FILE, SCAFFOLD_LOG
from tunebook.errors import ExitCode
from tunebook.scaffold.report import PartReport, ScaffoldReport

__all__ = ["scaffold_summary"]

_TITLES = {
    ExitCode.DONE: "Scaffold Experiment Complete",
    ExitCode.UNFINISHED: "Scaffold Experiment Complete, Conflicts Kept",
    ExitCode.FAILED: "Scaffold Experiment Incomplete",
}


class _StageText(NamedTuple):
    """The words of the summary for one stage."""

    work: str
    counted: str
    created: str
    place: str
    comment: str


_TEXTS = {
    Stage.PREPARATION: _StageText("Fine-tuning", "runs", "runs", "run", "# Submit fine-tuning jobs"),
    Stage.EVALUATION: _StageText(
        work="Evaluation",
        counted="evaluation scripts",
        created="evaluations",
        place="evaluation directory",
        comment="# After fine-tuning completes, submit evaluation jobs",
    ),
}
_KEPT_HINT = "`tunebook scaffold --dry-run` shows the differences, `--overwrite` replaces the files"
_ORPHANS_HINT = "`--prune` removes those that were not edited and hold no results"


def scaffold_summary(report: ScaffoldReport) -> str:
    """The summary of one invocation, ending with a line break."""
    lines = [f"## {_title(report)}", "", _lead(report), f"`{report.experiment}/`", ""]
    for part in report.parts:
        lines += [*_part(part, dry_run=report.dry_run), ""]
    lines += _paths("Kept as edited", report.conflicts, _KEPT_HINT)
    lines += _paths("No longer in the plan", report.orphans, _ORPHANS_HINT)
    lines += _paths("Removed", report.pruned)
    if not report.dry_run:
        lines += [*_logs(report), "", *_validation(report), "", *_next_steps(report)]
    return "\n".join(lines).rstrip() + "\n"


def _title(report: ScaffoldReport) -> str:
    if report.dry_run:
        return "Scaffold Experiment: Dry Run"
    if report.is_complete_failure:
        return "Scaffold Experiment Failed"
    return _TITLES[report.exit_code]


def _lead(report: ScaffoldReport) -> str:
    if report.dry_run:
        return "Nothing was written to:"
    if report.ok:
        if any(step.writes for step in report.steps):
            return "Successfully scaffolded experiment:"
        return "Everything is unchanged in:"
    if report.is_complete_failure:
        return "Complete failure: nothing could be scaffolded in:"
    return "Scaffolded in part:"


def _part(part: PartReport, *, dry_run: bool) -> Iterator[str]:
    text = _TEXTS[part.tool.stage]
    is_training = part.tool.stage is Stage.PREPARATION
    created = [f"{run}/" for run in part.runs] if is_training else part.scripts
    yield f"### {text.work.title()} Configurations (scaffold-{part.tool.short})"
    yield ""
    if part.skipped:
        yield f"✗ {part.skipped}"
    elif not part.problems:
        verb = "would be configured" if dry_run else "configured"
        yield f"✓ {len(created)} {text.counted} {verb} ({part.counts('files') or 'no files'})"
    for failure in part.failures:
        yield f"✗ {failure.run}: " + "; ".join(map(str, failure.problems))
    for problem in (*part.problems, *part.mismatches):
        yield f"✗ {problem}"
    if part.missing:
        yield from ("", f"**{text.created.capitalize()} that could not be configured:**")
        yield from (f"- {name}" for name in part.missing)
    if created:
        yield from _created(part, created)


def _created(part: PartReport, names: Sequence[str]) -> Iterator[str]:
    text = _TEXTS[part.tool.stage]
    yield ""
    yield f"**Created {text.created}:**"
    for name in names:
        yield f"- {name}"
    yield ""
    yield f"**Each {text.place} contains:**"
    for kind in part.tool.files:
        yield f"- {kind.name} ({kind.description})"


def _paths(title: str, paths: Sequence[str], hint: str = "") -> Iterator[str]:
    if paths:
        yield from (f"### {title}", "")
        for path in paths:
            yield f"- {path}"
        if hint:
            yield from ("", hint)
        yield ""


def _logs(report: ScaffoldReport) -> Iterator[str]:
    yield "### Logs"
    yield ""
    yield f"- `{SCAFFOLD_LOG}` - Orchestration log (this process)"
    for part in report.parts:
        if not part.skipped:
            yield f"- `{part.log}` - {_TEXTS[part.tool.stage].work} scaffolding details"


def _validation(report: ScaffoldReport) -> Iterator[str]:
    yield from ("### Validation", "")
    for point in report.validation:
        yield f"- {point}"


def _next_steps(report: ScaffoldReport) -> Iterator[str]:
    """Commands with this experiment's own directories, ready to be pasted; only those that can work now."""
    where = shlex.quote(str(report.experiment))
    yield from ("### Next Steps", "")
    if not report.ok:
        yield from _recovery(report, where)
    ready = [part for part in report.parts if part.ok and part.scripts]
    if not ready or (not report.ok and ready[0].tool.stage is not Stage.PREPARATION):
        return  # evaluations alone wait for trainings
    yield from ("**Recommended workflow:**", "1. Review the generated configurations (optional)")
    if report.ok:
        yield f"2. `tunebook run {where}`: trainings, and each evaluation as soon as its own training has ended"
    else:
        yield f"2. `tunebook run --stage preparation {where}`: trainings; they do not need the evaluations' scripts"
    yield f"3. `tunebook analyze {where}`: tables, plots, statistics and a report"
    yield from _by_hand(ready, where)


def _recovery(report: ScaffoldReport, where: str) -> Iterator[str]:
    logs = [f"`{part.log}`" for part in report.parts if not (part.ok or part.skipped)]
    yield "**After the failure:**"
    yield f"1. Read what is wrong: above, and in {', '.join([*logs, f'`{SCAFFOLD_LOG}`'])}"
    yield f"2. Check that `{PLAN_FILE}` is complete: `tunebook check {where}`"
    yield f"3. Scaffold again: `tunebook scaffold {where}` (files that exist already stay as they are)"
    yield ""


def _by_hand(parts: Sequence[PartReport], where: str) -> Iterator[str]:
    yield from ("", "**Manual execution (alternative):**", "```bash", f"cd {where}")
    for part in parts:
        if part.commands:
            yield _TEXTS[part.tool.stage].comment
            yield from part.commands
    yield from ("```", "", "**Monitoring:**", "```bash", 'squeue -u "$USER"')
    for part in parts:
        if part.tool.stage is Stage.PREPARATION and part.runs:
            yield f"tail -f {shlex.quote(part.runs[0])}/slurm-*.out"
    yield "```"
