"""Derives the files of one run again from its own edited settings: what ``tunebook setup-finetune`` does."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tunebook.core.plan import Run
from tunebook.disk.atomic import read_text
from tunebook.disk.manifest import Manifest, read_manifest, write_manifest
from tunebook.errors import ExitCode, PlanError, Problem
from tunebook.scaffold.reconcile import Action, Step, digests_after, reconcile, split_differences
from tunebook.scaffold.write import write_steps
from tunebook.tools.base import Context, Tool

__all__ = ["Derived", "rederive"]


@dataclass(frozen=True, kw_only=True)
class Derived:
    """The result for one run's files."""

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
        raise PlanError(f"{path} was not found", file=path, hint="`tunebook scaffold` writes it")
    context = replace(context, edited={**context.edited, path: text})
    unit = tool.build(context, run)
    manifest = read_manifest(context.experiment)
    files = [file for file in unit.files if file.path != path]
    steps = reconcile(files, read, manifest.generated, overwrite=False)
    generated = digests_after(manifest.generated, steps)
    if text != before:
        generated.pop(path, None)  # from now on these settings count as edited, whatever the plan asks for
        action = Action.CREATE if before is None else Action.UPDATE
        steps = (Step(path, action, before, text), *steps)
    if dry_run:
        return Derived(directory=directory, steps=steps, warnings=unit.warnings, dry_run=True)
    write_steps(context.experiment, steps, unit.directories)
    write_manifest(context.experiment, Manifest(generated, manifest.jobs))
    problems = tool.verify(context, run, unit, lambda name: read(name) or "")
    warnings, errors = split_differences(problems, steps)
    return Derived(directory=directory, steps=steps, warnings=unit.warnings + warnings, errors=errors)
