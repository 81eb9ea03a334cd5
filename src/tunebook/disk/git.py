"""Asks git which commit an experiment is at, and which of its files differ from it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from tunebook.core.paths import PLAN_FILE
from tunebook.core.text_of_plan import without_status
from tunebook.disk.program import run_program
from tunebook.disk.read import read_text
from tunebook.errors import ToolError

__all__ = ["Commit", "read_commit"]

_TIMEOUT_S = 20.0


@dataclass(frozen=True)
class Commit:
    """The commit of the experiment's directory.

    Attributes:
        sha: the commit's full name.
        changed: tracked files that differ from it, relative to the directory; the plan's status tables do not count.
    """

    sha: str
    changed: tuple[str, ...] = ()


def read_commit(experiment: Path) -> Commit | None:
    """Returns the commit; ``None`` without git, or outside of a repository with a commit."""
    sha = _git(experiment, "rev-parse", "--verify", "HEAD")
    if sha is None:
        return None
    names = _git(experiment, "diff", "--name-only", "-z", "--relative", "HEAD", "--", ".") or ""
    changed = [name for name in names.split("\0") if name]
    if PLAN_FILE in changed and not _plan_differs(experiment):
        changed.remove(PLAN_FILE)
    return Commit(sha.strip(), tuple(changed))


def _plan_differs(experiment: Path) -> bool:
    committed = _git(experiment, "show", f"HEAD:./{PLAN_FILE}") or ""
    return without_status(committed) != without_status(read_text(experiment / PLAN_FILE) or "")


def _git(experiment: Path, *arguments: str) -> str | None:
    """The output of a command that writes nothing; ``None`` if it fails."""
    env = os.environ | {"GIT_OPTIONAL_LOCKS": "0"}
    try:
        done = run_program(["git", "-C", str(experiment), *arguments], timeout_s=_TIMEOUT_S, env=env)
    except ToolError:
        return None
    return done.stdout if done.returncode == 0 else None
