"""The orchestrator: preparation first, evaluation second, each step logged, written, read back and reported."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from fnmatch import fnmatchcase

from tunebook.core.jobs import Stage
from tunebook.core.paths import SCAFFOLD_LOG, tool_log
from tunebook.disk.atomic import read_text
from tunebook.disk.log import Log
from tunebook.disk.manifest import Manifest, digest, is_edited, read_manifest, write_manifest
from tunebook.errors import Problem, UsageError
from tunebook.scaffold.blueprint import Blueprint, Built, Part, build_part
from tunebook.scaffold.log import log_complete, log_part, log_part_start
from tunebook.scaffold.reconcile import Action, Step, orphans, reconcile
from tunebook.scaffold.report import PartReport, ScaffoldReport
from tunebook.scaffold.write import prune, write_steps
from tunebook.tools.base import Context, Tool

__all__ = ["Options", "experiment_context", "scaffold"]


@dataclass(frozen=True)
class Options:
    """How to scaffold.

    Attributes:
        stages: the stages to do; others are neither written nor verified.
        runs: run or directory names, or globs; none means all.
        on_failure: asked after a part that failed: whether to go on with the next.
    """

    stages: frozenset[Stage] = frozenset(Stage)
    runs: tuple[str, ...] = ()
    overwrite: bool = False
    prune: bool = False
    dry_run: bool = False
    on_failure: Callable[[str], bool] = field(default=lambda _: False)


@dataclass(frozen=True)
class _Session:
    """What the steps of one invocation share."""

    context: Context
    options: Options
    manifest: Manifest
    clock: Callable[[], datetime]

    def log(self, name: str) -> Log:
        return Log(None if self.options.dry_run else self.context.experiment / name, self.clock)

    def selected(self, built: Built) -> bool:
        names = (built.run.name, self.context.directories[built.run.name])
        patterns = self.options.runs
        return not patterns or any(fnmatchcase(name, pattern) for name in names for pattern in patterns)

    def on_disk(self, paths: Iterable[str]) -> dict[str, str | None]:
        root = str(self.context.experiment)
        return {path: read_text(f"{root}/{path}") for path in paths}


def experiment_context(context: Context, tools: Sequence[Tool], manifest: Manifest, *, overwrite: bool) -> Context:
    """The context with the files that a person edited and that decide over others; none with ``overwrite``."""
    edited: dict[str, str] = {}
    for tool in tools if not overwrite else ():
        for run in tool.runs(context.plan):
            for name in tool.editable:
                path = f"{context.directories[run.name]}/{name}"
                text = read_text(f"{context.experiment}/{path}")
                if text is not None and is_edited(text, manifest.generated.get(path, ())):
                    edited[path] = text
    return replace(context, edited=edited)


def scaffold(
    context: Context, tools: Sequence[Tool], options: Options, clock: Callable[[], datetime]
) -> ScaffoldReport:
    """Builds everything as a value, then writes and verifies what is selected, one tool after the other.

    Raises:
        UsageError: a run that was asked for does not exist.
    """
    manifest = read_manifest(context.experiment)
    context = experiment_context(context, tools, manifest, overwrite=options.overwrite)
    session = _Session(context, options, manifest, clock)
    blueprint = _build(tools, context)
    _refuse_unknown_runs(session)
    journal = session.log(SCAFFOLD_LOG)
    reports: list[PartReport] = []
    for part in blueprint.parts:
        if part.tool.stage in options.stages:
            reports.append(_do_part(session, part, reports, journal))
    report = _finish(session, blueprint, reports)
    log_complete(journal, report)
    return report


def _build(tools: Sequence[Tool], context: Context) -> Blueprint:
    parts: list[Part] = []
    for tool in tools:
        prepared = {name: value for part in parts for name, value in part.prepared.items()}
        parts.append(build_part(tool, replace(context, prepared=prepared)))
    return Blueprint(tuple(parts))


def _refuse_unknown_runs(session: _Session) -> None:
    names = session.context.directories
    for pattern in session.options.runs:
        if not any(fnmatchcase(name, pattern) for pair in names.items() for name in pair):
            raise UsageError(f"no run is called `{pattern}`", hint="runs: " + ", ".join(names))


def _do_part(session: _Session, part: Part, before: Sequence[PartReport], journal: Log) -> PartReport:
    """One tool: reconcile, write, read back, log. A part after one that failed is done only if that is wanted."""
    tool = part.tool
    report = PartReport(tool.name, tool.short, tool.stage, tool_log("scaffold", tool.short))
    failed = next((done for done in before if not done.ok), None)
    if failed and not session.options.on_failure(failed.tool):
        report = replace(report, skipped=f"not done, since {failed.tool} failed (--on-failure continue goes on)")
        log_part(journal, session.log(report.log), report)
        return report
    log_part_start(journal, tool)
    started = time.monotonic()
    selected = [built for built in part.built if session.selected(built)]
    files = [file for built in selected for file in built.unit.files]
    steps = reconcile(
        files,
        session.on_disk(file.path for file in files),
        session.manifest.generated,
        overwrite=session.options.overwrite,
    )
    if not session.options.dry_run:
        directories = [path for built in selected for path in built.unit.directories]
        write_steps(session.context.experiment, steps, directories)
    conflicts = {step.path for step in steps if step.action is Action.CONFLICT}
    mismatches = [] if session.options.dry_run else _verify(session, part, selected)
    report = replace(
        report,
        runs=tuple(session.context.directories[built.run.name] for built in selected),
        scripts=tuple(job.script for built in selected for job in built.unit.jobs),
        steps=steps,
        failures=tuple(failure for failure in part.failures if _is_wanted(session, failure.run)),
        mismatches=tuple(problem for problem in mismatches if problem.file not in conflicts),
        warnings=(
            *(warning for built in selected for warning in built.unit.warnings),
            *(problem for problem in mismatches if problem.file in conflicts),
        ),
        duration_s=time.monotonic() - started,
    )
    log_part(journal, session.log(report.log), report)
    return report


def _is_wanted(session: _Session, run: str) -> bool:
    patterns = session.options.runs
    names = (run, session.context.directories[run])
    return not patterns or any(fnmatchcase(name, pattern) for name in names for pattern in patterns)


def _verify(session: _Session, part: Part, selected: Sequence[Built]) -> list[Problem]:
    root = str(session.context.experiment)

    def read(path: str) -> str:
        return read_text(f"{root}/{path}") or ""

    return [problem for built in selected for problem in part.tool.verify(part.context, built.run, built.unit, read)]


def _finish(session: _Session, blueprint: Blueprint, reports: Sequence[PartReport]) -> ScaffoldReport:
    """Orphans, and the manifest of what is there now."""
    options, experiment = session.options, session.context.experiment
    steps = [step for report in reports for step in report.steps]
    wanted = {file.path for file in blueprint.files}
    known = session.on_disk(path for path in session.manifest.generated if path not in wanted)
    lost = () if blueprint.failed_runs else orphans(wanted, known)
    removed: tuple[str, ...] = ()
    if options.prune and not options.dry_run:
        removed = prune(experiment, lost, session.manifest.generated, wanted)
    if not options.dry_run:
        _remember(session, blueprint, steps, removed)
    left = tuple(step.path for step in lost if step.path not in removed)
    return ScaffoldReport(
        experiment=experiment,
        name=session.context.plan.name,
        parts=tuple(reports),
        orphans=left,
        pruned=removed,
        kept=left if options.prune else (),
        dry_run=options.dry_run,
    )


def _remember(session: _Session, blueprint: Blueprint, steps: Sequence[Step], removed: Sequence[str]) -> None:
    generated: dict[str, tuple[str, ...]] = {
        path: digests for path, digests in session.manifest.generated.items() if path not in removed
    }
    for step in steps:
        if step.action is not Action.CONFLICT and step.after is not None:
            generated[step.path] = (digest(step.after),)
    experiment = session.context.experiment
    jobs = tuple(job for job in blueprint.jobs if os.path.isfile(f"{experiment}/{job.script}"))  # noqa: PTH113
    write_manifest(experiment, Manifest(generated, jobs))
