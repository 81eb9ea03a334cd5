"""The ways in which people and agents write a setting of a plan: one line each, for property tests.

A spelling takes a name and its value as Markdown and gives the lines that replace the setting's bullet. ``place`` says
where they go: in the list, after it as a block of its own, or below a heading at the section's end.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

__all__ = ["HEADINGS", "INSERTIONS", "NUMBERS", "SPELLINGS", "TEXTS", "Place", "Spelling", "rewritten"]


class Place(Enum):
    """Where a rewritten setting goes."""

    LIST = "in the list, in place of the bullet"
    BLOCK = "after the list, between empty lines"
    END = "at the end of the section, with a heading of its own"
    SECOND = "in a second section of the same name, at the end of the plan"


@dataclass(frozen=True)
class Spelling:
    """One way to write a setting."""

    write: Callable[[str, str], str]
    place: Place = Place.LIST


def _table(header: str, row: Callable[[str, str], str]) -> Callable[[str, str], str]:
    dashes = "|".join("---" for _ in header.split("|")[1:-1])
    return lambda name, value: f"{header}\n|{dashes}|\n{row(name, value)}"


SPELLINGS: dict[str, Spelling] = {
    "bold": Spelling(lambda name, value: f"- **{name}:** {value}"),
    "bold, colon outside": Spelling(lambda name, value: f"- **{name}**: {value}"),
    "bold, equals sign": Spelling(lambda name, value: f"- **{name}** = {value}"),
    "bold, dash": Spelling(lambda name, value: f"- **{name}** – {value}"),
    "underscores": Spelling(lambda name, value: f"- __{name}:__ {value}"),
    "italics": Spelling(lambda name, value: f"* *{name}:* {value}"),
    "code": Spelling(lambda name, value: f"- `{name}`: {value}"),
    "plain": Spelling(lambda name, value: f"- {name}: {value}"),
    "equals sign": Spelling(lambda name, value: f"- {name} = {value}"),
    "no space": Spelling(lambda name, value: f"- {name}:{value}"),
    "dash": Spelling(lambda name, value: f"- {name} – {value}"),
    "two words": Spelling(lambda name, value: f"- {name} {value}"),
    "all bold": Spelling(lambda name, value: f"- **{name}: {value}**"),
    "upper case": Spelling(lambda name, value: f"- **{name.upper()}:** {value}"),
    "snake case": Spelling(lambda name, value: f"- {name.lower().replace(' ', '_')}: {value}"),
    "key": Spelling(lambda name, value: f"- `{name.lower().replace(' ', '_')}` = {value}"),
    "task list": Spelling(lambda name, value: f"- [ ] **{name}:** {value}"),
    "done task": Spelling(lambda name, value: f"- [x] {name}: {value}"),
    "numbered": Spelling(lambda name, value: f"1. **{name}:** {value}"),
    "nested": Spelling(lambda name, value: f"- General:\n  - **{name}:** {value}"),
    "nested twice": Spelling(lambda name, value: f"- **All**\n  - General\n    - {name} = {value}"),
    "below a note": Spelling(lambda name, value: f"- **Notes:** see\n  - {name}: {value}"),
    "quotation in a list": Spelling(lambda name, value: f"- General:\n  > **{name}:** {value}"),
    "value below": Spelling(lambda name, value: f"- **{name}:**\n  - {value}"),
    "value in a paragraph": Spelling(lambda name, value: f"- **{name}:**\n\n  {value}\n"),
    "line": Spelling(lambda name, value: f"{name}: {value}", Place.BLOCK),
    "bold line": Spelling(lambda name, value: f"**{name}:** {value}", Place.BLOCK),
    "italic line": Spelling(lambda name, value: f"*{name}:* {value}", Place.BLOCK),
    "equals line": Spelling(lambda name, value: f"{name} = {value}", Place.BLOCK),
    "line after text": Spelling(lambda name, value: f"The rest.\n{name}: {value}", Place.BLOCK),
    "sentence": Spelling(lambda name, value: f"We use {name.lower()} {value}.", Place.BLOCK),
    "quotation": Spelling(lambda name, value: f"> - **{name}:** {value}", Place.BLOCK),
    "quoted text": Spelling(lambda name, value: f"> {name}: {value}", Place.BLOCK),
    "fence": Spelling(lambda name, value: f"```\n{name}: {value}\n```", Place.BLOCK),
    "fence of yaml": Spelling(lambda name, value: f"```yaml\n- {name} = {value}\n```", Place.BLOCK),
    "html": Spelling(lambda name, value: f"<details>\n- {name}: {value}\n</details>", Place.BLOCK),
    "html list": Spelling(lambda name, value: f"<ul><li>{name}: {value}</li></ul>", Place.BLOCK),
    "table": Spelling(_table("| Parameter | Value |", lambda n, v: f"| {n} | {v} |"), Place.BLOCK),
    "bold table": Spelling(_table("| Setting | Value |", lambda n, v: f"| **{n}** | {v} |"), Place.BLOCK),
    "table with notes": Spelling(_table("| Name | Value | Notes |", lambda n, v: f"| `{n}` | {v} | x |"), Place.BLOCK),
    "wide table": Spelling(lambda name, value: f"| {name} | Q |\n|---|---|\n| {value} | 1 |", Place.BLOCK),
    "headless table": Spelling(lambda name, value: f"| {name} | {value} |\n|---|---|", Place.BLOCK),
    "row with more cells": Spelling(_table("| Parameter | Value |", lambda n, v: f"| {n} | {v} | x |"), Place.BLOCK),
    "row without a table": Spelling(lambda name, value: f"| {name} | {value} |", Place.BLOCK),
    "below Training": Spelling(lambda name, value: f"### Training\n- **{name}:** {value}", Place.END),
    "below Evaluation": Spelling(lambda name, value: f"### Evaluation\n- **{name}:** {value}", Place.END),
    "below Prompts": Spelling(lambda name, value: f"### 3.2 Prompts\n- **{name}:** {value}", Place.END),
    "below Output": Spelling(lambda name, value: f"### Output\n{name}: {value}", Place.END),
    "deep": Spelling(lambda name, value: f"### Other\n#### More\n- {name}: {value}", Place.END),
    "label Training": Spelling(lambda name, value: f"**Training:**\n- {name}: {value}", Place.END),
    "second section": Spelling(lambda name, value: f"- **{name}:** {value}", Place.SECOND),
}

# Headings that mean one of the plan's: the property says that they are understood or are errors.
HEADINGS: dict[str, Callable[[str], str]] = {
    "number": lambda title: f"3. {title}",
    "number and bracket": lambda title: f"2.1) {title}",
    "Roman number": lambda title: f"IV. {title}",
    "emoji": lambda title: f"⚙️ {title}",
    "keycap": lambda title: f"3️⃣ {title}",
    "bold": lambda title: f"**{title}**",
    "colon": lambda title: f"{title}:",
    "upper case": lambda title: title.upper(),
    "remark": lambda title: f"{title} (for all runs)",
    "one more word": lambda title: f"{title} overview",
    "frameworks": lambda title: f"{title} & Frameworks",
    "misspelt": lambda title: title[:3] + title[4:],
    "plural": lambda title: f"{title}s",
    "letters swapped": lambda title: title[:2] + title[3] + title[2] + title[4:],
    "dash": lambda title: title.replace(" ", "-"),
}

# Other writings of one value.
NUMBERS: dict[str, Callable[[str], str]] = {
    "as it is": lambda text: text,
    "code": lambda text: f"`{text}`",
    "code and remark": lambda text: f"`{text}` (fixed)",
    "bold": lambda text: f"**{text}**",
    "remark": lambda text: f"{text} (fixed)",
    "comment": lambda text: f"{text} <!-- was 5 -->",
    "tick": lambda text: f"{text} ✓",
    "unit": lambda text: f"{text} of them",
    "range": lambda text: f"{text}-9",
    "list": lambda text: f"{text}, 9",
    "decimal comma": lambda text: f"{text},5",
    "quotes": lambda text: f'"{text}"',
}
TEXTS: dict[str, Callable[[str], str]] = {
    "quotes": lambda text: f'"{text}"',
    "code": lambda text: f"`{text}`",
    "typographic quotes": lambda text: f"“{text}”",
    "German quotes": lambda text: f"„{text}“",
    "unquoted": lambda text: text,
    "single quotes": lambda text: f"'{text}'",
    "quotes and remark": lambda text: f'"{text}" (final)',
    "quotes and text": lambda text: f'"{text}" and no more',
    "text and quotes": lambda text: f'the text "{text}"',
    "code and remark": lambda text: f"`{text}` (final)",
    "open quotes": lambda text: f'"{text}',
    "two quotes": lambda text: f'"{text}" "{text}"',
    "mixed quotes": lambda text: f'“{text}"',
    "two lines": lambda text: f'"{text}"\n  and more: much',
}

# Content that no section knows.
INSERTIONS: tuple[str, ...] = (
    "- **{word}:** {number}",
    "- {word}: {number}",
    "- {word} = {number}",
    "- {word}",
    "{word}: {number}",
    "{word} and more {word}",
    "1. {word}",
    "> {word}",
    "> - {word}: {number}",
    "| {word} | {number} |",
    "| {word} | {number} |\n|---|---|\n| 1 | 2 |",
    "```\n{word} {number}\n```",
    "<div>{word}</div>",
    "<!-- {word} -->",
    "### {word}\n- {number} {word}",
    "### {word}\n{word} {number}",
    "**{word}:**\n- {number}",
)


def rewritten(page: str, section: str, bullet: str, text: str, place: Place) -> str:
    """The plan with another text in place of a bullet, which is a line of a section."""
    before, heading, rest = page.partition(f"\n## {section}\n")
    body, following, after = rest.partition("\n## ")
    assert bullet in body, f"{section} has no {bullet!r}"
    in_list = f"{text}\n" if place is Place.LIST else ""
    body = body.replace(f"{bullet}\n", in_list)
    if place in {Place.BLOCK, Place.END}:
        body = f"{body.rstrip()}\n\n{text}\n"
    page = before + heading + body + following + after
    return f"{page.rstrip()}\n\n## {section}\n{text}\n" if place is Place.SECOND else page
