"""The design of an experiment in ``.tunebook/design.json``: written with the plan, read when that is updated.

The file has the keys of ``tunebook design --config``. It holds the completed design, with the values that were decided
for the person, and neither notes nor remarks on runs: these are kept in the plan itself.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from tunebook.core.paths import DESIGN
from tunebook.core.plan.resources import join_script
from tunebook.design.documents import Json, json_document
from tunebook.design.parse_options import parse_document
from tunebook.design.places import Place
from tunebook.design.values import MODEL, Design, DesignTask, ListedRun
from tunebook.errors import PlanError

__all__ = ["design_from_json", "design_to_json"]

_VERSION = 1


def design_to_json(design: Design) -> str:
    """The text of the file; the same design has the same text."""
    optional: dict[str, Json] = {
        "question": design.question,
        "name": design.name,
        "preparation": design.preparation,
        "evaluation": design.evaluation,
        "model": {model.name: model.path for model in design.models},
        "dataset": design.dataset,
        "dataset-format": design.dataset_format,
        "task": {task.name: _task(task) for task in design.tasks},
        "factor": {factor.key: factor.levels for factor in design.factors},
        "combine": design.combine,
        "base": dict(design.base),
        "pair": list(design.paired),
        "with": [_listed(run) for run in design.listed],
        "sample": design.sample,
        "sample-seed": design.sample_seed,
        "seeds": list(design.seeds),
        "replicates": design.replicates,
        "exclude": [*map(dict, design.exclusions)],
        "train": design.train,
        "control": _controls(design),
        "eval-only": {item.name: {"checkpoint": item.checkpoint, MODEL: item.model} for item in design.eval_only},
        "set": dict(design.settings),
        "evaluate-epochs": design.epochs,
        "matrix": [{"run": item.run, "tasks": [item.task], "epochs": item.epochs} for item in design.matrix],
    }
    given = {key: value for key, value in optional.items() if value not in (None, "", {}, [])}
    return json.dumps({"version": _VERSION, "design": given}, indent=2, ensure_ascii=False) + "\n"


def _task(task: DesignTask) -> Json:
    script = join_script(task.script, task.function)
    return {"script": script, "dataset": task.dataset or "", "description": task.description}


def _controls(design: Design) -> Json:
    if design.has_every_control:
        return None
    return [{"model": item.model, "name": item.name} for item in design.controls or ()] or "no"


def _listed(run: ListedRun) -> Json:
    if run.name:
        return {"name": run.name, **run.values}
    return dict(run.values)


def design_from_json(text: str) -> Design:
    """The design of such a file.

    Raises:
        PlanError: the file is damaged, or a newer version of tunebook wrote it.
    """
    hint = "restore it, or remove it and give the whole design again with --update"
    try:
        document = json.loads(text)
        version, design = document["version"], document["design"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise PlanError(f"the stored design cannot be read: {error!r}", file=DESIGN, hint=hint) from None
    if version != _VERSION or not isinstance(design, Mapping):
        message = f"the stored design has the version {version!r}; this tunebook reads version {_VERSION}"
        raise PlanError(
            message, file=DESIGN, hint="update tunebook, or remove the file and give the whole design again"
        )
    inputs = parse_document(json_document(design, place=Place(DESIGN)), here=Path("/"))
    if inputs.problems:
        raise PlanError(inputs.problems)
    return inputs.design
