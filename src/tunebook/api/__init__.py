"""The verbs, composed here only: what the command line does, a program can do with typed results.

Names of the analysis are loaded when they are first used: no other verb, nor ``tunebook --help``, waits for its import.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from tunebook.api.designing import (
    DEFAULTS,
    Design,
    DesignInputs,
    DesignReport,
    DesignSources,
    Suggestions,
    Totals,
    answer_problem,
    design,
    experiment_name,
    missing_answers,
    read_inputs,
    suggestions,
)
from tunebook.api.loading import find_experiment
from tunebook.api.running import cancel, run, status
from tunebook.api.scaffolding import CheckReport, ToolInfo, ToolsReport, check, scaffold, setup_finetune, tools
from tunebook.api.sites import Candidate, Detected, SettingInForce, SiteDraft, SiteReport, site, site_init
from tunebook.core.jobs import Job, JobState, Stage
from tunebook.executors.registry import Choice
from tunebook.run.report import JobReport, RunReport, Snapshot, StatusReport
from tunebook.run.summary import run_summary
from tunebook.scaffold.rederive import Derived
from tunebook.scaffold.report import ScaffoldReport
from tunebook.scaffold.summary import summary
from tunebook.tools.registry import registered_names as tool_names

if TYPE_CHECKING:  # the one place where a typing block is needed: types of names that are loaded later
    from tunebook.analysis.charts.draw import FigureSize
    from tunebook.analysis.charts.figure import Figure
    from tunebook.analysis.findings.finding import Finding
    from tunebook.analysis.records import Interval, Score
    from tunebook.analysis.values import Analysis
    from tunebook.api.analyzing import AnalyzeReport, analyze
    from tunebook.api.demonstration import DemoReport, DemoRow, demo

__all__ = [
    "DEFAULTS",
    "Analysis",
    "AnalyzeReport",
    "Candidate",
    "CheckReport",
    "Choice",
    "DemoReport",
    "DemoRow",
    "Derived",
    "Design",
    "DesignInputs",
    "DesignReport",
    "DesignSources",
    "Detected",
    "Figure",
    "FigureSize",
    "Finding",
    "Interval",
    "Job",
    "JobReport",
    "JobState",
    "RunReport",
    "ScaffoldReport",
    "Score",
    "SettingInForce",
    "SiteDraft",
    "SiteReport",
    "Snapshot",
    "Stage",
    "StatusReport",
    "Suggestions",
    "ToolInfo",
    "ToolsReport",
    "Totals",
    "analyze",
    "answer_problem",
    "cancel",
    "check",
    "demo",
    "design",
    "experiment_name",
    "find_experiment",
    "missing_answers",
    "read_inputs",
    "run",
    "run_summary",
    "scaffold",
    "setup_finetune",
    "site",
    "site_init",
    "status",
    "suggestions",
    "summary",
    "tool_names",
    "tools",
]

_LOADED_LATER = {
    "Analysis": "tunebook.analysis.values",
    "AnalyzeReport": "tunebook.api.analyzing",
    "DemoReport": "tunebook.api.demonstration",
    "DemoRow": "tunebook.api.demonstration",
    "Figure": "tunebook.analysis.charts.figure",
    "FigureSize": "tunebook.analysis.charts.draw",
    "Finding": "tunebook.analysis.findings.finding",
    "Interval": "tunebook.analysis.records",
    "Score": "tunebook.analysis.records",
    "analyze": "tunebook.api.analyzing",
    "demo": "tunebook.api.demonstration",
}


def __getattr__(name: str) -> Any:
    """The value of a name that is loaded when it is first used."""
    if name not in _LOADED_LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_LOADED_LATER[name]), name)
    globals()[name] = value
    return value
