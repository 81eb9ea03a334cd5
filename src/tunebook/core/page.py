"""The text of ``experiment_summary.md`` out of a Plan, which :mod:`tunebook.core.parse` reads back as that Plan.

Beside the plan the page tells people what was verified, what is to be got before it can run, and where the estimates
come from (``PageDetails``); nobody reads that back.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import PurePosixPath
from types import MappingProxyType

from tunebook.core.page_status import status_lines
from tunebook.core.parameters import Kind, Parameter, ParameterTable, Written
from tunebook.core.plan import Factor, MatrixEntry, Plan, Run, RunType
from tunebook.core.settings import evaluations
from tunebook.core.table_text import code_span, escape_cell, escape_text, new_line, quoted
from tunebook.core.units import spoken_minutes

__all__ = ["Fact", "PageDetails", "page_text"]

Fact = tuple[str, str]
"""A bullet's name and its text."""


@dataclass(frozen=True)
class PageDetails:
    """What the page tells beside the plan.

    Attributes:
        design: the kind of design in words: ``4×2 factorial``.
        created: date and time.
        directory: the experiment's.
        verified: paths that were seen, and get a tick.
        dataset: facts on the data set, such as its size.
        prerequisites: what is to be done before the experiment can run; Markdown of one line each.
        training: facts below the training's estimates, and so ``evaluation``, ``disk``.
        naming: facts on names.
        matrix_notes: run to its remark in the evaluation matrix.
        notes: lines for people at the end of the page.
    """

    design: str = ""
    created: str = ""
    directory: str = ""
    verified: frozenset[str] = frozenset()
    dataset: tuple[Fact, ...] = ()
    prerequisites: tuple[str, ...] = ()
    training: tuple[Fact, ...] = ()
    evaluation: tuple[Fact, ...] = ()
    disk: tuple[Fact, ...] = ()
    naming: tuple[Fact, ...] = ()
    matrix_notes: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    notes: tuple[str, ...] = ()


def page_text(plan: Plan, details: PageDetails) -> str:
    """The whole page. Same plan and details, same bytes."""
    sections: list[Callable[[Plan, PageDetails], Iterator[str]]] = [
        _overview,
        _prerequisites,
        _tools,
        _variables,
        _runs,
        _resources,
        _evaluation,
        _configuration,
        _estimates,
        _naming,
        lambda plan, _: status_lines(plan),
        _paths,
        _notes,
    ]
    lines = [f"# Experiment: {escape_text(plan.name)}"]
    for section in sections:
        content = list(section(plan, details))
        lines += ["", *content] if content else []
    return "\n".join(lines) + "\n"


def _bullet(name: str, text: str) -> str:
    """A bullet whose text is Markdown; a colon at its start is not the name's."""
    return f"- **{name}:** " + (f"\\{text}" if text.startswith(":") else text)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield new_line(header)
    yield "|" + "|".join("-" * (len(name) + 2) for name in header) + "|"
    yield from (new_line(row) for row in rows)


def _overview(plan: Plan, details: PageDetails) -> Iterator[str]:
    counts = [
        f"{len(runs)} {word}"
        for kind, word in (
            (RunType.FINE_TUNED, "fine-tuned"),
            (RunType.CONTROL, "control"),
            (RunType.EVAL_ONLY, "eval-only"),
        )
        if (runs := [run for run in plan.runs if run.type is kind])
    ]
    yield "## Overview"
    if details.design:
        yield _bullet("Type", escape_text(details.design))
    yield _bullet("Total Runs", f"{len(plan.runs)} ({' + '.join(counts)})")
    yield _bullet("Scientific Question", escape_text(plan.question))
    if details.created:
        yield _bullet("Created", details.created)


def _prerequisites(_: Plan, details: PageDetails) -> Iterator[str]:
    if details.prerequisites:
        yield "## Prerequisites"
        yield "To be done before this experiment can run; `tunebook check` tells what is still missing."
        yield ""
        yield from (f"- [ ] {item}" for item in details.prerequisites)


def _tools(plan: Plan, _: PageDetails) -> Iterator[str]:
    yield "## Tools"
    yield _bullet("Model Preparation", escape_text(plan.tools.preparation))
    yield _bullet("Evaluation", escape_text(plan.tools.evaluation))


def _variables(plan: Plan, _: PageDetails) -> Iterator[str]:
    if plan.factors:
        yield "## Variables"
        rows = [(escape_cell(factor.name), _levels(factor, plan.parameters)) for factor in plan.factors]
        yield from _table(("Factor", "Levels"), rows)


