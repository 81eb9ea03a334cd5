"""The combined summary in Markdown: what was created, the logs, and the exact next commands."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from tunebook.core.jobs import Stage
from tunebook.core.paths import SCAFFOLD_LOG
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
_KEPT_HINT = "`tunebook scaffold --dry-run` shows the differences, `--overwrite` ends them"
_ORPHANS_HINT = "`--prune` removes those that were not edited and hold no results"


def scaffold_summary(report: ScaffoldReport) -> str:
    """The summary of one invocation, ending with a line break."""
    title = "Scaffold Experiment: Dry Run" if report.dry_run else _TITLES[report.exit_code]
    lines = [f"## {title}", "", _lead(report), f"`{report.experiment}/`", ""]
    for part in report.parts:
        lines += [*_part(part, dry_run=report.dry_run), ""]
    lines += _paths("Kept as edited", report.conflicts, _KEPT_HINT)
    lines += _paths("No longer in the plan", report.orphans, _ORPHANS_HINT)
    lines += _paths("Removed", report.pruned)
    if not report.dry_run:
        lines += [*_logs(report), "", *_next_steps(report)]
    return "\n".join(lines).rstrip() + "\n"


def _lead(report: ScaffoldReport) -> str:
    if report.dry_run:
        return "Nothing was written to:"
    if report.ok:
        if any(step.writes for step in report.steps):
            return "Successfully scaffolded experiment:"
        return "Everything is unchanged in:"
    if any(part.runs for part in report.parts):
        return "Scaffolded in part:"
    return "Nothing could be scaffolded in:"


def _part(part: PartReport, *, dry_run: bool) -> Iterator[str]:
    text = _TEXTS[part.tool.stage]
    is_training = part.tool.stage is Stage.PREPARATION
    created = [f"{run}/" for run in part.runs] if is_training else part.scripts
    yield f"### {text.work.title()} Configurations (scaffold-{part.tool.short})"
    yield ""
    if part.skipped:
        yield f"✗ {part.skipped}"
        return
    verb = "would be configured" if dry_run else "configured"
    yield f"✓ {len(created)} {text.counted} {verb} ({part.counts('files') or 'no files'})"
    for failure in part.failures:
        yield f"✗ {failure.run}: " + "; ".join(map(str, failure.problems))
    for problem in part.mismatches:
        yield f"✗ {problem}"
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
        yield f"- `{part.log}` - {_TEXTS[part.tool.stage].work} scaffolding details"


def _next_steps(report: ScaffoldReport) -> Iterator[str]:
    """Commands with this experiment's own directories, ready to be pasted."""
    where = shlex.quote(str(report.experiment))
    yield from ("### Next Steps", "", "**Recommended workflow:**", "```bash")
    yield f"tunebook run {where}        # trainings, and each evaluation as soon as its own training is done"
    yield from ("```", "", "**Manual execution (alternative):**", "```bash", f"cd {where}")
    for part in report.parts:
        if part.commands:
            yield _TEXTS[part.tool.stage].comment
            yield from part.commands
    yield from ("```", "", "**Monitoring:**", "```bash", 'squeue -u "$USER"')
    for part in report.parts:
        if part.tool.stage is Stage.PREPARATION and part.runs:
            yield f"tail -f {shlex.quote(part.runs[0])}/slurm-*.out"
    yield "```"
