"""``analyze``: one experiment, or several that are compared in one report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from tunebook.analysis.analyze import analyze_experiment
from tunebook.analysis.analyze import analyze_together as analyze_sources
from tunebook.analysis.destination import Destination, destination_of
from tunebook.analysis.values import Analysis
from tunebook.api.analyze_report import AnalyzeOptions, AnalyzeReport
from tunebook.api.analyzed_members import Member, analyze_members
from tunebook.api.location import find_experiment
from tunebook.api.scaffolding import now
from tunebook.core.paths import ANALYSIS_MEMORY, PLAN_FILE, absolute_path
from tunebook.errors import UsageError

__all__ = ["analyze", "analyze_together"]

_MOST_NAMED = 3  # experiments in the name of a directory


def analyze(
    directory: Path,
    options: AnalyzeOptions | None = None,
    *,
    on_step: Callable[[str], None] = lambda _: None,
    clock: Callable[[], datetime] = now,
) -> AnalyzeReport:
    """Collects and analyzes the results that exist, and writes ``analysis/``.

    Args:
        on_step: called before each step, with what it does.

    Raises:
        PlanError: the plan has problems, so that the run of a directory is not certain.
        LockedError: another analysis writes in this directory.
        ToolError: a package that the analysis needs is not installed.
    """
    options = options or AnalyzeOptions()
    experiment = find_experiment(directory)
    destination = destination_of(experiment)

    def compute(members: Sequence[Member]) -> Analysis:
        return analyze_experiment(members[0].source)

    return analyze_members([experiment], compute, destination, options, clock, on_step=on_step)


def analyze_together(
    directories: Sequence[Path],
    options: AnalyzeOptions | None = None,
    *,
    output: Path | None = None,
    clock: Callable[[], datetime] = now,
) -> AnalyzeReport:
    """Joins experiments that share tasks, compares them, and writes a report about all.

    Args:
        output: the directory for the report, outside of the experiments; by default one in the current directory whose
            name has theirs.

    Raises:
        UsageError: a directory is not an experiment or is given twice, the experiments share no task, or the report's
            directory is that of an experiment or holds other files.
        PlanError: a plan has problems.
        LockedError: another analysis writes in this directory.
        ToolError: a package that the analysis needs is not installed.
    """
    options = options or AnalyzeOptions()
    experiments = [find_experiment(directory) for directory in directories]
    _refuse_repeated(experiments)
    folder = _folder(experiments, output)
    destination = Destination(folder, folder / ANALYSIS_MEMORY)
    if options.write:
        _refuse_foreign(folder, destination.memory)

    def compute(members: Sequence[Member]) -> Analysis:
        sources = [member.source for member in members]
        labels = _labels(members)
        return analyze_sources(dict(zip(labels, sources, strict=True)), folder.parent)

    return analyze_members(experiments, compute, destination, options, clock)


def _refuse_repeated(experiments: Sequence[Path]) -> None:
    seen: dict[Path, Path] = {}
    for experiment in experiments:
        real = experiment.resolve()
        if real in seen:
            raise UsageError(f"{experiment} is given twice", hint="name each experiment once")
        seen[real] = experiment
    if len(seen) < 2:  # noqa: PLR2004
        raise UsageError("at least two experiments are needed to compare them", hint="name another one")


def _folder(experiments: Sequence[Path], output: Path | None) -> Path:
    """The report's directory.

    Raises:
        UsageError: it is in an experiment's directory, or that one itself, or contains one.
    """
    folder = absolute_path(output or _default_name(experiments))
    for experiment in experiments:
        if folder.resolve().is_relative_to(experiment.resolve()):
            message = f"{folder} is in the directory of an experiment: a report about several goes elsewhere"
            raise UsageError(message, hint="use `--output DIR`, or call the command from another directory")
    return folder


def _default_name(experiments: Sequence[Path]) -> str:
    names = [experiment.name for experiment in experiments[:_MOST_NAMED]]
    if len(experiments) > _MOST_NAMED:
        names.append(f"{len(experiments) - _MOST_NAMED}-more")
    return f"analysis-of-{'-'.join(names[:-1])}-and-{names[-1]}"


def _refuse_foreign(folder: Path, memory: Path) -> None:
    """Accepts a directory that is empty, does not exist, or holds an earlier report."""
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is not a directory", hint="use another `--output DIR`")
    if folder.is_dir() and any(folder.iterdir()) and not memory.parent.is_dir():
        raise UsageError(f"{folder} holds other files", hint="use another `--output DIR`")
    if (folder / PLAN_FILE).exists():
        raise UsageError(f"{folder} is an experiment's directory", hint="use another `--output DIR`")


def _labels(members: Sequence[Member]) -> list[str]:
    """The name of each plan; of those that share it, that of the directory too."""
    uses = Counter(member.plan.name for member in members)
    folders = Counter(member.experiment.name for member in members)
    labels = []
    for number, member in enumerate(members, start=1):
        label = member.plan.name
        if uses[label] > 1:
            own = member.experiment.name if folders[member.experiment.name] == 1 else str(number)
            label = f"{label} ({own})"
        labels.append(label)
    return labels
