"""The skills and the section of AGENTS.md as this version ships them."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files

__all__ = ["Skill", "agents_section", "shipped_skills"]

_RULES = "<!-- rules -->\n"
"""A line of a skill in whose place the rules come that all skills share."""
_FENCE = "---\n"
_NAMES = (
    "design-experiment",
    "scaffold-experiment",
    "scaffold-torchtune",
    "scaffold-inspect",
    "run-experiment",
    "run-torchtune",
    "run-inspect",
    "analyze-experiment",
    "create-inspect-task",
    "move-experiment",
)


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
    """Every skill, in the order of its work: from the plan to the analysis, then what prepares them."""
    rules = _part("rules.md")
    return tuple(_skill(_part("skills", f"{name}.md").replace(_RULES, rules)) for name in _NAMES)


def agents_section() -> str:
    """The section for AGENTS.md, for agents that read no skills."""
    return _part("agents.md")


def _part(*names: str) -> str:
    return files("tunebook.agents").joinpath("files", *names).read_text(encoding="utf-8")


def _skill(text: str) -> Skill:
    head = text.split(_FENCE)[1]
    values = dict(line.split(": ", 1) for line in head.splitlines() if ": " in line)
    return Skill(values["name"], values["description"], text)
