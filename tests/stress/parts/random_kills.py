"""Kills commands at random moments; afterwards the same command completes the work, and a person's files are safe."""

from __future__ import annotations

import time
from collections.abc import Callable
from random import Random

from stress.cases import Case, cases, faults_of, persons, problems_after, state_of
from stress.part import Outcome, Part, Setting
from stress.zygote import Child, Zygote, zygote

__all__ = ["PART"]

_KILLS = {"new": 60, "update": 55, "prune": 55, "run": 25, "analyze": 5}
_QUICK = {"new": 3, "update": 0, "prune": 0, "run": 2, "analyze": 0}
_MOST_S = 240.0


def _run(setting: Setting) -> Outcome:
    wanted = _QUICK if setting.is_quick else _KILLS
    done: dict[str, int] = {}
    faults: list[str] = []
    begun = time.monotonic()
    with zygote(setting.folder) as commands:
        for case in cases():
            share = _MOST_S * sum(wanted[name] for name in [*done, case.name]) / sum(wanted.values())
            number, found = _kill(case, setting, commands, wanted[case.name], until=begun + share)
            done[case.name] = number
            faults += found
    figures = ", ".join(f"{name} {number}" for name, number in done.items() if number)
    return Outcome(figures=f"{sum(done.values())} kills: {figures}", faults=tuple(faults))


def _kill(case: Case, setting: Setting, commands: Zygote, wanted: int, *, until: float) -> tuple[int, list[str]]:
    if not wanted:
        return 0, []
    kept = setting.folder / "kept"
    kept.mkdir(exist_ok=True)
    experiment = case.make(setting.folder, commands, kept)
    undisturbed = commands.run(case.verb, experiment)
    state = state_of(experiment)
    faults = problems_after(case, undisturbed)
    number = 0
    while number < wanted and (setting.is_quick or time.monotonic() < until):
        number += 1
        experiment = case.make(setting.folder, commands, kept)
        mine = persons(case, experiment)
        child = commands.start(case.verb, experiment)
        child.go(_killer(child, undisturbed.seconds, setting.random))
        found = faults_of(case, experiment, state, mine, commands.run(case.verb, experiment))
        faults += [f"kill {number}: {fault}" for fault in found]
    return number, faults


def _killer(child: Child, seconds: float, random: Random) -> Callable[[], None]:
    def kill() -> None:
        time.sleep(random.uniform(0.0, seconds))
        child.kill()

    return kill


PART = Part(name="random-kills", run=_run)