def _levels(factor: Factor, parameters: ParameterTable) -> str:
    """Levels separated by commas; all of them quoted where one could be taken for something else."""
    parameter = parameters.by_column(factor.name)
    literal = parameter is not None and parameter.kind is Kind.LITERAL
    simple = all(level == escape_text(level) and not set(level) & set(',"`|') and level for level in factor.levels)
    levels = factor.levels if simple and not literal else [quoted(level) for level in factor.levels]
    return ", ".join(levels).replace("|", "\\|")


def _runs(plan: Plan, _: PageDetails) -> Iterator[str]:
    parameters = [plan.parameters.by_key(key) for key in plan.columns]
    with_checkpoint = any(run.checkpoint for run in plan.runs)
    with_notes = any(run.notes for run in plan.runs)
    header = ["Run Name", "Model", *(parameter.column for parameter in parameters), "Type", "Est. Time"]
    header += ["Checkpoint"] * with_checkpoint + ["Notes"] * with_notes
    rows = []
    for run in plan.runs:
        row = [escape_cell(run.name), escape_cell(run.model)]
        row += [_cell(parameter, run.parameters.get(parameter.key)) for parameter in parameters]
        row += [run.type.value, _estimate(run)]
        row += [_path_cell(run.checkpoint or "")] * with_checkpoint + [escape_cell(run.notes)] * with_notes
        rows.append(row)
    yield "## All Runs"
    yield from _table(header, rows)


def _cell(parameter: Parameter, written: Written | None) -> str:
    return "-" if written is None else _value(parameter, written).replace("|", "\\|")


def _value(parameter: Parameter, written: Written) -> str:
    if parameter.kind is Kind.LITERAL:
        return quoted(written.text)
    if parameter.key in {"dataset", "recipe"}:
        return code_span(written.text)
    return escape_text(written.text)


def _estimate(run: Run) -> str:
    return f"~{spoken_minutes(run.estimate_min)}" if run.estimate_min else "N/A"


def _path_cell(path: str) -> str:
    return code_span(path).replace("|", "\\|") if path else "-"


def _resources(plan: Plan, details: PageDetails) -> Iterator[str]:
    yield "## Resources"
    if plan.models:
        yield from ("", "### Models")
        parents = {str(PurePosixPath(model.path).parent) for model in plan.models}
        if plan.models_location:
            yield _bullet("Location", code_span(plan.models_location))
        elif len(parents) == 1:
            yield _bullet("Location", code_span(parents.pop()))
        yield "- **Models Used:**"
        for model in plan.models:
            yield f"  - {escape_text(model.name)}: {code_span(model.path)}{_tick(model.path, details)}"
    if plan.dataset:
        yield from ("", "### Dataset")
        yield _bullet("Path", code_span(plan.dataset.path) + _tick(plan.dataset.path, details))
        if plan.dataset.format:
            yield _bullet("Format", escape_text(plan.dataset.format))
        yield from (_bullet(name, text) for name, text in details.dataset)
        if plan.dataset.splits:
            yield _bullet("Splits", ", ".join(f"{name} ({count})" for name, count in plan.dataset.splits.items()))
    if plan.tasks:
        yield from ("", "### Evaluation Tasks")
        yield from _table(("Task Name", "Script", "Dataset", "Description"), list(_task_rows(plan, details)))


def _tick(path: str, details: PageDetails) -> str:
    return " ✓ verified" if path in details.verified else ""


def _task_rows(plan: Plan, details: PageDetails) -> Iterator[Sequence[str]]:
    for task in plan.tasks:
        script = f"{task.script}@{task.function}" if task.function else task.script
        tick = " ✓" if task.script in details.verified else ""
        data = " ✓" if task.dataset in details.verified else ""
        yield (
            escape_cell(task.name),
            _path_cell(script) + tick,
            _path_cell(task.dataset or "") + data,
            escape_cell(task.description),
        )


