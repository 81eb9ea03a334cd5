"""Numbers as reports write them: one way for text, tables and figures."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tunebook.analysis.records import Interval

__all__ = ["Scale", "p_text", "plural", "scale_of"]

_SMALLEST_P = 0.001


@dataclass(frozen=True)
class Scale:
    """How the scores of one measure are written: as percent if all lie between 0 and 1, else as numbers."""

    is_percent: bool

    def value(self, value: float | None) -> str:
        """``87.5 %`` or ``0.875``; ``–`` for nothing."""
        if value is None:
            return "–"
        return f"{100 * value:.1f} %" if self.is_percent else _number(value)

    def interval(self, interval: Interval | None) -> str:
        """``73.9 to 94.5 %``; empty for nothing."""
        if interval is None:
            return ""
        if self.is_percent:
            return f"{_signed(100 * interval.low)} to {_signed(100 * interval.high)} %"
        return f"{_number(interval.low)} to {_number(interval.high)}"

    def with_interval(self, value: float | None, interval: Interval | None) -> str:
        """``87.5 % (95 % interval 73.9 to 94.5 %)``."""
        inside = self.interval(interval)
        return self.value(value) + (f" ({interval.level * 100:g} % interval {inside})" if interval else "")

    def difference(self, value: float, interval: Interval | None = None) -> str:
        """``+12.5 points (2.1 to 22.9)``; points are percentage points."""
        if self.is_percent:
            text = f"{_plus(100 * value)} points"
            inside = f" ({_signed(100 * interval.low)} to {_signed(100 * interval.high)})" if interval else ""
        else:
            text = ("+" if value > 0 else "") + _number(value)
            inside = f" ({_number(interval.low)} to {_number(interval.high)})" if interval else ""
        return text + inside


def scale_of(values: Iterable[float | None]) -> Scale:
    """The scale for these scores."""
    return Scale(all(0 <= value <= 1 for value in values if value is not None))


def _number(value: float) -> str:
    return f"{value:.4g}".replace("-", "−")


def _signed(value: float) -> str:
    text = f"{value:.1f}"
    return "0.0" if text == "-0.0" else text.replace("-", "−")


def _plus(value: float) -> str:
    text = _signed(value)
    return text if text.startswith("−") or text == "0.0" else f"+{text}"


def p_text(p: float | None) -> str:
    """``p = 0.032``, ``p < 0.001``."""
    if p is None:
        return ""
    return "p < 0.001" if p < _SMALLEST_P else f"p = {p:.3f}"


def plural(count: int, noun: str, many: str = "") -> str:
    """``1 run``, ``3 runs``, ``no runs``."""
    if count == 1:
        return f"1 {noun}"
    return f"{count or 'no'} {many or noun + 's'}"
