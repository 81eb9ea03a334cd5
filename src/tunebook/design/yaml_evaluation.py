"""The evaluation of a YAML plan: tasks, matrix and generation settings.

Prompts hold in the order task, run, ``controls``. Here a model is asked as it was trained, so that a task's own prompt
can be kept only where it is what the runs have anyway, or where nothing is trained.
"""

from __future__ import annotations

import glob
from collections.abc import Mapping, Sequence

from tunebook.core.parameters import suggestion
from tunebook.core.plan import RunType
from tunebook.design.given import Given
from tunebook.design.values import DesignTask, MatrixRule
from tunebook.design.yaml_carrying import Carrying
from tunebook.design.yaml_runs import YamlRun

__all__ = ["carry_evaluation"]

_KEYS = (
    "tasks",
    "matrix",
    "scorers",
    "scorer",
    "do_sample",
    "temperature",
    "max_tokens",
    "max_connections",
    "seed",
)
_TASK = ("name", "script", "dataset", "system_prompt", "prompt", "description")
_SETTINGS = {"max_tokens": "eval_max_tokens", "seed": "eval_seed"}
_PROMPTS = ("system_prompt", "prompt")


def carry_evaluation(carrying: Carrying, section: Given | None, runs: Sequence[YamlRun]) -> None:
    """Takes tasks, matrix and settings over."""
    found = carrying.mapping(section, "evaluation", _KEYS)
    asked: dict[str, dict[str, Given]] = {}
    tasks: dict[str, DesignTask] = {}
    for item in carrying.sequence(found.get("tasks"), "evaluation.tasks"):
        task, prompts = _task(carrying, item)
        if task.name in tasks:
            carrying.problem(item.place, f"two tasks are named `{task.name}`")
        tasks[task.name], asked[task.name] = task, prompts
        carrying.read.places["task", task.name] = item.place
    carrying.set(tasks=tuple(tasks.values()))
    pairs = {(run.name, task) for run in runs for task in tasks}
    if "matrix" in found and not runs:
        hint = "list them under `runs` with their names"
        carrying.problem(found["matrix"].place, "the matrix names runs, and the plan lists none", hint)
    elif "matrix" in found:
        pairs = _matrix(carrying, found["matrix"], runs, list(tasks))
    _prompts(carrying, asked, runs, pairs)
    _settings(carrying, found)
    for key in ("scorers", "scorer"):
        if key in found:
            names = _names(carrying, found[key])
            carrying.leave(found[key].place, f"evaluation.{key}: {names}", "a task's script decides how it is scored")
    if "max_connections" in found:
        text = carrying.text(found["max_connections"], "evaluation.max_connections")
        why = "how many samples are evaluated at a time is left to inspect-ai"
        carrying.leave(found["max_connections"].place, f"evaluation.max_connections: {text}", why)


def _names(carrying: Carrying, given: Given) -> str:
    """Scorers are named, or are mappings with a name."""
    names = []
    for item in given.items():
        if isinstance(item.value, Mapping):
            first = item.value.get("name") or Given(next(iter(item.value), ""), item.place)
            names.append(carrying.text(first, "scorers[].name"))
        else:
            names.append(carrying.text(item, "scorers[]"))
    return ", ".join(name for name in names if name)


def _task(carrying: Carrying, item: Given) -> tuple[DesignTask, dict[str, Given]]:
    found = carrying.mapping(item, "evaluation.tasks[]", _TASK)
    texts = {key: carrying.text(given, f"evaluation.tasks[].{key}") for key, given in found.items()}
    file, sign, function = texts.get("script", "").rpartition("@")
    if not (sign and function.isidentifier()):
        file, function = texts.get("script", ""), ""
    dataset = carrying.path(texts.get("dataset", "")) or None
    if not texts.get("name"):
        carrying.problem(item.place, "a task has no name")
    task = DesignTask(
        texts.get("name", ""), carrying.path(file), function or None, dataset, texts.get("description", "")
    )
    return task, {key: found[key] for key in _PROMPTS if key in found}


def _prompts(
    carrying: Carrying,
    asked: Mapping[str, Mapping[str, Given]],
    runs: Sequence[YamlRun],
    pairs: set[tuple[str, str]],
) -> None:
    for key in _PROMPTS:
        own = {task: given[key] for task, given in asked.items() if key in given}
        texts = {item.text for item in own.values()}
        if len(texts) == 1 and len(own) == len(asked) and not carrying.read.design.train:
            carrying.set(settings={**carrying.read.design.settings, key: texts.pop()})
            column = carrying.read.design.column(key)
            carrying.decide(f"{column} of the tasks for all runs", "nothing is trained with another one")
            continue
        for task, item in own.items():
            if any(_asked_with(carrying, run, key) != item.text for run in runs if (run.name, task) in pairs):
                why = "a model is asked with the prompts that it was trained with, so that both agree"
                carrying.leave(item.place, f"{key} of the task {task}: {item.text}", why)


