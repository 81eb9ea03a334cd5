"""Parses a document into a design: options, a YAML file and a stored design have the same keys, in one table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tunebook.core.hypothesis_grammar import HypothesisError, parse_hypothesis
from tunebook.core.numbers import digits
from tunebook.core.parameters import FLAG_WORDS, suggestion
from tunebook.core.paths import expanded
from tunebook.core.plan import Model
from tunebook.design.documents import Document, Node, Number, Text, assignments, levels, records, texts_of
from tunebook.design.factors import find_key, nearest_key
from tunebook.design.merge import tasks_by_name
from tunebook.design.task_inputs import read_about_task, read_tasks
from tunebook.design.values import (
    EVERY_MODEL,
    Combine,
    Control,
    Design,
    DesignInputs,
    EvalOnly,
    Factor,
    ListedRun,
    MatrixRule,
    with_absolute_paths,
)
from tunebook.errors import Problem, TunebookError, UsageError

__all__ = ["FIELDS", "parse_document"]

_SHORTCUTS = ("prompt", "system-prompt", "recipe", "gpus")
_OTHER_NAMES = {
    "models": "model",
    "tasks": "task",
    "factors": "factor",
    "hypotheses": "hypothesis",
    "settings": "set",
    "configuration": "set",
    "exclusions": "exclude",
    "runs": "with",
    "controls": "control",
    "notes": "note",
    "pairs": "pair",
    "epochs-to-evaluate": "evaluate-epochs",
}
_MATRIX_HINT = "write RUN:TASK=EPOCHS with globs; epochs are last, all, zero-based ones, or - for none"


def parse_document(document: Document, *, here: Path) -> DesignInputs:
    """The design that a document gives, with every problem in it.

    Args:
        here: the directory that relative paths are relative to.
    """
    reader = _Reader(here)
    for name, nodes in document.items():
        for node in nodes:
            try:
                reader.take(name, node)
            except TunebookError as error:
                reader.problems += [problem for problem in error.problems if problem not in reader.problems]
    tasks = tasks_by_name((), reader.given.pop("tasks", ()))
    design = with_absolute_paths(Design(tasks=tasks, **reader.given), here)
    return DesignInputs(design=design, problems=tuple(reader.problems), misspelt=frozenset(reader.misspelt))


class _Reader:
    """Reads one document; it collects the problems.

    Attributes:
        here: the directory that relative paths are relative to.
        given: the values of the document so far, by attribute of the design.
    """

    def __init__(self, here: Path) -> None:
        self.here = here
        self.given: dict[str, Any] = {}
        self.problems: list[Problem] = []
        self.misspelt: set[str] = set()
        self._names: set[tuple[str, str]] = set()

    def take(self, name: str, node: Node) -> None:
        """Adds what a node gives to the values: to the list or the mapping so far, or in place of the text so far."""
        key = _OTHER_NAMES.get(name, name)
        if key == "tools":
            self._take_tools(node)
            return
        if key in _SHORTCUTS:
            key, node = "set", Node({key.replace("-", "_"): Node(node.one_text(), node.place)}, node.place)
        if key not in _INPUTS:
            known = (*_INPUTS, "tools", *_SHORTCUTS)
            raise UsageError([node.place.problem(f"unknown key `{name}`", suggestion(name, known))])
        attribute, read = _INPUTS[key]
        value, before = read(self, node), self.given.get(attribute)
        if isinstance(before, tuple):
            value = (*before, *value)
        elif isinstance(before, dict):
            value = {**before, **value}
        self.given[attribute] = value

    def _take_tools(self, node: Node) -> None:
        for name, tool in node.named():
            if name not in {"preparation", "evaluation"}:
                raise UsageError([tool.place.problem(f"unknown tool `{name}`", "known: preparation, evaluation")])
            self.take(name, tool)
        if not node.named():
            raise UsageError([node.place.problem("`tools` must be a mapping of preparation and evaluation")])

    def parameter(self, name: Text, *, is_factor: bool) -> str | None:
        """The key of a parameter; an unknown name is a problem."""
        key = find_key(name, is_factor=is_factor)
        if key is None:
            meant, hint = nearest_key(name, is_factor=is_factor)
            kind = "factor" if is_factor else "setting"
            self.problems.append(name.place.problem(f"unknown {kind} `{name}`", hint))
            if meant is not None:
                self.misspelt.add(meant)
        return key

    def keyed(self, pairs: Iterable[tuple[Text, Node]]) -> dict[str, str]:
        """Parameters' keys to levels."""
        values: dict[str, str] = {}
        for name, node in pairs:
            key = self.parameter(name, is_factor=True)
            if key is None:
                continue
            if key in values:
                self._given_twice(Text(key, node.place))
            values[key] = node.one_text()
        return values

    def once(self, part: str, name: Text) -> None:
        """Reports a name that this part of the document has already."""
        if (part, name) in self._names:
            self._given_twice(name)
        self._names.add((part, name))

    def _given_twice(self, name: Text) -> None:
        self.problems.append(name.place.problem(f"`{name}` is given twice", "give it once, under a name of its own"))


