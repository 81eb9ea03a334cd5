"""Carries the status tables of an old plan into a new one: the rows of what stays the same. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tunebook.core.jobs import Stage
from tunebook.core.markdown import Cell, MarkdownSection, Row, Table, split_lines
from tunebook.core.plan import Plan
from tunebook.core.plan.settings import effective, evaluations
from tunebook.core.plan.status import pending_rows, update_status
from tunebook.design.build_plan import identity
from tunebook.design.preserve import find_section, trimmed

__all__ = ["column_names", "submitted", "with_status"]

_RowKey = tuple[str, ...]
"""The run; or the run, the task and the zero-based epoch, which is empty for a model that is not trained."""


def column_names(table: Table) -> list[str]:
    """The header in lower case."""
    return [" ".join(cell.text.lower().split()) for cell in table.header]


def submitted(text: str) -> tuple[frozenset[str], bool]:
    """The runs whose training was submitted, as the plan's status says, and whether any evaluation was."""
    trained: set[str] = set()
    is_evaluated = False
    for key, row, names in _rows(find_section(text, "status")):
        cells = [row.cells[index] for index, name in enumerate(names) if name in {"status", "job id"}]
        if all(cell.is_empty or cell.text == "pending" for cell in cells):
            continue
        if len(key) == 1:
            trained.add(key[0])
        else:
            is_evaluated = True
    return frozenset(trained), is_evaluated


def _rows(section: MarkdownSection | None) -> Iterator[tuple[_RowKey, Row, list[str]]]:
    """The rows of the status tables, with the names of their columns."""
    if section is None:
        return
    tables = [table for part in section.walk() for table in part.tables]
    for table in tables:
        names = column_names(table)
        if "run name" not in names or "status" not in names:
            continue
        wanted = [names.index(name) for name in ("run name", "task", "epoch") if name in names]
        for row in table.rows:
            yield tuple(_text(row.cells[index]) for index in wanted), row, names


def _text(cell: Cell) -> str:
    return "" if cell.is_empty else cell.text


def with_status(before: str, old: Plan, text: str, new: Plan) -> str:
    """The new plan with the status section of the old one, without the rows of what is no longer planned.

    A run whose training changes starts again, and so does an evaluation that changes: their rows are pending.
    """
    then, now = find_section(before, "status"), find_section(text, "status")
    if then is None or now is None:
        return text
    kept = _kept_lines(before, then, _staying(old, new))
    fresh, _ = split_lines(text)
    if fresh[now.end_line :]:
        kept.append("")
    carried = "\n".join([*fresh[: now.line - 1], *kept, *fresh[now.end_line :]]) + "\n"
    known = {key for key, _, _ in _rows(find_section(carried, "status"))}
    training, evaluation = pending_rows(new)
    new_training = [row for row in training if (row.run,) not in known]
    new_evaluation = [row for row in evaluation if _key(row.run, row.task, row.epoch) not in known]
    return update_status(carried, new_training, new_evaluation)


def _kept_lines(text: str, section: MarkdownSection, staying: set[_RowKey]) -> list[str]:
    """The lines of the status section, without the rows of what does not stay."""
    gone = {row.line for key, row, _ in _rows(section) if key not in staying}
    lines, _ = split_lines(text)
    numbers = range(section.line, section.end_line + 1)
    return trimmed([lines[number - 1] for number in numbers if number not in gone])


def _staying(old: Plan, new: Plan) -> set[_RowKey]:
    """The trainings and evaluations that both plans have and that are the same in both."""
    before = {run.name: identity(old, run) for run in old.runs}
    runs = {run.name for run in new.runs if before.get(run.name) == identity(new, run)}
    asked_before, asked_now = _asked(old), _asked(new)
    staying: set[_RowKey] = {(run,) for run in runs}
    for item in evaluations(new):
        pair = (item.run, item.task)
        if item.run in runs and asked_before.get(pair) == asked_now[pair]:
            staying.add(_key(item.run, item.task, item.epoch))
    return staying


def _key(run: str, task: str, epoch: int | None) -> _RowKey:
    return (run, task, "" if epoch is None else str(epoch))


def _asked(plan: Plan) -> Mapping[tuple[str, str], tuple[object, ...]]:
    """What each run is asked in each task: the script, its data, the prompts, and the evaluation's settings."""
    shared = tuple(plan.value(parameter.key) for parameter in plan.parameters.of_stage(Stage.EVALUATION))
    common_data = plan.dataset.path if plan.dataset else None
    asked: dict[tuple[str, str], tuple[object, ...]] = {}
    for run in plan.runs:
        prompts = (effective(plan, run, "prompt"), effective(plan, run, "system_prompt"))
        for task in plan.tasks:
            data = task.dataset or effective(plan, run, "dataset") or common_data
            asked[run.name, task.name] = (task.script, task.function, data, *prompts, *shared)
    return asked
