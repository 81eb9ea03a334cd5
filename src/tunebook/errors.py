"""Every error that tunebook raises on purpose, in one tree.

TunebookError                 shown to a person as one message, never as a traceback
├── UsageError                the command line asks for what cannot be            (exit code 2)
├── PlanError                 the plan, the site or a run's settings are wrong    (exit code 3)
│   ├── DamagedError          a file that tunebook keeps cannot be read
│   └── NewerFormatError      a newer tunebook wrote a file that tunebook keeps
├── LockedError               another tunebook works in this experiment           (exit code 4)
├── ConflictError             a file that a person edited is in the way           (exit code 4)
├── LinkError                 a symbolic link leads out of the experiment         (exit code 1)
├── ToolError                 a tool is missing or refused its work               (exit code 1)
│   └── TookTooLongError      a program did not end in time, and was ended
├── ExecutorError             jobs could not be started or asked for              (exit code 1)
│   ├── QueueFullError        not now: the executor takes no more at the moment
│   ├── RefusedError          it refused a job, in its own words
│   ├── UnclearError          it did not answer, and may have done what it was asked
│   └── SlurmError            SLURM does not answer, or forbids what it was asked
│       └── NoSlurmError      SLURM is not set up on this machine
└── VerificationError         what was written is not what the plan says          (exit code 1)
"""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum

