"""Every error that tunebook raises on purpose, in one tree.

TunebookError                 shown to a person as one message, never as a traceback
├── UsageError                the command line asks for what cannot be            (exit code 2)
├── PlanError                 the plan, the site or a run's settings are wrong    (exit code 3)
├── LockedError               another tunebook works in this experiment           (exit code 4)
├── ConflictError             a file that a person edited is in the way           (exit code 4)
├── ToolError                 a tool is missing or refused its work               (exit code 1)
├── ExecutorError             jobs could not be started or asked for              (exit code 1)
│   ├── QueueFullError        not now: the executor takes no more at the moment
│   ├── RefusedError          it refused a job, in its own words
│   ├── UnclearError          it did not answer, and may have done what it was asked
│   └── SlurmError            SLURM does not answer, or forbids what it was asked
│       └── NoSlurmError      SLURM is not set up on this machine
└── VerificationError         what was written is not what the plan says          (exit code 1)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

__all__ = [
    "ConflictError",
    "ExecutorError",
    "ExitCode",
    "LockedError",
    "NoSlurmError",
    "PlanError",
    "Problem",
    "QueueFullError",
    "RefusedError",
    "SlurmError",
    "ToolError",
    "TunebookError",
    "UnclearError",
    "UsageError",
    "VerificationError",
]


class ExitCode(IntEnum):
    """The exit codes of the verbs."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    WRONG_PLAN = 3
    UNFINISHED = 4
    INTERRUPTED = 130


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, where it is, and what to do about it.

    Attributes:
        message: what is wrong and which values are allowed.
        file: the file that it is in; ``None`` if it is in no file.
        line: one-based line in ``file``; ``None`` when the whole file is meant.
        hint: what to do next; empty when the message says it all.
        missing: the path that was not found, if that is the problem.
    """

    message: str
    file: str | None = None
    line: int | None = None
    hint: str = ""
    missing: str = ""

    def __str__(self) -> str:
        place = "" if self.file is None else f"{self.file}:" + (f"{self.line}:" if self.line else "")
        return f"{place} {self.message}".strip() + (f" ({self.hint})" if self.hint else "")


class TunebookError(Exception):
    """The root: one or more problems that end a verb."""

    exit_code = ExitCode.FAILED

    def __init__(
        self,
        message: str | Sequence[Problem],
        *,
        file: str | None = None,
        line: int | None = None,
        hint: str = "",
    ) -> None:
        if isinstance(message, str):
            self.problems: tuple[Problem, ...] = (Problem(message, file, line, hint),)
        else:
            self.problems = tuple(message)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class UsageError(TunebookError):
    """The command line, or a call of the API, asks for what cannot be."""

    exit_code = ExitCode.USAGE


class PlanError(TunebookError):
    """The plan, the site or a run's settings are wrong; carries every problem found."""

    exit_code = ExitCode.WRONG_PLAN


class LockedError(TunebookError):
    """Another tunebook works in this experiment."""

    exit_code = ExitCode.UNFINISHED


class ConflictError(TunebookError):
    """A file that a person edited would have to be replaced."""

    exit_code = ExitCode.UNFINISHED


class ToolError(TunebookError):
    """A tool is missing, or refused its work."""


class ExecutorError(TunebookError):
    """Jobs could not be started, or could not be asked for."""


class QueueFullError(ExecutorError):
    """The executor takes no more jobs at the moment."""


class RefusedError(ExecutorError):
    """SLURM refused a job; ``words`` are its own."""

    def __init__(self, words: str, remark: str = "") -> None:
        super().__init__(f"`sbatch` refused the job{', ' + remark if remark else ''}: {words}")
        self.words = words


class UnclearError(ExecutorError):
    """The executor did not answer: what it was asked may have been done or not."""


class SlurmError(ExecutorError):
    """SLURM does not answer, or forbids what it was asked."""


class NoSlurmError(SlurmError):
    """SLURM is not set up on this machine."""


class VerificationError(TunebookError):
    """The written files differ from the plan."""
