"""The combined summary in Markdown: what was created, the logs, and the exact next commands."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from tunebook.core.jobs import Stage
from tunebook.core.paths import PLAN_FILE, SCAFFOLD_LOG
from tunebook.core.shortened import counted, first_lines, named
from tunebook.errors import ExitCode
from tunebook.scaffold.blueprint import Failure
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
    Stage.PREPARATION: _StageText("Fine-tuning", "run", "runs", "run", "# Submit fine-tuning jobs"),
    Stage.EVALUATION: _StageText(
        work="Evaluation",
        counted="evaluation script",
        created="evaluations",
        place="evaluation directory",
        comment="# After fine-tuning completes, submit evaluation jobs",
    ),
}
_KEPT_HINT = "`tunebook scaffold --dry-run` shows the differences, `--overwrite` replaces the files"
_EVERY_ROW = "`tunebook scaffold --all` lists them"
_FEW_NAMES = 5
_ORPHANS_HINT = "`--prune` removes those that were not edited and hold no results"


def scaffold_summary(report: ScaffoldReport, *, most_rows: int | None = None) -> str:
    """The summary of one invocation, ending with a line break.

    Args:
        most_rows: longer lists are shortened, and failures of the same kind are shown together; ``None`` shows all.
    """
    lines = [f"## {_title(report)}", "", _lead(report), f"`{report.experiment}/`", ""]
    for part in report.parts:
        lines += [*_part(part, most_rows, dry_run=report.dry_run), ""]
    lines += _paths("Kept as edited", report.conflicts, most_rows, _KEPT_HINT)
    lines += _paths("No longer in the plan", report.orphans, most_rows, _ORPHANS_HINT)
    lines += _paths("Removed", report.pruned, most_rows)
    if not report.dry_run:
        lines += [*_logs(report), "", *_validation(report), "", *_next_steps(report, most_rows)]
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


def _part(part: PartReport, most_rows: int | None, *, dry_run: bool) -> Iterator[str]:
    text = _TEXTS[part.tool.stage]
    is_training = part.tool.stage is Stage.PREPARATION
    created = [f"{run}/" for run in part.runs] if is_training else part.scripts
    yield f"### {text.work.title()} Configurations (scaffold-{part.tool.short})"
    yield ""
    if part.skipped:
        yield f"✗ {part.skipped}"
    elif not part.problems:
        verb = "would be configured" if dry_run else "configured"
        yield f"✓ {counted(len(created), text.counted)} {verb} ({part.counts('file') or 'no files'})"
    if most_rows is None or len(part.failures) <= most_rows:
        yield from (f"✗ {failure.run}: " + "; ".join(map(str, failure.problems)) for failure in part.failures)
    else:
        yield from first_lines(list(_grouped(part.failures)), most_rows, more=f"reasons: {_EVERY_ROW}")
    wrong = [f"✗ {problem}" for problem in (*part.problems, *part.mismatches)]
    yield from first_lines(wrong, most_rows, more=f"problems: {_EVERY_ROW}")
    if part.missing:
        yield from ("", f"**{text.created.capitalize()} that could not be configured:**")
        yield from _listed(part.missing, text.created, most_rows)
    if created:
        yield from _created(part, created, most_rows)


def _grouped(failures: Sequence[Failure]) -> Iterator[str]:
    """Yields runs that failed for the same reason, but for their own names in it, on one line."""
    groups: dict[str, list[Failure]] = {}
    for failure in failures:
        reason = "; ".join(problem.message.replace(failure.run, "…") for problem in failure.problems)
        groups.setdefault(reason, []).append(failure)
    for members in sorted(groups.values(), key=len, reverse=True):
        runs = named([failure.run for failure in members])
        reason = "; ".join(map(str, members[0].problems))
        yield f"✗ {counted(len(members), 'run')} ({runs}): {reason}"


def _listed(names: Sequence[str], noun: str, most_rows: int | None) -> list[str]:
    return first_lines([f"- {name}" for name in names], most_rows, more=f"{noun}: {_EVERY_ROW}", shown=_FEW_NAMES)


def _created(part: PartReport, names: Sequence[str], most_rows: int | None) -> Iterator[str]:
    text = _TEXTS[part.tool.stage]
    yield ""
    yield f"**Created {text.created}:**"
    yield from _listed(names, text.created, most_rows)
    yield ""
    yield f"**Each {text.place} contains:**"
    for kind in part.tool.files:
        yield f"- {kind.name} ({kind.description})"


def _paths(title: str, paths: Sequence[str], most_rows: int | None, hint: str = "") -> Iterator[str]:
    if paths:
        yield from (f"### {title}", "")
        yield from first_lines([f"- {path}" for path in paths], most_rows, more=f"files: {_EVERY_ROW}")
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


def _next_steps(report: ScaffoldReport, most_rows: int | None) -> Iterator[str]:
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
    if most_rows is None or max(len(part.scripts) for part in ready) <= most_rows:
        yield from _by_hand(ready, where)
    else:
        yield f"4. `tunebook scaffold --all {where}`: the commands that submit the scripts by hand"


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
