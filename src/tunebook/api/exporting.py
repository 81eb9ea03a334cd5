"""``export``: writes an experiment as an RO-Crate, for an archive."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path

from tunebook.api.archived_jobs import archived_jobs
from tunebook.api.export_warnings import export_warnings
from tunebook.api.loading import find_site
from tunebook.api.location import find_experiment
from tunebook.api.scaffolding import now
from tunebook.api.watching import status
from tunebook.artifacts.text_files import read_readable
from tunebook.core.jobs import Job, JobState
from tunebook.core.naming import directory_problems, run_directories
from tunebook.core.paths import PLAN_FILE, absolute_path, expanded
from tunebook.core.plan import Plan, parse_plan, read_tools
from tunebook.core.secrets import secrets_of_commands, secrets_of_environment
from tunebook.core.site import Site
from tunebook.crate.described import refuse_stranger
from tunebook.crate.values import CrateOptions, ExportedExperiment
from tunebook.crate.walk import place_of
from tunebook.crate.write import write_crate
from tunebook.disk.archive_output import ZIP_SUFFIX, taken
from tunebook.disk.archive_record import LeftOut, refuse_archive
from tunebook.disk.manifest import read_manifest
from tunebook.errors import ExitCode, PlanError, Problem, ToolError, UsageError
from tunebook.run.report import JobReport
from tunebook.tools.installing import install_here
from tunebook.tools.parameters import installed_parameters
from tunebook.tools.registry import installed_tools

__all__ = ["ExportOptions", "ExportReport", "export"]


@dataclass(frozen=True, kw_only=True)
class ExportOptions(CrateOptions):
    """The options of ``export``; which files are included is among them.

    Attributes:
        to: the archive: a ZIP file if its name ends in ``.zip``, otherwise a directory. By default ``NAME-crate.zip``
            beside the experiment's directory.
        overwrite: whether to replace an earlier archive of this name, if nobody added or changed files in it.
    """

    to: Path | None = None
    overwrite: bool = False


@dataclass(frozen=True)
class ExportReport:
    """An archive that was written.

    Attributes:
        files: how many files it has, its description not counted; ``size`` are their bytes before packing.
        contents: what is in it, in words, with the number of files.
        states: the number of jobs in each state, and ``unfinished`` the names of those that are not completed.
        left_out: checkpoints, models and data sets that are only described.
        unknown: files and directories of the experiment that tunebook does not know, and did not include.
        redacted: files in which secrets were replaced.
    """

    experiment: Path
    path: Path
    files: int
    size: int
    contents: Mapping[str, int]
    states: Mapping[JobState, int]
    unfinished: tuple[str, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    unknown: tuple[str, ...] = ()
    redacted: tuple[str, ...] = ()
    warnings: tuple[Problem, ...] = ()

    @property
    def errors(self) -> tuple[Problem, ...]:
        """None: an error ends the export."""
        return ()

    @property
    def exit_code(self) -> ExitCode:
        """``DONE``, also for an experiment whose runs are unfinished."""
        return ExitCode.DONE


def export(
    directory: Path,
    options: ExportOptions | None = None,
    *,
    clock: Callable[[], datetime] = now,
    progress: Callable[[int], object] = lambda _: None,
) -> ExportReport:
    """Writes the experiment with its results as an RO-Crate, which `analyze` opens anywhere.

    Args:
        progress: called with the number of files that were written so far.

    Raises:
        PlanError: the plan cannot be read.
        UsageError: the archive would be inside the experiment, or the experiment is an archive itself.
        ConflictError: something has the archive's name.
        LinkError: a symbolic link leads out of the experiment.
        VerificationError: a secret is in a file that cannot be changed.
        ToolError: the package that describes the archive is not installed.
        OSError: a file cannot be read, or the archive cannot be written.
    """
    options = options or ExportOptions()
    experiment = find_experiment(directory)
    if find_spec("rocrate") is None:
        raise ToolError("the export needs rocrate", hint=install_here("tunebook[export]"))
    refuse_archive(experiment, "export")
    target = _target(experiment, options)
    exported, site_text, reports = _exported(experiment, clock)
    secrets = _secrets(experiment, site_text, reports)
    content, findings = write_crate(
        exported,
        target,
        options,
        secrets=secrets,
        overwrite=refuse_stranger if options.overwrite else None,
        progress=progress,
    )
    states = Counter(report.state for report in reports)
    return ExportReport(
        experiment,
        target,
        content.files,
        content.size,
        {kind.value: number for kind, number in content.by_kind.items()},
        states,
        tuple(report.job.name for report in reports if report.state is not JobState.COMPLETED),
        tuple(findings.left_out),
        tuple(findings.unknown),
        tuple(findings.redacted),
        tuple(export_warnings(exported, content, findings, reports)),
    )


def _secrets(experiment: Path, site_text: str, reports: Sequence[JobReport]) -> frozenset[str]:
    """The secrets of the environment, the site settings and the scripts, which no file of the archive may show."""
    secrets = secrets_of_commands(site_text) | secrets_of_environment(os.environ)
    for report in reports:
        script = read_readable(experiment / report.job.script)
        secrets |= secrets_of_commands(script or "")
    return secrets


def _target(experiment: Path, options: ExportOptions) -> Path:
    """The archive's path.

    Raises:
        UsageError: it is inside the experiment, or its directory does not exist.
        ConflictError: something has its name that this export may not replace.
    """
    target = absolute_path(options.to or experiment.parent / f"{experiment.name}-crate{ZIP_SUFFIX}")
    if target.resolve().is_relative_to(experiment.resolve()):
        message = f"{target} is in the experiment's own directory"
        raise UsageError(message, hint="name a place outside of it: `--to PATH`")
    if not target.parent.is_dir():
        raise UsageError(
            f"the directory {target.parent} does not exist", hint="create it, or name another: `--to PATH`"
        )
    if os.path.lexists(target):
        if not options.overwrite:
            raise taken(target)
        refuse_stranger(target)
    return target


def _exported(experiment: Path, clock: Callable[[], datetime]) -> tuple[ExportedExperiment, str, tuple[JobReport, ...]]:
    """The experiment, the text of its site settings, and the jobs as they are now."""
    plan = _plan(read_readable(experiment / PLAN_FILE) or "")
    site = find_site(experiment).site
    site_file = experiment / site.file if site.file else None
    jobs = read_manifest(experiment).jobs
    reports = status(experiment).jobs if jobs else ()
    exported = ExportedExperiment(
        directory=experiment,
        plan=plan,
        site=site_file,
        directories=run_directories(plan),
        jobs=jobs,
        ends=archived_jobs(experiment, reports),
        data=_placed(experiment, _data_sets(plan, jobs)),
        models=_placed(experiment, _models(plan, site, jobs)),
        packages={tool.short: tool.package.distribution for tool in installed_tools().tools},
        written=clock().isoformat(timespec="seconds"),
    )
    return exported, (read_readable(site_file) or "") if site_file else "", reports


def _plan(text: str) -> Plan:
    parsed = parse_plan(text, installed_parameters(read_tools(text)))
    problems = (*parsed.problems, *directory_problems(parsed.plan))
    if problems:
        raise PlanError(problems)
    return parsed.plan


def _data_sets(plan: Plan, jobs: Iterable[Job]) -> Iterable[str]:
    """The data sets as the jobs name them; as the plan does for those that no job has."""
    yield from (path for job in jobs for path in job.data)
    yield plan.dataset_path
    yield from (task.dataset or "" for task in plan.tasks)


def _models(plan: Plan, site: Site, jobs: Iterable[Job]) -> Iterable[str]:
    yield from (path for job in jobs for path in job.models)
    named = [model.path for model in plan.models]
    if not jobs:
        yield from named or [site.models_dir]


def _placed(experiment: Path, paths: Iterable[str]) -> dict[str, Path]:
    """Each path with its place on this machine; two names of one place count once."""
    found: dict[Path, str] = {}
    for path in filter(None, paths):
        found.setdefault(Path(place_of(os.fspath(experiment), expanded(path))), path)
    return {path: place for place, path in found.items()}
