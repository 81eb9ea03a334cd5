"""An existing page planned again: the design that it means, and what of it stays on the new page. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import PurePosixPath
from types import MappingProxyType

from tunebook.core.job import Stage
from tunebook.core.markdown import Row, Section, Table, parse_page
from tunebook.core.page_status import pending_rows
from tunebook.core.plan import PLAN_FILE, Plan, Run, RunType
from tunebook.core.settings import effective, evaluations
from tunebook.core.status import update_status
from tunebook.core.table_text import split_lines
from tunebook.design.infer import inferred
from tunebook.design.own_text import with_own_text
from tunebook.design.runs import identity, plan_of, usual_epochs
from tunebook.design.values import (
    MODEL,
    Control,
    Design,
    DesignModel,
    DesignTask,
    EvalOnly,
    ListedRun,
    MatrixRule,
)

__all__ = ["begun", "carried_over", "design_of", "notes_of", "page_diff"]

_OURS = {
    "overview",
    "prerequisites",
    "tools",
    "variables",
    "all runs",
    "resources",
    "evaluation plan",
    "configuration",
    "compute estimates",
    "naming conventions",
    "status",
    "quick reference",
}


def design_of(plan: Plan) -> Design:
    """The design that a page means: its runs as combinations of factors where they are, else one by one."""
    design = Design(
        question=plan.question,
        name=plan.name,
        preparation=plan.tools.preparation,
        evaluation=plan.tools.evaluation,
        models=tuple(_models(plan)),
        dataset=plan.dataset.path if plan.dataset else "",
        dataset_format=plan.dataset.format if plan.dataset else "",
        tasks=tuple(
            DesignTask(task.name, task.script, task.function, task.dataset, task.description) for task in plan.tasks
        ),
        train=bool(plan.fine_tuned),
        controls=_controls(plan),
        eval_only=tuple(
            EvalOnly(run.name, run.checkpoint or "", run.model) for run in plan.runs if run.type is RunType.EVAL_ONLY
        ),
        settings=MappingProxyType({key: written.text for key, written in plan.configuration.items()}),
        epochs=_epochs_text(plan.epochs_to_evaluate),
        matrix=tuple(_rules(plan)),
        run_names=MappingProxyType({identity(plan, run): run.name for run in plan.runs}),
        run_notes=MappingProxyType({run.name: run.notes for run in plan.runs if run.notes}),
    )
    runs = [_values(plan, run) for run in plan.fine_tuned]
    found = inferred(design, runs, _order(plan), _shown(plan))
    if found is not None and _same_runs(plan, plan_of(found, name=plan.name)):
        return found
    listed = tuple(ListedRun(values, run.name) for values, run in zip(runs, plan.fine_tuned, strict=True))
    return replace(design, listed=listed, level_order=_shown(plan))


def _controls(plan: Plan) -> tuple[Control, ...] | None:
    """``None`` where every model that is trained has one, so that a model that is added gets its own."""
    controls = tuple(Control(run.model, run.name) for run in plan.runs if run.type is RunType.CONTROL)
    return None if {item.model for item in controls} == {run.model for run in plan.fine_tuned} else controls


def _same_runs(plan: Plan, again: Plan) -> bool:
    return {identity(again, run) for run in again.fine_tuned} == {identity(plan, run) for run in plan.fine_tuned}


def _order(plan: Plan) -> list[str]:
    """The model and the columns, in the order of ``## Variables`` where that has them."""
    names = {factor.name.lower(): index for index, factor in enumerate(plan.factors)}
    last = len(names)
    return sorted((MODEL, *plan.columns), key=lambda key: names.get(_column(plan, key), last if key != MODEL else -1))


def _shown(plan: Plan) -> Mapping[str, tuple[str, ...]]:
    """Key to the levels that ``## Variables`` lists, in its order."""
    keys = {_column(plan, key): key for key in (MODEL, *plan.columns)}
    return {keys[factor.name.lower()]: factor.levels for factor in plan.factors if factor.name.lower() in keys}


