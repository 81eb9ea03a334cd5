"""``setup_finetune.yaml``: one run's settings, as the plan gives them and as a person may edit them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Generic, TypeVar

import yaml

from tunebook.core.encoding import wrong_byte
from tunebook.core.parameters import Kind, ParameterTable, Value, suggestion
from tunebook.errors import PlanError, Problem
from tunebook.tools.finetuning.rows import SetupParameter
from tunebook.tools.finetuning.rules import BrokenRule
from tunebook.tools.finetuning.setup import Setup
from tunebook.tools.runtime.yaml_reading import compose_yaml
from tunebook.tools.yaml_read import read_mapping
from tunebook.tools.yaml_text import yaml_sections

__all__ = ["SetupFile"]

S = TypeVar("S", bound=Setup)


@dataclass(frozen=True)
class SetupFile(Generic[S]):
    """The form of a tool's ``setup_finetune.yaml``.

    Attributes:
        rows: one per key, in the order of the file.
        kind: the class of the settings.
        rules: the rules that settings, by key, break.
        derived: the files that are derived from this one, in words.
    """

    rows: tuple[SetupParameter, ...]
    kind: Callable[[Mapping[str, Value]], S]
    rules: Callable[[Mapping[str, Value]], Iterator[BrokenRule]]
    derived: str

    @cached_property
    def by_key(self) -> Mapping[str, SetupParameter]:
        """Each row by its key."""
        return {parameter.key: parameter for parameter in self.rows}

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """The keys, in the order of the file."""
        return tuple(self.by_key)

    @cached_property
    def text_keys(self) -> frozenset[str]:
        """The keys whose values are texts, whatever they look like."""
        texts = {Kind.TEXT, Kind.LITERAL}
        return frozenset(row.key for row in self.rows if row.kind in texts and not row.nullable)

    @cached_property
    def _table(self) -> ParameterTable:
        return ParameterTable(tuple(parameter for parameter in self.rows if parameter.column))

    def key(self, name: str) -> str:
        """The key that a name means: the plan's name of a parameter is accepted too (``learning_rate`` for ``lr``)."""
        if name in self.by_key:
            return name
        parameter = self._table.by_column(name)
        return parameter.key if parameter else name

    def made(self, settings: Mapping[str, Value]) -> S:
        """The settings of the file's keys, out of more."""
        return self.kind({key: settings[key] for key in self.keys})

    def write(self, setup: S) -> str:
        """The file's text."""
        values = {key: setup.values[key] for key in self.keys}
        lines = []
        for parameter, text in zip(self.rows, yaml_sections(values), strict=True):
            if parameter.heading:
                lines += ["", f"# {parameter.heading}"]
            lines.append(text)
        header = f"# You can edit this file. {self.derived} are derived from it:\n"
        header += "# after a change, run `tunebook setup-finetune` on this directory, or `tunebook scaffold`.\n"
        return header + "\n".join(lines) + "\n"

    def read(self, text: str, *, file: str) -> S:
        """The settings from a file's text, every value converted to its type.

        A missing key gets no default: guessing a setting trains the wrong model.

        Raises:
            PlanError: unknown, repeated or missing keys, values of the wrong type or range, and broken rules.
        """
        nodes, problems = self._nodes(text, file)
        values: dict[str, Value] = {}
        for key, node in nodes.items():
            try:
                values[key] = _convert(self.by_key[key], node)
            except ValueError as error:
                problems.append(Problem(str(error), file, _line(node)))
        missing = [key for key in self.keys if key not in nodes]
        if missing and not problems:
            hint = "scaffold the run again, or write them back"
            problems.append(Problem("missing: " + ", ".join(missing), file, None, hint))
        if problems:
            raise PlanError(problems)
        setup = self.made(values)
        self._refuse_broken_rules(setup, {key: _line(node) for key, node in nodes.items()}, file)
        return setup

    def read_generated(self, text: str) -> S | None:
        """The settings from a text that :meth:`write` made, read by a plain YAML reader, three times as fast.

        ``None`` if it is not such a text; :meth:`read` then reports what is wrong with it.
        """
        try:
            values = read_mapping(text)
        except yaml.YAMLError:
            return None
        if not isinstance(values, dict) or tuple(values) != self.keys:
            return None
        for key, value in values.items():
            if isinstance(value, list):
                values[key] = tuple(value)
        return self.kind(values)

    def differences(self, planned: S, edited: S) -> Mapping[str, tuple[Value, Value]]:
        """Key to (planned, edited) for every setting that was changed; numbers are compared as numbers."""
        changed = (key for key in self.keys if planned.values[key] != edited.values[key])
        return {key: (planned.values[key], edited.values[key]) for key in changed}

    def _refuse_broken_rules(self, setup: S, lines: Mapping[str, int], file: str) -> None:
        broken = self.rules(setup.settings)
        problems = [Problem(rule.message, file, lines.get(rule.key), rule.hint) for rule in broken]
        if problems:
            raise PlanError(problems)

    def _nodes(self, text: str, file: str) -> tuple[dict[str, yaml.Node], list[Problem]]:
        nodes: dict[str, yaml.Node] = {}
        problems = []
        for key_node, value_node in _mapping(text, file).value:
            key = self.key(str(key_node.value))
            if key not in self.by_key:
                problems.append(Problem(f"unknown key `{key}`", file, _line(key_node), suggestion(key, self.keys)))
            elif key in nodes:
                problems.append(Problem(f"`{key}` is given twice", file, _line(key_node)))
            else:
                nodes[key] = value_node
        return nodes, problems


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _refuse_other_encodings(text: str, file: str) -> None:
    wrong = wrong_byte(text)
    if wrong is not None:
        raise PlanError("not UTF-8", file=file, line=wrong[0], hint="save the file as UTF-8")


