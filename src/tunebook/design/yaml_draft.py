"""Drafts a design from a plan in YAML: reads values, and collects problems and what is not carried over."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from tunebook.core.parameters import suggestion
from tunebook.design.documents import Node, Place, Text
from tunebook.design.parameter_names import find_key, nearest_key
from tunebook.design.paths import with_absolute_paths
from tunebook.design.values import Decision, Design, DesignInputs
from tunebook.errors import PlanError, Problem
from tunebook.tools.parameters import every_parameter

__all__ = ["Draft"]


class Draft:
    """A design that grows section by section.

    Attributes:
        here: the plan's directory, which relative paths are relative to.
        directory: the experiment's directory, if the plan names one.
    """

    def __init__(self, *, here: Path) -> None:
        self.here = here
        self.design = Design()
        self.directory = ""
        self.problems: list[Problem] = []
        self._notes: list[str] = []
        self._decisions: list[Decision] = []
        self._warnings: list[Problem] = []

    def inputs(self) -> DesignInputs:
        """The design, with everything that was found.

        Raises:
            PlanError: there are problems; carries all of them, in the order of lines.
        """
        if self.problems:
            raise PlanError(sorted(self.problems, key=lambda problem: problem.line or 0))
        design = replace(with_absolute_paths(self.design, self.here), notes=tuple(self._notes))
        return DesignInputs(
            design=design,
            decisions=tuple(self._decisions),
            warnings=tuple(self._warnings),
            directory=self.directory,
        )

    # --- what is found

    def problem(self, place: Place, message: str, hint: str = "") -> None:
        """Reports an error in the file; reading continues."""
        self.problems.append(place.problem(message, hint))

    def warn(self, place: Place, message: str, hint: str) -> None:
        """Reports a part of the file without effect."""
        self._warnings.append(place.problem(message, hint))

    def note(self, text: str) -> None:
        """Adds a line at the end of the plan."""
        self._notes.append(" ".join(text.split()))

    def decide(self, what: str, why: str) -> None:
        """Records an interpretation of the file."""
        self._decisions.append((what, why))

    def leave(self, place: Place, what: str, why: str) -> None:
        """Adds a warning, and a note in the plan, for a part that has no equivalent there."""
        self.warn(place, f"not carried over: {what}", why)
        self.note(f"Not carried over ({Path(place.file or '').name}:{place.line}): {what}. {why[:1].upper()}{why[1:]}.")

    # --- values of the file

    def entries(self, node: Node | None, name: str, hint: str = "") -> list[tuple[Text, Node]]:
        """The entries of a section; a section without keys is a problem."""
        if node is None or node.value == "":
            return []
        if not isinstance(node.value, Mapping):
            self.problem(node.place, f"`{name}` must be a mapping of keys to values", hint)
        return node.named()

    def mapping(self, node: Node | None, name: str, known: Sequence[str]) -> dict[str, Node]:
        """The entries of a section that are not empty; unknown keys are problems."""
        found: dict[str, Node] = dict(self.entries(node, name, "keys: " + ", ".join(known)))
        self.check_keys(found, name, known)
        return {key: item for key, item in found.items() if key in known and item.value != ""}

    def check_keys(self, found: Mapping[str, Node], name: str, known: Sequence[str]) -> None:
        """Reports every key that such a plan does not have."""
        for key, item in found.items():
            if key not in known:
                label = f"{name}.{key}" if name else key
                self.problem(item.place, f"unknown key `{label}`", _what_to_do(suggestion(key, known)))

    def sequence(self, node: Node | None, name: str) -> tuple[Node, ...]:
        """The members of a list; anything else is a problem."""
        if node is None or node.value == "":
            return ()
        if not isinstance(node.value, tuple):
            self.problem(node.place, f"`{name}` must be a list")
            return ()
        return node.value

    def text(self, node: Node | None, name: str) -> Text:
        """A text; a list or a mapping is a problem."""
        if node is None:
            return Text("")
        if not isinstance(node.value, str):
            hint = 'write it in quotes: "{input}"' if isinstance(node.value, Mapping) else ""
            self.problem(node.place, f"`{name}` must be one text", hint)
        return node.text

    def texts(self, node: Node | None, name: str) -> list[Text]:
        """A list of texts, or one text."""
        if node is None or node.value == "":
            return []
        return [self.text(item, name) for item in node.items()]

    def section_texts(self, found: Mapping[str, Node], section: str, keys: Iterable[str]) -> dict[str, Text]:
        """The texts of these keys of a section, where it has them."""
        return {key: self.text(found[key], f"{section}.{key}") for key in keys if key in found}

    def section(self, node: Node | None, name: str, keys: Sequence[str]) -> dict[str, Text]:
        """The texts of a section that has only these keys."""
        return self.section_texts(self.mapping(node, name, keys), name, keys)

    def either(self, texts: Mapping[str, Text], section: str, first: str, second: str) -> Text:
        """The text of one of two keys that mean the same; both are a problem."""
        if first in texts and second in texts:
            self.problem(texts[second].place, f"`{section}.{first}` and `{section}.{second}` mean the same")
        return texts.get(first) or texts.get(second) or Text("")

    def parameter(self, name: Text, *, section: str, is_factor: bool) -> str | None:
        """The key of a parameter by any of its names; an unknown name is a problem."""
        key = find_key(name, is_factor=is_factor)
        if key is None:
            meant, hint = nearest_key(name, is_factor=is_factor)
            if meant is None:
                columns = [item.column.lower().replace(" ", "_") for item in every_parameter()]
                hint = suggestion(name, columns)
            self.problem(name.place, f"unknown parameter `{section}.{name}`", _what_to_do(hint))
        return key


def _what_to_do(hint: str) -> str:
    if hint.endswith("?"):
        return f"{hint} Correct it, or remove it from the file"
    return f"{hint}; correct it, or remove it from the file"
