"""The result of scaffolding as a value: summary, logs and JSON are made of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from tunebook.core.paths import tool_log
from tunebook.errors import ExitCode, Problem
from tunebook.scaffold.blueprint import Failure
from tunebook.scaffold.reconcile import Action, Step
from tunebook.tools.base import Tool

__all__ = ["PartReport", "ScaffoldReport"]


@dataclass(frozen=True, kw_only=True)
class PartReport:
    """The result of one tool's part.

    Attributes:
        runs: the directories of the runs that were built.
        scripts: the scripts of its jobs; ``commands`` submit them by hand.
        mismatches: differences from the plan that verification found.
        skipped: why the part was skipped; empty otherwise.
        duration_s: how long it took, in seconds.
    """

    tool: Tool
    runs: tuple[str, ...] = ()
    scripts: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()
    failures: tuple[Failure, ...] = ()
    mismatches: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    skipped: str = ""
    duration_s: float = 0.0

    @property
    def log(self) -> str:
        """The name of the tool's own log."""
        return tool_log("scaffold", self.tool.short)

    @property
    def ok(self) -> bool:
        """Whether every selected file is as it should be."""
        return not (self.failures or self.mismatches or self.skipped)

    def counts(self, noun: str = "") -> str:
        """How many files each action met, as ``12 created, 3 unchanged``; ``noun`` follows each number."""
        numbers = Counter(step.action for step in self.steps)
        counts = [f"{numbers[action]} {noun} {action.value}" for action in Action if numbers[action]]
        return ", ".join(counts).replace("  ", " ")


@dataclass(frozen=True, kw_only=True)
class ScaffoldReport:
    """The result of the whole.

    Attributes:
        orphans: files that are no longer in the plan and are still there; ``--prune`` leaves those that were edited or
            belong to results. ``pruned`` are those that it removed.
    """

    experiment: Path
    name: str
    parts: tuple[PartReport, ...]
    orphans: tuple[str, ...] = ()
    pruned: tuple[str, ...] = ()
    warnings: tuple[Problem, ...] = ()
    dry_run: bool = False

    @property
    def ok(self) -> bool:
        """Whether every part is."""
        return all(part.ok for part in self.parts)

    @property
    def steps(self) -> tuple[Step, ...]:
        """Every file's step."""
        steps: list[Step] = []
        for part in self.parts:
            steps += part.steps
        return tuple(steps)

    @property
    def conflicts(self) -> tuple[str, ...]:
        """The files that a person edited and that were kept."""
        return tuple(step.path for step in self.steps if step.action is Action.CONFLICT)

    @property
    def errors(self) -> tuple[Problem, ...]:
        """Why runs failed, the mismatches, and why parts were skipped."""
        failures: list[Problem] = []
        mismatches: list[Problem] = []
        skipped: list[Problem] = []
        for part in self.parts:
            for failure in part.failures:
                failures += failure.problems
            mismatches += part.mismatches
            if part.skipped:
                skipped.append(Problem(f"{part.tool.name}: {part.skipped}"))
        return (*failures, *mismatches, *skipped)

    @property
    def exit_code(self) -> ExitCode:
        """1 if something failed, 4 if conflicts are left, otherwise 0."""
        if not self.ok:
            return ExitCode.FAILED
        return ExitCode.UNFINISHED if self.conflicts else ExitCode.DONE