def _mapping(text: str, file: str) -> yaml.MappingNode:
    _refuse_other_encodings(text, file)
    try:
        root = compose_yaml(text)
    except yaml.YAMLError as error:
        line = None
        if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
            line = error.problem_mark.line + 1
        reason = getattr(error, "problem", None) or error
        raise PlanError(f"not valid YAML: {reason}", file=file, line=line) from None
    if not isinstance(root, yaml.MappingNode):
        raise PlanError("the file has no settings", file=file, hint="scaffold the run again")
    return root


def _convert(parameter: SetupParameter, node: yaml.Node) -> Value:
    """A node as the value of its key; a list may be given as YAML or as text with commas."""
    is_any_text = parameter.kind in {Kind.TEXT, Kind.LITERAL} and not parameter.choices
    if node.tag.endswith(":null") and not getattr(node, "style", None):
        if parameter.nullable:
            return None
        if parameter.kind is Kind.LIST:
            return ()
        if is_any_text:
            return ""
    if isinstance(node, yaml.SequenceNode) and parameter.kind is Kind.LIST:
        return _members(parameter, node)
    if not isinstance(node, yaml.ScalarNode):
        raise ValueError(f"{parameter.key} must be a single value")  # noqa: TRY004  reported like all others
    text = str(node.value)
    return text if is_any_text else _converted(parameter, text)


def _converted(parameter: SetupParameter, text: str) -> Value:
    value = parameter.convert(text)
    if parameter.kind is Kind.ALPHA and isinstance(value, str):
        raise ValueError(f"{parameter.key} is `{text}`; it must be a number above 0")
    if parameter.kind is Kind.VALIDATION and value == 0:
        return None
    return value


def _members(parameter: SetupParameter, node: yaml.SequenceNode) -> Value:
    if not all(isinstance(item, yaml.ScalarNode) for item in node.value):
        raise ValueError(f"{parameter.key} must be a list of texts, such as [one, two]")
    members = tuple(str(item.value) for item in node.value)
    # A line of shell may hold commas and blanks, so that only lists of choices are converted.
    return parameter.convert(", ".join(members)) if parameter.choices else members
