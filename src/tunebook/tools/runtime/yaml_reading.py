"""Reads YAML that anyone may have written: nested to a bound, of a bounded size, and every fault is a ``YAMLError``.

PyYAML's C composer calls itself for each level, so that ten thousand brackets end the process with a signal. Events are
read without that: they show the depth before anything is composed.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

__all__ = ["DEEPEST", "MOST_NODES", "compose_yaml", "load_yaml"]

DEEPEST = 100
"""Levels of lists and mappings inside each other."""
MOST_NODES = 100_000
"""Values of a file, counted again wherever an alias repeats them."""

_LONGEST_INTEGER = 250  # digits, decimal or hexadecimal: a shorter one is a finite float
_INTEGER = "tag:yaml.org,2002:int"
_C_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_OPENING = (yaml.SequenceStartEvent, yaml.MappingStartEvent)
_CLOSING = (yaml.SequenceEndEvent, yaml.MappingEndEvent)
_LINE_START = re.compile(r"^[ \t?:-]+", re.MULTILINE)
_UNFIT = (ValueError, TypeError, LookupError, AttributeError, OverflowError, RecursionError)


def compose_yaml(text: str, *, loader: Any = None) -> yaml.Node | None:
    """Returns the root node of a text; ``None`` if it is empty.

    Args:
        loader: the class of a loader; the default one is safe, and in C.

    Raises:
        yaml.YAMLError: the text is not YAML, or is too deep or too large.
    """
    reader = _opened(text, loader or _C_LOADER)
    try:
        return _composed(reader)
    except _UNFIT as error:
        raise yaml.YAMLError(f"it cannot be read: {error}") from None
    finally:
        reader.dispose()


def load_yaml(text: str, *, loader: Any = None) -> Any:
    """Returns the value of a text; see :func:`compose_yaml`.

    Raises:
        yaml.YAMLError: also if a value is not of the type that its form or tag says.
    """
    reader = _opened(text, loader or _C_LOADER)
    try:
        root = _composed(reader)
        return None if root is None else reader.construct_document(root)
    except _UNFIT as error:
        raise yaml.YAMLError(f"it has a value that is not of its type: {error}") from None
    finally:
        reader.dispose()


def _opened(text: str, loader: Any) -> Any:
    try:
        _refuse_depth(text)
        return loader(text)
    except UnicodeEncodeError as error:
        line = text.count("\n", 0, error.start) + 1
        raise yaml.YAMLError(f"line {line} has bytes that are not UTF-8; save the file as UTF-8") from None


def _composed(reader: Any) -> yaml.Node | None:
    root: yaml.Node | None = reader.get_single_node()
    if root is not None:
        _refuse_size(root)
    return root


def _refuse_depth(text: str) -> None:
    if _deepest_possible(text) <= DEEPEST:  # of nearly every file
        return
    depth = 0
    for event in yaml.parse(text, Loader=_C_LOADER):
        if isinstance(event, _OPENING):
            depth += 1
        elif isinstance(event, _CLOSING):
            depth -= 1
        if depth > DEEPEST:
            problem = f"it is nested deeper than {DEEPEST} levels"
            mark: Any = event.start_mark
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=mark)


def _deepest_possible(text: str) -> int:
    """At most a level for each bracket, and two for each column in which a line's first word can begin."""
    indented = max((len(found[0]) for found in _LINE_START.finditer(text)), default=0)
    return text.count("[") + text.count("{") + 2 * (indented + 1)


def _refuse_size(root: yaml.Node) -> None:
    sizes: dict[int, int] = {}
    if _size(root, sizes) > MOST_NODES:
        raise yaml.MarkedYAMLError(problem="its aliases repeat too many values", problem_mark=root.start_mark)


def _size(node: yaml.Node, sizes: dict[int, int]) -> int:
    """Nodes at and below this one, where aliases are followed; each node is looked at once."""
    if isinstance(node, yaml.ScalarNode):
        if len(node.value) > _LONGEST_INTEGER and node.tag == _INTEGER:
            problem = f"it has an integer of {len(node.value):,} digits; write a text in quotes"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)
        return 1
    known = sizes.get(id(node))
    if known == 0:
        raise yaml.MarkedYAMLError(problem="it refers to itself", problem_mark=node.start_mark)
    if known is not None:
        return known
    sizes[id(node)] = 0  # while its members are counted
    members = node.value
    if isinstance(node, yaml.MappingNode):
        members = [member for pair in node.value for member in pair]
    size = 1 + sum(_size(member, sizes) for member in members)
    sizes[id(node)] = size
    return size
