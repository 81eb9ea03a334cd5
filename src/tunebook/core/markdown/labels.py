"""Labels: the name at the start of a text, ``**Seed:** 7`` or ``Seed = 7``, in every spelling that people write."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tunebook.core.markdown.blocks import Bullet, Cell, plain
from tunebook.core.markdown.quotes import QuoteMarks

__all__ = ["labelled_parts", "read_label"]

_TASK = re.compile(r"^\[[ xX]\]\s+")
_AFTER_BOLD = re.compile(r"(?P<remark>\s*\([^()]*\)(?=\s*[:=]\s))?\s*[:=]?\s*(?P<value>.*)", re.DOTALL)
_SIGN = re.compile(r"\s*[:=]")
_MARKS = ("***", "**", "*", "___", "__", "_", "`")
_NOT_IN_NAMES = re.compile(r"[:=`\"]")


@dataclass(frozen=True)
class _Label:
    """A label as it is written, without its marks; ``remark`` is in parentheses before the colon."""

    name: str
    value: str
    remark: str = ""


def labelled_parts(content: str, *, is_item: bool) -> list[tuple[str, int, bool]]:
    """A paragraph's labelled lines and the texts between them, each with its offset and whether it is a bullet.

    A label inside a quote that is still open is a part of the quoted text. The lines below a bullet continue its text.
    """
    first, *others = content.split("\n")
    parts = [([first], 0, is_item or _is_labelled(first, follows_bullet=is_item))]
    marks = QuoteMarks().after(first)
    for offset, text in enumerate(others, start=1):
        lines, _, is_bullet = parts[-1]
        is_labelled = _is_labelled(text, follows_bullet=is_bullet)
        is_plain_text = not is_labelled and (is_item or not is_bullet)
        if marks.is_open or is_plain_text:
            lines.append(text)
            marks = marks.after(text)
        else:
            parts.append(([text], offset, is_labelled))
            marks = QuoteMarks().after(text)
    return [("\n".join(lines), offset, is_bullet) for lines, offset, is_bullet in parts]


def _is_labelled(text: str, *, follows_bullet: bool) -> bool:
    """Whether a line begins with a label; one without marks counts only below a bullet."""
    if text.startswith("**") or _marked_label(text):
        return True
    return follows_bullet and _plain_label(text) is not None


def read_label(content: str, line: int) -> Bullet:
    """A text as a bullet: its label, if it has one, and its value."""
    content = _TASK.sub("", content)
    label = _bold_label(content) or _marked_label(content)
    if label and not label.value:
        label = _plain_label(label.name) or label  # **Seed: 7**
    label = label or _plain_label(content)
    raw = content.strip()
    if label is None:
        return Bullet("", Cell(raw, line), line, raw=raw)
    name, value = plain(label.name.strip()), Cell(label.value.strip(), line)
    return Bullet(name, value, line, remark=label.remark.strip(" ()"), raw=raw)


def _bold_label(content: str) -> _Label | None:
    """``**Seed:** 7``, also without a colon."""
    if not content.startswith("**"):
        return None
    end = content.find("*", len("**"))
    name = content[len("**") : end]
    if end < 0 or not name or not content.startswith("**", end):
        return None
    after = _AFTER_BOLD.fullmatch(content, end + len("**"))
    if after is None:
        return None
    return _Label(_without_sign(name) or name, after["value"], after["remark"] or "")


def _marked_label(content: str) -> _Label | None:
    """``*Seed:* 7`` and ``_Seed_: 7``.

    These marks need a colon or an equals sign, so that an emphasized word at a text's start is not a label.
    """
    for mark in _MARKS:
        if not content.startswith(mark):
            continue
        end = content.find(mark, len(mark))
        inside = content[len(mark) : end]
        if end < 0 or not inside:
            continue
        rest = content[end + len(mark) :]
        name = _without_sign(inside)
        if name and name != inside.rstrip():
            return _Label(name, rest.lstrip())
        sign = _SIGN.match(rest)
        if sign is not None:
            return _Label(inside, rest[sign.end() :].lstrip())
    return None


def _plain_label(content: str) -> _Label | None:
    """``Seed: 7`` and ``Seed = 7``.

    A colon needs white space after it, so that a path such as `hf:name` or a time is not a label.
    """
    found = _NOT_IN_NAMES.search(content)
    if found is None or found.start() == 0:
        return None
    name, sign, value = content[: found.start()], found[0], content[found.end() :]
    is_label = sign == "=" or (sign == ":" and (not value or value[0].isspace()))
    return _Label(name, value.lstrip()) if is_label else None


def _without_sign(name: str) -> str:
    """The name without a colon or an equals sign at its end."""
    stripped = name.rstrip()
    if stripped.endswith((":", "=")):
        return stripped[:-1].rstrip()
    return stripped
