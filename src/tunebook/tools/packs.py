"""Which of a plan's jobs may share an allocation: trainings on one GPU, and evaluations of one base model."""

from __future__ import annotations

from tunebook.core.jobs import Pack
from tunebook.core.plan import Plan
from tunebook.core.site import Site
from tunebook.errors import PlanError

__all__ = ["evaluation_pack", "evaluations_per_job", "training_pack"]

RUNS, EVALUATIONS = "runs_per_gpu", "evaluations_per_job"


def training_pack(plan: Plan, site: Site, gpus: int) -> Pack | None:
    """How a training may share its GPU with others, or the cores of its machine if it needs no GPU.

    Args:
        gpus: of the training.

    Raises:
        PlanError: several trainings should share a GPU, and the training needs more than one.
    """
    number = _number(plan, RUNS)
    if number < 2:  # noqa: PLR2004  a training alone
        return None
    if gpus > 1:
        message = f"{number} runs cannot share a GPU: each needs {gpus} GPUs"
        hint = "set GPUs to 1, or to 0 for the CPU, or remove `Runs per GPU`"
        raise PlanError(message, file=plan.file, line=plan.configuration[RUNS].line, hint=hint)
    return Pack("trainings", size=number, mps=bool(gpus) and site.mps == "yes")


def evaluations_per_job(plan: Plan) -> int:
    """How many evaluations one job may run."""
    return _number(plan, EVALUATIONS)


def evaluation_pack(plan: Plan, tool: str, base: str) -> Pack | None:
    """How an evaluation may share its job with others of the same tool and base model: one after the other.

    Args:
        tool: the evaluation tool's name.
        base: the path of the base model.
    """
    number = evaluations_per_job(plan)
    if number < 2:  # noqa: PLR2004  an evaluation alone
        return None
    return Pack(f"{tool} {base}", size=number, at_once=1)


def _number(plan: Plan, key: str) -> int:
    value = plan.value(key)
    return value if isinstance(value, int) else 1
