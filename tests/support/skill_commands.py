"""The commands of the skills, and the keys of documents that their texts name."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import typer.main

from tunebook.agents.shipped import shipped_skills
from tunebook.cli.main import app

__all__ = ["Command", "command_options", "commands_of", "keys_of", "yaml_block"]

_BLOCK = re.compile(r"^```bash\n(.*?)^```", re.MULTILINE | re.DOTALL)
_KEY = re.compile(r"`((?:data|errors|warnings)(?:\[\])?(?:\.\w+(?:\[\])?)*)`")


@dataclass(frozen=True)
class Command:
    """One line of a skill.

    Attributes:
        verb: its words, such as ``skills install``.
        words: all words without ``tunebook``.
    """

    skill: str
    line: str
    verb: str

    @property
    def words(self) -> tuple[str, ...]:
        return tuple(shlex.split(self.line)[1:])


def commands_of(skill: str) -> Iterator[Command]:
    """The commands of a skill, in their order."""
    text = next(item.text for item in shipped_skills() if item.name == skill)
    for block in _BLOCK.findall(text):
        for line in block.splitlines():
            yield Command(skill, line, _verb(line))


def _verb(line: str) -> str:
    words = shlex.split(line)
    assert words[0] == "tunebook", line
    return " ".join(words[1:3]) if words[1] in {"task", "skills"} else words[1]


def keys_of(skill: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each key that a section names, with the verbs of the section's commands, or of all where it has none."""
    text = next(item.text for item in shipped_skills() if item.name == skill)
    everything = tuple(command.verb for command in commands_of(skill))
    for section in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        verbs = tuple(_verb(line) for block in _BLOCK.findall(section) for line in block.splitlines() if line.split())
        for key in _KEY.findall(section):
            yield key, verbs or everything


def yaml_block(skill: str) -> str:
    """The first block of YAML in a skill."""
    text = next(item.text for item in shipped_skills() if item.name == skill)
    found = re.search(r"^```yaml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


def command_options(verb: str) -> set[str] | None:
    """The options of a verb; ``None`` if there is no such verb."""
    group: Any = typer.main.get_command(app)
    for word in verb.split():
        if word not in group.list_commands(None):
            return None
        group = group.loaded(word) if hasattr(group, "loaded") else group.commands[word]
    if hasattr(group, "commands"):
        group = group.commands["show"]  # `tunebook site` is `tunebook site show`
    options: set[str] = set()
    for item in group.params:
        if item.param_type_name == "option":
            options.update(item.opts, item.secondary_opts)
    return options
