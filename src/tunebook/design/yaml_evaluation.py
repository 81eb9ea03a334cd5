"""The evaluation of a plan in YAML: tasks, matrix and generation settings.

In such plans a task's prompt wins over the run's, and that over ``controls``. Here a model is evaluated with the
prompts that it was trained with, so a task's own prompt is only kept where the runs have it anyway, or where nothing is
trained.
"""

from __future__ import annotations

import glob
from collections.abc import Mapping, Sequence

from tunebook.core.parameters import FLAG_WORDS, suggestion
from tunebook.core.plan import EvaluationTask, RunType
from tunebook.core.plan.resources import split_script
from tunebook.design.documents import Node, Text
from tunebook.design.factors import column_of
from tunebook.design.values import MatrixRule
from tunebook.design.yaml_draft import TEXT, Draft, Section
from tunebook.design.yaml_runs import PROMPTS, YamlRun

__all__ = ["read_evaluation"]

_SETTINGS = {"max_tokens": "eval_max_tokens", "seed": "eval_seed"}

_Pairs = set[tuple[str, str]]
"""Runs with the tasks that they are evaluated in."""


def read_evaluation(draft: Draft, section: Section, runs: Sequence[YamlRun]) -> None:
    """Takes tasks, matrix and settings over."""
    asked = _tasks(draft, section.get("tasks", []))
    pairs = {(run.name, task) for run in runs for task in asked}
    if "matrix" in section:
        pairs = _matrix(draft, section["matrix"], runs, list(asked))
    kept = [run for run in runs if not run.is_left]
    for key in PROMPTS:
        _prompt(draft, key, asked, kept, pairs)
    _settings(draft, section)
    for key in ("scorers", "scorer"):
        if key in section:
            names = ", ".join(_scorers(draft, section[key]))
            draft.leave(section[key].place, f"evaluation.{key}: {names}", "a task's script decides how it is scored")
    connections = section.text("max_connections")
    if connections:
        why = "the evaluation tool decides how many samples are evaluated at a time"
        draft.leave(connections.place, f"evaluation.max_connections: {connections}", why)


def _tasks(draft: Draft, listed: Sequence[Section]) -> dict[str, Mapping[str, Text]]:
    """Takes the tasks over; returns the prompts of each."""
    asked: dict[str, Mapping[str, Text]] = {}
    tasks: list[EvaluationTask] = []
    for item in listed:
        name = Text(item.text("name"), item.place)
        if not name:
            draft.problem(item.place, "a task has no name")
        if name in asked:
            draft.problem(item.place, f"two tasks are named `{name}`")
        file, function = split_script(item.text("script"))
        dataset, description = item.text("dataset") or None, item.text("description")
        tasks.append(EvaluationTask(name, file, function=function, dataset=dataset, description=description))
        asked[name] = {key: item.text(key) for key in PROMPTS if key in item}
    draft.give(tasks=tuple(tasks))
    return asked


def _scorers(draft: Draft, node: Node) -> list[str]:
    """The names of scorers; each is a text, or a mapping with a name."""
    names: list[str] = []
    for item in node.items():
        named = item
        if isinstance(item.value, Mapping):
            named = item.value.get("name") or Node(next(iter(item.value), ""), item.place)
        names.append(draft.read(named, TEXT, "scorers[].name"))
    return list(filter(None, names))


def _prompt(
    draft: Draft, key: str, asked: Mapping[str, Mapping[str, Text]], runs: Sequence[YamlRun], pairs: _Pairs
) -> None:
    """Keeps the tasks' own prompt if they all have the same and nothing is trained; otherwise reports it."""
    own = {task: prompts[key] for task, prompts in asked.items() if key in prompts}
    if not draft.design.is_trained and own.keys() == asked.keys() and len(set(own.values())) == 1:
        draft.give(settings={**draft.design.settings, key: next(iter(own.values()))})
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


def _matrix(draft: Draft, rows: Sequence[Section], runs: Sequence[YamlRun], tasks: list[str]) -> _Pairs:
    """Takes the matrix over; returns its pairs of run and task. All others are not evaluated."""
    known = {run.name: run for run in runs}
    rules = [MatrixRule("*", "*", "-")]
    seen: _Pairs = set()
    if rows and not runs:
        draft.problem(rows[0].place, "the matrix names runs, but the plan lists none", "list them under `runs`")
        return seen
    for item in rows:
        name = item.text("run")
        run = known.get(name)
        if run is None:
            draft.problem(item.place, f"the matrix has the unknown run `{name}`", suggestion(name, known))
            continue
        if run.is_left:
            continue
        epochs = _epochs(draft, item.get("epochs", []), run)
        for task in item.get("tasks") or tasks:
            if task not in tasks:
                draft.problem(item.place, f"the matrix has the unknown task `{task}`", suggestion(task, tasks))
            if (name, task) in seen:
                draft.problem(item.place, f"the matrix has `{name}` with `{task}` twice")
            seen.add((name, task))
            rules.append(MatrixRule(Text(glob.escape(name), item.place), glob.escape(task), epochs))
    draft.give(matrix=tuple(rules))
    return seen


def _epochs(draft: Draft, listed: Sequence[Text], run: YamlRun) -> str:
    """Zero-based epochs; by default the last one."""
    if not listed:
        return "default"
    text = ",".join(listed)
    if run.type is not RunType.FINE_TUNED and text not in {"last", "all", "0"}:
        message = f"run `{run.name}` is not trained here, but has epochs {text}"
        draft.problem(listed[0].place, message, "leave `epochs` out: the model is evaluated once")
    return text


def _settings(draft: Draft, section: Section) -> None:
    settings = dict(draft.design.settings)
    for name, key in _SETTINGS.items():
        if name in section:
            settings[key] = section.text(name)
    temperature = _temperature(draft, section.text("do_sample"), section.text("temperature"))
    if temperature:
        settings["eval_temperature"] = temperature
    draft.give(settings=settings)


def _temperature(draft: Draft, sample: Text, temperature: Text) -> str:
    """The temperature of sampling; empty for greedy decoding."""
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
