"""The rows of evaluations in the parameter table: how models generate answers, and on how many samples."""

from __future__ import annotations

from tunebook.core.jobs import Stage
from tunebook.core.parameters import Kind, Parameter

__all__ = ["EVALUATION_PARAMETERS"]

EVALUATION_PARAMETERS = (
    Parameter(
        "eval_temperature",
        "Evaluation Temperature",
        Kind.NUMBER,
        minimum=0,
        default=0,
        aliases=("temperature",),
        is_shown=True,
        stage=Stage.EVALUATION,
    ),
    Parameter(
        "eval_max_tokens",
        "Evaluation Max Tokens",
        Kind.INTEGER,
        minimum=1,
        aliases=("max tokens",),
        stage=Stage.EVALUATION,
        units=("tokens",),
    ),
    Parameter(
        "eval_seed",
        "Evaluation Seed",
        Kind.INTEGER,
        minimum=0,
        below=2**32,
        default=14,
        is_shown=True,
        stage=Stage.EVALUATION,
    ),
    Parameter(
        "eval_limit",
        "Evaluation Limit",
        Kind.INTEGER,
        minimum=1,
        aliases=("sample limit",),
        stage=Stage.EVALUATION,
        units=("samples", "examples"),
    ),
    Parameter(
        "max_connections",
        "Max Connections",
        Kind.INTEGER,
        minimum=1,
        default=32,
        stage=Stage.EVALUATION,
        units=("samples",),
    ),
)
