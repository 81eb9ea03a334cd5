"""From the text of ``experiment_summary.md`` to a Plan, collecting every problem on the way."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from tunebook.core.markdown import Bullet, Cell, Section, Table, literal, parse_page
from tunebook.core.parameters import ParameterTable, Written
from tunebook.core.parse_matrix import parse_epochs, read_matrix
from tunebook.core.parse_runs import read_configuration, read_runs
from tunebook.core.plan import (
    PLAN_FILE,
    Dataset,
    Estimates,
    EvaluationTask,
    Factor,
    Model,
    Plan,
    Tools,
)
from tunebook.core.reading import Reader
from tunebook.core.units import minutes
from tunebook.errors import Problem

__all__ = ["ParsedPlan", "parse_plan", "read_tools"]

_TASK_COLUMNS = ("Task Name", "Script", "Dataset", "Description")
_NOT_MODELS = {"location", "models used", "model used", "models", "notes", "note", "size", "disk space"}


@dataclass(frozen=True)
class ParsedPlan:
    """A plan as far as it could be read, and what was wrong with it."""

    plan: Plan
    problems: tuple[Problem, ...] = ()


@dataclass
class _Page:
    """The page's sections by title, top level only: there are two headings named Configuration."""

    root: Section
    top: list[Section] = field(default_factory=list)

    def __post_init__(self) -> None:
        for section in self.root.sections:
            self.top.extend([section, *section.sections] if section.level == 1 else [section])

    def find(self, title: str) -> Section | None:
        return next((section for section in self.top if section.title.lower() == title.lower()), None)


def read_tools(text: str) -> Tools:
    """The tools that a plan names: the table of parameters with which it is to be read follows from them."""
    return _tools(_Page(parse_page(text)).find("Tools"))


def parse_plan(text: str, parameters: ParameterTable, *, file: str = PLAN_FILE) -> ParsedPlan:
    """Reads every section of the page; a section that cannot be read leaves its default and a problem."""
    read = Reader(file, parameters)
    page = _Page(parse_page(text))
    title = next((section for section in page.root.sections if section.level == 1), None)
    resources = page.find("Resources")
    runs = read_runs(page.find("All Runs"), read)
    tasks = _tasks(resources.find("Evaluation Tasks") if resources else None, read)
    evaluation = page.find("Evaluation Plan")
    matrix, matrix_runs = read_matrix(evaluation.find("Evaluation Matrix") if evaluation else None, read, tasks)
    epochs, epochs_line = _epochs_to_evaluate(evaluation, read)
    configuration, listed = read_configuration(page.find("Configuration"), read, varied=runs.keys)
    overview = page.find("Overview")
    models = resources.find("Models") if resources else None
    plan = Plan(
        name=_name(title, read),
        file=file,
        parameters=parameters,
        line=title.line if title else 1,
        kind=_bullet_text(overview, "type"),
        question=_bullet_text(overview, "scientific question"),
        created=_bullet_text(overview, "created"),
        tools=_tools(page.find("Tools")),
        total_runs=_count(overview, "total runs"),
        total_evaluations=_count(evaluation.find("Configuration") if evaluation else None, "total evaluations"),
        factors=_factors(page.find("Variables"), read),
        runs=runs.runs,
        runs_line=runs.line,
        columns=runs.keys,
        unreadable=frozenset(read.unreadable),
        models=tuple(_models(models)),
        models_location=_bullet_text(models, "location") or None,
        dataset=_dataset(resources.find("Dataset") if resources else None, read),
        tasks=tasks,
        matrix=matrix,
        matrix_runs=matrix_runs,
        epochs_to_evaluate=epochs,
        epochs_line=epochs_line,
        configuration=configuration,
        listed=listed,
        estimates=_estimates(page.find("Compute Estimates")),
        paths=_paths(page.find("Quick Reference")),
    )
    return ParsedPlan(plan, tuple(read.problems))


def _name(title: Section | None, read: Reader) -> str:
    if title is None:
        read.problem("the page has no title", 1, "start it with `# Experiment: NAME`")
        return ""
    match = re.fullmatch(r"(?:experiment\s*:)?\s*(.*)", title.title, re.IGNORECASE | re.DOTALL)
    return match[1].strip() if match else title.title


def _bullet(section: Section | None, *keys: str) -> Bullet | None:
    return next((bullet for bullet in section.bullets if bullet.key in keys), None) if section else None


def _bullet_text(section: Section | None, *keys: str) -> str:
    bullet = _bullet(section, *keys)
    return bullet.value.text if bullet else ""


def _count(section: Section | None, key: str) -> Written | None:
    bullet = _bullet(section, key)
    match = re.match(r"~?\s*(\d+)", bullet.value.text) if bullet else None
    return Written(int(match[1]), match[1], bullet.line) if bullet and match else None


