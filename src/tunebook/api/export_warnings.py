"""Warnings that a person should read before an archive is published."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from tunebook.artifacts.times import timestamp_s
from tunebook.core.authorship import LICENSES, read_license
from tunebook.core.jobs import JobState, count_states
from tunebook.core.paths import ANALYSIS
from tunebook.core.plan import Plan
from tunebook.core.shortened import counted, named
from tunebook.crate.values import Content, ExportedExperiment, Findings, Kind
from tunebook.errors import Problem
from tunebook.run.report import JobReport

__all__ = ["export_warnings"]


def export_warnings(
    experiment: ExportedExperiment, content: Content, findings: Findings, reports: Sequence[JobReport]
) -> Iterator[Problem]:
    """Yields a problem for each thing that is missing in the archive, or that others will read in it."""
    yield from _of_plan(experiment.plan)
    unfinished = [report for report in reports if report.state is not JobState.COMPLETED]
    if unfinished:
        states = count_states(report.state for report in unfinished)
        what = f"{len(unfinished)} of {counted(len(reports), 'job')} are not completed ({states}): "
        what += named([report.job.name for report in unfinished])
        yield Problem(what, hint="`tunebook run` finishes them; `--overwrite` then replaces the archive")
    if not reports:
        yield Problem("nothing was scaffolded here: the archive has no jobs", hint="run `tunebook scaffold` first")
    yield from _of_report(experiment, reports)
    if content.by_kind.get(Kind.EVALUATION):
        logs = counted(content.by_kind[Kind.EVALUATION], "file")
        what = f"the evaluation logs ({logs}) and the report contain prompts, targets and answers of the data's samples"
        yield Problem(what, hint="publish the archive only if you may publish these texts")
    yield from _of_files(findings)


def _of_plan(plan: Plan) -> Iterator[Problem]:
    if plan.authors is None:
        hint = "add `- **Authors:** Ada Lovelace (0000-0002-1825-0097); Grace Hopper` to `## Overview`"
        yield Problem("the plan names no authors", plan.file, hint=hint)
    known = ", ".join(LICENSES[:5])
    if plan.license is None:
        hint = f"add `- **License:** CC-BY-4.0` to `## Overview`; known are {known}, others by their address"
        yield Problem("the plan states no license: others may not reuse the archive", plan.file, hint=hint)
    elif not read_license(plan.license.text).address:
        hint = f"write an identifier of SPDX, such as {known}, or the address of its text"
        yield Problem(f"the license `{plan.license.text}` is not known", plan.file, plan.license.line, hint)


def _of_report(experiment: ExportedExperiment, reports: Sequence[JobReport]) -> Iterator[Problem]:
    hint = "run `tunebook analyze`, then export again with `--overwrite`"
    report = experiment.directory / ANALYSIS / "report.html"
    if not report.is_file():
        yield Problem("the archive has no report", hint=hint)
        return
    written = report.stat().st_mtime
    ends = [end for end in (timestamp_s(report.ended) for report in reports) if end is not None]
    if ends and max(ends) > written + 1:
        time = datetime.fromtimestamp(written, UTC).astimezone().isoformat(sep=" ", timespec="minutes")
        yield Problem(f"the report is of {time}, and jobs have ended since", hint=hint)


def _of_files(findings: Findings) -> Iterator[Problem]:
    if findings.unknown:
        hint = "`--include NAME` adds a file or a directory; patterns such as `notes/*.md` work too"
        yield Problem(f"left out what tunebook does not know: {named(findings.unknown)}", hint=hint)
    if findings.redacted:
        hint = "revoke these tokens and passwords: they were in files that others may have read"
        yield Problem(f"removed secrets from {named(findings.redacted)}", hint=hint)
    if findings.unsearched:
        what = f"could not be searched for secrets: {named(findings.unsearched)}"
        yield Problem(what, hint="they are torn, or packed in an unknown way; look at them before you publish them")
    if findings.unnamed:
        yield Problem(f"left out files whose names are not UTF-8: {named(findings.unnamed)}", hint="rename them")
    if findings.vanished:
        what = f"disappeared while the export ran: {named(findings.vanished)}"
        yield Problem(what, hint="export again when no job is running")