def _models(plan: Plan) -> Iterator[DesignModel]:
    yield from (DesignModel(model.name, model.path) for model in plan.models)
    named = dict.fromkeys(run.model for run in plan.runs if plan.model_of(run) is None and not run.checkpoint)
    for name in named:
        yield DesignModel(name, str(PurePosixPath(plan.models_location, name)) if plan.models_location else "")


def _values(plan: Plan, run: Run) -> Mapping[str, str]:
    return {MODEL: run.model} | {key: run.parameters[key].text for key in plan.columns if key in run.parameters}


def _column(plan: Plan, key: str) -> str:
    return "model" if key == MODEL else plan.parameters.by_key(key).column.lower()


def _epochs_text(epochs: str | tuple[int, ...]) -> str:
    return epochs if isinstance(epochs, str) else ",".join(map(str, epochs))


def _rules(plan: Plan) -> Iterator[MatrixRule]:
    """The cells that are not what the page's epochs say for everything."""
    if plan.matrix is None:
        return
    cells = {(entry.run, entry.task): entry.epochs for entry in plan.matrix}
    for run in plan.runs:
        for task in plan.tasks:
            usual = usual_epochs(plan, run)
            if (run.name, task.name) not in cells:
                yield MatrixRule(run.name, task.name, "-")
            elif run.type is RunType.FINE_TUNED and (epochs := cells[run.name, task.name]) not in {None, usual}:
                yield MatrixRule(run.name, task.name, _epochs_text(epochs or "last"))


def page_diff(before: str, after: str) -> str:
    """What changes, as a unified diff."""
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    return "".join(difflib.unified_diff(old, new, f"{PLAN_FILE} (now)", f"{PLAN_FILE} (planned)"))


def carried_over(before: str, old: Plan, text: str, new: Plan) -> str:
    """The new page with the old one's status of runs that stay, and with its sections that are a person's."""
    text = with_own_text(before, _with_status(before, old, text, new), _OURS - {"status"})
    lines, _ = split_lines(before)
    title, *others = parse_page(before).sections or [Section("", 1, 0)]
    beginning = title.sections[0].line - 1 if title.sections else title.end_line
    first, *rest = text.split("\n")
    text = "\n".join([first, *_trimmed(lines[title.line : beginning]), *rest])
    for section in (*title.sections, *others):
        if section.level > 1 and section.title.lower() in _OURS:
            continue
        text = _with_section(text, section.title, lines[section.line - 1 : section.end_line])
    above = _trimmed(lines[: title.line - 1])
    return "\n".join([*above, "", text] if above else [text])


def _with_section(text: str, title: str, own: list[str]) -> str:
    """Adds a person's section at the end; where the new page has one of this title, its bullets go below the old."""
    new, _ = split_lines(text)
    there = next((part for part in parse_page(text).walk() if part.level == 2 and part.title == title), None)  # noqa: PLR2004
    if there:
        added = [line for line in new[there.line : there.end_line] if line.strip() and line not in own]
        new[there.line - 1 : there.end_line] = []
        own = [*_trimmed(own), *added]
    return "\n".join([*_trimmed(new), "", *_trimmed(own)]) + "\n"


def _trimmed(lines: list[str]) -> list[str]:
    end = len(lines)
    while end and not lines[end - 1].strip():
        end -= 1
    return lines[:end]


