"""The page of each kind of errors: what it means and what to do; `tunebook explain` shows it without a network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from tunebook.core.paths import PLAN_FILE, SITE_FILE
from tunebook.errors import ExitCode, UsageError

__all__ = ["ERROR_PAGES", "ErrorPage", "explain", "page_of"]

REFERENCE = "docs/reference/errors.md"
"""The pages in the repository, one heading per code."""


@dataclass(frozen=True)
class ErrorPage:
    """One kind of errors.

    Attributes:
        code: the name of the page, as messages and ``--json`` give it.
        exit_code: how a verb ends that fails with it; ``None`` for problems that may also be warnings.
        title: what happened, in a few words.
        meaning: why tunebook stops there.
        steps: what to do, the most frequent first.
    """

    code: str
    exit_code: ExitCode | None
    title: str
    meaning: str
    steps: tuple[str, ...]

    @property
    def reference(self) -> str:
        """The page's place in the repository."""
        return f"{REFERENCE}#{self.code}"


def explain(code: str) -> ErrorPage:
    """Returns a page by its code, also in the spelling of the plan's notes: ``MISSING_FILE``.

    Raises:
        UsageError: no page has this name.
    """
    page = ERROR_PAGES.get(code.strip().lower().replace("_", "-"))
    if page is None:
        from tunebook.core.parameters import suggestion

        raise UsageError(f"no kind of errors is named `{code}`", hint=suggestion(code, ERROR_PAGES))
    return page


def page_of(code: str, exit_code: ExitCode) -> ErrorPage | None:
    """Returns the page of a problem: that of its code, otherwise the general one for the verb's exit code."""
    return ERROR_PAGES.get(code) or ERROR_PAGES.get(_BY_EXIT_CODE.get(exit_code, ""))


