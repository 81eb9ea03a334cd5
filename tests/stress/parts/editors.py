"""Three kinds of editor save a plan while its status tables are updated: no edit and no plan is lost.

The pauses of the guard differ between experiments. With its usual two seconds, a busy editor is nearly never met. With
shorter ones, updates fall into the middle of saves, and only the exchange and the looking after are left to help.
"""

from __future__ import annotations

import itertools
import multiprocessing
import shutil
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
_FILLER = "A person's own words, which are long enough for a save in several pieces.\n\n" * 6
_UPDATES_A_SECOND = 15
_LONGEST_PAUSE_S = 0.3
_PROCESSES = 2
_SAVES_WITH_LONG_PAUSES = 3


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
    tries: int = 0
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
            self.tries += 1
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
    """Each plan has few saves and then a last update: an edit that is lost in the middle would not show."""
    begun = time.monotonic()
    seed = setting.random.getrandbits(64)
    if setting.is_quick:
        found = [_work(setting.folder, seed, 48, 24, is_quick=True)]
    else:
        with multiprocessing.get_context("spawn").Pool(_PROCESSES) as pool:
            tasks = [(setting.folder / str(number), seed + number, 360, 14) for number in range(_PROCESSES)]
            found = pool.starmap(_work, tasks)
    count = sum(part.saves for part in found)
    faults = tuple(fault for part in found for fault in part.faults)
    tries = sum(part.tries for part in found)
    written = sum(part.updates for part in found)
    figures = (
        f"{count} saves of {len(_EDITORS)} kinds of editor in {sum(part.plans for part in found)} plans, "
        f"{tries} updates ({written} written, the others left for later), {len(faults)} plans or edits lost, "
        f"{sum(part.warnings for part in found)} copies kept, {time.monotonic() - begun:.0f} s"
    )
    return Outcome(figures=figures, faults=faults)


@dataclass(frozen=True)
class _Found:
    """What one process did and found."""

    plans: int
    saves: int
    tries: int
    updates: int
    warnings: int
    faults: tuple[str, ...]


def _work(folder: Path, seed: int, plans: int, side_by_side: int, *, is_quick: bool = False) -> _Found:
    """Lets people edit plans and runs update them, some side by side."""
    tables = list(_tables(folder, Random(seed), plans, is_quick=is_quick))
    waiting = iter(tables)
    taking = threading.Lock()

    def lane() -> None:
        while True:
            with taking:
                table = next(waiting, None)
            if table is None:
                return
            person = threading.Thread(target=table.edit)
            person.start()
            table.update()
            person.join()
            shutil.rmtree(table.folder)

    lanes = [threading.Thread(target=lane) for _ in range(side_by_side)]
    for thread in lanes:
        thread.start()
    for thread in lanes:
        thread.join()
    return _Found(
        plans=len(tables),
        saves=sum(table.saves for table in tables),
        tries=sum(table.tries for table in tables),
        updates=sum(table.updates for table in tables),
        warnings=sum(len(table.warnings) for table in tables),
        faults=tuple(fault for table in tables for fault in table.faults),
    )


def _tables(folder: Path, random: Random, count: int, *, is_quick: bool) -> Iterator[_Table]:
    """Each kind of editor meets each patience; the usual one takes long, and is met less often."""
    short = [Patience(quiet_s=quiet_s, watch_s=2.0) for quiet_s in (0.0, 0.02, 0.1)]
    usual = Patience(quiet_s=0.5, watch_s=2.0) if is_quick else PATIENCE
    patiences = [*short, *short, usual]
    for place in range(count):
        own = folder / str(place)
        own.mkdir(parents=True)
        (own / PLAN_FILE).write_text(_text(0))
        patience = patiences[place % len(patiences)]
        saves = _SAVES_WITH_LONG_PAUSES if patience is PATIENCE else (6 if is_quick else 16)
        yield _Table(own, random.choice(_EDITORS), patience, Random(random.getrandbits(64)), saves)


PART = Part(name="editors", run=_run)
