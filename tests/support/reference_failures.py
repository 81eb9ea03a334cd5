"""Generates docs/reference/failures.md: exit codes, the rules for failed jobs, and the operating system's causes."""

from __future__ import annotations

from tunebook import errors
from tunebook.run import failures

__all__ = ["failures_reference"]

_HEAD = """\
# Exit codes and failures

Every verb ends with one of these codes. A message says where and what is wrong, and what to do; [Errors](errors.md) explains each kind.

| exit code | means | what to do |
|---|---|---|
| 0 | done | |
| 1 | something failed: a job, a part of scaffolding, a tool | read the summary: it names every failure and its next step |
| 2 | the command cannot be used like this | `tunebook VERB --help` |
| 3 | the plan, the site settings or a run's settings are wrong | correct the lines that the messages name |
| 4 | work is unfinished, or files that you edited are in the way | run the command again later, or decide about the conflicts |
| 130, 143, 129 | interrupted by Ctrl-C, `SIGTERM`, or a closed terminal | run the same command again: it continues |

## Failures of jobs

A failed job is no error of a command: `tunebook run` continues with the other jobs. Its summary names the failure, the lines of the output
that show it, and what to do. The word in capitals is in the summary, in `tunebook status` and in the plan's status tables. [Resume and
retry](../how-to/resume-and-retry.md) explains the commands.

| word | what to do |
|---|---|
"""
_MORE_JOBS = """\
| `CANCELLED` | a person or the cluster ended the job; `tunebook run --retry-failed` runs it again |
| `exit code N` | the tool ended with this code; the summary shows its last words |
| `killed (no outcome file)` | the job left no trace of its end, as after `kill -9` or a crash of its node: `tunebook run --retry-failed` |
| `unknown` | the scheduler no longer knows a job that left no outcome. It is neither success nor failure: look at its output, then `--retry-failed` |
"""
_SYSTEM = """
## Problems of the machine

The operating system's errors have the file, the reason and the next step:

| reason | what to do |
|---|---|
"""


def failures_reference() -> str:
    """The page."""
    advice = {rule.kind: rule.advice for rule in failures._RULES}  # a kind may be recognized by several rules
    jobs = "".join(f"| `{kind}` | {text} |\n" for kind, text in advice.items())
    causes = {cause: hint for _, (cause, hint) in sorted(errors._CAUSES.items()) if hint}
    return f"{_HEAD}{jobs}{_MORE_JOBS}{_SYSTEM}" + "".join(f"| {cause} | {hint} |\n" for cause, hint in causes.items())
