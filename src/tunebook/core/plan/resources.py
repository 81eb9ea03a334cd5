"""``## Resources``: where the models are, the data set, and the evaluation tasks."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from types import MappingProxyType

from tunebook.core.markdown import (
    Bullet,
    Cell,
    Row,
    code_cell,
    code_span,
    escape_cell,
    escape_text,
    fact_line,
    table_lines,
)
from tunebook.core.measures import Direction
from tunebook.core.numbers import whole_number
from tunebook.core.plan.models import ModelsSection
from tunebook.core.plan.section import Section, SectionOfParts, SectionReader, Writing, cell_text, cell_value
from tunebook.core.plan.values import Dataset, EvaluationTask, Plan

__all__ = ["ResourcesSection", "join_script", "split_script", "splits_text", "task_table"]

_SPLIT = r"(?<!\w)(\w+)\s*\(\s*([\d,_]+)\s*(?:examples|samples|words|rows|records|items|lines)?\s*\)"
_WITH_COLON = re.compile(r"(?<!\w)(\w+)\s*[:=]\s*(\d{1,3}(?:,\d{3})+|\d[\d_]*)(?=\s*(?:[,;]|$))")
_UNCLEAR_DATA = {"none", "same", "own", "built-in", "default", "test", "test split", "not applicable"}
_TASK_COLUMNS = ("Task Name", "Tool", "Script", "Dataset", "Measure", "Direction", "Description")
_OPTIONAL_COLUMNS = ("Tool", "Measure", "Direction")  # written where a task has them
_EMPTY_CELLS = ("", escape_cell(""))
_DIRECTIONS = {"higher": Direction.HIGHER, "lower": Direction.LOWER, "unknown": Direction.UNKNOWN}


def splits_text(splits: Mapping[str, int]) -> str:
    """``train (800), test (200)``."""
    return ", ".join(f"{name} ({count})" for name, count in splits.items())


class _DatasetSection(Section):
    """The path of the data set, its format and its splits with their numbers of examples."""

    title = "Dataset"
    aliases = ("data", "data set", "datasets", "data sets")
    decides = True
    stands_alone = True
    names = ("Path", "Format", "Splits", "Size")
    remarks = frozenset({"description", "source", "license", "examples", "total", "verified", "status"})

    def read(self, source: SectionReader, plan: Plan) -> Plan:
        path = source.bullet("path")
        format_name = source.text("format")
        splits = source.bullet("splits")
        below = [bullet for bullet in source.bullets if "splits" in bullet.groups]
        source.ignore("size")
        if path is None or path.value.is_empty:
            source.problem("`### Dataset` has no path", source.line, "add `- **Path:** FILE`")
            return plan
        dataset = Dataset(source.path(path.value, "Path"), path.line, format_name)
        if splits is not None:
            dataset = replace(dataset, splits=_read_splits(splits, below, source), splits_line=splits.line)
        return replace(plan, dataset=dataset)

    def write(self, target: Writing) -> Iterator[str]:
        dataset = target.plan.dataset
        if dataset is None:
            return
        yield fact_line("Path", code_span(dataset.path) + target.tick(dataset.path, " ✓ verified"))
        if dataset.format:
            yield fact_line("Format", escape_text(dataset.format))
        for name, text in target.details.dataset:
            yield fact_line(name, text)
        if dataset.splits:
            yield fact_line("Splits", splits_text(dataset.splits))


def _read_splits(bullet: Bullet, below: Sequence[Bullet], source: SectionReader) -> Mapping[str, int]:
    """The splits of one line, ``train (240), test (30)``, or of the bullets below it, ``train: 240``."""
    texts = [bullet.value.text]
    for part in below:
        source.take(part)
        texts.append(f"{part.name} ({part.value.text})" if part.name else part.value.text)
    text = _WITH_COLON.sub(r"\1 (\2)", ", ".join(filter(None, texts)))
    found = {name.lower(): whole_number(re.sub(r"[,_]", "", count)) for name, count in re.findall(_SPLIT, text)}
    if not found or None in found.values() or re.sub(_SPLIT, "", text).strip(" ,;.+&"):
        hint = "write `train (240), validation (30), test (30)`"
        source.problem(f"splits `{text}` cannot be read", bullet.line, hint)
    if len(re.findall(_SPLIT, text)) > len(found):
        source.problem(f"splits `{text}` name a split twice", bullet.line, "keep one of them")
    return MappingProxyType({name: count for name, count in found.items() if count is not None})


class _EvaluationTasksSection(Section):
    """One row per task."""

    title = "Evaluation Tasks"
    aliases = ("tasks", "evaluation task")
    decides = True
    stands_alone = True

    def read(self, source: SectionReader, plan: Plan) -> Plan:
        tasks: list[EvaluationTask] = []
        for table in source.tables:
            source.take(table)
            columns = source.columns(table, _TASK_COLUMNS, required=("Task Name", "Script"), ignored=("Notes",))
            if columns is not None:
                tasks += [_read_task(row, columns, source, plan) for row in table.rows]
        return replace(plan, tasks=tuple(tasks))

    def write(self, target: Writing) -> Iterator[str]:
        if target.plan.tasks:
            yield from task_table(target.plan.tasks, target.tick)


def task_table(tasks: Sequence[EvaluationTask], tick: Callable[[str], str] = lambda _: "") -> Iterator[str]:
    """The lines of the table of tasks.

    Args:
        tick: what stands behind a path, such as a mark that it was found.
    """
    rows = [_task_row(task, tick) for task in tasks]
    empty = {name for name in _OPTIONAL_COLUMNS if all(row[name] in _EMPTY_CELLS for row in rows)}
    columns = [name for name in _TASK_COLUMNS if name not in empty]
    yield from table_lines(columns, [[row[name] for name in columns] for row in rows])


def _task_row(task: EvaluationTask, tick: Callable[[str], str]) -> dict[str, str]:
    """The cells of a task by their columns."""
    dataset = "-" if task.has_own_data else ""
    if task.dataset:
        dataset = code_cell(task.dataset) + tick(task.dataset)
    return {
        "Task Name": escape_cell(task.name),
        "Tool": escape_cell(task.tool),
        "Script": code_cell(join_script(task.script, task.function)) + tick(task.script),
        "Dataset": dataset,
        "Measure": escape_cell(task.measure),
        "Direction": task.direction.value if task.direction is not None else "",
        "Description": escape_cell(task.description),
    }


def _read_task(row: Row, columns: Mapping[str, int], source: SectionReader, plan: Plan) -> EvaluationTask:
    name = cell_value(row, columns, "task name")
    script, function = split_script(_path(row, columns, "script", source))
    data = row.cells[columns["dataset"]] if "dataset" in columns else Cell("", row.line)
    if data.key in _UNCLEAR_DATA:
        hint = "write `-` for a task with data of its own, nothing for the run's data, otherwise the path"
        source.problem(f"task `{name}`: Dataset is `{data.text}`, which is not clear", row.line, hint)
    return EvaluationTask(
        name=name,
        script=script,
        line=row.line,
        function=function,
        dataset=None if _is_label(data, plan) else _path(row, columns, "dataset", source) or None,
        has_own_data=data.is_empty and bool(data.text),
        description=cell_text(row, columns, "description"),
        tool=cell_value(row, columns, "tool"),
        measure=cell_value(row, columns, "measure"),
        direction=_read_direction(row, columns, source),
    )


def _is_label(data: Cell, plan: Plan) -> bool:
    """Whether a cell has the name of the runs' data set without its ending: an older way to write "the runs' data"."""
    if plan.dataset is None or "`" in data.raw:
        return False
    file = PurePosixPath(plan.dataset.path)
    return bool(file.suffix) and data.text == file.stem


