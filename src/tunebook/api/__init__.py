"""The verbs, composed here only: a program gets typed results from what the command line does."""

from tunebook.analysis.charts.draw import FigureSize
from tunebook.analysis.charts.figure import Figure
from tunebook.analysis.findings.finding import Finding
from tunebook.analysis.records import Interval, Score
from tunebook.analysis.values import Analysis
from tunebook.api.analyzing import AnalyzeReport, analyze
from tunebook.api.demonstration import DemoReport, DemoRow, demo
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
