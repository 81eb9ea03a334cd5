"""Signals that end a verb: they are handled alike, and a person reads what happens to the jobs."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from tunebook import api
from tunebook.cli.output import command_of, print_json
from tunebook.core.shortened import counted
from tunebook.errors import Problem

__all__ = ["demo_left_behind", "end_interrupted", "left_behind"]

_AGAIN = "call the same command again: it continues"


def end_interrupted(arguments: Sequence[str]) -> NoReturn:
    """Ends the process with the code of the signal: 130, 143 or 129; with `--json` it prints a document."""
    code = api.interrupt_code()
    with suppress(OSError):  # the terminal may be closed
        if "--json" in arguments:
            print_json(command_of(arguments), code, {}, errors=[Problem("interrupted", hint=_AGAIN)])
            sys.stdout.flush()
        else:
            sys.stderr.write("tunebook: interrupted\n")
            sys.stderr.flush()
    sys.exit(code)


def left_behind(jobs: int, experiment: Path, *, survive: bool) -> str:
    """Returns what happens to the jobs of a run that is interrupted, and how to resume it."""
    where = shlex.quote(str(experiment))
    of_jobs = counted(jobs, "job")
    again = f"  tunebook run {where}      watches them again and submits the rest"
    if not jobs:
        return f"No job is queued or running.\n  tunebook run {where}      resumes the run"
    if survive:
        return (
            f"{of_jobs} continue{'s' if jobs == 1 else ''} without this command.\n"
            f"  tunebook status {where}   shows them\n{again}\n  tunebook cancel {where}   ends them"
        )
    it = "it" if jobs == 1 else "them"
    return (
        f"Ending {of_jobs}; Ctrl-C again kills {it} at once.\n  tunebook run {where}      runs {it} again, and the rest"
    )


def demo_left_behind(jobs: int) -> str:
    """Returns what happens to the jobs of a demo that is interrupted, and how to continue."""
    ending = f"Ending {counted(jobs, 'job')}; Ctrl-C again kills {'it' if jobs == 1 else 'them'} at once.\n"
    return f"{ending if jobs else ''}  The same command again continues where this one stopped."
