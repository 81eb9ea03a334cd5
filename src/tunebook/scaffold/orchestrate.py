"""Scaffolds a plan: preparation, then evaluation; writes, reads back, logs and reports each part."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from fnmatch import fnmatchcase

from tunebook.core.jobs import Job, Stage
from tunebook.core.parameters import suggestion
from tunebook.core.paths import SCAFFOLD_LOG, evaluation_script
from tunebook.disk.log import Log
from tunebook.disk.manifest import Manifest, is_edited, read_manifest, rescued_manifest, write_manifest
from tunebook.disk.read import read_text
from tunebook.errors import Problem, TunebookError, UsageError, os_problem
from tunebook.scaffold.blueprint import Blueprint, Part, build_blueprint
from tunebook.scaffold.log import log_complete, log_part, log_part_start, log_prune, log_validation
from tunebook.scaffold.read import reader_of
from tunebook.scaffold.reconcile import Step, digests_after, orphans, reconcile, split_differences
from tunebook.scaffold.report import PartReport, ScaffoldReport
from tunebook.scaffold.validate import validate
from tunebook.scaffold.verified import VerifiedRuns
from tunebook.scaffold.verify import verify_part
from tunebook.scaffold.write import Pruned, prune, write_steps
from tunebook.tools.base import Context, PlannedFile, Tool

__all__ = ["Options", "scaffold", "with_edited_files"]


@dataclass(frozen=True, kw_only=True)
class Options:
    """How to scaffold.

    Attributes:
        stages: the stages to do; files of other stages are neither written nor verified.
        tool: the short name of the only tool to do; ``None`` for all.
        runs: names or directories of runs, or globs; empty for all.
        overwrite: whether to replace files that a person edited; each is kept as ``.orig``.
        prune: whether to remove files that are no longer in the plan.
        dry_run: whether to write nothing.
        on_failure: asked with the report of a failed part whether to continue with the next part.
        on_part: called before each tool's part, with the tool's name, how many parts are done, and how many there are.
    """

    stages: frozenset[Stage] = frozenset(Stage)
    tool: str | None = None
    runs: tuple[str, ...] = ()
    overwrite: bool = False
    prune: bool = False
    dry_run: bool = False
    on_failure: Callable[[PartReport], bool] = field(default=lambda _: False)
    on_part: Callable[[str, int, int], None] = field(default=lambda *_: None)


@dataclass(frozen=True)
class _Session:
    """The values that all steps of one invocation share."""

    context: Context
    options: Options
    manifest: Manifest
    verified: VerifiedRuns
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
        # Joined as text: a sweep reads thousands of files, and making a Path takes longer than reading.
        return read_text(f"{self.context.experiment}/{path}")


def with_edited_files(context: Context, tools: Sequence[Tool], manifest: Manifest) -> Context:
    """The context with the editable files that a person has edited."""
    edited: dict[str, str] = {}
    read = reader_of(context.experiment)
    for tool in tools:
        for run in tool.runs(context.plan):
            for name in tool.editable:
                path = f"{context.directories[run.name]}/{name}"
                text = read(path)
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
    if options.dry_run:
        manifest, notice = read_manifest(context.experiment), ""
    else:
        manifest, notice = rescued_manifest(context.experiment)
    if not options.overwrite:
        context = with_edited_files(context, tools, manifest)
    session = _Session(context, options, manifest, VerifiedRuns(context.experiment), clock)
    blueprint = build_blueprint(tools, context)
    _refuse_unknown_runs(session)
    journal = session.log(SCAFFOLD_LOG)
    reports: list[PartReport] = []
    parts = [part for part in blueprint.parts if _is_wanted(part, options)]
    for part in parts:
        options.on_part(part.tool.name, len(reports), len(parts))
        report = _report_of(session, part, reports, journal)
        log_part(journal, session.log(report.log), report)
        reports.append(report)
    whole = _finish(session, blueprint, reports, journal)
    if notice:
        whole = replace(whole, warnings=(Problem(notice),))
    if not options.dry_run:
        whole = replace(whole, validation=validate(context.experiment, reports))
        log_validation(journal, whole)
    log_complete(journal, whole)
    return whole


def _is_wanted(part: Part, options: Options) -> bool:
    return part.tool.stage in options.stages and options.tool in {None, part.tool.short}


def _refuse_unknown_runs(session: _Session) -> None:
    directories = session.context.directories
    names = [*directories, *directories.values()]
    for pattern in session.options.runs:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise UsageError(f"no run is called `{pattern}`", hint=suggestion(pattern, directories))


def _report_of(session: _Session, part: Part, before: Sequence[PartReport], journal: Log) -> PartReport:
    """Does one tool's part; skips it after a part that failed, unless a person wants to continue."""
    part = part.only(session.is_selected)
    for earlier in before:
        is_needed = earlier.tool.stage is not part.tool.stage
        if is_needed and not earlier.ok and not session.options.on_failure(earlier):
            reason = f"skipped, because {earlier.tool.name} failed (`--on-failure continue` does not skip it)"
            return PartReport(tool=part.tool, skipped=reason, missing=_outputs(part, part.runs))
    log_part_start(journal, part.tool, session.clock())
    started = time.monotonic()
    problems = part.context.findings[part.tool.name].errors
    if not problems:
        try:
            report = _do_part(session, part)
        except TunebookError as error:
            problems = error.problems
        except OSError as error:
            problem = os_problem(error, within=session.context.experiment)
            problems = (replace(problem, message=f"cannot be written or read: {problem.message}"),)
    if problems:
        report = PartReport(tool=part.tool, problems=problems, missing=_outputs(part, part.runs))
    return replace(report, duration_s=time.monotonic() - started)


