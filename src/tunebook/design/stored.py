"""The design of an experiment in ``.tunebook/design.json``: written with the plan, read when that is updated.

The file has the keys of ``tunebook design --config``. It holds the completed design, with the values that were decided
for the person, and neither notes nor remarks on runs: these are kept in the plan itself.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from tunebook.core.json_text import UNFIT, parse_json
from tunebook.core.paths import DESIGN
from tunebook.core.plan import EvaluationTask
from tunebook.core.plan.resources import join_script
from tunebook.design.documents import Json, Place, json_document
from tunebook.design.inputs import FIELDS, parse_document
from tunebook.design.task_inputs import OWN_DATA
from tunebook.design.values import EVERY_MODEL, MODEL, Control, Design, ListedRun
from tunebook.disk.schema import Schema
from tunebook.errors import PlanError

__all__ = ["design_from_json", "design_to_json"]

_SCHEMA = Schema(DESIGN, version=1)


def design_to_json(design: Design) -> str:
    """The text of the file; the same design has the same text."""
    given: dict[str, Json] = {}
    for item in fields(Design):
        key, value = FIELDS.get(item.name), getattr(design, item.name)
        if item.name in _BY_NAME:
            value = dict(map(_BY_NAME[item.name], value))
        elif item.name in _IN_ORDER:
            value = list(map(_IN_ORDER[item.name], value))
        elif item.name == "controls":
            value = _controls(value)
        if key and key != "note" and value not in (None, "", {}, [], ()):
            given[key] = value
    return json.dumps({"version": _SCHEMA.version, "design": given}, indent=2, ensure_ascii=False, default=dict) + "\n"


def _task(task: EvaluationTask) -> tuple[str, Json]:
    script = join_script(task.script, task.function)
    data = OWN_DATA if task.has_own_data else task.dataset or ""
    stored: dict[str, Json] = {"script": script, "dataset": data, "description": task.description}
    direction = task.direction.value if task.direction is not None else ""
    optional = {"tool": task.tool, "measure": task.measure, "direction": direction}
    return task.name, stored | {name: text for name, text in optional.items() if text}


def _controls(controls: tuple[Control, ...] | None) -> Json:
    if controls is None or controls == EVERY_MODEL:
        return None
    return list(map(vars, controls)) or "no"


def _listed(run: ListedRun) -> Json:
    if run.name:
        return {"name": run.name, **run.values}
    return dict(run.values)


_BY_NAME: Mapping[str, Callable[[Any], tuple[str, Json]]] = {
    "models": lambda model: (model.name, model.path),
    "tasks": _task,
    "factors": lambda factor: (factor.key, factor.levels),
    "eval_only": lambda run: (run.name, {"checkpoint": run.checkpoint, MODEL: run.model}),
}
_IN_ORDER: Mapping[str, Callable[[Any], Json]] = {
    "listed": _listed,
    "matrix": lambda rule: {"run": rule.run, "tasks": [rule.task], "epochs": rule.epochs},
}


def design_from_json(text: str) -> Design:
    """The design of such a file.

    Raises:
        PlanError: the file is damaged, or a newer version of tunebook wrote it.
    """
    hint = "restore it, or remove it and give the whole design again with --update"
    try:
        document = _SCHEMA.upgraded(parse_json(text))
        design = {**document["design"]}
    except UNFIT as error:
        raise PlanError(f"the stored design cannot be read: {error!r}", file=DESIGN, hint=hint) from None
    inputs = parse_document(json_document(design, place=Place(DESIGN)), here=Path("/"))
    if inputs.problems:
        raise PlanError(inputs.problems)
    return inputs.design
