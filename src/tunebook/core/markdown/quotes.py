r"""Exact texts such as prompts: between quotes or backticks, with nothing after the closing mark.

Typographic quotes count as quotes. A text between quotes is a JSON string, so that ``\n`` is a new line.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from tunebook.core.markdown.marks import leading_code

__all__ = ["QuoteMarks", "literal"]

# The opening mark to the marks that may close it: German texts close with the mark that opens English ones.
_TYPOGRAPHIC = {"“": "”", "„": "“”", "«": "»", "»": "«", "‘": "’", "‚": "‘’", "”": "”"}
_HALF_CHARACTER = re.compile("[\ud800-\udfff]")
_TICK = re.compile(r"\s*(?:[✓✔✅☑]\s*)?")
_ANY_QUOTES = re.compile(r"[\"“”„«»].*[\"“”„«»]", re.DOTALL)


def literal(raw: str) -> str:
    r"""The exact text, such as a prompt.

    Between backticks it is taken verbatim; between quotes it is a JSON string; otherwise it is taken as it is written.

    Raises:
        ValueError: a quote is not closed, text follows the closing mark, quotes are inside an unquoted text, or a text
            between double quotes is not a JSON string.
    """
    text = raw.strip()
    if text.startswith("`"):
        code = leading_code(text)
        if code is None:
            raise ValueError("the backtick at its start is not closed")
        return _alone(code.inside, code.rest)
    if text.startswith('"'):
        return _json_string(text)
    if text[:1] in _TYPOGRAPHIC:
        return _typographic(text)
    if len(text) > 1 and text[0] == text[-1] == "'":
        raise ValueError("single quotes may be part of the text or not")
    if _ANY_QUOTES.search(text):
        raise ValueError("only a part of it is between quotes")
    return text


@dataclass(frozen=True)
class QuoteMarks:
    """How many marks of quotes and code spans lines have so far; of typographic ones, how many are not closed."""

    straight: int = 0
    typographic: int = 0
    backticks: int = 0

    def after(self, line: str) -> QuoteMarks:
        """The marks with those of one more line."""
        return QuoteMarks(
            self.straight + line.count('"') - line.count('\\"'),
            self.typographic + line.count("“") + line.count("„") - line.count("”"),
            self.backticks + line.count("`"),
        )

    @property
    def is_open(self) -> bool:
        """Whether a quote or a code span continues on the next line."""
        return self.straight % 2 == 1 or self.backticks % 2 == 1 or self.typographic > 0


def _json_string(text: str) -> str:
    value, end = json.JSONDecoder(strict=False).raw_decode(text)
    half = _HALF_CHARACTER.search(str(value))
    if half:
        raise ValueError(f"\\u{ord(half[0]):04x} is half a character")
    return _alone(str(value), text[end:])


def _typographic(text: str) -> str:
    closing = _TYPOGRAPHIC[text[0]]
    found = re.search(f"[{closing}]", text[1:])
    if found is None:
        raise ValueError(f"the quote {text[0]} at its start is not closed by {' or '.join(closing)}")
    end = found.start() + 1
    inside = text[1:end].replace('\\"', '"').replace('"', '\\"')
    return _alone(_json_string(f'"{inside}"'), text[end + 1 :])


def _alone(value: str, rest: str) -> str:
    """The value, if nothing but a tick follows it."""
    if not _TICK.fullmatch(rest):
        raise ValueError(f"`{rest.strip()}` follows its closing mark")
    return value
