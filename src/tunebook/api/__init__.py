"""The verbs, composed here only: what the command line does, a program can do with typed results."""

from tunebook.api.demonstration import DemoReport, DemoRow, demo
from tunebook.api.loading import find_experiment
from tunebook.api.running import cancel, run, status
from tunebook.api.scaffolding import CheckReport, ToolInfo, check, scaffold, setup_finetune, tools
from tunebook.core.job import Job, JobState, Stage
from tunebook.executors.registry import Choice
from tunebook.run.report import JobReport, RunReport, Snapshot, StatusReport
from tunebook.run.summary import run_summary
from tunebook.scaffold.rederive import Derived
from tunebook.scaffold.report import ScaffoldReport
from tunebook.scaffold.summary import summary

__all__ = [
    "CheckReport",
    "Choice",
    "DemoReport",
    "DemoRow",
    "Derived",
    "Job",
    "JobReport",
    "JobState",
    "RunReport",
    "ScaffoldReport",
    "Snapshot",
    "Stage",
    "StatusReport",
    "ToolInfo",
    "cancel",
    "check",
    "demo",
    "find_experiment",
    "run",
    "run_summary",
    "scaffold",
    "setup_finetune",
    "status",
    "summary",
    "tools",
]
