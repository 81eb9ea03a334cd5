"""What to do next, as far as the numbers suggest it. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from tunebook.analysis.evidence import Evidence
from tunebook.analysis.values import Gap
from tunebook.core.plan import RunType

__all__ = ["next_steps", "samples_wanted"]

_MANY = 100_000
_POWER = 1 + 0.8416 / 1.9600  # standard errors that 80 % power takes, in half widths of a 95 % interval


def next_steps(evidence: Sequence[Evidence], gaps: Sequence[Gap]) -> tuple[str, ...]:
    """Plain sentences: first what is missing, then what would make the answer surer."""
    steps = []
    hints = dict.fromkeys(gap.hint for gap in gaps if gap.hint)
    for hint in hints:
        count = sum(1 for gap in gaps if gap.hint == hint)
        steps.append(f"{hint[0].upper()}{hint[1:]} ({count} {'gap' if count == 1 else 'gaps'}).")
    steps += [step for item in evidence for step in (*_samples(item), *_seeds(item))]
    return tuple(dict.fromkeys(steps))


def _samples(evidence: Evidence) -> Iterator[str]:
    """How many samples would tell the best run from the next, if the difference is as large as it seems."""
    open_ones = [
        item
        for item in evidence.comparisons
        if item.against == "best" and not item.significant and item.difference < 0 and item.interval is not None
    ]
    if not open_ones:
        return
    nearest = max(open_ones, key=lambda item: item.difference)
    if nearest.interval is None:
        return
    half = (nearest.interval.high - nearest.interval.low) / 2
    wanted = samples_wanted(nearest.n, half, nearest.difference)
    if nearest.n < wanted < _MANY:
        one, two = evidence.label(nearest.run), evidence.label(nearest.other)
        yield (
            f"Evaluate {one} and {two} on more samples of {nearest.task}: if their difference is "
            f"{evidence.scale.difference(abs(nearest.difference))}, about {_rounded(wanted)} samples would show it in "
            "four cases out of five."
        )


def samples_wanted(n: int, half: float, difference: float) -> int:
    """How many samples show a difference with a power of 80 %, if the 95 % interval of ``n`` is ``half`` wide each way.

    n ((1 + z(0.8)/z(0.975)) half / difference)²; with ``half`` alone it would be found half of the time only.

    Source: J. Cohen (1988), Statistical Power Analysis for the Behavioral Sciences, 2nd edition, chapter 2.
    """
    return math.ceil(n * (_POWER * half / difference) ** 2)


def _rounded(count: int) -> int:
    """To two digits, upwards."""
    unit = int(10 ** max(0, len(str(count)) - 2))
    return -(-count // unit) * unit


def _seeds(evidence: Evidence) -> Iterator[str]:
    tuned = [run for run in evidence.runs if run.type is RunType.FINE_TUNED]
    if len(tuned) > 1 and not evidence.replicates:
        yield (
            "Repeat the settings that matter with two or three more seeds (a `Seed` column): it tells differences "
            "between settings from differences between trainings."
        )