__all__ = [
    "NOT_REGULAR",
    "ConflictError",
    "DamagedError",
    "ExecutorError",
    "ExitCode",
    "LinkError",
    "LockedError",
    "NewerFormatError",
    "NoSlurmError",
    "PlanError",
    "Problem",
    "QueueFullError",
    "RefusedError",
    "SlurmError",
    "TookTooLongError",
    "ToolError",
    "TunebookError",
    "UnclearError",
    "UsageError",
    "VerificationError",
    "in_words",
    "os_problem",
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
        code: the kind of error if it is known, a name of a page in :mod:`tunebook.core.error_pages`.
    """

    message: str
    file: str | None = None
    line: int | None = None
    hint: str = ""
    missing: str = ""
    code: str = field(default="", compare=False)

    @property
    def page(self) -> str:
        """The name of the page that explains it; empty for the general one of the verb's exit code."""
        return self.code or ("missing-file" if self.missing else "")

    def __str__(self) -> str:
        place = "" if self.file is None else f"{self.file}:" + (f"{self.line}:" if self.line else "")
        return f"{place} {self.message}".strip() + (f" ({self.hint})" if self.hint else "")


class TunebookError(Exception):
    """The root: one or more problems that end a verb; ``code`` names the page that explains a kind of errors."""

    exit_code = ExitCode.FAILED
    code = "failed"

    def __init__(
        self,
        message: str | Sequence[Problem],
        *,
        file: str | None = None,
        line: int | None = None,
        hint: str = "",
    ) -> None:
        if isinstance(message, str):
            message = [Problem(message, file, line, hint)]
        coded = (problem if problem.page else replace(problem, code=self.code) for problem in message)
        self.problems: tuple[Problem, ...] = tuple(dict.fromkeys(coded))  # runs may share one
        super().__init__("\n".join(str(problem) for problem in self.problems))


class UsageError(TunebookError):
    """The command line, or a call of the API, asks for what cannot be."""

    exit_code = ExitCode.USAGE
    code = "usage"


class PlanError(TunebookError):
    """The plan, the site or a run's settings are wrong; carries every problem found."""

    exit_code = ExitCode.WRONG_PLAN
    code = "plan"


class DamagedError(PlanError):
    """A file that tunebook keeps cannot be read."""

    code = "damaged"


class NewerFormatError(PlanError):
    """A newer tunebook wrote a file that tunebook keeps."""

    code = "newer-format"


class LockedError(TunebookError):
    """Another tunebook works in this experiment."""

    exit_code = ExitCode.UNFINISHED
    code = "locked"


class ConflictError(TunebookError):
    """A file that a person edited would have to be replaced."""

    exit_code = ExitCode.UNFINISHED
    code = "conflict"


class LinkError(TunebookError):
    """A symbolic link leads out of the experiment, where tunebook writes nothing."""

    code = "link"


class ToolError(TunebookError):
    """A tool is missing, or refused its work."""

    code = "tool"


class TookTooLongError(ToolError):
    """A program did not end in time, and was ended."""


class ExecutorError(TunebookError):
    """Jobs could not be started, or could not be asked for."""

    code = "executor"


class QueueFullError(ExecutorError):
    """The executor takes no more jobs at the moment."""

    code = "queue-full"


class RefusedError(ExecutorError):
    """SLURM refused a job; ``words`` are its own."""

    code = "refused"

    def __init__(self, words: str, remark: str = "") -> None:
        super().__init__(f"`sbatch` refused the job{', ' + remark if remark else ''}: {words}")
        self.words = words


class UnclearError(ExecutorError):
    """The executor did not answer: what it was asked may have been done or not."""

    code = "unclear"


class SlurmError(ExecutorError):
    """SLURM does not answer, or forbids what it was asked."""

    code = "slurm"


class NoSlurmError(SlurmError):
    """SLURM is not set up on this machine."""

    code = "no-slurm"


class VerificationError(TunebookError):
    """The written files differ from the plan."""

    code = "verification"


NOT_REGULAR = "it is not a regular file"
"""The words about a directory, a pipe or a device where a file is expected."""
_AGAIN = "try again"
_FREE = "free some space, then run the same command again: it continues where this one stopped"
_ALLOW = "use an account that may, or change its permissions and those of its directory"
_CAUSES = {
    errno.ENOSPC: ("the disk is full", _FREE),
    errno.EDQUOT: ("the quota on this disk is used up", _FREE),
    errno.EFBIG: ("it would be larger than this machine allows", "raise the limit (`ulimit -f`) or the file system's"),
    errno.EACCES: ("Permission denied", _ALLOW),
    errno.EPERM: ("this is not permitted", _ALLOW),
    errno.EROFS: ("its file system can only be read", "mount it for writing, or use a copy elsewhere"),
    errno.ENAMETOOLONG: (
        "its name or path is too long",
        "give shorter names to runs and directories",
    ),
    errno.EMFILE: ("this process has too many open files", "raise the limit (`ulimit -n`)"),
    errno.ENFILE: ("this machine has too many open files", "end other programs, then try again"),
    errno.EIO: ("the disk reports an input/output error", "ask the machine's administrator: the disk may be failing"),
    errno.ESTALE: ("the file server has lost it (stale file handle)", "try again; otherwise mount the disk again"),
    errno.ENOTDIR: ("a part of its path is a file, not a directory", "rename that file"),
    errno.EISDIR: ("it is a directory, not a file", "rename the directory"),
    errno.ELOOP: ("symbolic links lead in a circle", "remove one of the links"),
    errno.ENOENT: ("No such file or directory", ""),
    errno.EEXIST: ("it exists already", "rename it"),
    errno.ENOTEMPTY: ("the directory is not empty", _AGAIN),
    errno.EBUSY: ("it is in use", _AGAIN),
    errno.ETXTBSY: ("it is being executed", "wait until that program has ended"),
    errno.ENOMEM: ("this machine has no memory left", "end other programs, then try again"),
    errno.ENXIO: ("it is a pipe or a device, not a file", "remove it"),
}


def os_problem(error: OSError, *, within: str | os.PathLike[str] = "") -> Problem:
    """Says what is wrong with which file, by the error's number.

    Args:
        within: a directory; files in it are named relative to it.
    """
    file = None
    if error.filename is not None:
        file = os.fsdecode(error.filename) if isinstance(error.filename, (str, bytes)) else str(error.filename)
        if within:
            file = file.removeprefix(f"{os.fspath(within)}/")
    usual = os.strerror(error.errno) if error.errno is not None else ""
    cause, hint = _CAUSES.get(error.errno or 0, ("", ""))
    if error.strerror == NOT_REGULAR:
        return Problem(NOT_REGULAR, file, hint="rename or remove it, and put a file there")
    if not cause or error.strerror not in {None, usual}:
        return Problem(error.strerror or str(error) or type(error).__name__, file)  # tunebook's own words
    return Problem(cause, file, hint=hint)


def in_words(error: Exception) -> str:
    """Returns an error's message in one line; that of the operating system with what to do next."""
    return str(os_problem(error)) if isinstance(error, OSError) else str(error)
