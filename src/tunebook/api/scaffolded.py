"""Whether the scaffolded files are those that the plan asks for now."""

from __future__ import annotations

from tunebook.api.loading import Loaded
from tunebook.api.scaffolding import now
from tunebook.core.jobs import Stage
from tunebook.errors import ConflictError, PlanError
from tunebook.run.select import LoopOptions
from tunebook.scaffold.blueprint import Blueprint
from tunebook.scaffold.orchestrate import Options
from tunebook.scaffold.orchestrate import scaffold as orchestrate

__all__ = ["refuse_stale"]


def refuse_stale(loaded: Loaded, options: LoopOptions) -> Blueprint:
    """The plan's blueprint, if scaffolding now would write no file of the selected runs; edited files do not count.

    Raises:
        PlanError: a selected run cannot be scaffolded.
        ConflictError: scaffolding would write a file.
    """
    stages = frozenset(Stage) if options.stage is None else frozenset({options.stage})
    dry_run = Options(stages=stages, tool=options.tool, runs=options.runs, dry_run=True, on_failure=lambda _: True)
    report = orchestrate(loaded.context, loaded.tools, dry_run, now)
    if report.errors:
        raise PlanError(report.errors)
    stale = [step.path for step in report.steps if step.writes]
    if stale:
        message = f"{len(stale)} files differ from what the plan asks for now; the first is {stale[0]}"
        raise ConflictError(message, hint="`tunebook scaffold` writes them, `tunebook scaffold --dry-run` shows them")
    return report.blueprint
