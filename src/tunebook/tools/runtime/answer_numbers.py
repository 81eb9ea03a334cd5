"""Reads numbers in answers: the first one of a text, or a text that is nothing but a number.

Runs inside jobs, and needs nothing else of tunebook.
"""

from __future__ import annotations

import math
import re

__all__ = ["first_number", "number_of"]

_LEFT_OUT = str.maketrans("", "", ",$%")
_NUMBER = re.compile(r"((?<!\w)[-+−])?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?")  # in 10-20 the line is not a sign


def first_number(text: str) -> float | None:
    """The first number in a text without its ``,``, ``$`` and ``%``; ``None`` without one."""
    found = _NUMBER.search(text.translate(_LEFT_OUT))
    if found is None:
        return None
    number = float(found[0].replace("−", "-"))
    return number if math.isfinite(number) else None


def number_of(text: str) -> float | None:
    """The number that a text is, without its ``,``, ``$`` and ``%``; ``None`` for any other text."""
    text = text.translate(_LEFT_OUT).strip()
    return first_number(text) if _NUMBER.fullmatch(text) else None
