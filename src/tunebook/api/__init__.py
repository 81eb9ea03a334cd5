"""The public namespace: every verb of the command line as a function, with its options and its report.

The module of a name is imported when the name is first used, so that ``tunebook --help`` imports no verb.

The verbs are here and not in ``tunebook`` itself, because six of them are also names of rooms (``tunebook.tools`` …).
Programs that resolve a dotted path with ``getattr`` must find the rooms there; training tools resolve the components
of a configuration like that.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # type checkers do not follow __getattr__; a test compares these imports with the table
    from tunebook.analysis.charts.figure import Figure as Figure
    from tunebook.analysis.charts.figure import FigureSize as FigureSize
    from tunebook.analysis.findings.finding import Finding as Finding
    from tunebook.analysis.records import Interval as Interval
    from tunebook.analysis.records import Score as Score
    from tunebook.analysis.values import Analysis as Analysis
    from tunebook.api.agent_skills import SKILL_LAYOUTS as SKILL_LAYOUTS
    from tunebook.api.agent_skills import InstalledSkills as InstalledSkills
    from tunebook.api.agent_skills import SkillsOptions as SkillsOptions
    from tunebook.api.agent_skills import SkillState as SkillState
    from tunebook.api.agent_skills import skills as skills
    from tunebook.api.agent_skills import skills_install as skills_install
    from tunebook.api.analyze_report import AnalyzeOptions as AnalyzeOptions
    from tunebook.api.analyze_report import AnalyzeReport as AnalyzeReport
    from tunebook.api.analyzing import analyze as analyze
    from tunebook.api.analyzing import analyze_together as analyze_together
    from tunebook.api.checking import CheckReport as CheckReport
    from tunebook.api.checking import check as check
    from tunebook.api.deep_checking import DeepOutcome as DeepOutcome
    from tunebook.api.demonstration import DemoOptions as DemoOptions
    from tunebook.api.demonstration import DemoReport as DemoReport
    from tunebook.api.demonstration import DemoRow as DemoRow
    from tunebook.api.demonstration import demo as demo
    from tunebook.api.designing import DesignOptions as DesignOptions
    from tunebook.api.designing import DesignReport as DesignReport
    from tunebook.api.designing import DesignSources as DesignSources
    from tunebook.api.designing import answer_problem as answer_problem
    from tunebook.api.designing import design as design
    from tunebook.api.designing import experiment_name as experiment_name
    from tunebook.api.designing import missing_answers as missing_answers
    from tunebook.api.designing import read_inputs as read_inputs
    from tunebook.api.designing import suggestions as suggestions
    from tunebook.api.doctoring import DoctorOptions as DoctorOptions
    from tunebook.api.doctoring import DoctorReport as DoctorReport
    from tunebook.api.doctoring import Examined as Examined
    from tunebook.api.doctoring import doctor as doctor
    from tunebook.api.exporting import ExportOptions as ExportOptions
    from tunebook.api.exporting import ExportReport as ExportReport
    from tunebook.api.exporting import export as export
    from tunebook.api.importing import import_plan as import_plan
    from tunebook.api.location import experiment_here as experiment_here
    from tunebook.api.location import find_experiment as find_experiment
    from tunebook.api.new_task import NewTaskOptions as NewTaskOptions
    from tunebook.api.new_task import NewTaskReport as NewTaskReport
    from tunebook.api.new_task import WrittenFile as WrittenFile
    from tunebook.api.new_task import task_new as task_new
    from tunebook.api.running import RunOptions as RunOptions
    from tunebook.api.running import preview as preview
    from tunebook.api.running import run as run
    from tunebook.api.scaffolding import ScaffoldOptions as ScaffoldOptions
    from tunebook.api.scaffolding import ToolInfo as ToolInfo
    from tunebook.api.scaffolding import ToolsReport as ToolsReport
    from tunebook.api.scaffolding import scaffold as scaffold
    from tunebook.api.scaffolding import setup_finetune as setup_finetune
    from tunebook.api.scaffolding import tools as tools
    from tunebook.api.sites import SettingInEffect as SettingInEffect
    from tunebook.api.sites import SiteDraft as SiteDraft
    from tunebook.api.sites import SiteInitOptions as SiteInitOptions
    from tunebook.api.sites import SiteReport as SiteReport
    from tunebook.api.sites import site as site
    from tunebook.api.sites import site_init as site_init
    from tunebook.api.spot_checking import SpotCheckOptions as SpotCheckOptions
    from tunebook.api.spot_checking import SpotCheckReport as SpotCheckReport
    from tunebook.api.spot_checking import SpotRow as SpotRow
    from tunebook.api.spot_checking import spot_check as spot_check
    from tunebook.api.watching import cancel as cancel
    from tunebook.api.watching import status as status
    from tunebook.core.error_pages import ErrorPage as ErrorPage
    from tunebook.core.error_pages import explain as explain
    from tunebook.core.jobs import Job as Job
    from tunebook.core.jobs import JobState as JobState
    from tunebook.core.jobs import Stage as Stage
    from tunebook.core.plan import EvaluationTask as EvaluationTask
    from tunebook.core.plan import Model as Model
    from tunebook.design.check import DEFAULTS as DEFAULTS
    from tunebook.design.proposal import Totals as Totals
    from tunebook.design.suggest import Suggestions as Suggestions
    from tunebook.design.values import Design as Design
    from tunebook.design.values import DesignInputs as DesignInputs
    from tunebook.design.values import Factor as Factor
    from tunebook.disk.inside import link_out as link_out
    from tunebook.disk.interrupts import interrupt_as_if as interrupt_as_if
    from tunebook.disk.interrupts import interrupt_code as interrupt_code
    from tunebook.disk.interrupts import interrupt_on_signals as interrupt_on_signals
    from tunebook.executors.registry import Choice as Choice
    from tunebook.executors.registry import executor_names as executor_names
    from tunebook.run.condensed import Condensed as Condensed
    from tunebook.run.condensed import condense as condense
    from tunebook.run.condensed import group_jobs as group_jobs
    from tunebook.run.condensed import stage_counts as stage_counts
    from tunebook.run.condensed import state_counts as state_counts
    from tunebook.run.failures import MISSING_FILE as MISSING_FILE
    from tunebook.run.preview import Preview as Preview
    from tunebook.run.preview import PreviewedJob as PreviewedJob
    from tunebook.run.preview import preview_lines as preview_lines
    from tunebook.run.report import JobReport as JobReport
    from tunebook.run.report import RunReport as RunReport
    from tunebook.run.report import Snapshot as Snapshot
    from tunebook.run.report import StatusReport as StatusReport
    from tunebook.run.summary import run_summary as run_summary
    from tunebook.scaffold.effects import EffectTable as EffectTable
    from tunebook.scaffold.reconcile import Step as Step
    from tunebook.scaffold.rederive import Derived as Derived
    from tunebook.scaffold.report import PartReport as PartReport
    from tunebook.scaffold.report import ScaffoldReport as ScaffoldReport
    from tunebook.scaffold.samples import Sample as Sample
    from tunebook.scaffold.summary import scaffold_summary as scaffold_summary
    from tunebook.site.doctor.diagnosis import Condition as Condition
    from tunebook.site.doctor.diagnosis import Diagnosis as Diagnosis
    from tunebook.site.machine import Candidate as Candidate
    from tunebook.site.machine import Detected as Detected
    from tunebook.tools.entry_points import tool_names as tool_names
    from tunebook.tools.installing import install_here as install_here
    from tunebook.tools.parameters import every_parameter as every_parameter

_NAMES_IN = {
    "tunebook.analysis.charts.figure": ("Figure", "FigureSize"),
    "tunebook.analysis.findings.finding": ("Finding",),
    "tunebook.analysis.records": ("Interval", "Score"),
    "tunebook.analysis.values": ("Analysis",),
    "tunebook.api.analyze_report": ("AnalyzeOptions", "AnalyzeReport"),
    "tunebook.api.analyzing": ("analyze", "analyze_together"),
    "tunebook.api.demonstration": ("DemoOptions", "DemoReport", "DemoRow", "demo"),
    "tunebook.api.designing": (
        "DesignOptions",
        "DesignReport",
        "DesignSources",
        "answer_problem",
        "design",
        "experiment_name",
        "missing_answers",
        "read_inputs",
        "suggestions",
    ),
    "tunebook.api.doctoring": ("DoctorOptions", "DoctorReport", "Examined", "doctor"),
    "tunebook.api.exporting": ("ExportOptions", "ExportReport", "export"),
    "tunebook.api.importing": ("import_plan",),
    "tunebook.api.new_task": ("NewTaskOptions", "NewTaskReport", "WrittenFile", "task_new"),
    "tunebook.api.location": ("experiment_here", "find_experiment"),
    "tunebook.api.running": ("RunOptions", "preview", "run"),
    "tunebook.api.watching": ("cancel", "status"),
    "tunebook.api.checking": ("CheckReport", "check"),
    "tunebook.api.deep_checking": ("DeepOutcome",),
    "tunebook.api.scaffolding": (
        "ScaffoldOptions",
        "ToolInfo",
        "ToolsReport",
        "scaffold",
        "setup_finetune",
        "tools",
    ),
    "tunebook.api.sites": ("SettingInEffect", "SiteDraft", "SiteInitOptions", "SiteReport", "site", "site_init"),
    "tunebook.api.agent_skills": (
        "SKILL_LAYOUTS",
        "InstalledSkills",
        "SkillState",
        "SkillsOptions",
        "skills",
        "skills_install",
    ),
    "tunebook.api.spot_checking": ("SpotCheckOptions", "SpotCheckReport", "SpotRow", "spot_check"),
    "tunebook.core.error_pages": ("ErrorPage", "explain"),
    "tunebook.core.jobs": ("Job", "JobState", "Stage"),
    "tunebook.core.plan": ("EvaluationTask", "Model"),
    "tunebook.design.check": ("DEFAULTS",),
    "tunebook.design.proposal": ("Totals",),
    "tunebook.design.suggest": ("Suggestions",),
    "tunebook.design.values": ("Design", "DesignInputs", "Factor"),
    "tunebook.disk.inside": ("link_out",),
    "tunebook.disk.interrupts": ("interrupt_as_if", "interrupt_code", "interrupt_on_signals"),
    "tunebook.executors.registry": ("Choice", "executor_names"),
    "tunebook.run.condensed": ("Condensed", "condense", "group_jobs", "stage_counts", "state_counts"),
    "tunebook.run.failures": ("MISSING_FILE",),
    "tunebook.run.preview": ("Preview", "PreviewedJob", "preview_lines"),
    "tunebook.run.report": ("JobReport", "RunReport", "Snapshot", "StatusReport"),
    "tunebook.run.summary": ("run_summary",),
    "tunebook.scaffold.reconcile": ("Step",),
    "tunebook.scaffold.rederive": ("Derived",),
    "tunebook.scaffold.effects": ("EffectTable",),
    "tunebook.scaffold.samples": ("Sample",),
    "tunebook.scaffold.report": ("PartReport", "ScaffoldReport"),
    "tunebook.scaffold.summary": ("scaffold_summary",),
    "tunebook.site.doctor.diagnosis": ("Condition", "Diagnosis"),
    "tunebook.site.machine": ("Candidate", "Detected"),
    "tunebook.tools.entry_points": ("tool_names",),
    "tunebook.tools.installing": ("install_here",),
    "tunebook.tools.parameters": ("every_parameter",),
}
_MODULE_OF = {name: module for module, names in _NAMES_IN.items() for name in names}

__all__ = sorted(_MODULE_OF)  # noqa: PLE0605 - a list, and sorted by construction


def __getattr__(name: str) -> Any:
    """Imports a public name when it is first used (PEP 562)."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_MODULE_OF[name]), name)
    globals()[name] = value  # the next use finds it without this function
    return value


def __dir__() -> list[str]:
    """The public names, imported or not."""
    return sorted({*globals(), *__all__})