# --- texts and numbers ---------------------------------------------------------------------------------------------


def _text(_reader: _Reader, node: Node) -> Text:
    """One text."""
    return node.one_text()


def _number(_reader: _Reader, node: Node) -> Number:
    """A whole number."""
    text = node.one_text()
    number = digits(text)
    if number is None:
        raise UsageError([node.place.problem(f"`{text}` must be a whole number of at most 18 digits")])
    return Number(number, node.place)


def _flag(_reader: _Reader, node: Node) -> bool:
    """Yes or no."""
    text = node.one_text().lower()
    if text not in FLAG_WORDS:
        raise UsageError([node.place.problem(f"`{node.text}` must be yes or no")])
    return FLAG_WORDS[text]


def _combine(_reader: _Reader, node: Node) -> Text:
    """How factors are combined."""
    text = node.one_text().lower().replace("_", "-").replace(" ", "-")
    names = list(Combine)
    if text not in names:
        raise UsageError([node.place.problem(f"unknown way to combine `{node.text}`", suggestion(text, names))])
    return Text(text, node.place)


def _notes(_reader: _Reader, node: Node) -> tuple[str, ...]:
    """A text, or a list of texts."""
    return tuple(item.text for item in node.items())


def _hypotheses(reader: _Reader, node: Node) -> tuple[str, ...]:
    """A text, a list of texts, or a mapping of names to texts."""
    found: list[str] = []
    for item in node.items():
        for name, text in item.named() or [(Text("", item.place), item)]:
            whole = f"**{name}:** {text.one_text()}" if name else text.one_text()
            try:
                found.append(Text(parse_hypothesis(whole).text, text.place))
            except HypothesisError as error:
                reader.problems.append(text.place.problem(f"hypothesis: {error}", error.hint))
    return tuple(found)


def _seeds(reader: _Reader, node: Node) -> tuple[str, ...]:
    """A list, or a text with commas; the last one counts."""
    reader.given.pop("seeds", None)
    return tuple(levels(node))


# --- parameters and runs -------------------------------------------------------------------------------------------


def _factors(reader: _Reader, node: Node) -> tuple[Factor, ...]:
    """``KEY=LEVEL,LEVEL``, or a mapping of keys to levels."""
    factors: list[Factor] = []
    for name, item in _name_and_rest(node, example="lora_rank=8,16"):
        key = reader.parameter(name, is_factor=True)
        if key is not None:
            reader.once("factors", Text(key, name.place))
            factors.append(Factor(Text(key, name.place), tuple(levels(item))))
    return tuple(factors)


def _settings(reader: _Reader, node: Node) -> dict[str, str]:
    """``KEY=VALUE``, or a mapping of keys to values."""
    settings: dict[str, str] = {}
    for name, item in _name_and_rest(node, example="key=value"):
        key = reader.parameter(name, is_factor=False)
        if key is not None:
            reader.once("settings", Text(key, name.place))
            settings[key] = item.one_text()
    return settings


def _name_and_rest(node: Node, *, example: str) -> list[tuple[Text, Node]]:
    """The entries of a mapping, or the one of ``name=rest``, where commas belong to the rest."""
    if isinstance(node.value, Mapping):
        return node.named()
    name, sign, rest = node.one_text().partition("=")
    if not sign:
        raise UsageError([node.place.problem(f"`{node.text}` has no `=`", f"write {example}")])
    return [(Text(name.strip(), node.place), Node(rest, node.place))]


def _base(reader: _Reader, node: Node) -> dict[str, str]:
    """``KEY=LEVEL,KEY=LEVEL``, or a mapping."""
    return reader.keyed(assignments(node))


def _pairs(reader: _Reader, node: Node) -> tuple[tuple[str, ...], ...]:
    """One group of factors, or a list of such groups."""
    groups = list(node.items())
    if not any(isinstance(item.value, tuple) for item in groups):
        groups = [node]
    pairs: list[tuple[str, ...]] = []
    for group in groups:
        keys: list[str] = []
        for name in levels(group):
            key = reader.parameter(name, is_factor=True)
            if key is not None:
                keys.append(Text(key, name.place))
        pairs.append(tuple(keys))
    return tuple(pairs)


def _listed(reader: _Reader, node: Node) -> tuple[ListedRun, ...]:
    """Assignments, one of which may be the run's name."""
    runs: list[ListedRun] = []
    for item in node.items():
        pairs = dict(assignments(item))
        named = pairs.pop(Text("name"), None)
        name = named.one_text() if named else Text("", item.place)
        runs.append(ListedRun(reader.keyed(pairs.items()), name))
    return tuple(runs)


def _exclusions(reader: _Reader, node: Node) -> tuple[dict[str, str], ...]:
    """Assignments; a rule without any would exclude everything."""
    rules: list[dict[str, str]] = []
    for item in node.items():
        rule = reader.keyed(assignments(item))
        if not rule and not reader.problems:
            raise UsageError([item.place.problem("an exclusion without a value would exclude everything")])
        rules.append(rule)
    return tuple(rules)


