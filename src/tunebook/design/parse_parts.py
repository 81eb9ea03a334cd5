"""Parses models, tasks, controls, eval-only runs and rules of the evaluation matrix."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from tunebook.core.parameters import suggestion
from tunebook.core.plan.resources import split_script
from tunebook.design.documents import Node, levels
from tunebook.design.places import Text
from tunebook.design.values import Control, DesignModel, DesignTask, EvalOnly, MatrixRule
from tunebook.errors import UsageError

__all__ = [
    "parse_controls",
    "parse_eval_only",
    "parse_matrix",
    "parse_models",
    "parse_tasks",
]

_MATRIX_HINT = "write RUN:TASK=EPOCHS with globs; epochs are last, all, zero-based ones, or - for none"


def parse_models(node: Node, here: Path) -> Iterator[DesignModel]:
    """``NAME=PATH``, a path (a name that is a directory in ``here`` is one), a name, or a mapping of names to paths."""
    for item in node.items():
        if isinstance(item.value, Mapping):
            for label, node_path in item.named():
                yield DesignModel(Text(label.strip(), label.place), node_path.text.strip())
            continue
        text: str = item.text
        name, sign, path = text.partition("=")
        if not sign and ("/" in text or (here / Path(text).expanduser()).is_dir()):
            name, path = Path(text).name, text
        yield DesignModel(Text(name.strip(), item.place), path.strip())


def parse_tasks(node: Node) -> Iterator[DesignTask]:
    """``NAME=SCRIPT[@task]``, a mapping of names, or mappings with name, script, dataset and description."""
    for name, item in _named_or_not(node, "script"):
        yield _task(item, name)


def _named_or_not(node: Node, key: str) -> Iterator[tuple[str, Node]]:
    """The parts of a mapping by name; those of a list, and a mapping with this key, without a name."""
    if isinstance(node.value, Mapping) and key not in node.value:
        yield from node.named()
        return
    for item in node.items():
        yield "", item


def _task(item: Node, name: str) -> DesignTask:
    values = {"script": str(item.text)}
    if isinstance(item.value, Mapping):
        values = _texts(item, known=("name", "script", "dataset", "description"))
    elif not name and "=" in item.text:
        first, _, rest = item.text.partition("=")
        values = {"name": first.strip(), "script": rest.strip()}
    file, function = split_script(values.get("script", ""))
    name = name or values.get("name") or function or Path(file).stem
    return DesignTask(
        Text(name, item.place), file, function, values.get("dataset") or None, values.get("description", "")
    )


def _texts(item: Node, *, known: tuple[str, ...]) -> dict[str, str]:
    """The texts of a mapping that has only these keys."""
    values: dict[str, str] = {}
    for key, node in item.named():
        if key not in known:
            raise UsageError([node.place.problem(f"unknown key `{key}`", suggestion(key, known))])
        values[key] = node.one_text()
    return values


def parse_controls(node: Node) -> Iterator[Control]:
    """Models, or mappings with model and name."""
    for item in node.items():
        values = {"model": str(item.text)}
        if isinstance(item.value, Mapping):
            values = _texts(item, known=("model", "name"))
        yield Control(Text(values.get("model", ""), item.place), values.get("name", ""))


def parse_eval_only(node: Node) -> Iterator[EvalOnly]:
    """``NAME=PATH``, ``NAME@MODEL=PATH``, a mapping of names, or mappings with name, checkpoint and model."""
    for name, item in _named_or_not(node, "checkpoint"):
        yield _weights(item, name)


def _weights(item: Node, name: str) -> EvalOnly:
    if isinstance(item.value, Mapping):
        values = _texts(item, known=("name", "checkpoint", "model"))
        name, path, model = values.get("name", name), values.get("checkpoint", ""), values.get("model", "")
        return EvalOnly(Text(name, item.place), path.strip(), model)
    path = item.text
    if not name:
        name, sign, path = item.text.partition("=")
        if not sign:
            hint = "write NAME=PATH or NAME@MODEL=PATH"
            raise UsageError([item.place.problem(f"`{item.text}` names no weights", hint)])
    name, _, model = name.strip().partition("@")
    return EvalOnly(Text(name, item.place), path.strip(), model)


def parse_matrix(node: Node) -> Iterator[MatrixRule]:
    """``RUN:TASK=EPOCHS``, or mappings with run, tasks and epochs."""
    for item in node.items():
        if isinstance(item.value, Mapping):
            yield from _rules(dict(item.named()), item)
            continue
        cell, sign, epochs = item.text.partition("=")
        if not sign:
            raise UsageError([item.place.problem(f"`{item.text}` is not a rule of the matrix", _MATRIX_HINT)])
        run, _, task = cell.partition(":")
        yield MatrixRule(Text(run.strip() or "*", item.place), task.strip() or "*", epochs.strip())


def _rules(found: Mapping[str, Node], item: Node) -> Iterator[MatrixRule]:
    every = Node("*", item.place)
    run = found.get("run", every).text
    epochs = ",".join(levels(found.get("epochs", Node(""))))
    for task in levels(found.get("tasks") or found.get("task") or every):
        yield MatrixRule(Text(run, item.place), task, epochs or "default")
