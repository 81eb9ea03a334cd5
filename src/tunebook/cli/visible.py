"""Texts as a terminal may show them: control characters as escapes, and plain marks where the encoding has no others.

Names, paths, notes, messages and outputs of jobs reach a terminal only through ``SafeConsole`` or
:func:`visible_text`: no text can colour it, name its window or forge a link.
"""

from __future__ import annotations

import codecs
import re
from typing import IO, Any

__all__ = ["is_unicode", "visible_json", "visible_text"]

# Controls but for tab and new line, the marks that turn the direction of writing, line separators, half characters.
_HIDDEN = re.compile(
    "[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
_PLAIN_MARKS = str.maketrans(
    {
        "✓": "+",
        "✗": "x",
        "•": "*",
        "☐": "[ ]",
        "→": "->",
        "⚠": "!",
        "█": "#",
        "░": ".",
        "·": "-",
        "…": "...",
        "–": "-",
        "—": "-",
        "×": "x",
        "±": "+-",
        "≥": ">=",
        "≤": "<=",
        "−": "-",
        "≈": "~",
        "‘": "'",
        "’": "'",
        "“": '"',
        "”": '"',
        "\u00a0": " ",
        "\u202f": " ",
        "\u2009": " ",
    }
)


def is_unicode(stream: IO[Any]) -> bool:
    """Whether a stream can be written any character."""
    try:
        return codecs.lookup(getattr(stream, "encoding", None) or "utf-8").name.startswith("utf")
    except LookupError:
        return False


def visible_text(text: str, *, plain_marks: bool = False) -> str:
    """A text with its control characters as escapes; new lines and tabs stay.

    Args:
        plain_marks: whether ticks, arrows and dashes become ASCII.
    """
    if plain_marks and not text.isascii():
        text = text.translate(_PLAIN_MARKS)
    return _HIDDEN.sub(_escaped, text)


def visible_json(document: str) -> str:
    """A JSON text whose hidden characters, which only its strings have, are escapes of JSON."""
    return _HIDDEN.sub(lambda found: f"\\u{ord(found[0]):04x}", document)


def _escaped(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape", "backslashreplace").decode()
