"""``## Resources``: where the models are, the data set, and the evaluation tasks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import PurePosixPath
from types import MappingProxyType

from tunebook.core.markdown import Bullet, code_cell, code_span, escape_cell, escape_text, fact_line, table_lines
from tunebook.core.plan.section import Section, SectionOfParts, SectionReader, Writing, cell_text
from tunebook.core.plan.values import Dataset, EvaluationTask, Model, Plan

__all__ = ["ResourcesSection", "join_script", "split_script", "splits_text"]

_NOT_MODELS = {"location", "models used", "model used", "models", "notes", "note", "size", "disk space"}
_TASK_COLUMNS = ("Task Name", "Script", "Dataset", "Description")


def splits_text(splits: Mapping[str, int]) -> str:
    """``train (800), test (200)``."""
    return ", ".join(f"{name} ({count})" for name, count in splits.items())


class _ModelsSection(Section):
    """The directory of all models, and a bullet ``NAME: PATH`` for each."""

    title = "Models"

    def read(self, source: SectionReader, plan: Plan) -> Plan:
        location = source.text("location") or None
        models = []
        for bullet in source.bullets:
            if bullet.key in _NOT_MODELS:
                source.take(bullet)
            elif bullet.name and bullet.value.text:
                source.take(bullet)
                models.append(Model(bullet.name, bullet.value.text, bullet.line))
        return replace(plan, models=tuple(models), models_location=location)

    def write(self, target: Writing) -> Iterator[str]:
        models = target.plan.models
        if not models:
            return
        parents = {str(PurePosixPath(model.path).parent) for model in models}
        if target.plan.models_location:
            yield fact_line("Location", code_span(target.plan.models_location))
        elif len(parents) == 1:
            yield fact_line("Location", code_span(parents.pop()))
        yield "- **Models Used:**"
        for model in models:
            tick = target.tick(model.path, " ✓ verified")
            yield f"  - {escape_text(model.name)}: {code_span(model.path)}{tick}"


class _DatasetSection(Section):
    """The path of the data set, its format and its splits with their numbers of examples."""

    title = "Dataset"

    def read(self, source: SectionReader, plan: Plan) -> Plan:
        path = source.bullet("path")
        format_name = source.text("format")
        splits = source.bullet("splits")
        source.ignore("size")
        if path is None:
            source.problem("`### Dataset` has no path", source.line, "add `- **Path:** FILE`")
            return plan
        dataset = Dataset(path.value.text, path.line, format_name)
        if splits is not None:
            dataset = replace(dataset, splits=_read_splits(splits, source), splits_line=splits.line)
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


def _read_splits(bullet: Bullet, source: SectionReader) -> Mapping[str, int]:
    text = bullet.value.text
    found = re.findall(r"(\w+)\s*\(\s*([\d,_]+)\s*(?:examples|samples|words)?\s*\)", text)
    if not found:
        hint = "write `train (240), validation (30), test (30)`"
        source.problem(f"splits `{text}` cannot be read", bullet.line, hint)
    return MappingProxyType({name.lower(): int(re.sub(r"[,_]", "", count)) for name, count in found})


class _EvaluationTasksSection(Section):
    """One row per task."""

    title = "Evaluation Tasks"

    def read(self, source: SectionReader, plan: Plan) -> Plan:
        table = source.table()
        if table is None:
            return plan
        columns = source.columns(table, _TASK_COLUMNS, required=("Task Name", "Script"), ignored=("Notes",))
        if columns is None:
            return plan
        tasks = []
        for row in table.rows:
            script, function = split_script(cell_text(row, columns, "script"))
            task = EvaluationTask(
                name=row.cells[columns["task name"]].text,
                script=script,
                line=row.line,
                function=function,
                dataset=cell_text(row, columns, "dataset") or None,
                has_own_data="dataset" in columns and row.cells[columns["dataset"]].text == "-",
                description=cell_text(row, columns, "description"),
            )
            tasks.append(task)
        return replace(plan, tasks=tuple(tasks))

    def write(self, target: Writing) -> Iterator[str]:
        rows = []
        for task in target.plan.tasks:
            script = join_script(task.script, task.function)
            dataset = "-" if task.has_own_data else ""
            if task.dataset:
                dataset = code_cell(task.dataset) + target.tick(task.dataset)
            row = (
                escape_cell(task.name),
                code_cell(script) + target.tick(task.script),
                dataset,
                escape_cell(task.description),
            )
            rows.append(row)
        if rows:
            yield from table_lines(_TASK_COLUMNS, rows)


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
    parts = (_ModelsSection(), _DatasetSection(), _EvaluationTasksSection())
