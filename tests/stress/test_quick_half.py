"""The quick half of the stress harness: every part, small."""

from __future__ import annotations

import secrets
from pathlib import Path
from random import Random

import pytest

from stress.part import Part, Setting, all_parts


@pytest.mark.parametrize("part", [part for part in all_parts() if part.in_quick_half], ids=lambda part: part.name)
def test_a_part_finds_no_fault(part: Part, tmp_path: Path) -> None:
    """The seed of a failure is in its message: ``python -m stress --quick --part NAME --seed N`` repeats it."""
    seed = secrets.randbelow(1 << 32)
    outcome = part.run(Setting(folder=tmp_path, random=Random(f"{seed} {part.name}"), is_quick=True))
    if outcome.skipped:
        pytest.skip(outcome.skipped)
    assert not outcome.faults, f"seed {seed}"
