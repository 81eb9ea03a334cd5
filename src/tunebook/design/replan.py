"""Replans: the parts of an old plan that an update keeps, its status rows, and the text of the new plan. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping

from tunebook.core.jobs import Stage
from tunebook.core.markdown import MarkdownSection, Table, parse_markdown, split_lines
from tunebook.core.paths import PLAN_FILE
from tunebook.core.plan import Evaluation, Plan
from tunebook.core.plan.settings import effective, evaluations
from tunebook.core.plan.status import EvaluationRow, pending_rows, update_status
from tunebook.design.build_plan import Previous, identity
from tunebook.design.keep_hypotheses import with_hypotheses
from tunebook.design.preserve import find_section, trimmed, with_own_sections, with_own_text

__all__ = ["keep_from", "plan_diff", "updated_text"]

_RowKey = tuple[str, ...]
"""The run; or the run, the task and the zero-based epoch, which is empty for a model that is not trained."""


def keep_from(text: str, plan: Plan) -> Previous:
    """The parts of a plan that an update keeps."""
    trained, is_evaluated = _submitted(text)
    notes = _matrix_notes(text)
    return Previous(plan=plan, text=text, matrix_notes=notes, trained=trained, is_evaluated=is_evaluated)


def _matrix_notes(text: str) -> dict[str, str]:
    """Run to its remark in the evaluation matrix."""
    matrix = parse_markdown(text).find("evaluation matrix")
    notes: dict[str, str] = {}
    for table in matrix.tables[:1] if matrix else ():
        for _, row in _rows(table):
            if "run name" in row and row.get("notes"):
                notes[row["run name"]] = row["notes"]
    return notes


def updated_text(previous: Previous, text: str, new: Plan) -> str:
    """The new plan with the status of runs that stay, and with everything that a person wrote in the old one.

    Args:
        text: the text of the new plan, ``new``, as it would be written without an old one.
    """
    before, old = previous.text, previous.plan
    if before is None or old is None:
        return text
    text = with_hypotheses(before, old, text, new)
    return with_own_sections(before, with_own_text(before, _with_status(before, old, text, new)))


def plan_diff(before: str, after: str) -> str:
    """The changes as a unified diff."""
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    return "".join(difflib.unified_diff(old, new, f"{PLAN_FILE} (now)", f"{PLAN_FILE} (planned)"))


def _submitted(text: str) -> tuple[frozenset[str], bool]:
    """The runs whose training was submitted, as the plan's status says, and whether any evaluation was."""
    trained: set[str] = set()
    is_evaluated = False
    for key, _, row in _status_rows(text):
        if row["status"] in {"", "pending"} and row.get("job id") in {None, "", "pending"}:
            continue
        if len(key) == 1:
            trained.add(key[0])
        else:
            is_evaluated = True
    return frozenset(trained), is_evaluated


def _status_rows(text: str) -> Iterator[tuple[_RowKey, int, Mapping[str, str]]]:
    """The rows of the status tables, each with its line and its texts by column."""
    section = find_section(text, "status")
    for part in section.walk() if section else ():
        for table in part.tables:
            for line, row in _rows(table):
                if "run name" in row and "status" in row:
                    yield tuple(row[name] for name in ("run name", "task", "epoch") if name in row), line, row


def _rows(table: Table) -> Iterator[tuple[int, Mapping[str, str]]]:
    """The line of each row, and its texts by column in lower case; a cell that says "not applicable" is empty."""
    for row in table.rows:
        texts: dict[str, str] = {}
        for name, cell in zip(table.header, row.cells, strict=True):
            texts[name.key] = "" if cell.is_empty else cell.text
        yield row.line, texts


def _with_status(before: str, old: Plan, text: str, new: Plan) -> str:
    """The new plan with the status section of the old one, without the rows of jobs that are no longer planned.

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
    known = {key for key, _, _ in _status_rows(carried)}
    training, evaluation = pending_rows(new)
    new_training = [row for row in training if (row.run,) not in known]
    new_evaluation = [row for row in evaluation if _key(row) not in known]
    return update_status(carried, new_training, new_evaluation)


def _kept_lines(text: str, status: MarkdownSection, staying: set[_RowKey]) -> list[str]:
    """The lines of the status section, without the rows of jobs that do not stay."""
    gone = {line for key, line, _ in _status_rows(text) if key not in staying}
    lines, _ = split_lines(text)
    numbers = range(status.line, status.end_line + 1)
    return trimmed([lines[number - 1] for number in numbers if number not in gone])


def _staying(old: Plan, new: Plan) -> set[_RowKey]:
    """The trainings and evaluations that both plans have and that are the same in both."""
    before = {run.name: identity(old, run) for run in old.runs}
    asked_before, asked_now = _asked(old), _asked(new)
    staying: set[_RowKey] = set()
    for run in new.runs:
        if before.get(run.name) == identity(new, run):
            staying.add((run.name,))
    for item in evaluations(new):
        pair = (item.run, item.task)
        if (item.run,) in staying and asked_before.get(pair) == asked_now[pair]:
            staying.add(_key(item))
    return staying


def _key(item: Evaluation | EvaluationRow) -> _RowKey:
    return (item.run, item.task, "" if item.epoch is None else str(item.epoch))


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
