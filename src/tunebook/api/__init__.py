"""The verbs, composed here only: what the command line does, a program can do with typed results."""

from tunebook.analysis.charts.draw import FigureSize
from tunebook.analysis.charts.figure import Figure
from tunebook.analysis.records import Interval, Score
from tunebook.analysis.values import Analysis, Finding
from tunebook.api.analyzing import AnalyzeReport, analyze
from tunebook.api.demonstration import DemoReport, DemoRow, demo
from tunebook.api.loading import find_experiment
from tunebook.api.running import cancel, run, status
from tunebook.api.scaffolding import CheckReport, ToolInfo, check, scaffold, setup_finetune, tools
from tunebook.core.job import Job, JobState, Stage
from tunebook.executors.registry import Choice
from tunebook.run.report import JobReport, RunReport, Snapshot
from tunebook.scaffold.rederive import Derived
from tunebook.scaffold.report import ScaffoldReport
from tunebook.scaffold.summary import summary

__all__ = [
    "Analysis",
    "AnalyzeReport",
    "CheckReport",
    "Choice",
    "DemoReport",
    "DemoRow",
    "Derived",
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
    "Snapshot",
    "Stage",
    "ToolInfo",
    "analyze",
    "cancel",
    "check",
    "demo",
    "find_experiment",
    "run",
    "scaffold",
    "setup_finetune",
    "status",
    "summary",
    "tools",
]
