"""The combined summary in Markdown: what was created, the logs, and the exact next commands."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import PurePosixPath

from tunebook.core.jobs import Stage
from tunebook.core.paths import FINETUNE_CONFIG, FINETUNE_SCRIPT, SCAFFOLD_LOG, SETUP
from tunebook.errors import ExitCode
from tunebook.scaffold.reconcile import Action
from tunebook.scaffold.report import PartReport, ScaffoldReport

__all__ = ["summary"]

_TITLES = {Stage.PREPARATION: "Fine-Tuning Configurations", Stage.EVALUATION: "Evaluation Configurations"}
_CREATED = {Stage.PREPARATION: "runs", Stage.EVALUATION: "evaluations"}


def summary(report: ScaffoldReport) -> str:
    """The summary of one invocation, ending with a line break."""
    lines = [f"## {_title(report)}", "", f"{_lead(report)}", f"`{report.experiment}/`", ""]
    for part in report.parts:
        lines += [*_part(part, dry_run=report.dry_run), ""]
    lines += [*_leftovers(report)]
    if not report.dry_run:
        lines += [*_logs(report), "", *_next_steps(report)]
    return "\n".join(lines).rstrip() + "\n"


def _title(report: ScaffoldReport) -> str:
    if report.dry_run:
        return "Scaffold Experiment: Dry Run"
    return {
        ExitCode.DONE: "Scaffold Experiment Complete",
        ExitCode.UNFINISHED: "Scaffold Experiment Complete, Conflicts Kept",
    }.get(report.exit_code, "Scaffold Experiment Incomplete")


def _lead(report: ScaffoldReport) -> str:
    if report.dry_run:
        return "Nothing was written to:"
    if all(part.ok for part in report.parts):
        unchanged = all(step.action in {Action.UNCHANGED, Action.CONFLICT} for step in report.steps)
        return "Everything is unchanged in:" if unchanged else "Successfully scaffolded experiment:"
    return "Scaffolded in part:" if any(part.runs for part in report.parts) else "Nothing could be scaffolded in:"


def _part(part: PartReport, *, dry_run: bool) -> Iterator[str]:
    yield f"### {_TITLES[part.stage]} (scaffold-{part.short})"
    yield ""
    if part.skipped:
        yield f"✗ {part.skipped}"
        return
    what = f"{len(part.runs)} runs" if part.stage is Stage.PREPARATION else f"{len(part.scripts)} evaluation scripts"
    counts = ", ".join(f"{part.count(action)} files {action.value}" for action in Action if part.count(action))
    yield f"✓ {what} {'would be' if dry_run else ''} configured".replace("  ", " ") + f" ({counts or 'no files'})"
    for failure in part.failures:
        yield f"✗ {failure.run}: " + "; ".join(map(str, failure.problems))
    for problem in part.mismatches:
        yield f"✗ {problem}"
    names = [f"{run}/" for run in part.runs] if part.stage is Stage.PREPARATION else list(part.scripts)
    if names:
        yield from ("", f"**Created {_CREATED[part.stage]}:**", *(f"- {name}" for name in names), "")
        yield from _contents(part)


def _contents(part: PartReport) -> Iterator[str]:
    if part.stage is Stage.PREPARATION:
        yield "**Each run contains:**"
        yield f"- {SETUP} (configuration: edit this one)"
        yield f"- {FINETUNE_CONFIG} (torchtune config)"
        yield f"- {FINETUNE_SCRIPT} (SLURM script)"
    else:
        yield "**Each evaluation directory contains:**"
        yield "- {task}_epoch{N}.slurm, or {task}_base.slurm for base models (SLURM script)"
        yield "- logs/ (for inspect-ai output)"


def _leftovers(report: ScaffoldReport) -> Iterator[str]:
    groups = (
        (
            "Kept as edited",
            report.conflicts,
            "`tunebook scaffold --dry-run` shows the differences, `--overwrite` ends them",
        ),
        ("No longer in the plan", report.orphans, "`--prune` removes those that were not edited and hold no results"),
        ("Removed", report.pruned, ""),
    )
    for title, paths, hint in groups:
        if paths:
            yield from (f"### {title}", "", *(f"- {path}" for path in paths), *([f"\n{hint}"] if hint else []), "")


def _logs(report: ScaffoldReport) -> Iterator[str]:
    yield "### Logs"
    yield ""
    yield f"- `{SCAFFOLD_LOG}` - Orchestration log (this process)"
    for part in report.parts:
        what = "Fine-tuning" if part.stage is Stage.PREPARATION else "Evaluation"
        yield f"- `{part.log}` - {what} scaffolding details"


def _next_steps(report: ScaffoldReport) -> Iterator[str]:
    """The commands for this experiment's own directories: they can be pasted as they stand."""
    where = shlex.quote(str(report.experiment))
    yield from ("### Next Steps", "", "**Recommended workflow:**", "```bash")
    yield f"tunebook run {where}        # trainings, and each evaluation as soon as its own training is done"
    yield from ("```", "", "**Manual execution (alternative):**", "```bash", f"cd {where}")
    trainings = [part for part in report.parts if part.stage is Stage.PREPARATION]
    evaluations = [part for part in report.parts if part.stage is Stage.EVALUATION]
    if any(part.scripts for part in trainings):
        runs = " ".join(shlex.quote(run) for part in trainings for run in part.runs)
        yield "# Submit fine-tuning jobs"
        yield f'for dir in {runs}; do (cd "$dir" && sbatch {FINETUNE_SCRIPT}); done'
    if any(part.scripts for part in evaluations):
        scripts = " ".join(shlex.quote(script) for part in evaluations for script in part.scripts)
        yield "# After fine-tuning completes, submit evaluation jobs"
        yield f'for script in {scripts}; do (cd "$(dirname "$script")" && sbatch "$(basename "$script")"); done'
    yield from ("```", "", "**Monitoring:**", "```bash", 'squeue -u "$USER"')
    first = next((part.runs[0] for part in trainings if part.runs), None)
    if first:
        yield f"tail -f {shlex.quote(str(PurePosixPath(first)))}/slurm-*.out"
    yield "```"
