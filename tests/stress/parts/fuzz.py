"""Changed files: plans, site settings, plans in YAML, everything that jobs and tunebook leave, sentences and options.

Each input is made from its number and the seed. A case that found a fault is kept in ``found/`` when it was fixed, and
the quick half replays all of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from stress.bounded import Ended, limited
from stress.part import Outcome, Part, Setting
from stress.played_sweep import finished_sweep

__all__ = ["PART"]

_MEMORY_GB = 3.0
_INPUTS = 25_000
_QUICK_INPUTS = 200
_A_CHILD = 2_500
_MOST_ENDS = 20  # of children; a fault in every input would take all day


def _run(setting: Setting) -> Outcome:
    pristine = finished_sweep(setting.folder / "made")
    seed = setting.random.randrange(1 << 32)
    folder = setting.folder / "child"
    folder.mkdir()
    count = _QUICK_INPUTS if setting.is_quick else _INPUTS
    faults = list(_children(pristine, folder, seed, count))
    recorded = folder / "faults.jsonl"
    if recorded.exists():
        faults += [_told(line) for line in recorded.read_text(encoding="utf-8").splitlines()]
    return Outcome(figures=f"{count:,} inputs, {len(faults)} fault(s)", faults=tuple(faults))


def _children(pristine: Path, folder: Path, seed: int, count: int) -> Iterator[str]:
    """Runs children until all inputs were given; yields the inputs that ended a child."""
    first, ends = -1, 0
    while first < count and ends < _MOST_ENDS:
        last = min(first + _A_CHILD, count)
        if first < 0:
            last = 0
        ended = limited("stress.fuzzed", [pristine, folder, seed, first, last], memory_gb=_MEMORY_GB, wall_s=900)
        if ended.code == 0:
            first = last
            continue
        ends += 1
        now = folder / "now"
        if not now.exists():
            yield f"no child starts: {ended.output}"
            return
        case = json.loads(now.read_text(encoding="utf-8"))
        yield f"seed {seed}, {_words(ended)}: {json.dumps(case)[:1500]}"
        first = max(0, int(case["number"]) + 1)


def _words(ended: Ended) -> str:
    return f"ended by {ended.signal_name}" if ended.signal_name else f"exit code {ended.code}, {ended.output[-300:]}"


def _told(line: str) -> str:
    fault = json.loads(line)
    content = fault.pop("content")
    return f"{json.dumps(fault)} content: {content[:300]!r}"


PART = Part(name="fuzz", run=_run)
