"""Chooses what a spot check asks: the run, its task, its checkpoint, and the base model beside it."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace
from pathlib import Path

from tunebook.api.loading import Loaded
from tunebook.core.jobs import Job, JobState, Stage
from tunebook.core.parameters import suggestion
from tunebook.core.plan import Evaluation, EvaluationTask, Run
from tunebook.core.plan.values import RunType
from tunebook.errors import PlanError, TunebookError, UsageError
from tunebook.run.gather import survey
from tunebook.run.verdict import Verdict
from tunebook.scaffold.blueprint import Blueprint, Part
from tunebook.tools.base import Context, EvaluationTool
from tunebook.tools.plan_inputs import model_path

__all__ = ["Target", "choose_run", "choose_target", "chosen_task", "training_state"]


@dataclass(frozen=True)
class Target:
    """The model that is asked.

    Attributes:
        context: as the evaluation tool of the task sees the experiment.
        own: the evaluation of the run's own model; ``None`` for a control run, which is the base model.
        base: the evaluation of the base model of ``base_run``; ``None`` if its place is not known.
    """

    context: Context
    tool: EvaluationTool
    run: Run
    task: EvaluationTask
    own: Evaluation | None
    base: Evaluation | None
    base_run: Run


def choose_run(loaded: Loaded, name: str) -> Run:
    """The run with this name or directory.

    Raises:
        UsageError: there is none; the hint names the nearest.
    """
    plan, directories = loaded.context.plan, loaded.context.directories
    wanted = name.rstrip("/")
    for run in plan.runs:
        if wanted in {run.name, directories[run.name]}:
            return run
    raise UsageError(f"no run is called `{name}`", hint=suggestion(wanted, [run.name for run in plan.runs]))


def chosen_task(loaded: Loaded, run: Run, name: str) -> EvaluationTask:
    """The task with this name; without a name the first one on which the run is evaluated.

    Raises:
        UsageError: nothing fits.
    """
    plan = loaded.context.plan
    if not plan.tasks:
        raise UsageError("the plan has no evaluation task, so nothing says how a model is asked", hint="add one")
    if not name:
        evaluated = [item.task for item in loaded.context.evaluations.get(run.name, ())]
        return plan.task_named(evaluated[0]) if evaluated else plan.tasks[0]
    for task in plan.tasks:
        if task.name == name:
            return task
    raise UsageError(f"no task is called `{name}`", hint=suggestion(name, [task.name for task in plan.tasks]))


def choose_target(loaded: Loaded, blueprint: Blueprint, run: Run, task: EvaluationTask, epoch: int | None) -> Target:
    """The evaluations that are asked.

    Raises:
        UsageError: the run has no such epoch.
        PlanError: the run could not be built.
    """
    tool, part = _tool_of(loaded, blueprint, task)
    for failure in part.failures:
        if failure.run == run.name:
            raise PlanError(failure.problems)
    own: Evaluation | None = None
    base: Evaluation | None = Evaluation(run.name, task.name, None, task.line)
    base_run = run
    if run.type is RunType.FINE_TUNED:
        own = Evaluation(run.name, task.name, _epoch(part.context, run, task, epoch), task.line)
    elif epoch is not None:
        raise UsageError(f"run `{run.name}` is not trained here, so it has no epochs", hint="leave `--epoch` out")
    elif run.type is RunType.EVAL_ONLY:
        own, base_run = base, replace(run, checkpoint=None)
        if not model_path(part.context.plan, part.context.site, base_run):
            base = None
    return Target(part.context, tool, run, task, own, base, base_run)


def _tool_of(loaded: Loaded, blueprint: Blueprint, task: EvaluationTask) -> tuple[EvaluationTool, Part]:
    name = loaded.context.plan.tool_of(task)
    for part in blueprint.parts:
        for tool in loaded.evaluations:
            if part.tool is tool and tool.name == name:
                return tool, part
    raise UsageError(f"the evaluation tool {name} of task `{task.name}` is not installed here")


def _epoch(context: Context, run: Run, task: EvaluationTask, epoch: int | None) -> int:
    """The given epoch, otherwise the last one that is evaluated on the task, otherwise the last one."""
    prepared = context.prepared.get(run.name)
    trained = sorted(prepared.checkpoints) if prepared is not None else []
    if not trained:
        raise UsageError(f"run `{run.name}` leaves no checkpoint that could be asked")
    if epoch is None:
        planned = [item.epoch for item in context.evaluations.get(run.name, ()) if item.task == task.name]
        return max((item for item in planned if item is not None), default=trained[-1])
    if epoch not in trained:
        allowed = ", ".join(map(str, trained))
        raise UsageError(
            f"run `{run.name}` has no epoch {epoch}", hint=f"epochs are counted from 0; there are: {allowed}"
        )
    return epoch


def training_state(experiment: Path, jobs: tuple[Job, ...], run: Run, checkpoint: Path) -> str:
    """Why a checkpoint may not be what the plan asks for now, in words; empty if its training is completed.

    Raises:
        TunebookError: the checkpoint does not exist; the message says why, and the hint what to do.
    """
    own = [job for job in jobs if job.run == run.name and job.stage is Stage.PREPARATION]
    if not own:
        raise UsageError(f"run `{run.name}` is not scaffolded", hint="`tunebook scaffold`, then `tunebook run`")
    verdict = survey(own, experiment).verdicts[own[0].name]
    if not checkpoint.is_dir():
        raise _missing(run, checkpoint, verdict)
    if verdict.state is JobState.COMPLETED:
        return ""
    state = f"the training of run `{run.name}` is {verdict.state.value}"
    return f"{state}: {verdict.explanation}" if verdict.explanation else state


def _missing(run: Run, checkpoint: Path, verdict: Verdict) -> TunebookError:
    command = f"tunebook run --run {shlex.quote(run.name)}"
    if verdict.ask:
        message = f"run `{run.name}` is still training: {checkpoint} does not exist yet"
        return TunebookError(message, hint="`tunebook status` shows how far it is; `--epoch` asks an earlier epoch")
    if verdict.state is JobState.PENDING:
        reason = f": {verdict.explanation}" if verdict.explanation else ""
        return TunebookError(f"run `{run.name}` is not trained yet{reason}", hint=f"`{command}` trains it")
    message = f"run `{run.name}` has no checkpoint {checkpoint}"
    if verdict.explanation:
        message += f": {verdict.explanation}"
    return TunebookError(message, hint=f"`{command} --retry-failed` trains it again")
