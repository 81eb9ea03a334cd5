"""The form of checkpoints, the plan's ``Save``: adapters that name their base, or merged weights in fp32."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tunebook.core.check_training import setting_line
from tunebook.core.parameters import Value
from tunebook.core.plan import Run
from tunebook.core.plan.settings import effective, trains_adapters
from tunebook.errors import Problem
from tunebook.tools.base import Context

__all__ = ["form_of_checkpoints", "reason_of_evaluation", "reason_of_form", "unloadable"]


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
    return f"{context.plan.tools.evaluation} loads whole models only"


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
    tool = context.plan.tools.evaluation
    message = f"run `{run.name}`: checkpoints are adapters, but {tool} evaluates whole models only"
    line = setting_line(context.plan, run, "save")
    yield Problem(message, context.plan.file, line, "write `Save: merged`, or leave Save out")
