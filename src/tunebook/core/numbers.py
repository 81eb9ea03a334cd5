"""Numbers as people write them: ``2 × 10⁻⁵``, ``8 GPUs``, ``1,000``."""

from __future__ import annotations

import math
import re

__all__ = ["digits", "number", "plain_number", "point_for_comma", "whole_number", "without_equal"]

_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_POWER = re.compile(
    r"(?:(?P<factor>\d+(?:\.\d+)?)\s*[×x·*]\s*)?10(?:(?:\^|\*\*)(?P<plain>-?\d+)|(?P<raised>[⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+))"
)
_DECIMAL_COMMA = re.compile(r"[-+]?\d+,\d+(?:[eE][-+]?\d+)?")
_THOUSANDS = re.compile(r"[1-9]\d{0,2}(?:,\d{3})+")


def plain_number(text: str, *units: str) -> str:
    """A number as programs write it: ``2 × 10⁻⁵`` becomes ``2e-5``, ``8 GPUs`` becomes ``8``; other texts stay."""
    text = text.strip().replace("−", "-")
    for unit in units:
        text = re.sub(rf"(?<=\d)\s+{re.escape(unit.rstrip('s'))}s?$", "", text, flags=re.IGNORECASE)
    power = _POWER.fullmatch(text)
    if power is None:
        return text
    exponent = power["plain"] or power["raised"].translate(_SUPERSCRIPTS)
    return f"{power['factor'] or 1}e{exponent}"


def point_for_comma(text: str) -> str:
    """The rest of a sentence about a wrong number, if it has a decimal comma; otherwise empty."""
    return ", with a point instead of the comma" if _DECIMAL_COMMA.fullmatch(text.strip()) else ""


def without_equal(text: str) -> str:
    """A number without the same number in parentheses: ``2e-4 (0.0002)`` becomes ``2e-4``; other texts stay."""
    both = re.fullmatch(r"(?P<first>[^()]+)\((?P<second>[^()]+)\)", text.strip())
    if both is None:
        return text
    written = both["first"].rstrip()
    first, second = number(plain_number(written)), number(plain_number(both["second"].removeprefix("=")))
    return written if first is not None and first == second else text


def whole_number(text: str) -> int | None:
    """The number; ``None`` for other texts. Commas may separate thousands."""
    if _THOUSANDS.fullmatch(text):
        text = text.replace(",", "")
    return int(text) if re.fullmatch(r"[+-]?\d{1,18}", text, re.ASCII) else None


def digits(text: str) -> int | None:
    """The number of a text that is nothing but its digits; ``None`` for other texts."""
    return whole_number(text) if text.isdecimal() else None


def number(text: str) -> float | int | None:
    """The number; ``None`` for other texts, and for numbers that are not finite."""
    if re.fullmatch(r"[+-]?\d{1,18}", text, re.ASCII):
        return int(text)
    if not re.fullmatch(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", text):
        return None
    value = float(text)
    return value if math.isfinite(value) else None
