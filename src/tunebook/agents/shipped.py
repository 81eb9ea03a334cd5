"""The skills and the section of AGENTS.md as this version ships them."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable

__all__ = ["Skill", "agents_section", "shipped_skills"]

_RULES = "<!-- rules -->\n"
"""A line of a skill in whose place the rules come that all skills share."""
_FENCE = "---\n"
_FILES = files("tunebook.agents") / "files"


@dataclass(frozen=True)
class Skill:
    """A skill.

    Attributes:
        name: also that of its directory.
        description: what it does and when to use it; agents choose by it.
        text: of its SKILL.md.
    """

    name: str
    description: str
    text: str


def shipped_skills() -> tuple[Skill, ...]:
    """Every skill, in the order of the work; the names of the files begin with its number."""
    rules = _text(_FILES / "rules.md")
    paths = sorted((_FILES / "skills").iterdir(), key=lambda path: path.name)
    return tuple(_skill(_text(path).replace(_RULES, rules)) for path in paths)


def agents_section() -> str:
    """The section for AGENTS.md, for agents that read no skills."""
    return _text(_FILES / "agents.md")


def _text(path: Traversable) -> str:
    return path.read_text(encoding="utf-8")


def _skill(text: str) -> Skill:
    head = text.split(_FENCE)[1]
    values = dict(line.split(": ", 1) for line in head.splitlines() if ": " in line)
    return Skill(values["name"], values["description"], text)
