"""``demo``: makes, runs and reports a small experiment with a real model on this machine."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path

from tunebook.api.analyze_report import AnalyzeReport
from tunebook.api.analyzing import analyze
from tunebook.api.running import RunOptions, run
from tunebook.api.scaffolding import now, scaffold
from tunebook.artifacts.proof import read_proof
from tunebook.artifacts.result import read_result
from tunebook.core.jobs import Stage
from tunebook.core.paths import PLAN_FILE, SITE_FILE, absolute_path
from tunebook.core.plan import Tools
from tunebook.demo.data import capitalization_data, task_source
from tunebook.demo.model import default_cache, fetch_model
from tunebook.demo.plan import DemoPlan
from tunebook.disk.atomic import write_text
from tunebook.disk.plan_file import PlanFile
from tunebook.errors import ExitCode, ToolError, UsageError
from tunebook.run.report import JobReport, RunReport, Snapshot
from tunebook.tools.installing import install_here
from tunebook.tools.parameters import installed_parameters
from tunebook.tools.registry import installed_tools

__all__ = ["DemoOptions", "DemoReport", "DemoRow", "demo"]

_NEEDED = {
    "torch": "torch",
    "transformers": "transformers",
    "pandas": "pandas",
    "pyarrow": "pyarrow",
    "scipy": "scipy",
    "statsmodels": "statsmodels",
}
_INPUTS = ("data/words.json", "cap_task.py")
_LEARNING_RATES = ("1e-4", "3e-4")
_SITE = """# Site settings

This machine: no cluster, no modules, the environment that tunebook runs in.
"""


@dataclass(frozen=True, kw_only=True)
class DemoOptions:
    """The options of ``demo``.

    Attributes:
        ranks: how many LoRA ranks to compare: 4, 16, 64, …; each is trained with two learning rates.
        model: a model's directory in place of SmolLM2-135M-Instruct.
        tools: a tool that trains in place of the usual one, and tools that evaluate too.
        cache: where the downloaded model is kept; ``None`` for the user's cache directory.
    """

    ranks: int = 2
    model: Path | None = None
    tools: tuple[str, ...] = ()
    cache: Path | None = None


@dataclass(frozen=True, kw_only=True)
class DemoRow:
    """One evaluation of the comparison; times in seconds; ``None`` where a value does not apply.

    Attributes:
        task: the evaluation's task.
        trained_loss: the mean loss of held-out answers under the model as it was trained; ``evaluated_loss`` is that
            under the checkpoint as evaluations load it.
    """

    run: str
    task: str = ""
    loss: float | None = None
    trained_loss: float | None = None
    evaluated_loss: float | None = None
    accuracy: float | None = None
    stderr: float | None = None
    training_s: float | None = None
    evaluation_s: float | None = None


@dataclass(frozen=True)
class DemoReport:
    """The demo's result: the run, the analysis, and one row per run."""

    experiment: Path
    rows: tuple[DemoRow, ...]
    result: RunReport
    analysis: AnalyzeReport

    @property
    def exit_code(self) -> ExitCode:
        """The exit code of the run."""
        return self.result.exit_code


def demo(
    directory: Path,
    options: DemoOptions | None = None,
    *,
    progress: Callable[[str], None] = lambda _: None,
    on_event: Callable[[Snapshot], None] | None = None,
    on_leave: Callable[[int], None] = lambda _: None,
    clock: Callable[[], datetime] = now,
) -> DemoReport:
    """Makes a small experiment and takes it from plan to report; resumes one that was interrupted.

    Args:
        progress: called with a sentence about each step.
        on_event: called with the state of all jobs while they run.
        on_leave: called when a person interrupts the jobs, with the number of those that are ended.

    Raises:
        UsageError: a tool is unknown.
        ToolError: a package is not installed, or the model could not be downloaded.
    """
    options = options or DemoOptions()
    tools = _tools(options.tools)
    _refuse_missing_packages(tools)
    directory = absolute_path(directory)
    _refuse_another_experiment(directory)
    if not (directory / PLAN_FILE).is_file():
        if options.model is not None:
            model = absolute_path(options.model)
        else:
            model = fetch_model(options.cache or default_cache(), progress)
        _write_inputs(directory, model, tools, options.ranks, clock())
        progress(f"wrote {directory / PLAN_FILE}: the plan of the experiment, for people to read")
    report = scaffold(directory, clock=clock)
    trainings, *evaluated = (len(part.scripts) for part in report.parts)
    evaluations = sum(evaluated)
    progress(f"scaffolded {trainings} trainings and {evaluations} evaluations: {len(report.steps)} files")
    options_of_run = RunOptions(executor="local", slots=1, retry_failed=True)
    result = run(directory, options_of_run, on_event=on_event, on_leave=on_leave)
    progress("analyzing: scores with intervals, paired tests against the base model")
    return DemoReport(directory, _rows(directory, result), result, analyze(directory, clock=clock))


