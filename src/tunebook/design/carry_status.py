"""Carries the status of what stays the same from an old plan into the new one. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from tunebook.core.markdown import split_lines
from tunebook.core.parameters import EVALUATION_PARAMETERS
from tunebook.core.plan import Plan
from tunebook.core.plan.settings import effective, evaluations
from tunebook.core.plan.status import pending_rows, update_status
from tunebook.design.build_plan import identity
from tunebook.design.preserve import trimmed
from tunebook.design.status_tables import RowKey, keyed_rows, status_section

__all__ = ["with_status"]


def with_status(before: str, old: Plan, text: str, new: Plan) -> str:
    """The new plan with the status section of the old one, without the rows of what is no longer planned.

    A run whose training changes starts again, and so does an evaluation that changes: their rows are pending.
    """
    then, now = status_section(before), status_section(text)
    if then is None or now is None:
        return text
    staying = _staying(old, new)
    gone = {row.line for key, row in keyed_rows(then) if key not in staying}
    lines, _ = split_lines(before)
    numbers = range(then.line, then.end_line + 1)
    kept = trimmed([lines[number - 1] for number in numbers if number not in gone])
    fresh, _ = split_lines(text)
    rest = fresh[now.end_line :]
    if rest:
        kept.append("")
    carried = "\n".join([*fresh[: now.line - 1], *kept, *rest]) + "\n"
    known = {key for key, _ in keyed_rows(status_section(carried))}
    training, evaluation = pending_rows(new)
    return update_status(
        carried,
        [row for row in training if (row.run,) not in known],
        [row for row in evaluation if _key(row.run, row.task, row.epoch) not in known],
    )


def _staying(old: Plan, new: Plan) -> set[RowKey]:
    """The trainings and evaluations that both plans have and that are the same in both."""
    before = {run.name: identity(old, run) for run in old.runs}
    runs = {run.name for run in new.runs if before.get(run.name) == identity(new, run)}
    asked_before, asked_now = _asked(old), _asked(new)
    staying: set[RowKey] = {(run,) for run in runs}
    for item in evaluations(new):
        pair = (item.run, item.task)
        if item.run in runs and asked_before.get(pair) == asked_now[pair]:
            staying.add(_key(item.run, item.task, item.epoch))
    return staying


def _key(run: str, task: str, epoch: int | None) -> RowKey:
    return (run, task, "" if epoch is None else str(epoch))


def _asked(plan: Plan) -> Mapping[tuple[str, str], tuple[object, ...]]:
    """What each run is asked in each task: the script, its data, the prompts, and the evaluation's settings."""
    shared = tuple(plan.value(parameter.key) for parameter in EVALUATION_PARAMETERS)
    common_data = plan.dataset.path if plan.dataset else None
    asked: dict[tuple[str, str], tuple[object, ...]] = {}
    for run in plan.runs:
        prompts = (effective(plan, run, "prompt"), effective(plan, run, "system_prompt"))
        for task in plan.tasks:
            data = task.dataset or effective(plan, run, "dataset") or common_data
            asked[run.name, task.name] = (task.script, task.function, data, *prompts, *shared)
    return asked
