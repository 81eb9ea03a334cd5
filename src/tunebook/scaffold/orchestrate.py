"""Scaffolds a plan: preparation, then evaluation; writes, reads back, logs and reports each part."""

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
from tunebook.scaffold.blueprint import Blueprint, Part, build_part
from tunebook.scaffold.log import log_complete, log_part, log_part_start
from tunebook.scaffold.reconcile import Action, Step, orphans, reconcile, split_differences
from tunebook.scaffold.report import PartReport, ScaffoldReport
from tunebook.scaffold.write import prune, write_steps
from tunebook.tools.base import Context, PlannedFile, Tool

__all__ = ["Options", "scaffold"]


@dataclass(frozen=True, kw_only=True)
class Options:
    """How to scaffold.

    Attributes:
        stages: the stages to do; files of other stages are neither written nor verified.
        runs: names or directories of runs, or globs; empty for all.
        overwrite: whether to replace files that a person edited; each is kept as ``.orig``.
        prune: whether to remove files that are no longer in the plan.
        dry_run: whether to write nothing.
        on_failure: asked with a failed part's tool whether to continue with the next part.
    """

    stages: frozenset[Stage] = frozenset(Stage)
    runs: tuple[str, ...] = ()
    overwrite: bool = False
    prune: bool = False
    dry_run: bool = False
    on_failure: Callable[[str], bool] = field(default=lambda _: False)


@dataclass(frozen=True)
class _Session:
    """The values that all steps of one invocation share."""

    context: Context
    options: Options
    manifest: Manifest
    clock: Callable[[], datetime]

    def log(self, name: str) -> Log:
        return Log(None if self.options.dry_run else self.context.experiment / name, self.clock)

    def is_selected(self, run: str) -> bool:
        """Whether the options select a run, by its name or its directory."""
        if not self.options.runs:
            return True
        directory = self.context.directories[run]
        return any(fnmatchcase(run, glob) or fnmatchcase(directory, glob) for glob in self.options.runs)

    def read(self, path: str) -> str | None:
        # Joined as text: a sweep reads thousands of files, and a Path costs more than the reading.
        return read_text(f"{self.context.experiment}/{path}")

    def on_disk(self, paths: Iterable[str]) -> dict[str, str | None]:
        return {path: self.read(path) for path in paths}

    def reconciled(self, files: Sequence[PlannedFile]) -> tuple[Step, ...]:
        texts = self.on_disk(file.path for file in files)
        return reconcile(files, texts, self.manifest.generated, overwrite=self.options.overwrite)


def _with_edited_files(context: Context, tools: Sequence[Tool], manifest: Manifest) -> Context:
    """The context with the editable files that a person has edited."""
    edited: dict[str, str] = {}
    for tool in tools:
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
        UsageError: no run has one of the selected names.
    """
    manifest = read_manifest(context.experiment)
    if not options.overwrite:
        context = _with_edited_files(context, tools, manifest)
    session = _Session(context, options, manifest, clock)
    blueprint = _build(tools, context)
    _refuse_unknown_runs(session)
    journal = session.log(SCAFFOLD_LOG)
    reports: list[PartReport] = []
    for part in blueprint.parts:
        if part.tool.stage in options.stages:
            report = _report_of(session, part, reports, journal)
            log_part(journal, session.log(report.log), report)
            reports.append(report)
    whole = _finish(session, blueprint, reports)
    log_complete(journal, whole)
    return whole


def _build(tools: Sequence[Tool], context: Context) -> Blueprint:
    """Every tool's part; later tools see what earlier ones prepare."""
    parts: list[Part] = []
    for tool in tools:
        part = build_part(tool, context)
        parts.append(part)
        context = replace(context, prepared={**context.prepared, **part.prepared})
    return Blueprint(tuple(parts))


def _refuse_unknown_runs(session: _Session) -> None:
    directories = session.context.directories
    names = [*directories, *directories.values()]
    for pattern in session.options.runs:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise UsageError(f"no run is called `{pattern}`", hint="runs: " + ", ".join(directories))


def _report_of(session: _Session, part: Part, before: Sequence[PartReport], journal: Log) -> PartReport:
    """One tool's part, done; or skipped after a part that failed, unless a person wants to continue."""
    tool = part.tool
    report = PartReport(
        tool=tool.name, short=tool.short, stage=tool.stage, log=tool_log("scaffold", tool.short), files=tool.files
    )
    failed = next((earlier for earlier in before if not earlier.ok), None)
    if failed and not session.options.on_failure(failed.tool):
        return replace(report, skipped=f"skipped, because {failed.tool} failed (--on-failure continue does it)")
    log_part_start(journal, tool)
    started = time.monotonic()
    report = _do_part(session, part, report)
    return replace(report, duration_s=time.monotonic() - started)


def _do_part(session: _Session, part: Part, report: PartReport) -> PartReport:
    """Reconciles the selected runs' files with the disk, writes them and reads them back."""
    part = part.only(session.is_selected)
    scripts = tuple(job.script for job in part.jobs)
    steps = session.reconciled(part.files)
    warnings, mismatches = tuple[Problem, ...](), tuple[Problem, ...]()
    if not session.options.dry_run:
        write_steps(session.context.experiment, steps, part.directories)
        problems = part.differences(lambda path: session.read(path) or "")
        warnings, mismatches = split_differences(problems, steps)
    return replace(
        report,
        runs=tuple(session.context.directories[built.run.name] for built in part.built),
        scripts=scripts,
        commands=part.tool.manual_commands(scripts) if scripts else (),
        steps=steps,
        failures=part.failures,
        mismatches=mismatches,
        warnings=(*part.warnings, *warnings),
    )


def _finish(session: _Session, blueprint: Blueprint, reports: Sequence[PartReport]) -> ScaffoldReport:
    """Finds orphans, prunes them if asked to, and records in the manifest what is on disk now."""
    options, experiment = session.options, session.context.experiment
    generated = session.manifest.generated
    wanted = blueprint.paths
    lost: tuple[Step, ...] = ()
    if not blueprint.has_failures:  # otherwise the files of a failed run would look like orphans
        lost = orphans(session.on_disk(path for path in generated if path not in wanted))
    removed: tuple[str, ...] = ()
    if not options.dry_run:
        if options.prune:
            removed = prune(experiment, lost, generated, wanted)
        _record(session, blueprint, reports, removed)
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


def _record(session: _Session, blueprint: Blueprint, reports: Sequence[PartReport], removed: Sequence[str]) -> None:
    """Writes the manifest: digests of the generated files, and the jobs whose scripts exist."""
    experiment = session.context.experiment
    generated = dict(session.manifest.generated)
    for path in removed:
        del generated[path]
    for report in reports:
        for step in report.steps:
            if step.action is not Action.CONFLICT and step.after is not None:
                generated[step.path] = (digest(step.after),)
    jobs = tuple(job for job in blueprint.jobs if os.path.isfile(f"{experiment}/{job.script}"))  # noqa: PTH113
    write_manifest(experiment, Manifest(generated, jobs))
