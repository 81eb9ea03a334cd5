"""Parses models, tasks, controls, eval-only runs and rules of the evaluation matrix."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from tunebook.core.parameters import suggestion
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
    "split_script",
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
    if isinstance(node.value, Mapping) and "script" not in node.value:
        for name, item in node.named():
            yield _task(item, name)
    else:
        for item in node.items():
            yield _task(item, "")


def _task(item: Node, name: str) -> DesignTask:
    dataset = description = ""
    if isinstance(item.value, Mapping):
        values = _texts(item, known=("name", "script", "dataset", "description"))
        name = name or values.get("name", "")
        script, dataset, description = (values.get(key, "") for key in ("script", "dataset", "description"))
    else:
        script = item.text
        first, sign, rest = item.text.partition("=")
        if sign and not name:
            name, script = first.strip(), rest.strip()
    file, function = split_script(script)
    name = name or function or Path(file).stem
    return DesignTask(Text(name, item.place), file, function, dataset or None, description)


def _texts(item: Node, *, known: tuple[str, ...]) -> dict[str, str]:
    """The texts of a mapping that has only these keys."""
    values: dict[str, str] = {}
    for key, node in item.named():
        if key not in known:
            raise UsageError([node.place.problem(f"unknown key `{key}`", suggestion(key, known))])
        values[key] = node.one_text()
    return values


def split_script(text: str) -> tuple[str, str | None]:
    """The file and the task of ``cap_task.py@capitalization``; a path may contain ``@`` itself."""
    file, sign, function = text.rpartition("@")
    return (file, function) if sign and function.isidentifier() else (text, None)


def parse_controls(node: Node) -> Iterator[Control]:
    """Models, or mappings with model and name."""
    for item in node.items():
        if isinstance(item.value, Mapping):
            values = _texts(item, known=("model", "name"))
            yield Control(Text(values.get("model", ""), item.place), values.get("name", ""))
        else:
            yield Control(item.text)


def parse_eval_only(node: Node) -> Iterator[EvalOnly]:
    """``NAME=PATH``, ``NAME@MODEL=PATH``, a mapping of names, or mappings with name, checkpoint and model."""
    if isinstance(node.value, Mapping) and "checkpoint" not in node.value:
        for name, item in node.named():
            yield _weights(item, name)
    else:
        for item in node.items():
            yield _weights(item, "")


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
    run = found["run"].text if "run" in found else "*"
    epochs = ",".join(levels(found["epochs"])) if "epochs" in found else ""
    named = found.get("tasks") or found.get("task")
    tasks = levels(named) if named else ["*"]
    for task in tasks:
        yield MatrixRule(Text(run, item.place), task, epochs or "default")
