"""Facts about the data sets of a plan, and the problems for which training would refuse or change their examples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from tunebook.core.paths import expanded
from tunebook.core.plan import Plan, Run
from tunebook.core.plan.resources import splits_text
from tunebook.core.plan.settings import effective
from tunebook.errors import Problem
from tunebook.tools.base import Context, Findings
from tunebook.tools.data_quality import data_cautions
from tunebook.tools.datasets import DatasetFacts, SplitFacts, read_dataset_facts
from tunebook.tools.model_inputs import MAY_BE_ELSEWHERE
from tunebook.tools.plan_inputs import dataset_path
from tunebook.tools.rendered_inputs import rendering_findings

__all__ = ["input_findings", "survey_datasets"]

_TRAIN = "train"
_VALIDATION = "validation"


def survey_datasets(plan: Plan, experiment: Path) -> Mapping[str, DatasetFacts | None]:
    """Reads each data set of the runs and tasks once, as a training reads it; ``None`` for one that was not found."""
    types: dict[str, str | None] = {}
    for run in (*plan.fine_tuned, *plan.runs):
        data, kind = dataset_path(plan, run), effective(plan, run, "dataset_type")
        if data:
            types.setdefault(data, kind if isinstance(kind, str) else None)
    for task in plan.tasks:
        if task.dataset:
            types.setdefault(task.dataset, "instruct")  # as far as a prompt can be shown
    found = {path: read_dataset_facts(experiment / expanded(path), kind) for path, kind in types.items()}
    return MappingProxyType(dict(sorted(found.items())))


def input_findings(context: Context, *, ignores_windows: bool = True) -> Findings:
    """Errors for data that training would refuse; warnings for flaws and missing files; notes on the data.

    Args:
        ignores_windows: whether the tool's trainings attend to all tokens, also where the model has a window: it is
            then the longest sequence.
    """
    plan = context.plan
    errors: list[Problem] = []
    warnings: list[Problem] = []
    notes: list[str] = []
    for path, facts in context.datasets.items():
        runs = [run for run in plan.fine_tuned if dataset_path(plan, run) == path]
        line = _line(path, plan)
        if facts is None:
            warnings.append(Problem(f"data set {path} was not found", plan.file, line, MAY_BE_ELSEWHERE, path))
            continue
        if not runs:
            continue
        if facts.unread:
            warnings.append(Problem(_short(facts.unread, context), plan.file, line, "its examples were not checked"))
            continue
        messages = [(facts.problem, "")] if facts.problem else list(_refusals(path, facts, runs, plan))
        errors += (Problem(_short(message, context), plan.file, line, hint) for message, hint in messages)
        if facts.problem:
            continue
        notes += _notes(path, facts)
        if plan.dataset is not None and path == plan.dataset.path:
            errors += _count_errors(plan, path, facts)
        warnings += (Problem(text, plan.file, line, hint) for text, hint in _doubts(path, facts, runs, plan, context))
        if not messages:
            rendered = rendering_findings(context, facts, runs, line, ignores_windows=ignores_windows)
            errors += rendered.errors
            warnings += rendered.warnings
    return Findings(tuple(errors), tuple(warnings), tuple(notes))


def _line(path: str, plan: Plan) -> int | None:
    """The line that names a data set: the plan's, one of a run's own, or one of a task."""
    if plan.dataset is not None and plan.dataset.path == path:
        return plan.dataset.line
    own = [plan.setting(run, "dataset") for run in plan.runs if dataset_path(plan, run) == path]
    lines = [written.line for written in own if written is not None]
    lines += [task.line for task in plan.tasks if task.dataset == path]
    return next(iter(lines), None)


def _short(message: str, context: Context) -> str:
    """Shortens paths below the experiment to those that the plan gives."""
    return message.replace(f"{context.experiment}/", "")


def _trained(runs: list[Run], plan: Plan) -> tuple[str, ...]:
    """The splits that the trainings read."""
    if any(effective(plan, run, "run_val_every_n_steps") for run in runs):
        return (_TRAIN, _VALIDATION)
    return (_TRAIN,)


def _refusals(path: str, facts: DatasetFacts, runs: list[Run], plan: Plan) -> Iterator[tuple[str, str]]:
    """Message and hint for everything that the training would refuse."""
    keys = ", ".join(facts.keys)
    for split in _trained(runs, plan):
        part = facts.parts.get(split)
        if not facts.parts:
            yield f"{path} is one object without a list of examples", "write a list, or splits as keys: `train`"
        elif part is None and not keys:
            hint = f"give a file with both splits as keys, or a directory with a file for each, or do not {_use(split)}"
            yield f"{path} has no splits, so all of it is training data: it cannot serve as {split}", hint
        elif part is None:
            yield f"{path} has no {split} split; it has: {keys}", f"name the list of examples `{split}`"
        elif not part.examples:
            yield f"the {split} split of {path} is empty", ""
        elif part.refused:
            yield _refusal(part), ""
        elif part.own_system and any(effective(plan, run, "system_prompt") for run in runs):
            yield _two_systems(path, split, part.own_system), "remove one of the two"
        elif part.questions == 1 and part.examples > 1:
            hint = "training would learn to ignore the prompt; check which fields hold the prompts"
            yield f"all {part.examples} prompts of the {split} split of {path} are equal", hint


def _two_systems(path: str, split: str, count: int) -> str:
    who = f"{count} conversations of the {split} split of {path} have system messages of their own"
    if count == 1:
        who = f"1 conversation of the {split} split of {path} has a system message of its own"
    return f"{who}, but the plan gives a System Prompt too"


def _use(split: str) -> str:
    if split == _VALIDATION:
        return "validate"
    return f"use {split}"


def _refusal(part: SplitFacts) -> str:
    if part.refused == 1:
        return part.refusal
    return f"{part.refused} of {part.examples} examples cannot be used; the first: {part.refusal}"


def _notes(path: str, facts: DatasetFacts) -> Iterator[str]:
    form = f", format {facts.form}" if facts.form else ""
    yield f"data {path}: {splits_text(facts.splits)}{form}"
    if facts.unused:
        named = ", ".join(f"{name} ({count})" for name, count in facts.unused.items())
        yield f"data {path}: fields that training does not use: {named}"


def _doubts(path: str, facts: DatasetFacts, runs: list[Run], plan: Plan, context: Context) -> Iterator[tuple[str, str]]:
    """Warnings, each with its hint."""
    yield from data_cautions(path, facts)
    trained = _trained(runs, plan)
    for split, part in facts.parts.items():
        if split not in trained and part.refused:
            yield _short(_refusal(part), context), f"the {split} split is not trained on; your task must read it"
    if facts.joins:
        hint = "let your evaluation task join them in the same way"
        yield f"each prompt of {path} is its `instruction`, a blank line, and its `input` if it has one", hint


def _count_errors(plan: Plan, path: str, facts: DatasetFacts) -> Iterator[Problem]:
    """Numbers of examples that differ from those that the plan gives."""
    if plan.dataset is None:
        return
    for split, count in plan.dataset.splits.items():
        found = facts.splits.get(split, "no such split")
        if found != count:
            message = f"the plan says {split} ({count}), but {path} has {found}"
            yield Problem(message, plan.file, plan.dataset.splits_line, "correct the number in the plan, or the file")
