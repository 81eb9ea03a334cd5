"""The model of an evaluation: its directory, its base, the precision of its weights, and the form of its prompts."""

from __future__ import annotations

from dataclasses import dataclass

from tunebook.core.plan import Evaluation, Run
from tunebook.core.plan.settings import effective
from tunebook.errors import PlanError
from tunebook.tools.base import Context, Prepared
from tunebook.tools.plan_inputs import model_directory, model_path, planned_precision

__all__ = ["PLAIN_TEXT", "EvaluatedModel", "dataset_type", "evaluated_model", "is_merged", "precision_of"]

PLAIN_TEXT = "text_completion"
"""The type of data sets whose trainings learn texts without a chat template."""


@dataclass(frozen=True)
class EvaluatedModel:
    """The model of one evaluation.

    Attributes:
        directory: the absolute path of the whole model, or of an adapter.
        base: the absolute path of the model that the adapter belongs to; empty for a whole model.
        precision: ``bf16`` or ``fp32``, of the weights of a whole model or of the base.
        samples: whether tokens are drawn at a temperature.
        is_plain_text: whether it is asked without a chat template, as in its training.
    """

    directory: str
    base: str
    precision: str
    samples: bool
    is_plain_text: bool

    def prepare_options(self) -> list[str]:
        """The options of the job's own check of the model."""
        options = ["--precision", self.precision]
        if self.base:
            options += ["--base", self.base]
        if self.samples:
            options.append("--sample")
        if self.is_plain_text:
            options.append("--plain-text")
        return options


def evaluated_model(context: Context, run: Run, evaluation: Evaluation) -> EvaluatedModel:
    """The model that an evaluation loads.

    Raises:
        PlanError: no training writes the checkpoint.
    """
    plan, base = context.plan, ""
    if evaluation.epoch is None:
        directory = model_directory(context, model_path(plan, context.site, run))
    else:
        prepared = context.prepared.get(run.name)
        if prepared is None or evaluation.epoch not in prepared.checkpoints:
            message = f"run `{run.name}`: no training writes a checkpoint of epoch {evaluation.epoch}"
            raise PlanError(message, file=plan.file, line=evaluation.line)
        directory, base = prepared.checkpoints[evaluation.epoch], prepared.base
    return EvaluatedModel(
        directory=directory,
        base=base,
        precision=precision_of(context, run, is_trained=evaluation.epoch is not None),
        samples=bool(plan.value("eval_temperature")),
        is_plain_text=dataset_type(context, run) == PLAIN_TEXT,
    )


def precision_of(context: Context, run: Run, *, is_trained: bool) -> str:
    """The plan's precision; fp32 for merged adapters, since bf16 rounds small ones away."""
    planned = planned_precision(context.plan, context.site, run)
    prepared = context.prepared.get(run.name)
    if not is_trained or prepared is None:
        return planned
    if is_merged(prepared, context, run):
        return "fp32"
    return str(prepared.values.get("precision", planned))  # a person may have edited the training's


def is_merged(prepared: Prepared | None, context: Context, run: Run) -> bool:
    """Whether a run's checkpoints are whole models with an adapter merged into them."""
    if prepared is None or prepared.base:
        return False
    return effective(context.plan, run, "lora_rank") is not None


def dataset_type(context: Context, run: Run) -> str:
    """The type of the run's data set, as its training reads it; a base model is asked as the plan's trainings are."""
    prepared = context.prepared.get(run.name)
    planned = effective(context.plan, run, "dataset_type")
    if prepared is not None:
        return str(prepared.values.get("dataset_type", planned))
    return str(planned)
