"""Kills, and errors of the disk, at system calls that change files; afterwards the same command completes the work."""

from __future__ import annotations

import time

from stress.cases import Case, cases, faults_of, persons, problems_after, state_of
from stress.faults import Point, calls_of, under, why_not
from stress.part import Outcome, Part, Setting
from stress.zygote import Zygote, zygote

__all__ = ["PART"]

_EVENTS = ("signal=KILL", "signal=KILL", "error=ENOSPC", "error=EIO", "error=EACCES", "error=EDQUOT")
_FULL_S = 360.0
_LEAST = 2
_QUICK = {"new": 0, "update": 0, "prune": 4, "run": 2, "analyze": 0}


def _run(setting: Setting) -> Outcome:
    reason = why_not(setting.folder)
    if reason:
        return Outcome(skipped=reason)
    tried: dict[str, int] = {}
    faults: list[str] = []
    with zygote(setting.folder) as commands:
        chosen = [case for case in cases() if not setting.is_quick or _QUICK[case.name]]
        share = _FULL_S / sum(case.weight for case in chosen)
        for case in chosen:
            number, found = _try(case, setting, commands, seconds=share * case.weight)
            tried[case.name] = number
            faults += found
    figures = ", ".join(f"{name} {number}" for name, number in tried.items())
    return Outcome(figures=f"{sum(tried.values())} points: {figures}", faults=tuple(faults))


def _try(case: Case, setting: Setting, commands: Zygote, *, seconds: float) -> tuple[int, list[str]]:
    """Tries points of one case; returns how many, and the faults."""
    begun = time.monotonic()
    kept = setting.folder / "kept"
    kept.mkdir(exist_ok=True)
    experiment = case.make(setting.folder, commands, kept)
    undisturbed, calls = calls_of(commands.start(case.verb, experiment), setting.folder / "calls.txt")
    wanted = state_of(experiment)
    faults = problems_after(case, undisturbed)
    points = [Point(call, number, setting.random.choice(_EVENTS)) for call, number in calls]
    setting.random.shuffle(points)
    number = 0
    for point in points:
        if setting.is_quick and number >= _QUICK[case.name]:
            break
        if not setting.is_quick and number >= _LEAST and time.monotonic() - begun > seconds:
            break
        number += 1
        experiment = case.make(setting.folder, commands, kept)
        mine = persons(case, experiment)
        found = problems_after(case, under(commands.start(case.verb, experiment), point))
        found += faults_of(case, experiment, wanted, mine, commands.run(case.verb, experiment))
        faults += [f"{point}: {fault}" for fault in found]
    return number, faults


PART = Part(name="kill-points", run=_run)
