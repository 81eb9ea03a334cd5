"""One run again, from its own edited settings: what ``tunebook setup-finetune`` does."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tunebook.core.paths import SETUP
from tunebook.core.plan import Run
from tunebook.disk.atomic import read_text
from tunebook.disk.manifest import Manifest, digest, read_manifest, write_manifest
from tunebook.errors import ExitCode, PlanError, Problem
from tunebook.scaffold.reconcile import Action, Step, reconcile
from tunebook.scaffold.write import write_steps
from tunebook.tools.base import Context, Tool

__all__ = ["Derived", "rederive"]


@dataclass(frozen=True)
class Derived:
    """What became of a run's files."""

    directory: str
    steps: tuple[Step, ...]
    warnings: tuple[Problem, ...] = ()
    mismatches: tuple[Problem, ...] = ()
    dry_run: bool = False

    @property
    def exit_code(self) -> ExitCode:
        """1 if what was written is not what the settings say, 4 if an edited file stands in the way."""
        if self.mismatches:
            return ExitCode.FAILED
        conflict = any(step.action is Action.CONFLICT for step in self.steps)
        return ExitCode.UNFINISHED if conflict else ExitCode.DONE


def rederive(context: Context, tool: Tool, run: Run, *, setup: str | None, dry_run: bool) -> Derived:
    """Derives the run's files from its settings as they are on disk, or from ``setup`` if that is given.

    Raises:
        PlanError: the settings are not there, or wrong.
    """
    directory = context.directories[run.name]
    path = f"{directory}/{SETUP}"
    before = read_text(context.experiment / path)
    text = setup if setup is not None else before
    if text is None:
        raise PlanError(f"{path} is not there", file=path, hint="`tunebook scaffold` writes it")
    context = replace(context, edited={**context.edited, path: text})
    unit = tool.build(context, run)
    manifest = read_manifest(context.experiment)
    files = [file for file in unit.files if file.path != path]
    on_disk = {file.path: read_text(context.experiment / file.path) for file in files}
    steps = reconcile(files, on_disk, manifest.generated, overwrite=False)
    if text != before:
        steps = (Step(path, Action.UPDATE if before is not None else Action.CREATE, before, text), *steps)
    if dry_run:
        return Derived(directory, steps, unit.warnings, dry_run=True)
    write_steps(context.experiment, steps, unit.directories)
    written = [step for step in steps if step.action is not Action.CONFLICT and step.path != path]
    derived = {step.path: (digest(step.after or ""),) for step in written}
    ours = {key: value for key, value in manifest.generated.items() if key != path or text == before}
    write_manifest(context.experiment, Manifest({**ours, **derived}, manifest.jobs))
    conflicts = {step.path for step in steps if step.action is Action.CONFLICT}
    found = tool.verify(context, run, unit, lambda name: read_text(context.experiment / name) or "")
    warnings = (*unit.warnings, *(problem for problem in found if problem.file in conflicts))
    mismatches = tuple(problem for problem in found if problem.file not in conflicts)
    return Derived(directory, steps, warnings, mismatches)
