"""The plan of an experiment as values, read from ``experiment_summary.md`` and written to it section by section."""

from tunebook.core.plan.document import ParsedPlan, parse_plan, read_tools, write_plan
from tunebook.core.plan.section import OwnSection, UnreadBlock
from tunebook.core.plan.values import (
    Dataset,
    Estimates,
    Evaluation,
    EvaluationTask,
    Fact,
    Factor,
    MatrixEntry,
    Model,
    Plan,
    PlanDetails,
    Run,
    RunType,
    Tools,
)

__all__ = [
    "Dataset",
    "Estimates",
    "Evaluation",
    "EvaluationTask",
    "Fact",
    "Factor",
    "MatrixEntry",
    "Model",
    "OwnSection",
    "ParsedPlan",
    "Plan",
    "PlanDetails",
    "Run",
    "RunType",
    "Tools",
    "UnreadBlock",
    "parse_plan",
    "read_tools",
    "write_plan",
]
