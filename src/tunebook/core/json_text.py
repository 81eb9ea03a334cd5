"""Parses JSON that anyone may have written."""

from __future__ import annotations

import json
from typing import Any

__all__ = ["UNFIT", "parse_json"]

UNFIT = (ValueError, TypeError, LookupError, AttributeError, OverflowError, RecursionError)
"""What is raised where a value does not have the expected shape: another type, a missing key, an infinite count."""


def parse_json(text: str | bytes) -> Any:
    """Returns the value of a JSON text.

    Raises:
        ValueError: it is no JSON, nested too deeply, or has an integer of thousands of digits.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
