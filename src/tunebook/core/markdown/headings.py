"""Headings as people write them: with numbers, emoji, an ampersand, or a remark in parentheses."""

from __future__ import annotations

import re
from functools import lru_cache

__all__ = ["title_key"]

_NUMBER = re.compile(r"^(?:(?:section|part|step)\s+)?(?:\d+(?:\.\d+)*[^\w\s]*|[ivx]+[.)]|[a-z][.)])(?:\s+[-–—:]+)?\s+")
_REMARK = re.compile(r"\([^()]*\)\s*$")
_NO_WORD = re.compile(r"[\W_]+")


@lru_cache(maxsize=1024)
def title_key(title: str) -> str:
    """A heading for matching: ``## 3. Tools & Frameworks ⚙️`` becomes ``tools and frameworks``."""
    text = re.sub(r"^[\W_]+", "", title.lower())
    text = _NUMBER.sub("", text)
    remark = _REMARK.search(text)
    if remark and remark.start() > 0:
        text = text[: remark.start()]
    return _NO_WORD.sub(" ", text.replace("&", " and ")).strip()
