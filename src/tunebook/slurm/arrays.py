"""Writes the script of a job array, each of whose tasks runs one job's own script in that job's directory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

from tunebook.core.jobs import Resources
from tunebook.core.quoting import shell_word
from tunebook.core.script_header import header_lines

__all__ = ["ArrayTask", "array_ranges", "array_script"]


@dataclass(frozen=True)
class ArrayTask:
    """One task of an array.

    Attributes:
        number: its number in the array.
        tag: the tag of its submission.
        directory: absolute path of the directory in which its script starts.
        script: absolute path.
        resume: whether an earlier submission was interrupted.
    """

    number: int
    tag: str
    directory: Path
    script: Path
    resume: bool = False


def array_ranges(numbers: Iterable[int]) -> str:
    """Returns the numbers as ``--array`` takes them: ``0-3,7``."""
    ranges: list[list[int]] = []
    for number in sorted(numbers):
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    return ",".join(f"{first}" if first == last else f"{first}-{last}" for first, last in ranges)


@lru_cache
def _body() -> str:
    return (files("tunebook.slurm") / "array.sh").read_text(encoding="utf-8")


def array_script(resources: Resources, tasks: Sequence[ArrayTask]) -> str:
    """Returns the text of the script; its header asks for the resources of one task."""
    lines = ["#!/usr/bin/env bash", *header_lines(resources)]
    lines += ["set -euo pipefail", 'case "$SLURM_ARRAY_TASK_ID" in']
    for task in tasks:
        directory, script = shell_word(str(task.directory)), shell_word(str(task.script))
        resume = "1" if task.resume else ""
        line = f"{task.number}) tag={shell_word(task.tag)} directory={directory} script={script} resume={resume} ;;"
        lines.append(line)
    lines += ["*) exit 64 ;;", "esac"]
    return "\n".join(lines) + "\n" + _body()
