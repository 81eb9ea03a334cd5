"""The hostile corpus at every entry point: nothing is executed, prompts arrive whole, and each refusal is an error."""

from __future__ import annotations

import json

from stress.bounded import limited
from stress.part import Outcome, Part, Setting
from stress.played_sweep import finished_sweep

__all__ = ["PART"]

_VALUES, _QUICK_VALUES = 600, 30


def _run(setting: Setting) -> Outcome:
    pristine = finished_sweep(setting.folder / "made")
    folder = setting.folder / "child"
    folder.mkdir()
    count = _QUICK_VALUES if setting.is_quick else _VALUES
    seed = setting.random.randrange(1 << 32)
    ended = limited("stress.hostile_inputs", [pristine, folder, seed, count], memory_gb=4.0, wall_s=1800)
    recorded = folder / "faults.jsonl"
    lines = recorded.read_text(encoding="utf-8").splitlines() if recorded.exists() else []
    faults = [str(json.loads(line)) for line in lines]
    if ended.code:
        faults.append(f"the child ended with {ended.code}: {ended.output}")
    return Outcome(figures=f"{count:,} values, {len(faults)} fault(s)", faults=tuple(faults))


PART = Part(name="hostile", run=_run)