def _read_direction(row: Row, columns: Mapping[str, int], source: SectionReader) -> Direction | None:
    text = cell_value(row, columns, "direction")
    if not text:
        return None
    words = text.lower().removesuffix(" is better")
    if words not in _DIRECTIONS:
        source.problem(f"Direction is `{text}`", row.line, f"write one of these: {', '.join(_DIRECTIONS)}")
    return _DIRECTIONS.get(words)


def _path(row: Row, columns: Mapping[str, int], name: str, source: SectionReader) -> str:
    index = columns.get(name)
    if index is None or row.cells[index].is_empty:
        return ""
    return source.path(row.cells[index], name.title())


def split_script(text: str) -> tuple[str, str | None]:
    """``FILE.py@task`` in its two parts; the name of a file or directory may contain an ``@`` too."""
    if not re.search(r"@[^@/]*$", text) or text.endswith(".py"):
        return text.strip(), None
    script, _, function = text.rpartition("@")
    return script.strip(), function.strip() or None


def join_script(script: str, function: str | None) -> str:
    """``FILE.py@task``, as :func:`split_script` reads it."""
    return f"{script}@{function}" if function else script


class ResourcesSection(SectionOfParts):
    """Models, data set and tasks."""

    title = "Resources"
    aliases = ("resource", "resources used")
    decides = True
    parts = (ModelsSection(), _DatasetSection(), _EvaluationTasksSection())
