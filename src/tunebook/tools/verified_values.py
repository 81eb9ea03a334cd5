"""A digest of the values that files are verified against."""

from __future__ import annotations

from hashlib import sha256

__all__ = ["values_digest"]


def values_digest(*values: object) -> str:
    """The SHA-256 of values as Python writes them: other values, or values of other types, are written otherwise.

    Args:
        values: made of mappings, sequences, texts, numbers, paths and data classes only.
    """
    return sha256(repr(values).encode("utf-8", "backslashreplace")).hexdigest()