_BY_EXIT_CODE = {ExitCode.FAILED: "failed", ExitCode.USAGE: "usage", ExitCode.WRONG_PLAN: "plan"}
_FAILED, _USAGE, _WRONG, _UNFINISHED = ExitCode.FAILED, ExitCode.USAGE, ExitCode.WRONG_PLAN, ExitCode.UNFINISHED
_PAGES = (
    ErrorPage(
        "failed",
        _FAILED,
        "the command could not do its work",
        "Something outside the plan was in the way: the disk, permissions, or a fault of tunebook itself. Everything "
        "that was completed before is kept.",
        (
            "Do what the line below the message says.",
            "Run the same command again: it continues where this one stopped.",
            "If the message says that it is a bug, report it with the file that it names.",
        ),
    ),
    ErrorPage(
        "usage",
        _USAGE,
        "the command line asks for something that cannot be done",
        "A verb, an option, a directory or a name is wrong. Nothing was read further, and nothing was written.",
        (
            "Read the examples below `tunebook VERB --help`.",
            f"Name the experiment's directory, or go to it: it contains {PLAN_FILE}.",
            "Quote values with spaces or stars: `--run 'rank8*'`.",
        ),
    ),
    ErrorPage(
        "plan",
        _WRONG,
        "the plan, the site settings or a run's settings are wrong",
        "Each message names the file and the line, the allowed values, and a remedy. tunebook reports all problems at "
        "once and writes nothing before the plan is correct.",
        (
            "Correct the lines that the messages name, then `tunebook check`.",
            "The plan's sections and parameters are in docs/reference/plan.md.",
            f"`tunebook site` shows each site setting and the {SITE_FILE} that it comes from.",
        ),
    ),
    ErrorPage(
        "missing-file",
        None,
        "a data set, a model or a task was not found",
        "The plan names a path at which this machine has nothing. The path may exist on compute nodes only, so `check` "
        "warns, and a job that does not find it fails with MISSING_FILE in the plan's notes.",
        (
            "Correct the path in the plan; relative paths start at the experiment's directory.",
            "Put the file there; `tunebook design` lists missing resources under Prerequisites.",
            "Then `tunebook run --retry-failed` runs the failed jobs again.",
        ),
    ),
    ErrorPage(
        "job-failed",
        _FAILED,
        "a job ended without its result",
        "The plan's status tables and `tunebook status` name the kind of failure: OUT_OF_GPU_MEMORY, OUT_OF_MEMORY, "
        "TIMEOUT, PREEMPTED, NODE_FAIL, RESTART, DIVERGED, MISSING_MODULE, MISSING_FILE, a word of the scheduler, or "
        "the exit code. The other jobs are not affected, but evaluations wait for their training.",
        (
            "Read the lines of the output that the message shows, and the advice below them.",
            "OUT_OF_GPU_MEMORY: `tunebook run --retry-oom` trains with a smaller batch and the same effective batch.",
            "TIMEOUT, OUT_OF_MEMORY: raise the limit in the plan, `tunebook scaffold`, `tunebook run --retry-failed`.",
            "Otherwise fix the cause, then `tunebook run --retry-failed`.",
        ),
    ),
    ErrorPage(
        "damaged",
        _WRONG,
        "a file that tunebook keeps cannot be read",
        "A record in `.tunebook/` was changed by hand, cut off, or lost by the disk, and tunebook does not guess.",
        (
            "Do what the line below the message says: some records are made again by `tunebook scaffold`.",
            "Restore the file from a backup if it cannot be made again.",
        ),
    ),
    ErrorPage(
        "newer-format",
        _WRONG,
        "a newer tunebook wrote a file that tunebook keeps",
        "Each record in `.tunebook/` says its format. Older formats are upgraded when they are read; newer ones are "
        "refused, so that this version loses nothing that it does not know.",
        ("Update tunebook: `tunebook --version` shows yours.", "Or work in a copy of the experiment."),
    ),
    ErrorPage(
        "locked",
        _UNFINISHED,
        "another tunebook works in this experiment",
        "Only one command at a time may scaffold an experiment, and one may run it. The message names the process, its "
        "machine, and since when it works.",
        (
            "Wait until it ends. `tunebook status` and `tunebook check` work meanwhile.",
            "On another machine, end it there: Ctrl-C, or `kill PROCESS`.",
        ),
    ),
    ErrorPage(
        "conflict",
        _UNFINISHED,
        "a file that a person edited is in the way",
        "tunebook compares each generated file with what it generated last. It keeps your edits and reports the files "
        "that the plan would change.",
        (
            "`tunebook scaffold --dry-run` shows the differences.",
            "Keep your edits: run the jobs as they are. Or state the change in the plan, or in setup_finetune.yaml.",
            "`tunebook scaffold --overwrite` takes the plan's text and keeps yours as .orig.",
        ),
    ),
    ErrorPage(
        "link",
        _FAILED,
        "a symbolic link leads out of the experiment",
        "tunebook writes inside the experiment's directory only: a link that leads elsewhere could replace files that "
        "belong to something else.",
        (
            "Replace the link by a directory, or move the whole experiment and link to it.",
            "The plan and the site settings may be links.",
        ),
    ),
    ErrorPage(
        "tool",
        _FAILED,
        "a tool is missing, or refused its work",
        "A program or Python package that this step needs cannot be used in this environment.",
        (
            "`tunebook tools` lists the tools, and how to install those that are missing.",
            "`tunebook site` starts each environment of the site settings and reports what it lacks.",
        ),
    ),
    ErrorPage(
        "executor",
        _FAILED,
        "jobs could not be started, or the executor could not be asked",
        "The message quotes the scheduler or the operating system.",
        (
            "`tunebook status` shows what is queued or running.",
            "Run `tunebook run` again: it submits only jobs that never arrived.",
        ),
    ),
    ErrorPage(
        "queue-full",
        _FAILED,
        "the executor takes no more jobs at the moment",
        "The cluster limits how many jobs you may have. `tunebook run` waits and submits the others later.",
        ("Wait, or lower the number with `--max-jobs N`.", "`--array` submits similar jobs as one array."),
    ),
    ErrorPage(
        "refused",
        _FAILED,
        "the scheduler refused a job",
        "The message has SLURM's own words. A partition, an account, a time limit or the memory is not allowed.",
        (
            f"Correct the resources in the plan or in {SITE_FILE}; `tunebook site` compares them with the cluster.",
            "Then `tunebook scaffold` and `tunebook run`.",
        ),
    ),
    ErrorPage(
        "unclear",
        _FAILED,
        "the executor did not answer",
        "A job may have been submitted or not. Its tag is recorded, so the next command asks for it instead of "
        "submitting it twice.",
        ("Run `tunebook run` again when the scheduler answers (`squeue`).",),
    ),
    ErrorPage(
        "slurm",
        _FAILED,
        "SLURM does not answer, or forbids the request",
        "No job counts as failed because of this: the last recorded states stay.",
        ("Try `squeue` and `sinfo` yourself.", "Run the same command again later."),
    ),
    ErrorPage(
        "no-slurm",
        _FAILED,
        "SLURM is not set up on this machine",
        "`--executor slurm` needs SLURM's programs and its configuration.",
        ("Go to a login node of the cluster.", "`tunebook run --executor local` runs the jobs on this machine."),
    ),
    ErrorPage(
        "verification",
        _FAILED,
        "what was written is not what the plan says",
        "After writing, every file is read back as its consumer reads it. A difference means that a job would do "
        "something else than the plan says.",
        (
            "Compare the file with the plan at the key that the message names.",
            "If you did not change the file meanwhile, this is a bug: please report it.",
        ),
    ),
)
ERROR_PAGES: Mapping[str, ErrorPage] = MappingProxyType({page.code: page for page in _PAGES})
"""Code to page: one for each class in :mod:`tunebook.errors`, and for missing files and failed jobs."""
