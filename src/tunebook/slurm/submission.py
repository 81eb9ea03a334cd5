"""Hands scripts to ``sbatch``, and reads its answer."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from tunebook.errors import ExecutorError, RefusedError, SlurmError, UnclearError
from tunebook.slurm.programs import ANSWER_S, call, complaint
from tunebook.slurm.refusals import Refusal, kind_of_refusal

__all__ = ["after_all", "after_each", "after_end", "output_option", "refusal", "submit"]

# Options here override the person's SBATCH_ variables and the script's header.
_SBATCH = ("sbatch", "--parsable", "--export=ALL", "--open-mode=append", "--requeue")
_SUBMIT_S = 120.0
_NUMBER = re.compile(r"^(\d+)(?:;\S*)?\s*\Z", re.MULTILINE)


def submit(script: Path, *, tag: str, options: Sequence[str], cwd: Path, env: Mapping[str, str]) -> str:
    """Submits a script and returns the job's number.

    Args:
        script: absolute path.
        tag: the comment by which the job is found again.
        options: further options of ``sbatch``.
        cwd: the directory in which the job starts.
        env: the environment that the job inherits.

    Raises:
        UnclearError: SLURM did not answer, or gave no number.
        RefusedError: SLURM refused the job, in its own words.
    """
    argv = [*_SBATCH, f"--comment={tag}", *options, str(script)]
    try:
        answer = call(argv, timeout_s=_SUBMIT_S, cwd=cwd, env=env)
    except SlurmError as error:
        raise UnclearError(str(error)) from error
    if answer.returncode == 0:
        return _number(answer.stdout)
    words = complaint(answer)
    if kind_of_refusal(words) is Refusal.NO_ANSWER:
        raise UnclearError(f"`sbatch` got no answer: {words}")
    raise RefusedError(words)


def _number(printed: str) -> str:
    """Returns the job's number: the last line, since some clusters print a greeting before it."""
    found = _NUMBER.search(printed)
    if found is None:
        raise UnclearError(f"`sbatch` did not print the job's number: {printed.strip()[:200]}")
    return found[1]


def after_all(ids: Sequence[str]) -> list[str]:
    """Options for a job that starts after all these have succeeded, and is dropped once one of them has failed."""
    return [f"--dependency=afterok:{':'.join(ids)}", "--kill-on-invalid-dep=yes"]


def after_each(array: str) -> list[str]:
    """Options for an array each of whose tasks starts after the task with the same number of another array."""
    return [f"--dependency=aftercorr:{array}", "--kill-on-invalid-dep=yes"]


def after_end(ids: Sequence[str]) -> list[str]:
    """Options for a job that starts once all these have ended, however they ended."""
    return [f"--dependency=afterany:{':'.join(ids)}"]


def output_option(directory: Path, name: str) -> str:
    """Returns the option that sends a job's output to ``name``, in which SLURM replaces its patterns (``%j``).

    SLURM reads ``%`` in the directory as a pattern too; with a backslash anywhere it reads no pattern at all.

    Raises:
        ExecutorError: SLURM cannot write output there.
    """
    folder = str(directory)
    if "\\" in folder:
        raise ExecutorError(f"SLURM writes no output into {folder}: its path has a backslash (rename the directory)")
    return f"--output={folder.replace('%', '%%')}/{name}"


def refusal(options: Mapping[str, str], *, timeout_s: float = ANSWER_S) -> str:
    """Returns SLURM's own words on why it would not take a job with these options; empty if it would.

    Nothing is submitted: ``sbatch --test-only``.

    Raises:
        SlurmError: ``sbatch`` is missing or does not answer.
    """
    given = [f"--{name}={value}" for name, value in options.items() if value]
    answer = call(["sbatch", "--test-only", *given, "--wrap=true"], timeout_s=timeout_s)
    if answer.returncode == 0:
        return ""
    words = complaint(answer)
    if kind_of_refusal(words) is Refusal.NO_ANSWER:
        raise SlurmError(words)
    return words