# --- models, tasks and evaluation ----------------------------------------------------------------------------------


def _models(reader: _Reader, node: Node) -> tuple[Model, ...]:
    """A name alone is that of a model in the site's models directory, unless it is a directory here."""
    models: list[Model] = []
    for item, texts in records(node, "path", keys=("name", "path")):
        name, path = texts.get("name", ""), texts.get("path", "")
        if not name and ("/" in path or (reader.here / expanded(path)).is_dir()):
            name = Path(path).name
        elif not name:
            name, path = path, ""
        models.append(Model(Text(name, item.place), path))
        reader.once("models", Text(name, item.place))
    return tuple(models)


def _controls(reader: _Reader, node: Node) -> tuple[Control, ...]:
    """Models, or mappings with model and name; yes or no takes the place of those that are given before it."""
    if node.text.lower() in FLAG_WORDS:
        reader.given.pop("controls", None)
        return EVERY_MODEL if _flag(reader, node) else ()
    controls: list[Control] = []
    for item in node.items():
        values = {"model": str(item.text)}
        if isinstance(item.value, Mapping):
            values = texts_of(item, keys=("model", "name"))
        controls.append(Control(Text(values.get("model", ""), item.place), values.get("name", "")))
    return tuple(controls)


def _eval_only(_reader: _Reader, node: Node) -> tuple[EvalOnly, ...]:
    """A name may be that of the run and of its model: ``NAME@MODEL``."""
    runs: list[EvalOnly] = []
    for item, texts in records(node, "checkpoint", keys=("name", "checkpoint", "model")):
        if not texts["name"] and isinstance(item.value, str):
            hint = "write NAME=PATH or NAME@MODEL=PATH"
            raise UsageError([item.place.problem(f"`{item.text}` names no weights", hint)])
        name, _, model = texts["name"].partition("@")
        runs.append(EvalOnly(Text(name, item.place), texts.get("checkpoint", ""), texts.get("model", model)))
    return tuple(runs)


def _matrix(_reader: _Reader, node: Node) -> tuple[MatrixRule, ...]:
    """``RUN:TASK=EPOCHS``, or mappings with run, tasks and epochs."""
    rules: list[MatrixRule] = []
    for item in node.items():
        if isinstance(item.value, Mapping):
            rules += _rules(dict(item.named()), item)
            continue
        cell, sign, epochs = item.text.partition("=")
        if not sign:
            raise UsageError([item.place.problem(f"`{item.text}` is not a rule of the matrix", _MATRIX_HINT)])
        run, _, task = cell.partition(":")
        rules.append(MatrixRule(Text(run.strip() or "*", item.place), task.strip() or "*", epochs.strip()))
    return tuple(rules)


def _rules(found: Mapping[str, Node], item: Node) -> Iterator[MatrixRule]:
    every = Node("*", item.place)
    run = found.get("run", every).text
    epochs = ",".join(levels(found.get("epochs", Node(""))))
    for task in levels(found.get("tasks") or found.get("task") or every):
        yield MatrixRule(Text(run, item.place), task, epochs or "default")


# --- the table -----------------------------------------------------------------------------------------------------


_INPUTS: dict[str, tuple[str, Callable[[_Reader, Node], Any]]] = {
    "question": ("question", _text),
    "hypothesis": ("hypotheses", _hypotheses),
    "name": ("name", _text),
    "preparation": ("preparation", _text),
    "evaluation": ("evaluation", _text),
    "model": ("models", _models),
    "dataset": ("dataset", _text),
    "dataset-format": ("dataset_format", _text),
    "task": ("tasks", read_tasks),
    "task-dataset": ("tasks", read_about_task("dataset")),
    "task-description": ("tasks", read_about_task("description")),
    "task-tool": ("tasks", read_about_task("tool")),
    "task-measure": ("tasks", read_about_task("measure")),
    "task-direction": ("tasks", read_about_task("direction")),
    "factor": ("factors", _factors),
    "combine": ("combine", _combine),
    "base": ("base", _base),
    "pair": ("paired", _pairs),
    "with": ("listed", _listed),
    "sample": ("sample", _number),
    "sample-seed": ("sample_seed", _number),
    "seeds": ("seeds", _seeds),
    "replicates": ("replicates", _number),
    "exclude": ("exclusions", _exclusions),
    "train": ("train", _flag),
    "control": ("controls", _controls),
    "eval-only": ("eval_only", _eval_only),
    "set": ("settings", _settings),
    "evaluate-epochs": ("epochs", _text),
    "matrix": ("matrix", _matrix),
    "note": ("notes", _notes),
}
FIELDS = {attribute: key for key, (attribute, _) in reversed(_INPUTS.items())}
"""The attribute of a design to its key: an option's name; files may write it with underscores, some in the plural."""
