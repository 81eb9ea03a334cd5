"""Reads numbers in answers: the first one of a text, or a text that is nothing but a number.

A comma, or a space that does not break lines, parts thousands: ``1,234.5``. Digits that are parted in another way, as
in ``3,5`` or ``24.12.2024``, mean different numbers to different readers: they are no number.

Runs inside jobs, and needs nothing else of tunebook.
"""

from __future__ import annotations

import math
import re

__all__ = ["first_number", "number_of"]

_SPACES = "\u00a0\u2009\u202f"
_SIGN = "[-+−–]"
_NUMBER = re.compile(
    rf"(?P<sign>(?<!\w){_SIGN})?\$?"  # in 10-20 the line is not a sign
    rf"(?P<digits>\d+(?:[,.{_SPACES}]\d+)*|\.\d+)"
    rf"(?:[eE](?P<exponent>{_SIGN}?\d+))?"
)
_PLAIN = re.compile(r"\d*\.?\d+")
_GROUPED = re.compile(rf"(?!0)\d{{1,3}}(?P<mark>[,{_SPACES}])\d{{3}}(?:(?P=mark)\d{{3}})*(?:\.\d+)?")
_MARKS = str.maketrans("", "", f",{_SPACES}")
_AS_MINUS = str.maketrans(dict.fromkeys("−–", "-"))


def first_number(text: str) -> float | None:
    """The first number in a text; ``None`` without one, and if it is not clear which number it is."""
    found = _NUMBER.search(text)
    return None if found is None else _value(found)


def number_of(text: str) -> float | None:
    """The number that a text is, alone or with ``$`` and ``%``; ``None`` for any other text."""
    found = _NUMBER.fullmatch(text.strip().strip("$%").strip().removesuffix("."))
    return None if found is None else _value(found)


def _value(found: re.Match[str]) -> float | None:
    digits = found["digits"]
    if not _PLAIN.fullmatch(digits) and not _GROUPED.fullmatch(digits):
        return None
    written = f"{found['sign'] or ''}{digits.translate(_MARKS)}e{found['exponent'] or '0'}"
    number = float(written.translate(_AS_MINUS))
    return number if math.isfinite(number) else None
