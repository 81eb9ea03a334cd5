"""The evaluation of a plan in YAML: tasks, matrix and generation settings.

In such plans a task's prompt wins over the run's, and that over ``controls``. Here a model is evaluated with the
prompts that it was trained with, so a task's own prompt is only kept where the runs have it anyway, or where nothing is
trained.
"""

from __future__ import annotations

import glob
from collections.abc import Mapping, Sequence
from dataclasses import replace

from tunebook.core.parameters import FLAG_WORDS, suggestion
from tunebook.core.plan import EvaluationTask, RunType
from tunebook.core.plan.resources import split_script
from tunebook.design.documents import Node, Text
from tunebook.design.parameter_names import column_of
from tunebook.design.values import MatrixRule
from tunebook.design.yaml_draft import Draft
from tunebook.design.yaml_runs import PROMPTS, YamlRun

__all__ = ["read_evaluation"]

_SETTINGS = {"max_tokens": "eval_max_tokens", "seed": "eval_seed"}
_SCORERS = ("scorers", "scorer")
_KEYS = ("tasks", "matrix", *_SCORERS, "do_sample", "temperature", "max_connections", *_SETTINGS)
_TASK = ("name", "script", "dataset", "system_prompt", "prompt", "description")


_Pairs = set[tuple[str, str]]
"""Runs with the tasks that they are evaluated in."""


def read_evaluation(draft: Draft, section: Node | None, runs: Sequence[YamlRun]) -> None:
    """Takes tasks, matrix and settings over."""
    found = draft.mapping(section, "evaluation", _KEYS)
    asked = _tasks(draft, found.get("tasks"))
    pairs = _pairs(draft, found.get("matrix"), runs, list(asked))
    kept = [run for run in runs if not run.is_left]
    for key in PROMPTS:
        _prompt(draft, key, asked, kept, pairs)
    _settings(draft, found)
    for key in _SCORERS:
        if key in found:
            names = ", ".join(_scorers(draft, found[key]))
            draft.leave(found[key].place, f"evaluation.{key}: {names}", "a task's script decides how it is scored")
    if "max_connections" in found:
        text = draft.text(found["max_connections"], "evaluation.max_connections")
        why = "the evaluation tool decides how many samples are evaluated at a time"
        draft.leave(text.place, f"evaluation.max_connections: {text}", why)


def _tasks(draft: Draft, node: Node | None) -> dict[str, Mapping[str, Text]]:
    """Takes the tasks over; returns the prompts of each."""
    asked: dict[str, Mapping[str, Text]] = {}
    tasks: list[EvaluationTask] = []
    for item in draft.sequence(node, "evaluation.tasks"):
        texts = draft.section(item, "evaluation.tasks[]", _TASK)
        name = texts.get("name", "")
        if not name:
            draft.problem(item.place, "a task has no name")
        if name in asked:
            draft.problem(item.place, f"two tasks are named `{name}`")
        file, function = split_script(texts.get("script", ""))
        dataset, description = texts.get("dataset") or None, texts.get("description", "")
        tasks.append(EvaluationTask(Text(name, item.place), file, 0, function, dataset, description))
        asked[name] = {key: texts[key] for key in PROMPTS if key in texts}
    draft.design = replace(draft.design, tasks=tuple(tasks))
    return asked


def _scorers(draft: Draft, node: Node) -> list[str]:
    """The names of scorers; each is a text, or a mapping with a name."""
    names: list[str] = []
    for item in node.items():
        named = item
        if isinstance(item.value, Mapping):
            named = item.value.get("name") or Node(next(iter(item.value), ""), item.place)
        names.append(draft.text(named, "scorers[].name"))
    return list(filter(None, names))


def _prompt(
    draft: Draft, key: str, asked: Mapping[str, Mapping[str, Text]], runs: Sequence[YamlRun], pairs: _Pairs
) -> None:
    """Keeps the tasks' own prompt if they all have the same and nothing is trained; otherwise reports it."""
    own = {task: prompts[key] for task, prompts in asked.items() if key in prompts}
    if not draft.design.is_trained and own.keys() == asked.keys() and len(set(own.values())) == 1:
        draft.design = replace(draft.design, settings={**draft.design.settings, key: next(iter(own.values()))})
        draft.decide(f"{column_of(key)} of the tasks for all runs", "nothing is trained with another one")
        return
    for task, prompt in own.items():
        if any(_asked_with(draft, run, key) != prompt for run in runs if (run.name, task) in pairs):
            why = "a model is evaluated with the prompts that it was trained with"
            draft.leave(prompt.place, f"{key} of the task {task}: {prompt}", why)