def _evaluation(plan: Plan, details: PageDetails) -> Iterator[str]:
    if not plan.tasks:
        return
    epochs = plan.epochs_to_evaluate
    yield from ("## Evaluation Plan", "", "### Configuration")
    yield _bullet("Epochs to evaluate", epochs if isinstance(epochs, str) else ", ".join(map(str, epochs)))
    yield _bullet("Total evaluations", str(len(evaluations(plan))))
    if plan.matrix is not None:
        cells = {(entry.run, entry.task): entry for entry in plan.matrix}
        header = ["Run Name", *(escape_cell(task.name) for task in plan.tasks), "Notes"]
        rows = [
            [
                escape_cell(run.name),
                *(_matrix_cell(cells.get((run.name, task.name))) for task in plan.tasks),
                escape_cell(details.matrix_notes.get(run.name, "")).removesuffix("-"),
            ]
            for run in plan.runs
        ]
        yield from ("", "### Evaluation Matrix")
        yield from _table(header, rows)


def _matrix_cell(entry: MatrixEntry | None) -> str:
    if entry is None:
        return "-"
    if isinstance(entry.epochs, tuple):
        return "✓ epoch " + _spans(entry.epochs)
    return f"✓ {entry.epochs}" if entry.epochs else "✓"


def _spans(epochs: Sequence[int]) -> str:
    """``0,2`` or, from three on in a row, ``0-4``."""
    parts = []
    for _, group in groupby(enumerate(epochs), key=lambda item: item[1] - item[0]):
        run = [epoch for _, epoch in group]
        parts += [f"{run[0]}-{run[-1]}"] if len(run) > 2 else [str(epoch) for epoch in run]  # noqa: PLR2004
    return ",".join(parts)


_FIRST = ("recipe", "gpus", "epochs", "batch_size", "packed", "lora_rank", "lora_alpha", "lr")


def _configuration(plan: Plan, _: PageDetails) -> Iterator[str]:
    order = [parameter for key in _FIRST if (parameter := plan.parameters.get(key))]
    order += [item for item in plan.parameters if item.key not in _FIRST]
    yield "## Configuration"
    for parameter in order:
        written = plan.configuration.get(parameter.key)
        if written is not None:
            yield _bullet(parameter.column, _value(parameter, written))


def _estimates(plan: Plan, details: PageDetails) -> Iterator[str]:
    training = list(_training_estimates(plan, details))
    evaluation = list(_evaluation_estimates(plan, details))
    disk = [_bullet(name, text) for name, text in details.disk]
    if training or evaluation or disk:
        yield "## Compute Estimates"
        for title, lines in (("Training", training), ("Evaluation", evaluation), ("Disk Space", disk)):
            yield from (("", f"### {title}", *lines) if lines else ())


def _training_estimates(plan: Plan, details: PageDetails) -> Iterator[str]:
    for model, duration in plan.estimates.training_min.items():
        runs = [run for run in plan.fine_tuned if run.model == model]
        total = sum(run.estimate_min or duration for run in runs)
        is_even = all(run.estimate_min in {None, duration} for run in runs)
        times = " ×" if is_even else " at most,"
        text = f"~{spoken_minutes(duration)} per run{times} {len(runs)} runs = {spoken_minutes(total)}"
        yield _bullet(escape_text(model), text)
    yield from (_bullet(name, text) for name, text in details.training)


def _evaluation_estimates(plan: Plan, details: PageDetails) -> Iterator[str]:
    each = plan.estimates.evaluation_min
    if each:
        count = len(evaluations(plan))
        yield _bullet("Per evaluation", f"~{spoken_minutes(each)}")
        yield _bullet("Total eval time", f"~{spoken_minutes(each * count)} ({count} evaluations)")
    yield from (_bullet(name, text) for name, text in details.evaluation)


def _naming(_: Plan, details: PageDetails) -> Iterator[str]:
    if details.naming:
        yield "## Naming Conventions"
        yield from (_bullet(name, code_span(text)) for name, text in details.naming)


def _paths(plan: Plan, details: PageDetails) -> Iterator[str]:
    yield from ("## Quick Reference", "", "**Paths:**")
    yield f"- Experiment: {code_span(details.directory)}"
    for model in plan.models[:1]:
        yield f"- Models: {code_span(str(PurePosixPath(model.path).parent))}"
    if plan.dataset:
        yield f"- Dataset: {code_span(plan.dataset.path)}"


def _notes(_: Plan, details: PageDetails) -> Iterator[str]:
    if details.notes:
        yield "## Notes"
        yield from (f"- {_paragraph(note)}" for note in details.notes)


def _paragraph(text: str) -> str:
    """A text at the start of a block, where ``#`` would make a heading and ``1.`` a list."""
    return re.sub(r"^(\d*)([#>+=|~<.)-])", r"\1\\\2", escape_text(text))
