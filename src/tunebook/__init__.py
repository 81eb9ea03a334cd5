"""tunebook: from the plan of an experiment to fine-tuned, evaluated and reported models."""

from tunebook.errors import (
    ConflictError,
    ExecutorError,
    ExitCode,
    LockedError,
    PlanError,
    Problem,
    ToolError,
    TunebookError,
    UsageError,
    VerificationError,
)

__version__ = "0.1.0"

__all__ = [
    "ConflictError",
    "ExecutorError",
    "ExitCode",
    "LockedError",
    "PlanError",
    "Problem",
    "ToolError",
    "TunebookError",
    "UsageError",
    "VerificationError",
    "__version__",
]