def _asked_with(draft: Draft, run: YamlRun, key: str) -> str:
    """The prompt of a run here: its own if it is trained with one, else the common one."""
    if run.type is RunType.FINE_TUNED and key in run.values:
        return run.values[key]
    return draft.design.settings.get(key, str(draft.design.parameters.by_key(key).default or ""))


def _pairs(draft: Draft, matrix: Node | None, runs: Sequence[YamlRun], tasks: list[str]) -> _Pairs:
    """Takes the matrix over, if there is one; returns the runs with the tasks that they are evaluated in."""
    if matrix is None:
        return {(run.name, task) for run in runs for task in tasks}
    if runs:
        return _matrix(draft, matrix, runs, tasks)
    draft.problem(matrix.place, "the matrix names runs, but the plan lists none", "list them under `runs`")
    return set()


def _matrix(draft: Draft, node: Node, runs: Sequence[YamlRun], tasks: list[str]) -> _Pairs:
    """Takes the matrix over; returns its pairs of run and task. All others are not evaluated."""
    known = {run.name: run for run in runs}
    rules = [MatrixRule("*", "*", "-")]
    seen: _Pairs = set()
    for item in draft.sequence(node, "evaluation.matrix"):
        found = draft.mapping(item, "evaluation.matrix[]", ("run", "tasks", "epochs"))
        name = draft.text(found.get("run"), "evaluation.matrix[].run")
        run = known.get(name)
        if run is None:
            message = f"the matrix has the unknown run `{name}`"
            draft.problem(item.place, message, suggestion(name, known))
            continue
        if run.is_left:
            continue
        epochs = _epochs(draft, found.get("epochs"), run)
        for task in draft.texts(found.get("tasks"), "evaluation.matrix[].tasks") or tasks:
            if task not in tasks:
                draft.problem(item.place, f"the matrix has the unknown task `{task}`", suggestion(task, tasks))
            if (name, task) in seen:
                draft.problem(item.place, f"the matrix has `{name}` with `{task}` twice")
            seen.add((name, task))
            rules.append(MatrixRule(Text(glob.escape(name), item.place), glob.escape(task), epochs))
    draft.design = replace(draft.design, matrix=tuple(rules))
    return seen


def _epochs(draft: Draft, node: Node | None, run: YamlRun) -> str:
    """Zero-based epochs; by default the last one."""
    if node is None or node.value in ("", ()):
        return "default"
    text = ",".join(draft.texts(node, "evaluation.matrix[].epochs"))
    if run.type is not RunType.FINE_TUNED and text not in {"last", "all", "0"}:
        message = f"run `{run.name}` is not trained here, but has epochs {text}"
        draft.problem(node.place, message, "leave `epochs` out: the model is evaluated once")
    return text


def _settings(draft: Draft, found: Mapping[str, Node]) -> None:
    settings = dict(draft.design.settings)
    for name, key in _SETTINGS.items():
        if name in found:
            settings[key] = draft.text(found[name], f"evaluation.{name}")
    temperature = _temperature(draft, found)
    if temperature:
        settings["eval_temperature"] = temperature
    draft.design = replace(draft.design, settings=settings)


def _temperature(draft: Draft, found: Mapping[str, Node]) -> str:
    """The temperature of sampling; empty for greedy decoding."""
    texts = draft.section_texts(found, "evaluation", ("do_sample", "temperature"))
    sample, temperature = texts.get("do_sample", Text("")), texts.get("temperature", Text(""))
    is_sampled = FLAG_WORDS.get(sample.lower(), False)
    if sample.lower() not in {"", *FLAG_WORDS}:
        draft.problem(sample.place, f"`evaluation.do_sample` is `{sample}`", "write true or false")
    try:
        value = float(temperature or 0)
    except ValueError:
        draft.problem(temperature.place, f"`evaluation.temperature` is `{temperature}`", "write a number above 0")
        return ""
    if is_sampled and not value > 0:
        draft.problem((temperature or sample).place, "`do_sample: true` needs a `temperature` above 0")
    if not is_sampled and value:
        hint = "add `do_sample: true`, or remove the temperature: decoding is greedy without it"
        draft.problem(temperature.place, f"a temperature of {temperature} without `do_sample: true`", hint)
    return temperature if is_sampled else ""
