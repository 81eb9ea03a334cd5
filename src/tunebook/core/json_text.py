"""Parses JSON that anyone may have written."""

from __future__ import annotations

import json
import math
from typing import Any

__all__ = ["UNFIT", "finite_number", "parse_json"]

UNFIT = (ValueError, TypeError, LookupError, AttributeError, OverflowError, RecursionError)
"""The errors of a value without the expected shape: another type, a missing key, an infinite count."""


def parse_json(text: str | bytes) -> Any:
    """Returns the value of a JSON text.

    Raises:
        ValueError: it is not JSON, nested too deeply, or has an integer of thousands of digits.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def finite_number(value: object) -> float | None:
    """A number of a document as a float; ``None`` for other values, and for one that no float can hold."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:  # an integer of hundreds of digits
        return None
    return number if math.isfinite(number) else None
