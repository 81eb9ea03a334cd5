"""Remarks in parentheses after a name or a value: those that cannot say that something else applies are left out."""

from __future__ import annotations

import re

__all__ = ["is_harmless", "without_remark"]

_HARMLESS = frozenset(
    {
        "a", "all", "and", "as", "common", "constant", "default", "defaults", "every", "fixed", "for", "identical",
        "in", "is", "of", "our", "recommended", "run", "runs", "same", "set", "shared", "standard", "the", "training",
        "unchanged", "usual",
    }
)  # fmt: skip
_IN_PARENTHESES = re.compile(r"(?P<value>.*\S)\s*\((?P<remark>[^()]*)\)", re.DOTALL)


def is_harmless(remark: str) -> bool:
    """Whether a remark, such as ``(default)`` or ``(fixed for all runs)``, says nothing about another value."""
    words = set(re.findall(r"\w+", remark.lower()))
    return bool(words) and words <= _HARMLESS


def without_remark(text: str) -> str:
    """The text without a harmless remark in parentheses at its end."""
    found = _IN_PARENTHESES.fullmatch(text)
    return found["value"] if found and is_harmless(found["remark"]) else text
