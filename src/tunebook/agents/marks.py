"""Marks installed texts with their digest, so that a later version knows whether a person edited them."""

from __future__ import annotations

import re

from tunebook import __version__
from tunebook.disk.manifest import digest

__all__ = ["is_own_section", "is_own_skill", "marked_skill", "with_section"]

_FENCE = "---\n"
_IN_SKILL = re.compile(r'^  digest: "([0-9a-f]{64})"\n', re.MULTILINE)
_SECTION = re.compile(
    r"<!-- tunebook begin, digest ([0-9a-f]{64}) -->\r?\n"
    r"((?:(?!<!-- tunebook begin).)*?)"  # a begin whose end somebody cut takes no other text with it
    r"<!-- tunebook end -->(?:\r?\n)?",
    re.DOTALL,
)


def marked_skill(text: str) -> str:
    """A skill with the version that installed it and its digest in the front matter."""
    _, head, body = text.split(_FENCE, 2)
    head += f'metadata:\n  generator: "tunebook {__version__}"\n'
    known = f"{_FENCE}{head}{_FENCE}{body}"
    return f'{_FENCE}{head}  digest: "{digest(known)}"\n{_FENCE}{body}'


def is_own_skill(text: str) -> bool:
    """Whether an installed skill is as some version of tunebook wrote it."""
    found = _IN_SKILL.search(text)
    if found is None:
        return False
    return digest(text[: found.start()] + text[found.end() :]) == found[1]


def with_section(text: str | None, section: str) -> str:
    """The text of AGENTS.md with the section in the place of an earlier one, or at its end; the rest stays as it is.

    Args:
        text: of the file; ``None`` if it is missing.
    """
    marked = f"<!-- tunebook begin, digest {digest(section)} -->\n{section}<!-- tunebook end -->\n"
    if not text:
        return marked
    found = _SECTION.search(text)
    if found is not None:
        return text[: found.start()] + marked + text[found.end() :]
    gap = "\n" if text.endswith("\n") else "\n\n"
    return text + gap + marked


def is_own_section(text: str) -> bool:
    """Whether the section is missing, or as some version of tunebook wrote it."""
    found = _SECTION.search(text)
    return found is None or digest(found[2].replace("\r\n", "\n")) == found[1]
