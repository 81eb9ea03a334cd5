"""Calls SLURM's programs, in an environment that no surrounding job and no filter of a person's shell distorts."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from tunebook.disk.program import Completed, run_program
from tunebook.errors import NoSlurmError, SlurmError, ToolError

__all__ = ["ANSWER_S", "ask", "call", "complaint", "configuration", "environment_outside_slurm", "read_settings"]

ANSWER_S = 60.0
"""The longest that a program may take, unless a caller names another time."""
_FOREIGN = ("SLURM_", "SBATCH_", "SQUEUE_", "SACCT_", "SCANCEL_", "SINFO_", "SCONTROL_")
_KEPT = {"SLURM_CONF", "SLURM_JWT"}
_WITHOUT_SLURM = "log in to a login node of the cluster, or run the jobs on this machine with `--executor local`"
_PREFIX = re.compile(r"^\w+: (error: |fatal: )?")
_NOT_SET_UP = re.compile(r"was not found|configuration source|No such file|resolve.*slurm", re.IGNORECASE)
_SETTING = re.compile(r"^(\w+)[ \t]*=[ \t]*(.*?)[ \t]*$", re.MULTILINE)


def environment_outside_slurm() -> dict[str, str]:
    """Returns this process's environment without the variables of a surrounding SLURM job.

    Variables with which a person's shell filters the answers of SLURM's programs are left out too: a job that
    ``SQUEUE_PARTITION`` hides would count as gone.
    """
    env = dict(os.environ)
    for name in os.environ:
        if name.startswith(_FOREIGN) and name not in _KEPT:
            del env[name]
    return env


def call(
    argv: Sequence[str],
    *,
    timeout_s: float = ANSWER_S,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> Completed:
    """Runs one of SLURM's programs to its end, whatever its exit code.

    Raises:
        NoSlurmError: it is missing.
        SlurmError: it did not end in time.
    """
    try:
        return run_program(argv, timeout_s=timeout_s, cwd=cwd, env=environment_outside_slurm() if env is None else env)
    except ToolError as error:
        raise _error(str(error)) from error


def ask(argv: Sequence[str], *, timeout_s: float = ANSWER_S) -> str:
    """Returns what one of SLURM's programs prints.

    Raises:
        NoSlurmError: it is missing, or SLURM is not set up here.
        SlurmError: it failed or did not end in time.
    """
    answer = call(argv, timeout_s=timeout_s)
    if answer.returncode != 0:
        raise _error(f"`{argv[0]}` failed: {complaint(answer)}")
    return answer.stdout


def _error(message: str) -> SlurmError:
    if _NOT_SET_UP.search(message):
        return NoSlurmError(message, hint=_WITHOUT_SLURM)
    return SlurmError(message)


def complaint(answer: Completed) -> str:
    """Returns a program's own words about its failure, without its name in front of each line."""
    lines = [line.strip() for line in (answer.stderr or answer.stdout).splitlines()]
    words = [_PREFIX.sub("", line) for line in lines if line]
    return "; ".join(dict.fromkeys(words)) or f"exit code {answer.returncode}"


def configuration(*, timeout_s: float = ANSWER_S) -> Mapping[str, str]:
    """Returns the cluster's settings by name (``scontrol show config``).

    Raises:
        NoSlurmError: SLURM is not set up here.
        SlurmError: SLURM does not answer.
    """
    return read_settings(ask(["scontrol", "show", "config"], timeout_s=timeout_s))


def read_settings(text: str) -> Mapping[str, str]:
    """Reads lines of the form ``Name = value``."""
    return dict(_SETTING.findall(text))
