"""Signals at random moments of ``tunebook run`` on this machine: no job lives on or runs twice, all end completed."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random

from stress.part import Outcome, Part, Setting
from stress.played_sweep import PlayedSweep
from support.bash_jobs import wait_until
from support.patience import HANG_S

__all__ = ["PART"]

_LONG_S = 170.0
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL)
_HANDLED = {0, 130, 143, 129}


@dataclass
class _Found:
    """What the rounds did and found."""

    rounds: int = 0
    signals: int = 0
    kills: int = 0
    faults: list[str] = field(default_factory=list)


def _run(setting: Setting) -> Outcome:
    found = _Found()
    sweep = PlayedSweep(setting.folder, ranks=(4,) if setting.is_quick else (4, 8, 16), seconds=0.3)
    begun = time.monotonic()
    try:
        if setting.is_quick:
            _quick_round(setting, sweep, found)
        while not setting.is_quick and time.monotonic() - begun < _LONG_S:
            _round(setting, sweep, found)
    finally:
        sweep.end()
    figures = f"{found.rounds} sweeps, {found.signals} signals to `tunebook run`, {found.kills} of them SIGKILL"
    return Outcome(figures=figures, faults=tuple(found.faults))


def _quick_round(setting: Setting, sweep: PlayedSweep, found: _Found) -> None:
    """A signal while a job runs, whatever the speed of the machine: its exit code, its words, and no job left."""
    number = setting.random.choice([signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
    output = setting.folder / "output"
    with sweep.start_run(output) as run:
        wait_until(lambda: sweep.started or run.poll() is not None)
        run.send_signal(number)
        code = run.wait(timeout=HANG_S)
    found.signals += 1
    if code != 128 + number:
        found.faults.append(f"exit code {code} after {signal.Signals(number).name}: {output.read_text()[-500:]}")
    if "again kills" not in output.read_text() or "tunebook run" not in output.read_text():
        found.faults.append(f"it does not say what happens: {output.read_text()[-500:]}")
    found.faults += [f"a process of {tag} lives on after {signal.Signals(number).name}" for tag in sweep.living]
    _finish(sweep, found)


def _round(setting: Setting, sweep: PlayedSweep, found: _Found) -> None:
    sweep.reset()
    while True:
        _interrupted_run(setting, sweep, found)
        if setting.random.random() < 0.5:
            break
    _finish(sweep, found)


def _interrupted_run(setting: Setting, sweep: PlayedSweep, found: _Found) -> None:
    random = setting.random
    output = setting.folder / f"output-{found.signals}"
    with sweep.start_run(output) as run:
        time.sleep(random.uniform(0.2, 8.0))
        sent = [_send(run, random, found)]
        if random.random() < 0.5:
            time.sleep(random.choice([0.0, random.uniform(0.0, 1.0)]))
            sent.append(_send(run, random, found))
        code = run.wait(timeout=HANG_S)
    words = "+".join(number.name for number in sent)
    if code == -signal.SIGKILL:
        return  # the monitor was killed: its jobs live on, and the next one finds them
    # A signal ends the program while it is still imported, or when its work is done: Python then handles none.
    said = output.read_text()
    is_early = "executor:" not in said
    is_late = "jobs are completed" in said or said.endswith("tunebook: interrupted\n")
    if code not in _HANDLED and not (-code in sent and (is_early or is_late)):
        found.faults.append(f"exit code {code} after {words}: {output.read_text()[-500:]}")
    found.faults += [f"a process of {tag} lives on after {words}" for tag in sweep.living]


def _send(run: subprocess.Popen[bytes], random: Random, found: _Found) -> signal.Signals:
    number = random.choice(_SIGNALS)
    found.signals += 1
    found.kills += number == signal.SIGKILL
    with suppress(ProcessLookupError):
        os.kill(run.pid, number)
    return number


def _finish(sweep: PlayedSweep, found: _Found) -> None:
    found.rounds += 1
    done = sweep.verb("run", "--executor", "local", "--jobs", "2", "--poll-s", "0.05")
    if done.returncode != 0:
        found.faults.append(f"the last run ended with {done.returncode}: {done.stdout[-500:]}{done.stderr[-500:]}")
    found.faults += sweep.faults()


PART = Part(name="processes", run=_run)
