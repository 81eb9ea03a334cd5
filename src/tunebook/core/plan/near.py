"""Headings that are near the title of a section: misspelt, or with more words. tunebook would ignore their blocks."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING

from tunebook.core.markdown import title_key

if TYPE_CHECKING:
    from tunebook.core.plan.section import Section

__all__ = ["near_section"]

_MOST_EXTRA_WORDS = 2
_FILLERS = {"and", "the", "of", "for", "in", "our", "this"}
# Words that are also titles of a person's own: `## Dataset description`.
_COMMON = {"overview", "notes", "status", "models", "dataset", "training", "evaluation", "prerequisites"}


def near_section(title: str, sections: Sequence[Section]) -> Section | None:
    """The section that a title may mean: misspelt, or with up to two more words."""
    key = title_key(title)
    words = {word.removesuffix("s") for word in key.split()} - _FILLERS
    for section in sections:
        names = [title_key(name) for name in (section.title, *section.aliases)]
        if get_close_matches(key, names, n=1, cutoff=0.8):
            return section
        known = {word.removesuffix("s") for word in title_key(section.title).split()}
        is_common = title_key(section.title) in _COMMON
        if not is_common and known <= words and len(words - known) <= _MOST_EXTRA_WORDS:
            return section
    return None
