"""Reading models, tasks, controls, eval-only runs and the matrix."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from tunebook.core.parameters import suggestion
from tunebook.design.given import Given, levels
from tunebook.design.reader import Changes, Reader, one, yes
from tunebook.design.values import Control, DesignModel, DesignTask, EvalOnly, MatrixRule
from tunebook.errors import TunebookError

__all__ = [
    "read_controls",
    "read_eval_only",
    "read_matrix",
    "read_models",
    "read_task_datasets",
    "read_task_descriptions",
    "read_tasks",
]


def read_models(reader: Reader, given: Given) -> Changes:
    """``NAME=PATH``, a path (a name that is a directory here is one), a name, or a mapping of names to paths."""
    models = {model.name: model for model in reader.design.models}
    for item in given.items():
        if isinstance(item.value, Mapping):
            pairs = {name: (path.text, path.place) for name, path in item.value.items()}
        else:
            name, sign, path = item.text.partition("=")
            if not sign:
                is_path = "/" in item.text or Path(reader.path(item.text)).is_dir()
                name, path = (Path(item.text).name, item.text) if is_path else (item.text, "")
            pairs = {name.strip(): (path.strip(), item.place)}
        for name, (path, place) in pairs.items():
            reader.once(name, place)
            models[name] = DesignModel(name, reader.path(path))
    return {"models": tuple(models.values())}


def read_tasks(reader: Reader, given: Given) -> Changes:
    """``NAME=SCRIPT[@task]``, a mapping of names, or mappings with name, script, dataset and description."""
    tasks = {task.name: task for task in reader.design.tasks}
    named = isinstance(given.value, Mapping) and "script" not in given.value
    items = [(name, item) for name, item in given.value.items()] if named else [("", item) for item in given.items()]  # type: ignore[union-attr]
    for name, item in items:
        task = _task(reader, name, item)
        reader.once(task.name, item.place)
        tasks[task.name] = task
    return {"tasks": tuple(tasks.values())}


def _task(reader: Reader, name: str, item: Given) -> DesignTask:
    if isinstance(item.value, Mapping):
        known = ("name", "script", "dataset", "description")
        unknown = [key for key in item.value if key not in known]
        if unknown:
            raise TunebookError([item.place.problem(f"unknown key `{unknown[0]}`", suggestion(unknown[0], known))])
        values = {key: one(value) for key, value in item.value.items()}
        name, script = name or values.get("name", ""), values.get("script", "")
        dataset, description = values.get("dataset", ""), values.get("description", "")
    else:
        first, sign, rest = item.text.partition("=")
        name, script = (name, item.text) if name or not sign else (first.strip(), rest.strip())
        dataset = description = ""
    file, function = _script(script)
    name = name or function or Path(file).stem
    return DesignTask(name, reader.path(file), function, reader.path(dataset) or None, description)


def _script(text: str) -> tuple[str, str | None]:
    file, sign, function = text.rpartition("@")
    return (file, function) if sign and function.isidentifier() else (text, None)


def read_task_datasets(reader: Reader, given: Given) -> Changes:
    """``TASK=PATH`` for a task that was given before."""
    return _of_tasks(reader, given, lambda task, text: replace(task, dataset=reader.path(text)))


def read_task_descriptions(reader: Reader, given: Given) -> Changes:
    """``TASK=TEXT`` for a task that was given before."""
    return _of_tasks(reader, given, lambda task, text: replace(task, description=text))


def _of_tasks(reader: Reader, given: Given, change: Callable[[DesignTask, str], DesignTask]) -> Changes:
    tasks = {task.name: task for task in reader.design.tasks}
    name, sign, text = one(given).partition("=")
    if not sign or name.strip() not in tasks:
        hint = "write TASK=TEXT; tasks: " + ", ".join(tasks)
        raise TunebookError([given.place.problem(f"`{given.text}` names no task", hint)])
    tasks[name.strip()] = change(tasks[name.strip()], text.strip())
    return {"tasks": tuple(tasks.values())}


def read_controls(reader: Reader, given: Given) -> Changes:
    """``yes``, ``no``, or the models that are controls."""
    if given.text.lower() in {"yes", "no", "true", "false"}:
        return {"controls": None if yes(given) else ()}
    found = list(reader.design.controls or ()) if ("control", "") in reader.named else []
    reader.named.add(("control", ""))
    for item in given.items():
        if isinstance(item.value, Mapping):
            name = item.value["name"].text if "name" in item.value else ""
            model = item.value["model"].text if "model" in item.value else ""
        else:
            name, model = "", item.text
        reader.at(model, item.place)
        found.append(Control(model, name))
    return {"controls": tuple(found)}


def read_eval_only(reader: Reader, given: Given) -> Changes:
    """``NAME=PATH``, ``NAME@MODEL=PATH``, or mappings with name, checkpoint and model."""
    found = list(reader.design.eval_only)
    named = isinstance(given.value, Mapping) and "checkpoint" not in given.value
    items = given.value.items() if named else [("", item) for item in given.items()]  # type: ignore[union-attr]
    for label, item in items:
        if isinstance(item.value, Mapping):
            values = {key: one(value) for key, value in item.value.items()}
            name, path, model = values.get("name", label), values.get("checkpoint", ""), values.get("model", "")
        else:
            name, sign, path = (label, "=", item.text) if label else item.text.partition("=")
            name, _, model = name.strip().partition("@")
            if not sign:
                raise TunebookError(
                    [item.place.problem(f"`{item.text}` names no weights", "write NAME=PATH or NAME@MODEL=PATH")]
                )
        found = [other for other in found if other.name != name or ("eval-only", name) in reader.named]
        reader.named.add(("eval-only", name))
        reader.at(name, item.place)
        found.append(EvalOnly(name, reader.path(path.strip()), model))
    return {"eval_only": tuple(found)}


def read_matrix(reader: Reader, given: Given) -> Changes:
    """``RUN:TASK=EPOCHS``, or mappings with run, tasks and epochs."""
    found = list(reader.design.matrix)
    for item in given.items():
        reader.at(str(len(found)), item.place)
        found.extend(_rules(item))
    return {"matrix": tuple(found)}


def _rules(item: Given) -> list[MatrixRule]:
    if isinstance(item.value, Mapping):
        run = item.value["run"].text if "run" in item.value else "*"
        tasks = item.value.get("tasks") or item.value.get("task")
        epochs = item.value["epochs"] if "epochs" in item.value else Given("", item.place)
        text = ",".join(levels(epochs)) or "default"
        return [MatrixRule(run, task, text) for task in (levels(tasks) if tasks else ["*"])]
    cell, sign, epochs_text = item.text.partition("=")
    run, _, task = cell.partition(":")
    if not sign:
        hint = "write RUN:TASK=EPOCHS with globs; epochs are last, all, zero-based ones, or - for none"
        raise TunebookError([item.place.problem(f"`{item.text}` is no rule of the matrix", hint)])
    return [MatrixRule(run.strip() or "*", task.strip() or "*", epochs_text.strip())]
