"""Plug-ins that are broken in each method of their contract, or at import: each is named, and ends no verb oddly."""

from __future__ import annotations

import json

from stress.bounded import limited
from stress.part import Outcome, Part, Setting
from stress.played_sweep import finished_sweep

__all__ = ["PART"]

_MOST, _QUICK_MOST = 1000, 5


def _run(setting: Setting) -> Outcome:
    pristine = finished_sweep(setting.folder / "made")
    folder = setting.folder / "child"
    folder.mkdir()
    most = _QUICK_MOST if setting.is_quick else _MOST
    seed = setting.random.randrange(1 << 32)
    ended = limited("stress.broken_plugins", [pristine, folder, seed, most], memory_gb=4.0, wall_s=900)
    lines = (folder / "faults.jsonl").read_text(encoding="utf-8").splitlines() if ended.code == 0 else []
    faults = [str(json.loads(line)) for line in lines]
    if ended.code:
        faults.append(f"the child ended with {ended.code}: {ended.output}")
        return Outcome(faults=tuple(faults))
    count = (folder / "count").read_text()
    return Outcome(figures=f"{count} broken plug-ins, {len(faults)} fault(s)", faults=tuple(faults))


PART = Part(name="plug-ins", run=_run)