def _tools(section: Section | None) -> Tools:
    preparation = _bullet(section, "model preparation", "preparation")
    evaluation = _bullet(section, "evaluation", "model evaluation")
    if preparation is None and evaluation is None:
        return Tools()
    default = Tools()
    return Tools(
        preparation.value.text if preparation else default.preparation,
        evaluation.value.text if evaluation else default.evaluation,
        assumed=False,
        line=preparation.line if preparation else None,
        evaluation_line=evaluation.line if evaluation else None,
    )


def _factors(section: Section | None, read: Reader) -> tuple[Factor, ...]:
    if section is None or not section.tables:
        return ()
    table = section.tables[0]
    columns = read.columns(table, ("Factor", "Levels"), required=("Factor", "Levels"), extra=("Notes", "Description"))
    if columns is None:
        return ()
    return tuple(
        Factor(row.cells[columns["factor"]].text, split_levels(row.cells[columns["levels"]]), row.line)
        for row in table.rows
    )


def split_levels(cell: Cell) -> tuple[str, ...]:
    """The levels of a factor: separated by commas, or quoted one by one where they hold commas themselves."""
    quoted = re.findall(r"`[^`]*`|\"(?:[^\"\\]|\\.)*\"", cell.raw)
    if quoted:
        return tuple(_quoted_level(text) for text in quoted)
    return tuple(part.strip() for part in cell.text.split(",") if part.strip())


def _quoted_level(text: str) -> str:
    try:
        return literal(text)
    except ValueError:
        return text[1:-1]


def _models(section: Section | None) -> Iterable[Model]:
    for bullet in section.bullets if section else ():
        if bullet.name and bullet.value.text and bullet.key not in _NOT_MODELS:
            yield Model(bullet.name, bullet.value.text, bullet.line)


def _dataset(section: Section | None, read: Reader) -> Dataset | None:
    path = _bullet(section, "path")
    if section is None or path is None:
        if section is not None:
            read.problem("`### Dataset` has no path", section.line, "add `- **Path:** FILE`")
        return None
    splits = _bullet(section, "splits")
    return Dataset(
        path.value.text,
        path.line,
        _bullet_text(section, "format"),
        _splits(splits, read),
        splits.line if splits else None,
    )


def _splits(bullet: Bullet | None, read: Reader) -> Mapping[str, int]:
    if bullet is None:
        return MappingProxyType({})
    found = re.findall(r"(\w+)\s*\(\s*([\d,_]+)\s*(?:examples|samples|words)?\s*\)", bullet.value.text)
    if not found:
        read.problem(
            f"splits `{bullet.value.text}` cannot be read",
            bullet.line,
            "write `train (240), validation (30), test (30)`",
        )
    return MappingProxyType({name.lower(): int(re.sub(r"[,_]", "", count)) for name, count in found})


def _tasks(section: Section | None, read: Reader) -> tuple[EvaluationTask, ...]:
    if section is None or not section.tables:
        return ()
    table: Table = section.tables[0]
    columns = read.columns(table, _TASK_COLUMNS, required=("Task Name", "Script"), extra=("Notes",))
    if columns is None:
        return ()
    tasks = []
    for row in table.rows:
        script, function = _script(read.optional(row, columns, "script") or "")
        dataset = read.optional(row, columns, "dataset")
        tasks.append(
            EvaluationTask(
                row.cells[columns["task name"]].text,
                script,
                row.line,
                function,
                dataset,
                read.optional(row, columns, "description") or "",
            )
        )
    return tuple(tasks)


def _script(text: str) -> tuple[str, str | None]:
    """``FILE.py@task`` in its two parts; a directory's name may hold an ``@`` too."""
    script, _, function = text.rpartition("@") if re.search(r"@\s*\w*\s*$", text) else (text, "", "")
    return script.strip(), function.strip() or None


def _epochs_to_evaluate(section: Section | None, read: Reader) -> tuple[str | tuple[int, ...], int | None]:
    bullets = [bullet for part in section.walk() for bullet in part.bullets] if section else []
    bullet = next((bullet for bullet in bullets if bullet.key == "epochs to evaluate"), None)
    if bullet is None:
        return "last", None
    epochs = parse_epochs(bullet.value.text)
    if epochs is None:
        hint = "write `last`, `all` or zero-based epochs such as `0, 2`"
        read.problem(f"epochs to evaluate `{bullet.value.text}` cannot be read", bullet.line, hint)
        return "last", bullet.line
    return epochs, bullet.line


def _estimates(section: Section | None) -> Estimates:
    training: dict[str, float] = {}
    for bullet in (section.find("Training") or Section("", 0, 0)).bullets if section else ():
        duration = minutes(bullet.value.text) if bullet.name else None
        if duration and not bullet.key.startswith(("total", "basis")):
            training[bullet.name] = duration
    evaluation = _bullet(section.find("Evaluation") if section else None, "per evaluation")
    return Estimates(MappingProxyType(training), minutes(evaluation.value.text) if evaluation else None)


def _paths(section: Section | None) -> Mapping[str, str]:
    bullets = section.bullets if section else ()
    return MappingProxyType({bullet.key: bullet.value.text for bullet in bullets if bullet.name and bullet.value.text})
