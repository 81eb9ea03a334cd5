"""The form of checkpoints, the plan's ``Save``: adapters that name their base, or merged weights in fp32."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

from tunebook.core.check_training import problems_of_runs, setting_line
from tunebook.core.parameters import Value
from tunebook.core.plan import Plan, Run
from tunebook.core.plan.settings import effective, trains_adapters
from tunebook.errors import Problem
from tunebook.tools.base import Context
from tunebook.tools.plan_inputs import planned_precision

__all__ = ["bf16_warnings", "form_of_checkpoints", "reason_of_evaluation", "reason_of_form", "unloadable"]


def form_of_checkpoints(context: Context, run: Run, reason_to_merge: str) -> str | None:
    """``adapter`` or ``merged``, as the plan says or by default; ``None`` where all weights are trained.

    Args:
        reason_to_merge: why the default is ``merged``; empty if it is not.
    """
    if not trains_adapters(context.plan, run):
        return None
    written = effective(context.plan, run, "save")
    if isinstance(written, str):
        return written
    return "merged" if reason_to_merge else "adapter"


def reason_of_evaluation(context: Context) -> str:
    """Why evaluations need whole models; empty if they load adapters."""
    if context.loads_adapters:
        return ""
    return f"{context.plan.tools.evaluation_text} loads whole models only"


def reason_of_form(reason_to_merge: str) -> str:
    """Why the form is the default of a run that trains adapters."""
    return f"default: {reason_to_merge}" if reason_to_merge else "default: the evaluation loads adapters"


def unloadable(context: Context, run: Run, settings: Mapping[str, Value]) -> Iterator[Problem]:
    """Adapters where the evaluation needs whole models.

    Args:
        settings: those in effect for the run, by key of the plan.
    """
    is_evaluated = any(evaluation.epoch is not None for evaluation in context.evaluations.get(run.name, ()))
    if settings["save"] != "adapter" or context.loads_adapters or not is_evaluated:
        return
    tool = context.plan.tools.evaluation_text
    message = f"run `{run.name}`: checkpoints are adapters, but {tool} evaluates whole models only"
    line = setting_line(context.plan, run, "save")
    yield Problem(message, context.plan.file, line, "write `Save: merged`, or leave Save out")


def bf16_warnings(context: Context) -> tuple[Problem, ...]:
    """The runs that train all weights in bf16."""
    return tuple(problems_of_runs(context.plan, partial(_bf16_warnings, context=context)))


def _bf16_warnings(plan: Plan, run: Run, *, context: Context) -> Iterator[Problem]:
    if not trains_adapters(plan, run) and planned_precision(plan, context.site, run) == "bf16":
        message = "weights and optimizer in bf16: updates that are small against the weights are lost"
        yield Problem(message, plan.file, setting_line(plan, run, "precision"), "write `Precision: fp32`")