def _with_status(before: str, old: Plan, text: str, new: Plan) -> str:
    """The old page's status section in place of the new one's, less the rows of what is no longer planned."""
    then, now = _status(before), _status(text)
    if then is None or now is None:
        return text
    staying = {run.name for run in new.runs} & _same(old, new)
    planned = {(item.run, item.task, "" if item.epoch is None else str(item.epoch)) for item in evaluations(new)}
    before_asked, now_asked = _asked(old), _asked(new)
    asked_alike = {key for key, asked in now_asked.items() if before_asked.get(key) == asked}
    gone = {
        row.line
        for table in _tables(then)
        for key, row in _keyed_rows(table)
        if key[0] not in staying or (len(key) > 1 and (key not in planned or key[:2] not in asked_alike))
    }
    lines, _ = split_lines(before)
    numbered = enumerate(lines[then.line - 1 : then.end_line], start=then.line)
    kept = [line for number, line in numbered if number not in gone]
    fresh, _ = split_lines(text)
    rest = fresh[now.end_line :]
    fresh[now.line - 1 :] = [*_trimmed(kept), "", *rest] if rest else _trimmed(kept)
    joined = "\n".join(fresh) + "\n"
    there = {key for table in _tables(_status(joined)) for key, _ in _keyed_rows(table)}
    training, evaluation = pending_rows(new)
    return update_status(
        joined,
        [row for row in training if (row.run,) not in there],
        [row for row in evaluation if (row.run, row.task, _text(row.epoch)) not in there],
    )


def begun(before: str) -> tuple[frozenset[str], bool]:
    """Names of the runs whose training was submitted by a page's word, and whether any evaluation was."""
    trained: set[str] = set()
    evaluated = False
    for table in _tables(_status(before)):
        told = [index for index, name in enumerate(_names(table)) if name in {"status", "job id"}]
        for key, row in _keyed_rows(table):
            if all(row.cells[index].is_empty or row.cells[index].text == "pending" for index in told):
                continue
            if len(key) == 1:
                trained.add(key[0])
            else:
                evaluated = True
    return frozenset(trained), evaluated


def _text(epoch: int | None) -> str:
    return "" if epoch is None else str(epoch)


def _asked(plan: Plan) -> Mapping[tuple[str, ...], tuple[object, ...]]:
    """What each run is asked in each task, and how: the script, its data, the prompts, the evaluation's settings."""
    shared = tuple(plan.value(parameter.key) for parameter in plan.parameters.of_stage(Stage.EVALUATION))
    data = plan.dataset.path if plan.dataset else None
    return {
        (run.name, task.name): (
            task.script,
            task.function,
            task.dataset or effective(plan, run, "dataset") or data,
            effective(plan, run, "prompt"),
            effective(plan, run, "system_prompt"),
            *shared,
        )
        for run in plan.runs
        for task in plan.tasks
    }


def _same(old: Plan, new: Plan) -> set[str]:
    """Names of the runs that are the same on both pages."""
    before = {run.name: identity(old, run) for run in old.runs}
    return {run.name for run in new.runs if before.get(run.name) == identity(new, run)}


def _status(text: str) -> Section | None:
    found = (part for part in parse_page(text).walk() if part.level == 2 and part.title.lower() == "status")  # noqa: PLR2004
    return next(found, None)


def _tables(section: Section | None) -> Iterator[Table]:
    for part in section.walk() if section else ():
        yield from part.tables


def _names(table: Table) -> list[str]:
    return [" ".join(cell.text.lower().split()) for cell in table.header]


def _keyed_rows(table: Table) -> Iterator[tuple[tuple[str, ...], Row]]:
    """Rows of a status table by run, or by run, task and epoch."""
    names = _names(table)
    if "run name" not in names or "status" not in names:
        return
    wanted = [names.index(name) for name in ("run name", "task", "epoch") if name in names]
    for row in table.rows:
        texts = ["" if row.cells[index].is_empty else row.cells[index].text for index in wanted]
        yield tuple(texts), row


def notes_of(before: str) -> Mapping[str, str]:
    """Run to its remark in the page's evaluation matrix."""
    matrix = next((part for part in parse_page(before).walk() if part.title.lower() == "evaluation matrix"), None)
    notes: dict[str, str] = {}
    for table in matrix.tables[:1] if matrix else ():
        names = _names(table)
        if {"run name", "notes"} <= set(names):
            run, note = names.index("run name"), names.index("notes")
            notes |= {row.cells[run].text: row.cells[note].text for row in table.rows if not row.cells[note].is_empty}
    return MappingProxyType(notes)
