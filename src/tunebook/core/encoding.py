"""Finds bytes that are not UTF-8 in a text that was read with ``surrogateescape``, where they are surrogates."""

from __future__ import annotations

import re

__all__ = ["readable", "wrong_byte"]

_WRONG = re.compile("[\ud800-\udfff]")
_WRONG_OR_NUL = re.compile("[\ud800-\udfff\0]")
_LINE_END = re.compile(r"\r\n?|\n")


def readable(text: str) -> str:
    """The text with a replacement character for each byte that is not UTF-8: every place stays where it is."""
    return _WRONG.sub("\ufffd", text)


def wrong_byte(text: str, *, with_nul: bool = False) -> tuple[int, int] | None:
    """The line and the value of the first byte that is not UTF-8; ``None`` if all are.

    Args:
        with_nul: whether a NUL counts as well: UTF-16 has them between the characters.
    """
    found = (_WRONG_OR_NUL if with_nul else _WRONG).search(text)
    if found is None:
        return None
    line = len(_LINE_END.findall(text, 0, found.start())) + 1
    return line, ord(found[0]) & 0xFF
