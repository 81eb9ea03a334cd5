"""The text of a job's script: ``#SBATCH`` lines, quoted values, and a body that is the same for every run.

No value is ever put into shell code: values are assigned, quoted, to variables at the top, and the body below them is a
file of its own that ShellCheck reads as it stands.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

from tunebook.core.jobs import Job
from tunebook.core.quoting import shell_word
from tunebook.core.script_header import header_lines
from tunebook.core.site import Environment
from tunebook.errors import Problem

__all__ = ["Shell", "missing_files", "script_text", "shell_body", "verify_header", "verify_variables"]

Shell = str | int | Sequence[str]


@lru_cache
def shell_body(name: str) -> str:
    """The shell commands of a file in ``templates``."""
    return (files("tunebook.tools") / "templates" / f"{name}.sh").read_text(encoding="utf-8")


def script_text(
    job: Job,
    *,
    job_name: str,
    modules: Sequence[str],
    environment: Environment,
    variables: Mapping[str, Shell],
    body: str,
) -> str:
    """The whole script.

    Args:
        body: the shell commands of the job; they use ``variables``, the prologue's ``run`` and ``fail``, and no values.

    Raises:
        ValueError: a value cannot stand where it would have to: white space on an ``#SBATCH`` line, NUL in a shell
            word, a line break in a module line.
    """
    lines = ["#!/usr/bin/env bash", *header_lines(job.resources, job_name=job_name)]
    lines += ["", "# Made by tunebook. The values of this job come first; below them every script is the same."]
    lines += ["# shellcheck disable=SC2016  # nothing in a quoted value is to be expanded"]
    lines += ["set -euo pipefail", ""]
    lines += [f"{name}={_assigned(value)}" for name, value in variables.items()]
    lines += [f"conda_env={shell_word(environment.conda_env)}", f"venv={shell_word(environment.venv)}"]
    lines += ["load_modules() {", *(f"    {_module(line)}" for line in modules or (":",)), "}", ""]
    return "\n".join(lines) + "\n" + shell_body("prologue") + body


def _assigned(value: Shell) -> str:
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return shell_word(value)
    return "(" + " ".join(shell_word(item) for item in value) + ")"


def _module(line: str) -> str:
    if "\n" in line or "\r" in line:
        raise ValueError(f"a module line holds a line break: {line!r}")
    return line


def verify_header(job: Job, text: str) -> list[Problem]:
    """Whether a script asks for the job's resources."""
    return [
        Problem(f"run `{job.run}`: the script lacks the line `{line}`", job.script)
        for line in header_lines(job.resources)
        if f"\n{line}\n" not in text
    ]


def verify_variables(run: str, script: str, text: str, variables: Mapping[str, Shell]) -> list[Problem]:
    """Whether a script assigns to each variable the value that it should."""
    return [
        Problem(f"run `{run}`: {name} should be {value!r} in the script", script)
        for name, value in variables.items()
        if f"\n{name}={_assigned(value)}\n" not in text
    ]


def missing_files(run: str, job: Job, experiment: Path) -> list[Problem]:
    """Files that decide what the job does and are not there."""
    return [
        Problem(f"run `{run}`: {path} is named by the script and is not there", job.script)
        for path in job.inputs
        if not os.path.isfile(os.path.join(experiment, path))  # noqa: PTH113, PTH118  a sweep has thousands
    ]