def _refuse_another_experiment(directory: Path) -> None:
    """Accepts a plan of the demo, which stands beside the demo's own data and task."""
    has_inputs = all((directory / name).is_file() for name in _INPUTS)
    if (directory / PLAN_FILE).is_file() and not has_inputs:
        hint = "name a new directory for the demo: `--dir NAME`; `tunebook run` runs the experiment that is there"
        raise UsageError(f"{directory} has a plan that the demo did not write", hint=hint)


def _tools(names: Sequence[str]) -> Tools:
    """The tools of the demo's plan."""
    registry, usual = installed_tools(), Tools()
    preparation, evaluation = usual.preparation, list(usual.evaluation)
    for name in names:
        if registry.preparation_tool(name) is not None:
            preparation = name
        elif registry.evaluation_tool(name) is None:
            known = ", ".join(tool.name for tool in registry.tools)
            raise UsageError(f"unknown tool `{name}`", hint=f"tools: {known}")
        elif name not in evaluation:
            evaluation.append(name)
    return Tools(preparation, tuple(evaluation), assumed=False)


def _refuse_missing_packages(names: Tools) -> None:
    registry = installed_tools()
    needed = dict(_NEEDED)
    for tool in (registry.preparation_tool(names.preparation), *map(registry.evaluation_tool, names.evaluation)):
        if tool is not None:
            needed[tool.package.module] = tool.package.distribution
    missing = [package for module, package in needed.items() if find_spec(module) is None]
    if missing:
        raise ToolError(f"the demo needs {', '.join(missing)}", hint=install_here("tunebook[demo]"))


def _write_inputs(directory: Path, model: Path, tools: Tools, ranks: int, created: datetime) -> None:
    registry = installed_tools()
    scripts: dict[str, str] = {}
    for name in tools.evaluation:
        tool = registry.evaluation_tool(name)
        if tool is not None:
            scripts[name] = tool.exact_match
    data, task = (directory / name for name in _INPUTS)
    write_text(data, json.dumps(capitalization_data(), indent=1) + "\n", within=directory)
    write_text(task, task_source(), within=directory)
    write_text(directory / SITE_FILE, _SITE, within=directory)
    plan = DemoPlan(
        name=directory.name,
        directory=directory,
        model=model,
        dataset=data,
        task=task,
        created=f"{created:%Y-%m-%d %H:%M}",
        parameters=installed_parameters(tools),
        tools=tools,
        scripts=scripts,
        ranks=tuple(4 ** (number + 1) for number in range(ranks)),
        learning_rates=_LEARNING_RATES,
    )
    PlanFile(directory, lambda _: None).put(plan.text(), before=None)


def _rows(directory: Path, result: RunReport) -> tuple[DemoRow, ...]:
    trainings = {job.job.run: job for job in result.jobs if job.job.stage is Stage.PREPARATION}
    evaluations = [job for job in result.jobs if job.job.stage is Stage.EVALUATION]
    rows = [_row(directory, trainings.get(job.job.run), job) for job in evaluations]
    return tuple(sorted(rows, key=lambda row: row.training_s is not None))  # the base model first


def _row(directory: Path, training: JobReport | None, evaluation: JobReport) -> DemoRow:
    row = DemoRow(run=evaluation.job.run, task=evaluation.job.task or "", evaluation_s=evaluation.elapsed_s)
    if training is not None:
        row = replace(row, loss=training.loss, training_s=training.elapsed_s)
        proof = read_proof(Path(training.job.metrics).parent) if training.job.metrics else ()
        if proof:
            row = replace(row, trained_loss=proof[-1].trained, evaluated_loss=proof[-1].evaluated)
    result = read_result(directory / evaluation.job.result) if evaluation.job.result else None
    if result is not None:
        row = replace(row, accuracy=result.score, stderr=result.metric("stderr"))
    return row
