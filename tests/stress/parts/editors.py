"""Three kinds of editor save a plan while its status tables are updated: no edit and no plan is lost.

The pauses of the guard differ between experiments. With its usual two seconds, a busy editor is nearly never met. With
shorter ones, updates fall into the middle of saves, and only the exchange and the looking after are left to help.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from random import Random

from stress.part import Outcome, Part, Setting
from tunebook.core.jobs import Job, JobState, Stage
from tunebook.core.paths import PLAN_FILE
from tunebook.disk.plan_file import PATIENCE, Patience
from tunebook.run.report import JobReport
from tunebook.run.status import StatusTables

__all__ = ["PART"]

_PLAN = """# Experiment: sweep

{edit}

## All Runs

| Run Name | Model | Type |
|---|---|---|
| rank8 | m | Fine-tuned |

## Status

### Fine-tuning

| Run Name | Status | Job ID | Started | Completed | Notes |
|---|---|---|---|---|---|
| rank8 | pending | - | - | - | - |

## Notes

{filler}
"""
_FILLER = "A person's own words, which are long enough for a save in several pieces.\n" * 40
_UPDATES_A_SECOND = 15
_LONGEST_PAUSE_S = 0.3


def _truncating(path: Path, text: str, pause_s: float) -> None:
    """Empties the file, and writes it later, in two pieces."""
    with path.open("w") as file:
        time.sleep(pause_s / 2)
        file.write(text[: len(text) // 2])
        file.flush()
        time.sleep(pause_s / 2)
        file.write(text[len(text) // 2 :])


def _renaming(path: Path, text: str, pause_s: float) -> None:
    part = path.with_suffix(".new")
    part.write_text(text)
    time.sleep(pause_s)
    part.replace(path)


def _in_place(path: Path, text: str, pause_s: float) -> None:
    """Opens the file, and overwrites it later."""
    with path.open("r+") as file:
        time.sleep(pause_s)
        file.write(text)
        file.truncate()


def _backing_up(path: Path, text: str, pause_s: float) -> None:
    """Moves the file away, and writes another: as vim does."""
    backup = path.with_name(f"{path.name}~")
    path.rename(backup)
    with path.open("w") as file:
        time.sleep(min(pause_s, 0.05))
        file.write(text)
    backup.unlink()


_Editor = Callable[[Path, str, float], None]
_EDITORS: tuple[_Editor, ...] = (_truncating, _renaming, _in_place, _backing_up)


@dataclass
class _Table:
    """One plan, the person who edits it and the run that updates it."""

    folder: Path
    editor: _Editor
    patience: Patience
    random: Random
    saves: int
    updates: int = 0
    faults: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    is_over: threading.Event = field(default_factory=threading.Event)

    @property
    def plan(self) -> Path:
        return self.folder / PLAN_FILE

    def edit(self) -> None:
        """Saves again and again, sometimes after a pause in which updates are written."""
        time.sleep(self.random.uniform(0, 0.5))
        for number in range(1, self.saves + 1):
            self.editor(self.plan, _text(number), self.random.uniform(0, _LONGEST_PAUSE_S))
            longest_s = self.patience.quiet_s * 1.2 + 0.2
            time.sleep(self.random.uniform(0, longest_s))
        self.is_over.set()

    def update(self) -> None:
        """Updates until the person has left; then writes the last status, as a run does at its end."""
        tables = StatusTables(
            self.folder,
            _clock,
            self.warnings.append,
            pause_s=1 / _UPDATES_A_SECOND,
            share=0,
            patience=self.patience,
        )
        for number in itertools.count():
            is_over = self.is_over.is_set()
            before = self.inode()
            tables.show([_report(number)], now=is_over)
            self.updates += self.inode() != before
            if is_over:
                self.faults += self.found(f"| rank8 | running | {number} |")
                return
            time.sleep(1 / _UPDATES_A_SECOND)

    def inode(self) -> int:
        try:
            return self.plan.stat().st_ino
        except FileNotFoundError:
            return 0

    def found(self, row: str) -> Iterator[str]:
        """What is wrong with the plan after the last update."""
        name = f"{self.editor.__name__.strip('_')}, quiet {self.patience.quiet_s} s"
        text = self.plan.read_text() if self.plan.exists() else ""
        if "# Experiment: sweep" not in text or "## All Runs" not in text or _FILLER not in text:
            yield f"{name}: the plan is lost: {text[:80]!r} of {len(text)} bytes"
        elif f"\nedit {self.saves}\n" not in text:
            yield f"{name}: the last edit is lost: {text.splitlines()[2]!r} in place of edit {self.saves}"
        elif row not in text:
            yield f"{name}: the last status is missing ({'; '.join(self.warnings)})"


def _text(number: int) -> str:
    return _PLAN.format(edit=f"edit {number}", filler=_FILLER)


def _clock() -> datetime:
    return datetime.now().astimezone()


def _report(number: int) -> JobReport:
    job = Job("rank8/finetune", "rank8", Stage.PREPARATION, "torchtune", "rank8", "f", "o")
    return JobReport(job, JobState.RUNNING, job_id=str(number))


def _run(setting: Setting) -> Outcome:
    """Each table has few saves and then a last update: an edit that is lost in the middle would not show."""
    begun = time.monotonic()
    rounds, saves, side_by_side = (2, 3, 48) if setting.is_quick else (30, 4, 84)
    tables: list[_Table] = []
    for number in range(rounds):
        made = list(_tables(setting, number, saves, side_by_side))
        _together(made)
        tables += made
    faults = tuple(fault for table in tables for fault in table.faults)
    superseded = sum(len(table.warnings) for table in tables)
    updates = sum(table.updates for table in tables)
    took_s = time.monotonic() - begun
    figures = (
        f"{sum(table.saves for table in tables)} saves of {len(_EDITORS)} kinds of editor in {len(tables)} plans, "
        f"{updates} versions put in their place, {len(faults)} lost, {superseded} warnings, {took_s:.0f} s"
    )
    return Outcome(figures=figures, faults=faults)


def _tables(setting: Setting, number: int, saves: int, count: int) -> Iterator[_Table]:
    usual = PATIENCE if not setting.is_quick else Patience(quiet_s=0.5)
    patiences = (Patience(quiet_s=0.0), Patience(quiet_s=0.02), Patience(quiet_s=0.1), usual)
    for place in range(count):
        folder = setting.folder / f"{number}-{place}"
        folder.mkdir()
        (folder / PLAN_FILE).write_text(_text(0))
        editor = _EDITORS[place % len(_EDITORS)]
        patience = patiences[place // len(_EDITORS) % len(patiences)]
        yield _Table(folder, editor, patience, Random(setting.random.getrandbits(64)), saves)


def _together(tables: list[_Table]) -> None:
    threads = [threading.Thread(target=work) for table in tables for work in (table.edit, table.update)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


PART = Part(name="editors", run=_run)
