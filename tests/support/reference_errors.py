"""Generates docs/reference/errors.md from the tree of errors, the operating system's causes, and the rules for failed jobs."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from types import MappingProxyType

from tunebook import errors
from tunebook.errors import TunebookError
from tunebook.run import failures

__all__ = ["ADVICE", "error_kinds", "errors_reference"]

_HEAD = """\
# Errors

tunebook reports each error as one message: the file and its line, what is wrong, which values are allowed, and after `→` what
to do. With `--json`, every error is an entry of `errors` with `message`, `file`, `line` and `hint`. This page explains the kinds of
errors, and [the failures of jobs](#failures-of-jobs).

| exit code | means | what to do |
|---|---|---|
| 0 | done | |
| 1 | something failed: a job, a part of scaffolding, a tool | read the summary: it names every failure and its next step |
| 2 | the command cannot be used like this | `tunebook VERB --help` |
| 3 | the plan, the site settings or a run's settings are wrong | correct the lines that the messages name |
| 4 | work is unfinished, or files that you edited are in the way | run the command again later, or decide about the conflicts |
| 130, 143, 129 | interrupted by Ctrl-C, `SIGTERM`, or a closed terminal | run the same command again: it continues |

A kind that is indented below belongs to the one above it; its exit code is the same.

"""
_ANY = """\
All other kinds are below it. A message that belongs to none of them says by itself what to do. If tunebook reports a bug in itself, it
names a file with the details: please report it with that file.
"""

ADVICE = MappingProxyType(
    {
        "TunebookError": _ANY,
        "UsageError": """\
- **A word or an option is misspelt, or options contradict each other.** The message names the option, and often the nearest one that exists.
  `tunebook VERB --help` lists them all.
- **The command was called from the wrong directory.** Give the experiment's directory as the argument, or change to it.
- **A run or a task of that name does not exist.** `--run` takes a name or a [glob](../glossary.md#glob) in quotes: `--run 'rank8*'`.
""",
        "PlanError": """\
- **A line of `experiment_summary.md`.** All problems are listed together, each with its line. [The plan](plan.md) has every section, parameter
  and allowed value. `tunebook check` repeats the list and writes nothing.
- **A line of `claude.local.md`.** [Describe your cluster](../how-to/site.md) has the settings; `tunebook site` checks them.
- **A run's `setup_finetune.yaml`** that you edited: correct its line, then `tunebook setup-finetune RUN`.
- **Data or a model.** [Prepare data and models](../how-to/data-and-models.md) lists what is checked.
""",
        "DamagedError": """\
A record in `.tunebook/` is cut off or is no valid JSON, for example because the disk was full or somebody edited it. Restore the file from a
backup, or remove it as the message says. [Files](files.md#the-state-of-an-experiment) describes what each record is for.
""",
        "NewerFormatError": """\
Update tunebook on this machine, or work in a copy of the experiment. tunebook does not guess the meaning of a format that it does not know.
""",
        "LockedError": """\
The message names the command, its process and its host. Wait until it has ended, or end it there. If that process was killed together with its
machine, the next command notices and continues; nothing has to be removed. `status`, `check` and `analyze` work beside a `run`.
""",
        "ConflictError": """\
tunebook never replaces a file that you edited. The message names the file. Keep it, or pass `--overwrite`: this replaces the file and keeps your
version as `.orig`. [Reconciling](../explanation/reconciling.md) has the whole table.
""",
        "LinkError": """\
tunebook writes only below the experiment's directory, so that a link cannot make it change files elsewhere. Put the file here and the link there,
or remove the link. The plan's own paths for data, models and outputs may be anywhere.
""",
        "ToolError": """\
- **A tool is not installed.** `tunebook tools` lists the tools with their versions; the message names what to install.
- **A tool refuses its work**, such as a model that it cannot train. The message has its reason. [Choose the tools](../how-to/choosing-tools.md)
  compares them.
- **A download failed.** Jobs and checks never download anything; only `tunebook demo` does, and its message names every source that it tried.
""",
        "ExecutorError": """\
`tunebook run --dry-run` shows what would be submitted. If SLURM is not meant, pass `--executor local`.
""",
        "QueueFullError": """\
You rarely see it: `tunebook run` waits and submits the other jobs as those in the queue end. It becomes an error only if the queue takes
nothing although none of your jobs is in it. Then a limit of your account forbids the job: ask the cluster's support, or request less.
""",
        "RefusedError": """\
The scheduler's own words are in the message. Correct the site setting that they name (account, partition, QOS, memory, GPUs), scaffold again,
and run again. `tunebook site` asks the scheduler about the whole request without submitting anything.
""",
        "UnclearError": """\
The scheduler did not answer in time. The job may have been submitted or not; tunebook has recorded the request's tag, asks for it later, and submits
nothing twice. Run the same command again.
""",
        "SlurmError": """\
`squeue`, `sacct`, `sbatch` or `scancel` does not answer, or you may not use it. `tunebook run` reports this and waits; other verbs end. Try the
program that the message names by hand; if it fails too, ask the cluster's support.
""",
        "NoSlurmError": """\
This machine has no SLURM, or no configuration of one. Work on a login node of the cluster, or run the jobs here with `--executor local`.
""",
        "VerificationError": """\
After scaffolding, tunebook reads every file back as its consumer will. A difference in a file that you did not edit is a bug in tunebook or in a
plug-in: please report it with the message. No job runs with such a file.
""",
    }
)
"""What to do about each kind of error."""

_JOBS = """
## Failures of jobs

A failed job is no error of a command: `tunebook run` continues with the other jobs, and its summary names the failure, the lines of the output
that show it, and what to do. The word in capitals is in the summary, in `tunebook status` and in the plan's status tables. [Resume and
retry](../how-to/resume-and-retry.md) explains the commands.

| word | what to do |
|---|---|
"""
_MORE_JOBS = """\
| `CANCELLED` | a person or the cluster ended the job; `tunebook run --retry-failed` runs it again |
| `exit code N` | the tool ended with this code; the summary shows its last words |
| `killed (no outcome file)` | the job left no trace of its end, as after `kill -9` or a crash of its node; `tunebook run --retry-failed` |
| `unknown` | the scheduler no longer knows a job that left no outcome. It is neither success nor failure; look at its output, then `--retry-failed` |
"""
_SYSTEM = """
## Problems of the machine

The operating system's errors have the file, the reason and the next step:

| reason | what to do |
|---|---|
"""


def error_kinds() -> Iterator[type[TunebookError]]:
    """Every kind of error, each below the kind that it belongs to."""
    return _below(TunebookError)


def _below(kind: type[TunebookError]) -> Iterator[type[TunebookError]]:
    yield kind
    for other in sorted(kind.__subclasses__(), key=lambda one: errors.__all__.index(one.__name__)):
        yield from _below(other)


def errors_reference() -> str:
    """Every kind of error with its meaning and what to do, as an anchor that messages may link to."""
    kinds = "".join(_kind(kind) for kind in error_kinds())
    return f"{_HEAD}{''.join(_entry(kind) for kind in error_kinds())}{kinds}{_jobs()}{_system()}"


def _depth(kind: type[TunebookError]) -> int:
    return kind.__mro__.index(TunebookError)


def _entry(kind: type[TunebookError]) -> str:
    name = kind.__name__
    return f"{'    ' * _depth(kind)}- [`{name}`](#{name.lower()}): {_sentence(kind)}\n"


def _sentence(kind: type[TunebookError]) -> str:
    first = inspect.cleandoc(kind.__doc__ or "").partition("\n")[0].replace("``", "`")
    return first.partition(";")[0].removesuffix(".")


def _kind(kind: type[TunebookError]) -> str:
    code = int(kind.exit_code)
    return f"\n## `{kind.__name__}`\n\n{_sentence(kind)}. Exit code {code}.\n\n{ADVICE[kind.__name__]}"


def _jobs() -> str:
    rows = "".join(f"| `{rule.kind}` | {rule.advice} |\n" for rule in failures._RULES)
    return _JOBS + rows + _MORE_JOBS


def _system() -> str:
    rows = {cause: hint for _, (cause, hint) in sorted(errors._CAUSES.items()) if hint}
    return _SYSTEM + "".join(f"| {cause} | {hint} |\n" for cause, hint in rows.items())
