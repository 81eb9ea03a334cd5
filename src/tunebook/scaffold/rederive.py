"""Derives the files of one run again from its own edited settings: what ``tunebook setup-finetune`` does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tunebook.core.plan import Run
from tunebook.disk.manifest import read_manifest, write_manifest
from tunebook.disk.read import read_text
from tunebook.errors import ExitCode, PlanError, Problem, TunebookError, UsageError
from tunebook.scaffold.reconcile import Action, Step, digests_after, reconcile, split_differences
from tunebook.scaffold.write import write_steps
from tunebook.tools.base import Context, PlannedFile, PreparationTool, Tool, Unit

__all__ = ["Derived", "edited_settings", "rederive"]


@dataclass(frozen=True, kw_only=True)
class Derived:
    """The result for one run's files.

    Attributes:
        directory: the run's directory in the experiment's, which the steps' paths are relative to.
    """

    experiment: Path
    directory: str
    steps: tuple[Step, ...]
    warnings: tuple[Problem, ...] = ()
    errors: tuple[Problem, ...] = ()
    dry_run: bool = False

    @property
    def exit_code(self) -> ExitCode:
        """1 if the written files differ from the settings, 4 if an edited file was kept."""
        if self.errors:
            return ExitCode.FAILED
        if any(step.action is Action.CONFLICT for step in self.steps):
            return ExitCode.UNFINISHED
        return ExitCode.DONE


def edited_settings(context: Context, tool: PreparationTool, run: Run, assignments: Sequence[str]) -> str:
    """The run's first editable file with each ``key=value`` put in.

    Raises:
        UsageError: an assignment cannot be read, or has no effect on what trains or is evaluated.
        PlanError: the settings are wrong.
    """
    path = f"{context.directories[run.name]}/{tool.editable[0]}"
    text = read_text(context.experiment / path)
    if text is None:
        raise _not_found(path)

    def outcome(chosen: Sequence[str]) -> tuple[str, object]:
        edited = text
        if chosen:
            edited = tool.edit(text, chosen, file=path, experiment=context.experiment)
        unit = tool.build(replace(context, edited={**context.edited, path: edited}), run)
        is_read_by_job = any(path in job.texts for job in unit.jobs)
        return edited, (_effect(unit), edited if is_read_by_job else "")

    edited, effect = outcome(assignments)
    for assignment in assignments:
        others = [other for other in assignments if other != assignment]
        try:
            without = outcome(others)[1]
        except TunebookError:  # the others need this one
            continue
        if without == effect:
            key = assignment.partition("=")[0]
            hint = f"the training does not use {key} with the other settings of this run: remove it"
            raise UsageError(f"--set {assignment} has no effect: every file of the run stays the same", hint=hint)
    return edited


def _effect(unit: Unit) -> object:
    """Everything that trains or is evaluated."""
    prepared = unit.prepared
    results = (prepared.checkpoints, prepared.values) if prepared else ()
    return unit.files, unit.jobs, unit.directories, results


def _not_found(path: str) -> PlanError:
    return PlanError(f"{path} was not found", file=path, hint="`tunebook scaffold` writes it")


def rederive(context: Context, tool: Tool, run: Run, *, edited: str | None, dry_run: bool) -> Derived:
    """Derives the run's files from its first editable file.

    Args:
        edited: the new text of that file; ``None`` for the text on disk.

    Raises:
        PlanError: the settings are missing or wrong.
    """

    def read(name: str) -> str | None:
        return read_text(context.experiment / name)

    directory = context.directories[run.name]
    path = f"{directory}/{tool.editable[0]}"
    before = read(path)
    text = before if edited is None else edited
    if text is None:
        raise _not_found(path)
    context = replace(context, edited={**context.edited, path: text})
    unit = tool.build(context, run)
    manifest = read_manifest(context.experiment)
    files = [file for file in unit.files if file.path != path]
    steps = reconcile(files, read, manifest.generated, overwrite=False)
    generated = digests_after(manifest.generated, steps)
    if text != before:
        generated.pop(path, None)  # from now on these settings count as edited, whatever the plan asks for
        action = Action.CREATE if before is None else Action.UPDATE
        steps = (Step(path, action, before, PlannedFile(path, text)), *steps)
    if dry_run:
        return Derived(
            experiment=context.experiment, directory=directory, steps=steps, warnings=unit.warnings, dry_run=True
        )
    write_steps(context.experiment, steps, unit.directories)
    write_manifest(context.experiment, replace(manifest, generated=generated))
    problems = tool.verify(context, run, unit, lambda name: read(name) or "")
    warnings, errors = split_differences(problems, steps)
    return Derived(
        experiment=context.experiment,
        directory=directory,
        steps=steps,
        warnings=unit.warnings + warnings,
        errors=errors,
    )
