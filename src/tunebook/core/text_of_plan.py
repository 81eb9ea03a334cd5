"""The text of a plan without the part that tunebook rewrites; light, since every `tunebook status` reads it."""

from __future__ import annotations

import re

__all__ = ["without_status"]

_WORD = re.compile(r"[^\W\d_]+")


def without_status(plan_text: str) -> str:
    """The plan without its section ``## Status``, whose tables `tunebook run` rewrites."""
    kept: list[str] = []
    is_status = False
    for line in plan_text.splitlines(keepends=True):
        if line.startswith(("# ", "## ")):
            is_status = _is_status(line)
        if not is_status:
            kept.append(line)
    return "".join(kept)


def _is_status(heading: str) -> bool:
    """Whether a heading is that of the section, as in ``## 6. Status ⏳ (current)``."""
    title = heading.partition("(")[0]
    return title.startswith("## ") and _WORD.findall(title.lower()) == ["status"]
