r"""Exact texts such as prompts: between quotes or backticks, with nothing after the closing mark.

Typographic quotes count as quotes. A text between quotes is a JSON string, so that ``\n`` is a new line.
"""

from __future__ import annotations

import json
import re

__all__ = ["is_open", "literal"]

_CODE = re.compile(r"(?P<fence>`+)(?P<text>.*?)(?<!`)(?P=fence)(?!`)(?P<rest>.*)", re.DOTALL)
# The opening mark to the marks that may close it: German texts close with the mark that opens English ones.
_TYPOGRAPHIC = {"“": "”", "„": "“”", "«": "»", "»": "«", "‘": "’", "‚": "‘’", "”": "”"}
_HALF_CHARACTER = re.compile("[\ud800-\udfff]")
_TICK = re.compile(r"\s*[✓✔✅☑]?\s*")
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
        code = _CODE.fullmatch(text)
        if code is None:
            raise ValueError("the backtick at its start is not closed")
        return _alone(code["text"], code["rest"])
    if text.startswith('"'):
        return _json_string(text)
    if text[:1] in _TYPOGRAPHIC:
        return _typographic(text)
    if len(text) > 1 and text[0] == text[-1] == "'":
        raise ValueError("single quotes may be part of the text or not")
    if _ANY_QUOTES.search(text):
        raise ValueError("only a part of it is between quotes")
    return text


def is_open(text: str) -> bool:
    """Whether a quote or a code span of the text continues on the next line."""
    straight = text.count('"') - text.count('\\"')
    typographic = text.count("“") + text.count("„") > text.count("”")
    return straight % 2 == 1 or text.count("`") % 2 == 1 or typographic


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
