"""The result of scaffolding as a value: summary, logs and JSON are made of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from tunebook.core.paths import tool_log
from tunebook.core.shortened import counted
from tunebook.errors import ExitCode, Problem
from tunebook.scaffold.blueprint import Blueprint, Failure
from tunebook.scaffold.reconcile import Action, Step
from tunebook.tools.base import Tool

__all__ = ["PartReport", "Point", "ScaffoldReport"]


@dataclass(frozen=True, kw_only=True)
class PartReport:
    """The result of one tool's part.

    Attributes:
        runs: the directories of the runs that were built.
        scripts: the scripts of its jobs; ``commands`` submit them by hand.
        directories: the directories that it made, relative to the experiment's.
        problems: why nothing of the part could be done; ``failures`` are single runs that could not be built.
        missing: the run directories or scripts that could not be scaffolded.
        mismatches: differences from the plan that verification found.
        differing: how many differences from the plan are in files that a person edited; they are warnings.
        known: how many runs were not read back, since their files are unchanged since they were verified.
        skipped: why the part was skipped; empty otherwise.
        duration_s: how long it took, in seconds.
    """

    tool: Tool
    runs: tuple[str, ...] = ()
    scripts: tuple[str, ...] = ()
    directories: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()
    problems: tuple[Problem, ...] = ()
    failures: tuple[Failure, ...] = ()
    missing: tuple[str, ...] = ()
    mismatches: tuple[Problem, ...] = ()
    differing: int = 0
    known: int = 0
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
        return not self.errors

    @property
    def errors(self) -> tuple[Problem, ...]:
        """Why the part or single runs of it failed, the mismatches, and why it was skipped; each once."""
        errors = list(self.problems)
        for failure in self.failures:
            errors += failure.problems
        errors += self.mismatches
        if self.skipped:
            errors.append(Problem(f"{self.tool.name}: {self.skipped}"))
        return tuple(dict.fromkeys(errors))  # runs may share an error

    def counts(self, noun: str = "") -> str:
        """How many files each action met, as ``12 created, 3 unchanged``; the singular ``noun`` follows each number."""
        numbers = Counter(step.action for step in self.steps)
        counts = []
        for action in Action:
            number = numbers[action]
            if number:
                many = counted(number, noun) if noun else f"{number:,}"
                counts.append(f"{many} {action.value}")
        return ", ".join(counts)


@dataclass(frozen=True)
class Point:
    """One point of the validation after scaffolding, and whether it holds."""

    text: str
    holds: bool

    def __str__(self) -> str:
        return f"{'✓' if self.holds else '✗'} {self.text}"


@dataclass(frozen=True, kw_only=True)
class ScaffoldReport:
    """The result of the whole.

    Attributes:
        blueprint: everything that the plan asks for, selected or not.
        validation: the points that were checked on the disk at the end; empty for a dry run.
        orphans: files that are no longer in the plan and are still there; ``--prune`` leaves those that were edited or
            belong to results. ``pruned`` are those that it removed.
    """

    experiment: Path
    name: str
    parts: tuple[PartReport, ...]
    blueprint: Blueprint
    validation: tuple[Point, ...] = ()
    orphans: tuple[str, ...] = ()
    pruned: tuple[str, ...] = ()
    warnings: tuple[Problem, ...] = ()
    dry_run: bool = False

    @property
    def ok(self) -> bool:
        """Whether every part is ``ok``, and every point of the validation holds."""
        return not self.errors

    @property
    def is_complete_failure(self) -> bool:
        """Whether no script at all could be scaffolded."""
        return not self.ok and not any(part.scripts for part in self.parts)

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
        """The errors of all parts; if there are none, the points of the validation that do not hold."""
        errors: list[Problem] = []
        for part in self.parts:
            errors += part.errors
        if not errors:
            errors += [Problem(f"validation failed: {point.text}") for point in self.validation if not point.holds]
        return tuple(errors)

    @property
    def exit_code(self) -> ExitCode:
        """1 if something failed, 4 if conflicts are left, otherwise 0."""
        if not self.ok:
            return ExitCode.FAILED
        return ExitCode.UNFINISHED if self.conflicts else ExitCode.DONE
