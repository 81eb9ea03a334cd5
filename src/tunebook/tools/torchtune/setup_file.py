"""``setup_finetune.yaml``: one run's settings, as the plan gives them and as a person may edit them."""

from __future__ import annotations

from collections.abc import Mapping

import yaml

from tunebook.core.encoding import wrong_byte
from tunebook.core.parameters import Kind, ParameterTable, Value, suggestion
from tunebook.errors import PlanError, Problem
from tunebook.tools.torchtune.parameters import SETUP_PARAMETERS, SetupParameter
from tunebook.tools.torchtune.rules import broken_rules
from tunebook.tools.torchtune.setup import Setup
from tunebook.tools.yaml_text import yaml_lines

__all__ = ["SETUP_KEYS", "TEXT_KEYS", "differences", "read_generated_setup", "read_setup", "setup_key", "write_setup"]

_ROWS = {parameter.key: parameter for parameter in SETUP_PARAMETERS}
_TABLE = ParameterTable(tuple(parameter for parameter in SETUP_PARAMETERS if parameter.column))
SETUP_KEYS = tuple(_ROWS)
TEXT_KEYS = {
    parameter.key
    for parameter in SETUP_PARAMETERS
    if parameter.kind in {Kind.TEXT, Kind.LITERAL} and not parameter.nullable
}
_HEADER = """\
# You can edit this file. finetune.yaml and finetune.slurm are derived from it:
# after a change, run `tunebook setup-finetune` on this directory, or `tunebook scaffold`.
"""


def setup_key(name: str) -> str:
    """The key that a name means: the plan's name of a parameter is accepted too (``learning_rate`` for ``lr``)."""
    if name in _ROWS:
        return name
    parameter = _TABLE.by_column(name)
    return parameter.key if parameter else name


def write_setup(setup: Setup) -> str:
    """The file's text."""
    lines = []
    for parameter in SETUP_PARAMETERS:
        if parameter.heading:
            lines += ["", f"# {parameter.heading}"]
        lines += yaml_lines({parameter.key: setup.values[parameter.key]})
    return _HEADER + "\n".join(lines) + "\n"


def read_setup(text: str, *, file: str) -> Setup:
    """The settings from a file's text, every value converted to its type.

    A missing key gets no default: guessing a setting trains the wrong model.

    Raises:
        PlanError: unknown, repeated or missing keys, values of the wrong type or range, and broken rules.
    """
    nodes, problems = _nodes(text, file)
    values: dict[str, Value] = {}
    for key, node in nodes.items():
        try:
            values[key] = _convert(_ROWS[key], node)
        except ValueError as error:
            problems.append(Problem(str(error), file, _line(node)))
    missing = [key for key in SETUP_KEYS if key not in nodes]
    if missing and not problems:
        hint = "scaffold the run again, or write them back"
        problems.append(Problem("missing: " + ", ".join(missing), file, None, hint))
    if problems:
        raise PlanError(problems)
    setup = Setup({key: values[key] for key in SETUP_KEYS})
    _refuse_broken_rules(setup, {key: _line(node) for key, node in nodes.items()}, file)
    return setup


def _refuse_broken_rules(setup: Setup, lines: Mapping[str, int], file: str) -> None:
    broken = broken_rules(setup.settings, examples=None)
    problems = [Problem(rule.message, file, lines.get(rule.key), rule.hint) for rule in broken]
    if problems:
        raise PlanError(problems)


def read_generated_setup(text: str) -> Setup | None:
    """The settings from a text that :func:`write_setup` made, read by a plain YAML reader, three times as fast.

    ``None`` if it is not such a text; :func:`read_setup` then reports what is wrong with it.
    """
    try:
        values = yaml.load(text, Loader=yaml.CSafeLoader)
    except UnicodeEncodeError:
        return None
    if not isinstance(values, dict) or tuple(values) != SETUP_KEYS:
        return None
    for key, value in values.items():
        if isinstance(value, list):
            values[key] = tuple(value)
    return Setup(values)


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _refuse_other_encodings(text: str, file: str) -> None:
    wrong = wrong_byte(text)
    if wrong is not None:
        raise PlanError("not UTF-8", file=file, line=wrong[0], hint="save the file as UTF-8")


def _nodes(text: str, file: str) -> tuple[dict[str, yaml.Node], list[Problem]]:
    _refuse_other_encodings(text, file)
    try:
        root = yaml.compose(text, Loader=yaml.CSafeLoader)
    except yaml.YAMLError as error:
        line = None
        if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
            line = error.problem_mark.line + 1
        reason = getattr(error, "problem", None) or "cannot be read"
        raise PlanError(f"not valid YAML: {reason}", file=file, line=line) from None
    if not isinstance(root, yaml.MappingNode):
        raise PlanError("the file has no settings", file=file, hint="scaffold the run again")
    nodes: dict[str, yaml.Node] = {}
    problems = []
    for key_node, value_node in root.value:
        key = setup_key(str(key_node.value))
        if key not in _ROWS:
            problems.append(Problem(f"unknown key `{key}`", file, _line(key_node), suggestion(key, SETUP_KEYS)))
        elif key in nodes:
            problems.append(Problem(f"`{key}` is given twice", file, _line(key_node)))
        else:
            nodes[key] = value_node
    return nodes, problems


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


def differences(planned: Setup, edited: Setup) -> Mapping[str, tuple[Value, Value]]:
    """Key to (planned, edited) for every setting that was changed; numbers are compared as numbers."""
    changed = (key for key in SETUP_KEYS if planned.values[key] != edited.values[key])
    return {key: (planned.values[key], edited.values[key]) for key in changed}
