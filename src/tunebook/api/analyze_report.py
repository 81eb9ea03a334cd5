"""The options of ``analyze`` and what it returns: values, data frames and the files that were written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from tunebook.analysis.charts.catalogue import figures
from tunebook.analysis.charts.figure import Figure
from tunebook.analysis.findings.finding import Finding
from tunebook.analysis.frames import FRAMES
from tunebook.analysis.report.html import notebook_html
from tunebook.analysis.report.sections import content_of
from tunebook.analysis.report.write import ReportOptions
from tunebook.analysis.summary import Summary
from tunebook.analysis.values import Analysis
from tunebook.core.jobs import JobState
from tunebook.errors import ExitCode, Problem

__all__ = ["AnalyzeOptions", "AnalyzeReport"]


@dataclass(frozen=True, kw_only=True)
class AnalyzeOptions(ReportOptions):
    """The options of ``analyze``; those of the report are among them.

    Attributes:
        write: whether to write the tables, the report and the log.
        ask: whether to ask executors for the state of their jobs.
    """

    write: bool = True
    ask: bool = True


@dataclass(frozen=True)
class AnalyzeReport:
    """The results of an experiment, or of several together, and the files that they were written to.

    Attributes:
        experiment: the experiment's directory; of several experiments, the one that holds the report's.
        folder: the report's directory.
        summary: what commands print of the analysis.
        compute: makes the analysis, or returns the one that was made.
        files: relative to ``experiment``; empty if nothing was written.
        warnings: problems that kept the analysis from knowing more, such as a scheduler that did not answer.
        seconds: how long the analysis took.
        is_new: whether it was made now; ``False`` if nothing has changed since the last one was written.
        experiments: the directory of each experiment that it is about.
    """

    experiment: Path
    folder: Path
    summary: Summary
    compute: Callable[[], Analysis] = field(repr=False, compare=False)
    files: tuple[str, ...] = ()
    warnings: tuple[Problem, ...] = ()
    seconds: float = 0.0
    is_new: bool = True
    experiments: tuple[Path, ...] = ()

    @cached_property
    def analysis(self) -> Analysis:
        """Everything that is known; where nothing had changed since the last analysis, it is made when first asked."""
        return self.compute()

    @property
    def path(self) -> Path:
        """The report to open."""
        return self.folder / "report.html"

    @property
    def states(self) -> tuple[JobState, ...]:
        """The state of every training and every evaluation."""
        return self.summary.states

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The sentences that the numbers support."""
        return self.summary.findings

    @property
    def exit_code(self) -> ExitCode:
        """``UNFINISHED`` if a planned result is missing."""
        return ExitCode.DONE if self.summary.is_finished else ExitCode.UNFINISHED

    @property
    def runs(self) -> Any:
        """A data frame with one row per run."""
        return FRAMES["runs"](self.analysis)

    @property
    def evaluations(self) -> Any:
        """A data frame with one row per score."""
        return FRAMES["evaluations"](self.analysis)

    @property
    def samples(self) -> Any:
        """A data frame with one row per sample."""
        return FRAMES["samples"](self.analysis)

    @property
    def curves(self) -> Any:
        """A data frame with one row per training step."""
        return FRAMES["curves"](self.analysis)

    @property
    def comparisons(self) -> Any:
        """A data frame with one row per comparison of two runs."""
        return FRAMES["comparisons"](self.analysis)

    @property
    def effects(self) -> Any:
        """A data frame with one row per level of a factor."""
        return FRAMES["effects"](self.analysis)

    @property
    def ranking(self) -> Any:
        """A data frame with one row per setting, the best first."""
        return FRAMES["ranking"](self.analysis)

    @property
    def hypotheses(self) -> Any:
        """A data frame with one row per hypothesis of the plan."""
        return FRAMES["hypotheses"](self.analysis)

    @property
    def aggregates(self) -> Any:
        """A data frame with one row per run and measure of all samples together."""
        return FRAMES["aggregates"](self.analysis)

    @property
    def groups(self) -> Any:
        """A data frame with one row per run, measure and group of samples."""
        return FRAMES["groups"](self.analysis)

    @property
    def figures(self) -> tuple[Figure, ...]:
        """Every figure; a notebook displays them."""
        return figures(self.analysis)

    def _repr_html_(self) -> str:
        """The findings and the runs, as a notebook displays them."""
        return notebook_html(content_of(self.analysis))
