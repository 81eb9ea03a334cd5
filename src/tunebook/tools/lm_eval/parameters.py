"""lm-eval's rows of the parameter table: those of every evaluation, and how standard benchmarks are asked."""

from __future__ import annotations

from tunebook.core.jobs import Stage
from tunebook.core.parameters import Kind, Parameter
from tunebook.tools.evaluation_parameters import EVALUATION_PARAMETERS

__all__ = ["PLAN_PARAMETERS"]

PLAN_PARAMETERS = (
    *EVALUATION_PARAMETERS,
    Parameter(
        "benchmark_shots",
        "Benchmark Shots",
        Kind.INTEGER,
        minimum=0,
        aliases=("num fewshot", "few-shot examples", "shots"),
        stage=Stage.EVALUATION,
        units=("examples", "shots"),
    ),
    Parameter(
        "benchmark_chat_template",
        "Benchmark Chat Template",
        Kind.FLAG,
        default=False,
        stage=Stage.EVALUATION,
    ),
)