def _asked_with(carrying: Carrying, run: YamlRun, key: str) -> str:
    """What a run is asked with here: its own prompt if it is trained with one, else the common one."""
    default = carrying.read.design.parameters.by_key(key).default
    common = carrying.read.design.settings.get(key, "" if default is None else str(default))
    return run.values.get(key, common) if run.type is RunType.FINE_TUNED else common


def _matrix(carrying: Carrying, given: Given, runs: Sequence[YamlRun], tasks: list[str]) -> set[tuple[str, str]]:
    """What the matrix does not list is not evaluated; returns the pairs of run and task that it lists."""
    known = {run.name: run for run in runs}
    rules = [MatrixRule("*", "*", "-")]
    seen: set[tuple[str, str]] = set()
    for item in carrying.sequence(given, "evaluation.matrix"):
        found = carrying.mapping(item, "evaluation.matrix[]", ("run", "tasks", "epochs"))
        name = carrying.text(found.get("run"), "evaluation.matrix[].run")
        if name not in known:
            carrying.problem(item.place, f"the matrix has a run `{name}`, which is not listed", suggestion(name, known))
            continue
        if known[name].is_left:
            continue
        wanted = carrying.texts(found.get("tasks"), "evaluation.matrix[].tasks") or tasks
        epochs = _epochs(carrying, found.get("epochs"), known[name])
        for task in wanted:
            if task not in tasks:
                message = f"the matrix has a task `{task}`, which is not listed"
                carrying.problem(item.place, message, suggestion(task, tasks))
            if (name, task) in seen:
                carrying.problem(item.place, f"the matrix has `{name}` with `{task}` twice")
            seen.add((name, task))
            carrying.read.places["matrix", str(len(rules))] = item.place
            rules.append(MatrixRule(glob.escape(name), glob.escape(task), epochs))
    carrying.set(matrix=tuple(rules))
    return seen


def _epochs(carrying: Carrying, given: Given | None, run: YamlRun) -> str:
    """Zero-based; without any, the last one of what is trained."""
    if given is None or given.value in ("", ()):
        return "default"
    text = ",".join(carrying.texts(given, "evaluation.matrix[].epochs"))
    if run.type is not RunType.FINE_TUNED and text not in {"last", "all", "0"}:
        message = f"run `{run.name}` is not trained here and has epochs {text}"
        carrying.problem(given.place, message, "leave `epochs` out: it is evaluated once")
    return text


def _settings(carrying: Carrying, found: Mapping[str, Given]) -> None:
    settings = dict(carrying.read.design.settings)
    for name, key in _SETTINGS.items():
        if name in found:
            carrying.read.places["set", key] = found[name].place
            settings[key] = carrying.text(found[name], f"evaluation.{name}")
    temperature = _temperature(carrying, found)
    if temperature:
        carrying.read.places["set", "eval_temperature"] = found["temperature"].place
        settings["eval_temperature"] = temperature
    carrying.set(settings=settings)


def _temperature(carrying: Carrying, found: Mapping[str, Given]) -> str:
    """Only sampling has one; greedy decoding is what is meant by none."""
    text = carrying.text(found.get("temperature"), "evaluation.temperature")
    words = {"yes": True, "true": True, "on": True, "": False, "no": False, "false": False, "off": False}
    said = carrying.text(found.get("do_sample"), "evaluation.do_sample")
    if said.lower() not in words:
        carrying.problem(found["do_sample"].place, f"`evaluation.do_sample` is `{said}`", "write true or false")
        return ""
    is_sampled = words[said.lower()]
    try:
        value = float(text) if text else None
    except ValueError:
        carrying.problem(found["temperature"].place, f"`evaluation.temperature` is `{text}`", "write a number above 0")
        return ""
    if is_sampled and (value is None or not value > 0):
        place = found["temperature" if "temperature" in found else "do_sample"].place
        carrying.problem(place, "`do_sample: true` needs a `temperature` above 0")
    elif not is_sampled and value:
        hint = "add `do_sample: true`, or remove the temperature: decoding is greedy without"
        carrying.problem(found["temperature"].place, f"a temperature of {text} without `do_sample: true`", hint)
    return text if is_sampled else ""
