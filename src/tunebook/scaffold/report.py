"""What scaffolding did, as a value: the summary and the JSON are made of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tunebook.core.jobs import Stage
from tunebook.errors import ExitCode, Problem
from tunebook.scaffold.blueprint import Failure
from tunebook.scaffold.reconcile import Action, Step

__all__ = ["PartReport", "ScaffoldReport"]


@dataclass(frozen=True)
class PartReport:
    """What became of one tool's part.

    Attributes:
        runs: the directories whose files are as they should be.
        scripts: the scripts of its jobs.
        mismatches: what verification found to differ from the plan.
        skipped: why the part was not done; empty if it was.
        duration_s: how long it took, in seconds.
    """

    tool: str
    short: str
    stage: Stage
    log: str
    runs: tuple[str, ...] = ()
    scripts: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()
    failures: tuple[Failure, ...] = ()
    mismatches: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    skipped: str = ""
    duration_s: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether everything that was asked of this part is there and right."""
        return not (self.failures or self.mismatches or self.skipped)

    def count(self, action: Action) -> int:
        """How many files met this fate."""
        return sum(step.action is action for step in self.steps)


@dataclass(frozen=True)
class ScaffoldReport:
    """The whole.

    Attributes:
        orphans: files that are no longer in the plan; ``pruned`` those of them that were removed, ``kept`` those that
            ``--prune`` left since they were edited or hold results.
    """

    experiment: Path
    name: str
    parts: tuple[PartReport, ...]
    orphans: tuple[str, ...] = ()
    pruned: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    warnings: tuple[Problem, ...] = ()
    dry_run: bool = False

    @property
    def steps(self) -> tuple[Step, ...]:
        """Every file's step."""
        return tuple(step for part in self.parts for step in part.steps)

    @property
    def conflicts(self) -> tuple[str, ...]:
        """The files that a person edited and that were kept."""
        return tuple(step.path for step in self.steps if step.action is Action.CONFLICT)

    @property
    def errors(self) -> tuple[Problem, ...]:
        """Why runs failed, and what verification found."""
        failures = [problem for part in self.parts for failure in part.failures for problem in failure.problems]
        skipped = [Problem(f"{part.tool}: {part.skipped}") for part in self.parts if part.skipped]
        return (*failures, *(problem for part in self.parts for problem in part.mismatches), *skipped)

    @property
    def exit_code(self) -> ExitCode:
        """1 if something failed, 4 if conflicts are left, else 0."""
        if not all(part.ok for part in self.parts):
            return ExitCode.FAILED
        return ExitCode.UNFINISHED if self.conflicts else ExitCode.DONE
