"""Numbers, labels and verdicts as every output writes them: text, tables, figures and findings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tunebook.analysis.records import Interval, Measure, RunRecord

__all__ = [
    "FEW_RUNS",
    "MISSING",
    "Scale",
    "capitalized",
    "is_number",
    "listed",
    "p_number",
    "p_text",
    "percent_text",
    "plural",
    "printable",
    "run_labels",
    "scale_of",
    "shortened",
    "significance_mark",
]

MISSING = "–"
FEW_RUNS = 4
"""The most runs that a sentence names one by one."""
_SMALLEST_P = 0.001


@dataclass(frozen=True)
class Scale:
    """How the scores of one measure are written: proportions and grades as percent, everything else as numbers."""

    is_percent: bool

    @property
    def unit(self) -> str:
        """``%`` or nothing."""
        return "%" if self.is_percent else ""

    @property
    def difference_unit(self) -> str:
        """``points``, which are percentage points, or nothing."""
        return "points" if self.is_percent else ""

    def number(self, value: float) -> str:
        """``87.5`` or ``0.875``, with a proper minus sign and without a unit."""
        if not self.is_percent:
            return f"{value:.4g}".replace("-", "−")
        text = f"{100 * value:.1f}"
        return "0.0" if text == "-0.0" else text.replace("-", "−")

    def value(self, value: float | None) -> str:
        """``87.5 %`` or ``0.875``; ``–`` for a missing value."""
        if value is None:
            return MISSING
        return f"{self.number(value)} {self.unit}".rstrip()

    def bounds(self, interval: Interval) -> str:
        """``73.9 to 94.5``."""
        return f"{self.number(interval.low)} to {self.number(interval.high)}"

    def interval(self, interval: Interval | None) -> str:
        """``73.9 to 94.5 %``; empty without an interval."""
        if interval is None:
            return ""
        return f"{self.bounds(interval)} {self.unit}".rstrip()

    def with_interval(self, value: float | None, interval: Interval | None) -> str:
        """``87.5 % (95 % interval 73.9 to 94.5 %)``."""
        text = self.value(value)
        if interval is not None:
            text += f" ({percent_text(interval.level)} interval {self.interval(interval)})"
        return text

    def amount(self, value: float) -> str:
        """``12.5 points`` (percentage points) or ``0.125``, without a sign."""
        return f"{self.number(abs(value))} {self.difference_unit}".rstrip()

    def change(self, value: float) -> str:
        """``+12.5 points`` (percentage points) or ``+0.125``."""
        text = self.number(value)
        if value > 0 and text != "0.0":
            text = f"+{text}"
        return f"{text} {self.difference_unit}".rstrip()

    def difference(self, value: float, interval: Interval | None = None) -> str:
        """``+12.5 points (2.1 to 22.9)``."""
        text = self.change(value)
        if interval is not None:
            text += f" ({self.bounds(interval)})"
        return text


def scale_of(measure: Measure) -> Scale:
    """The scale for the values of a measure."""
    return Scale(measure.is_share)


def percent_text(share: float) -> str:
    """``95 %``."""
    return f"{100 * share:g} %"


def p_number(p: float) -> str:
    """``0.032``, ``< 0.001``."""
    return f"< {_SMALLEST_P:g}" if p < _SMALLEST_P else f"{p:.3f}"


def p_text(p: float | None) -> str:
    """``p = 0.032``, ``p < 0.001``; empty without a test."""
    if p is None:
        return ""
    number = p_number(p)
    return f"p {number}" if number.startswith("<") else f"p = {number}"


def significance_mark(significant: bool | None) -> str:  # noqa: FBT001  the value itself, not an option
    """``✓`` for significant, ``·`` for not significant, ``•`` where nothing was tested."""
    return {True: "✓", False: "·", None: "•"}[significant]


def plural(count: int, noun: str, many: str = "") -> str:
    """``1 run``, ``3 runs``, ``no runs``."""
    if count == 1:
        return f"1 {noun}"
    return f"{count or 'no'} {many or noun + 's'}"


def listed(names: Iterable[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``; empty without names."""
    *first, last = [*names] or [""]
    return f"{', '.join(first)} and {last}" if first else last


def shortened(names: Sequence[str]) -> str:
    """``a, b, c, d and 3 more``."""
    more = f" and {len(names) - FEW_RUNS} more" if len(names) > FEW_RUNS else ""
    return ", ".join(names[:FEW_RUNS]) + more


def capitalized(text: str) -> str:
    """The text with a capital first letter."""
    return text[:1].upper() + text[1:]


def printable(text: str, instead: str) -> str:
    """The text with another character instead of each control character."""
    return "".join(letter if letter.isprintable() else instead for letter in text)


def is_number(text: str) -> bool:
    """Whether a level is a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def run_labels(runs: Sequence[RunRecord]) -> dict[str, str]:
    """Run name to its directory's name, which says what differs; its own name if two runs share a directory's."""
    uses = Counter(run.directory for run in runs)
    labels = {}
    for run in runs:
        is_unique = bool(run.directory) and uses[run.directory] == 1
        labels[run.name] = run.directory if is_unique else run.name
    return labels
