"""Labels: the name at the start of a text, ``**Seed:** 7`` or ``Seed = 7``, in every spelling that people write."""

from __future__ import annotations

import re

from tunebook.core.markdown.blocks import Bullet, Cell, plain
from tunebook.core.markdown.quotes import is_open

__all__ = ["labelled_parts", "read_label"]

_TASK = re.compile(r"^\[[ xX]\]\s+")
_BOLD_LABEL = re.compile(
    r"\*\*(?P<name>[^*]+?)\s*[:=]?\s*\*\*(?P<remark>\s*\([^()]*\)(?=\s*[:=]\s))?\s*[:=]?\s*(?P<value>.*)", re.DOTALL
)
# Other marks need a colon or an equals sign, so that an emphasized word at a text's start is not a label.
_MARKED_LABEL = re.compile(
    r"(?P<mark>\*{1,3}|_{1,3}|`)(?P<name>(?:(?!(?P=mark)).)+?)"
    r"(?:\s*[:=]\s*(?P=mark)|(?P=mark)\s*[:=])\s*(?P<value>.*)",
    re.DOTALL,
)
# A colon needs white space after it, so that a path such as `hf:name` or a time is not a label.
_PLAIN_LABEL = re.compile(r"(?P<name>[^:=`\"]+?)(?::\s+|\s*=\s*)(?P<value>.*)|(?P<bare>[^:=`\"]+):$", re.DOTALL)


def labelled_parts(content: str, *, is_item: bool) -> list[tuple[str, int, bool]]:
    """A paragraph's labelled lines and the texts between them, each with its offset and whether it is a bullet.

    A label inside a quote that is still open is a part of the quoted text. The lines below a bullet continue its text.
    """
    parts: list[tuple[str, int, bool]] = []
    for offset, text in enumerate(content.split("\n")):
        if not parts:
            parts.append((text, offset, is_item or _is_labelled(text, follows_bullet=is_item)))
            continue
        before, start, is_bullet = parts[-1]
        is_labelled = _is_labelled(text, follows_bullet=is_bullet)
        is_plain_text = not is_labelled and (is_item or not is_bullet)
        if is_open(before) or is_plain_text:
            parts[-1] = (f"{before}\n{text}", start, is_bullet)
        else:
            parts.append((text, offset, is_labelled))
    return parts


def _is_labelled(text: str, *, follows_bullet: bool) -> bool:
    """Whether a line begins with a label; one without marks counts only below a bullet."""
    if text.startswith("**") or _MARKED_LABEL.match(text):
        return True
    return follows_bullet and _PLAIN_LABEL.fullmatch(text) is not None


def read_label(content: str, line: int) -> Bullet:
    """A text as a bullet: its label, if it has one, and its value."""
    content = _TASK.sub("", content)
    match = _BOLD_LABEL.fullmatch(content) or _MARKED_LABEL.fullmatch(content)
    if match and not match["value"]:
        match = _PLAIN_LABEL.fullmatch(match["name"]) or match  # **Seed: 7**
    match = match or _PLAIN_LABEL.fullmatch(content)
    if match is None:
        return Bullet("", Cell(content.strip(), line), line, raw=content.strip())
    parts = match.groupdict()
    if parts.get("bare"):
        return Bullet(plain(parts["bare"].strip()), Cell("", line), line, raw=content.strip())
    remark = (parts.get("remark") or "").strip(" ()")
    name, value = plain(parts["name"].strip()), Cell(parts["value"].strip(), line)
    return Bullet(name, value, line, remark=remark, raw=content.strip())
