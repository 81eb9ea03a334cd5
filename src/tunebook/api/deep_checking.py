"""The deep half of ``check``: gathers the checks of tools, executor and design, and runs each shape once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tunebook.api.loading import Loaded
from tunebook.api.site_checks import scheduler_checks, supply_checks
from tunebook.core.deep_checks import Ask, DeepCheck, DeepResult
from tunebook.disk.passed_checks import check_digest, read_passed, write_passed
from tunebook.errors import Problem, TunebookError
from tunebook.scaffold.blueprint import Blueprint
from tunebook.tools.deep.worker import Worker

__all__ = ["DeepOutcome", "OnDeep", "deep_checks", "run_deep_checks"]


@dataclass(frozen=True)
class DeepOutcome:
    """One deep check and what became of it.

    Attributes:
        title: what was proved; ``subject`` is what it was proved for.
        seconds: how long it took; 0 for one that passed in an earlier command.
        cached: whether it passed in an earlier command with the same contents, settings and versions.
        started: whether this only announces the check, which runs now.
    """

    title: str
    subject: str
    result: DeepResult
    runs: tuple[str, ...] = ()
    seconds: float = 0.0
    cached: bool = False
    announcement: str = ""
    started: bool = False

    @property
    def state(self) -> str:
        """``passed``, ``failed``, ``doubtful`` (warnings only) or ``not checked``."""
        if self.result.errors:
            return "failed"
        if self.result.unchecked:
            return "not checked"
        return "doubtful" if self.result.warnings else "passed"


OnDeep = Callable[[DeepOutcome], None]


def deep_checks(loaded: Loaded, blueprint: Blueprint) -> tuple[DeepCheck, ...]:
    """The checks of a correct plan, each shape once, in the order of the stages."""
    found: list[DeepCheck] = []
    for part in blueprint.parts:
        built = [(item.run, item.unit) for item in part.built]
        found += part.tool.deep_checks(part.context, built)
    found += scheduler_checks(blueprint)
    found += supply_checks(loaded.context, blueprint)
    return tuple(_distinct(found))


def _distinct(checks: Sequence[DeepCheck]) -> Iterator[DeepCheck]:
    """Each title and key once, with the runs of all."""
    by_digest: dict[str, DeepCheck] = {}
    for number, check in enumerate(checks):
        digest = check_digest(check.title, check.key or {"number": number})
        known = by_digest.get(digest, check)
        by_digest[digest] = replace(known, runs=tuple(dict.fromkeys(known.runs + check.runs)))
    yield from by_digest.values()


def run_deep_checks(experiment: Path, checks: Sequence[DeepCheck], on_event: OnDeep) -> tuple[DeepOutcome, ...]:
    """Runs the checks one after the other; those that passed with the same key are taken from the cache.

    Args:
        on_event: called when a check that has an announcement starts, and when any check ends.
    """
    before = read_passed(experiment)
    passed: dict[str, str] = {}
    outcomes: list[DeepOutcome] = []
    with Worker() as worker, Worker() as for_others:

        def ask(function: str, arguments: Mapping[str, Any], *, runs_others_code: bool = False) -> Mapping[str, Any]:
            chosen = for_others if runs_others_code else worker
            return chosen.ask(function, arguments)

        for check in checks:
            digest = check_digest(check.title, check.key)
            outcome = _cached(check, before.get(digest))
            if outcome is None:
                outcome = _looked(check, ask, on_event)
            if outcome.state == "passed" and check.key:
                passed[digest] = outcome.result.figure
                _remember(experiment, before | passed)
            on_event(outcome)
            outcomes.append(outcome)
    return tuple(outcomes)


def _cached(check: DeepCheck, figure: str | None) -> DeepOutcome | None:
    if figure is None or not check.key:
        return None
    return DeepOutcome(check.title, check.subject, DeepResult(figure=figure), check.runs, cached=True)


def _looked(check: DeepCheck, ask: Ask, on_event: OnDeep) -> DeepOutcome:
    outcome = DeepOutcome(check.title, check.subject, DeepResult(), check.runs, announcement=check.announcement)
    if check.announcement:
        on_event(replace(outcome, started=True))
    started = time.monotonic()
    try:
        result = check.look(ask)
    except TunebookError as error:
        errors = [replace(one, message=f"{check.title} of {check.subject}: {one.message}") for one in error.problems]
        result = DeepResult(errors=tuple(errors))
    except Exception as error:  # noqa: BLE001 - a check that breaks has proved nothing, and the others go on
        message = f"{check.title} of {check.subject} could not be checked: {type(error).__name__}: {error}"
        result = DeepResult(errors=(Problem(message),))
    return replace(outcome, result=result, seconds=time.monotonic() - started)


def _remember(experiment: Path, passed: dict[str, str]) -> None:
    """Writes the cache after each check, since a person may end the command; a read-only experiment has none."""
    try:
        write_passed(experiment, passed)
    except OSError:
        return
