"""Parses a document into a design: options, a YAML file and a stored design have the same keys."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from tunebook.core.parameters import FLAG_WORDS, suggestion
from tunebook.design.documents import Document, Node, assignments, levels
from tunebook.design.parameter_names import find_key, nearest_key
from tunebook.design.parse_parts import parse_controls, parse_eval_only, parse_matrix, parse_models, parse_tasks
from tunebook.design.paths import with_absolute_paths
from tunebook.design.places import Number, Text
from tunebook.design.values import EVERY_MODEL, Combine, Control, Design, DesignInputs, DesignTask, Factor, ListedRun
from tunebook.errors import Problem, TunebookError, UsageError

__all__ = ["KEYS", "parse_document"]

_SHORTCUTS = ("prompt", "system-prompt", "recipe", "gpus")
_OTHER_NAMES = {
    "models": "model",
    "tasks": "task",
    "factors": "factor",
    "settings": "set",
    "configuration": "set",
    "exclusions": "exclude",
    "runs": "with",
    "controls": "control",
    "notes": "note",
    "pairs": "pair",
    "epochs-to-evaluate": "evaluate-epochs",
}


def parse_document(document: Document, *, here: Path) -> DesignInputs:
    """The design that a document gives, with every problem in it.

    Args:
        here: the directory that relative paths are relative to.
    """
    parser = _Parser(here)
    for name, nodes in document.items():
        key = _OTHER_NAMES.get(name, name)
        parse = _PARSERS.get(key)
        if parse is None:
            parser.problems.append(nodes[0].place.problem(f"unknown key `{name}`", suggestion(name, KEYS)))
            continue
        for node in nodes:
            try:
                parse(parser, node)
            except TunebookError as error:
                parser.problems.extend(error.problems)
    design = with_absolute_paths(parser.design, here)
    return DesignInputs(design=design, problems=tuple(parser.problems), misspelt=frozenset(parser.misspelt))


class _Parser:
    """A design that grows key by key; it collects the problems."""

    def __init__(self, here: Path) -> None:
        self.here = here
        self.design = Design()
        self.problems: list[Problem] = []
        self.misspelt: set[str] = set()

    # --- texts and numbers

    def combine(self, node: Node) -> None:
        text = node.one_text().lower().replace("_", "-").replace(" ", "-")
        names = [way.value for way in Combine]
        if text not in names:
            raise UsageError([node.place.problem(f"unknown way to combine `{node.text}`", suggestion(text, names))])
        self.design = replace(self.design, combine=Text(text, node.place))

    def train(self, node: Node) -> None:
        self.design = replace(self.design, train=_is_yes(node))

    def tools(self, node: Node) -> None:
        for name, tool in node.named():
            if name not in {"preparation", "evaluation"}:
                raise UsageError([tool.place.problem(f"unknown tool `{name}`", "known: preparation, evaluation")])
            _PARSERS[name](self, tool)
        if not node.named():
            raise UsageError([node.place.problem("`tools` must be a mapping of preparation and evaluation")])

    def notes(self, node: Node) -> None:
        self.design = replace(self.design, notes=(*self.design.notes, *(item.text for item in node.items())))

    # --- parameters

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
                self.given_twice(Text(key, node.place))
            values[key] = node.one_text()
        return values

    def given_twice(self, name: Text) -> None:
        """Reports a part that one document gives twice."""
        self.problems.append(name.place.problem(f"`{name}` is given twice", "give it once, under a name of its own"))

    def factors(self, node: Node) -> None:
        for name, item in _name_and_rest(node, example="lora_rank=8,16"):
            key = self.parameter(name, is_factor=True)
            if key is None:
                continue
            if self.design.factor(key):
                self.given_twice(Text(key, name.place))
            factor = Factor(Text(key, name.place), tuple(levels(item)))
            self.design = replace(self.design, factors=(*self.design.factors, factor))

    def settings(self, node: Node) -> None:
        settings = dict(self.design.settings)
        for name, item in _name_and_rest(node, example="key=value"):
            key = self.parameter(name, is_factor=False)
            if key is None:
                continue
            if key in settings:
                self.given_twice(Text(key, name.place))
            settings[key] = item.one_text()
        self.design = replace(self.design, settings=settings)

    def base(self, node: Node) -> None:
        self.design = replace(self.design, base={**self.design.base, **self.keyed(assignments(node))})

    def pairs(self, node: Node) -> None:
        """One group of factors, or a list of such groups."""
        groups = list(node.items())
        if not any(isinstance(item.value, tuple) for item in groups):
            groups = [node]
        for group in groups:
            keys: list[str] = []
            for name in levels(group):
                key = self.parameter(name, is_factor=True)
                if key is not None:
                    keys.append(Text(key, name.place))
            self.design = replace(self.design, paired=(*self.design.paired, tuple(keys)))

    # --- runs

    def listed(self, node: Node) -> None:
        for item in node.items():
            name = Text("", item.place)
            values = []
            for key, value in assignments(item):
                if key == "name":
                    name = value.one_text()
                else:
                    values.append((key, value))
            run = ListedRun(self.keyed(values), name)
            self.design = replace(self.design, listed=(*self.design.listed, run))

    def exclusions(self, node: Node) -> None:
        for item in node.items():
            rule = self.keyed(assignments(item))
            if not rule and not self.problems:
                raise UsageError([item.place.problem("an exclusion without a value would exclude everything")])
            self.design = replace(self.design, exclusions=(*self.design.exclusions, rule))

    def seeds(self, node: Node) -> None:
        self.design = replace(self.design, seeds=tuple(levels(node)))

    # --- models, tasks and evaluation

    def models(self, node: Node) -> None:
        for model in parse_models(node, self.here):
            if model.name in self.design.model_names:
                self.given_twice(Text(model.name))
            self.design = replace(self.design, models=(*self.design.models, model))

    def tasks(self, node: Node) -> None:
        for task in parse_tasks(node):
            known = self.design.task(task.name)
            if known and known.script:
                self.given_twice(Text(task.name))
            self._set_task(task)

    def _set_task(self, task: DesignTask) -> None:
        tasks = {**{other.name: other for other in self.design.tasks}, task.name: task}
        self.design = replace(self.design, tasks=tuple(tasks.values()))

    def task_dataset(self, node: Node) -> None:
        task, text = self._task_and_text(node)
        self._set_task(replace(task, dataset=text))

    def task_description(self, node: Node) -> None:
        task, text = self._task_and_text(node)
        self._set_task(replace(task, description=text))

    def _task_and_text(self, node: Node) -> tuple[DesignTask, Text]:
        """The task that ``TASK=TEXT`` names, which another document may have given, and the text."""
        name, sign, text = node.one_text().partition("=")
        if not sign:
            raise UsageError([node.place.problem(f"`{node.text}` names no task", "write TASK=TEXT")])
        task = self.design.task(name.strip()) or DesignTask(Text(name.strip(), node.place), "")
        return task, Text(text.strip(), node.place)

    def controls(self, node: Node) -> None:
        controls: tuple[Control, ...] = (*(self.design.controls or ()), *parse_controls(node))
        if node.text.lower() in FLAG_WORDS:
            controls = EVERY_MODEL if _is_yes(node) else ()
        self.design = replace(self.design, controls=controls)

    def eval_only(self, node: Node) -> None:
        self.design = replace(self.design, eval_only=(*self.design.eval_only, *parse_eval_only(node)))

    def matrix(self, node: Node) -> None:
        self.design = replace(self.design, matrix=(*self.design.matrix, *parse_matrix(node)))


def _is_yes(node: Node) -> bool:
    text = node.one_text().lower()
    if text not in FLAG_WORDS:
        raise UsageError([node.place.problem(f"`{node.text}` must be yes or no")])
    return FLAG_WORDS[text]


def _name_and_rest(node: Node, *, example: str) -> list[tuple[Text, Node]]:
    """The entries of a mapping, or the one of ``name=rest``, where commas belong to the rest."""
    if isinstance(node.value, Mapping):
        return node.named()
    name, sign, rest = node.one_text().partition("=")
    if not sign:
        raise UsageError([node.place.problem(f"`{node.text}` has no `=`", f"write {example}")])
    return [(Text(name.strip(), node.place), Node(rest, node.place))]


def _text(change: Callable[[Design, Text], Design]) -> Callable[[_Parser, Node], None]:
    def parse(parser: _Parser, node: Node) -> None:
        parser.design = change(parser.design, node.one_text())

    return parse


def _number(change: Callable[[Design, Number], Design]) -> Callable[[_Parser, Node], None]:
    def parse(parser: _Parser, node: Node) -> None:
        text = node.one_text()
        if not text.isdecimal():
            raise UsageError([node.place.problem(f"`{text}` must be a whole number")])
        parser.design = change(parser.design, Number(int(text), node.place))

    return parse


def _setting(key: str) -> Callable[[_Parser, Node], None]:
    """Parses the option of a parameter that has one of its own."""

    def parse(parser: _Parser, node: Node) -> None:
        parser.settings(Node({key.replace("-", "_"): Node(node.one_text(), node.place)}, node.place))

    return parse


_PARSERS: dict[str, Callable[[_Parser, Node], None]] = {
    "question": _text(lambda design, text: replace(design, question=text)),
    "name": _text(lambda design, text: replace(design, name=text)),
    "tools": _Parser.tools,
    "preparation": _text(lambda design, text: replace(design, preparation=text)),
    "evaluation": _text(lambda design, text: replace(design, evaluation=text)),
    "model": _Parser.models,
    "dataset": _text(lambda design, text: replace(design, dataset=text)),
    "dataset-format": _text(lambda design, text: replace(design, dataset_format=text)),
    "task": _Parser.tasks,
    "task-dataset": _Parser.task_dataset,
    "task-description": _Parser.task_description,
    "factor": _Parser.factors,
    "combine": _Parser.combine,
    "base": _Parser.base,
    "pair": _Parser.pairs,
    "with": _Parser.listed,
    "sample": _number(lambda design, number: replace(design, sample=number)),
    "sample-seed": _number(lambda design, number: replace(design, sample_seed=number)),
    "seeds": _Parser.seeds,
    "replicates": _number(lambda design, number: replace(design, replicates=number)),
    "exclude": _Parser.exclusions,
    "train": _Parser.train,
    "control": _Parser.controls,
    "eval-only": _Parser.eval_only,
    "set": _Parser.settings,
    **{key: _setting(key) for key in _SHORTCUTS},
    "evaluate-epochs": _text(lambda design, text: replace(design, epochs=text)),
    "matrix": _Parser.matrix,
    "note": _Parser.notes,
}
KEYS = tuple(_PARSERS)
"""Every key, as an option is named; files may write it with underscores, and some in the plural."""