def _outputs(part: Part, runs: Sequence[str]) -> tuple[str, ...]:
    """The run directories, or the scripts of evaluations, that the part makes for these runs."""
    context = part.context
    outputs: list[str] = []
    for run in runs:
        directory = context.directories[run]
        if part.tool.stage is Stage.PREPARATION:
            outputs.append(f"{directory}/")
        else:
            outputs += [evaluation_script(directory, item.task, item.epoch) for item in context.evaluations[run]]
    return tuple(outputs)


def _do_part(session: _Session, part: Part) -> PartReport:
    """Reconciles the files of a part's runs with the disk, writes them and reads them back."""
    runs: list[str] = []
    files: list[PlannedFile] = []
    directories: list[str] = []
    scripts: list[str] = []
    warnings: list[Problem] = []
    for built in part.built:
        runs.append(session.context.directories[built.run.name])
        files += built.unit.files
        directories += built.unit.directories
        scripts += [job.script for job in built.unit.jobs]
        warnings += built.unit.warnings
    options = session.options
    read = reader_of(session.context.experiment)
    steps = reconcile(dict.fromkeys(files), read, session.manifest.generated, overwrite=options.overwrite)
    mismatches: tuple[Problem, ...] = ()
    in_edited: tuple[Problem, ...] = ()
    known = 0
    if not options.dry_run:
        write_steps(session.context.experiment, steps, directories)
        differences, known = verify_part(session.verified, part, steps, session.read)
        in_edited, mismatches = split_differences(differences, steps)
        warnings += in_edited
    return PartReport(
        tool=part.tool,
        runs=tuple(runs),
        scripts=tuple(scripts),
        directories=tuple(directories),
        commands=part.tool.manual_commands(scripts) if scripts else (),
        steps=steps,
        failures=part.failures,
        missing=_outputs(part, [failure.run for failure in part.failures]),
        mismatches=mismatches,
        differing=len(in_edited),
        known=known,
        warnings=tuple(warnings),
    )


def _finish(session: _Session, blueprint: Blueprint, reports: Sequence[PartReport], journal: Log) -> ScaffoldReport:
    """Finds orphans, prunes them if asked to, and records in the manifest what is on disk now."""
    options, experiment = session.options, session.context.experiment
    generated = session.manifest.generated
    lost: tuple[Step, ...] = ()
    if not any(part.failures for part in blueprint.parts):  # the files of a failed run would look like orphans
        lost = orphans((path for path in generated if path not in blueprint.paths), session.read)
    pruned = Pruned()
    if not options.dry_run:
        if options.prune:
            pruned = prune(experiment, lost, generated, blueprint.paths)
            log_prune(journal, lost, pruned.removed)
        _record(session, blueprint, reports, pruned.gone)
    return ScaffoldReport(
        experiment=experiment,
        name=session.context.plan.name,
        parts=tuple(reports),
        orphans=tuple(step.path for step in lost if step.path not in pruned.removed),
        pruned=pruned.removed,
        dry_run=options.dry_run,
        blueprint=blueprint,
    )


def _record(session: _Session, blueprint: Blueprint, reports: Sequence[PartReport], gone: Sequence[str]) -> None:
    """Writes the manifest: digests of the generated files, and the jobs whose scripts exist."""
    experiment = session.context.experiment
    steps = [step for report in reports for step in report.steps]
    manifest, before = session.manifest, session.manifest.jobs
    if any(step.writes for step in steps) or any(report.errors for report in reports):
        manifest = read_manifest(experiment)  # a failed part recorded the files that it had written
    generated = digests_after(manifest.generated, steps)
    for path in gone:
        generated.pop(path, None)
    found = {step.path for step in steps}  # each was read or written
    undone = {report.tool.short for report in reports if report.problems or report.skipped}
    planned = _planned_jobs(blueprint, before, undone)
    jobs = [job for job in planned if job.script in found or _is_file(f"{experiment}/{job.script}")]
    jobs.sort(key=lambda job: job.stage is Stage.EVALUATION)
    write_manifest(experiment, Manifest(generated, tuple(jobs)))
    session.verified.save({part.tool.short: part.runs for part in blueprint.parts})


def _planned_jobs(blueprint: Blueprint, before: Sequence[Job], undone: Collection[str]) -> Iterator[Job]:
    """The plan's jobs; those of parts that were not done, and of runs that failed, as their scripts were written.

    Such a job may be queued, running or completed: it stays known.

    Args:
        before: the jobs of the manifest.
        undone: the tools whose parts were not done.
    """
    written = {job.script: job for job in before}
    for job in blueprint.jobs:
        known = written.pop(job.script, job)
        yield known if job.tool in undone else job
    failed = {(part.tool.short, failure.run) for part in blueprint.parts for failure in part.failures}
    for job in written.values():
        if (job.tool, job.run) in failed:
            yield job


def _is_file(path: str) -> bool:
    return os.path.isfile(path)  # noqa: PTH113  a sweep has thousands
