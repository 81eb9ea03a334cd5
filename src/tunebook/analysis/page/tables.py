"""The page's tables: all runs, the best configurations, the jobs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import quote

from tunebook.analysis.charts.scores import ScoreAxis
from tunebook.analysis.charts.series import is_number
from tunebook.analysis.page import cells
from tunebook.analysis.page.cells import Cell, Column
from tunebook.analysis.records import EvaluationKey, EvaluationRecord, FactorUse, RunRecord, Score, TaskUse, Training
from tunebook.analysis.statistics.pairwise import Comparison
from tunebook.analysis.values import Analysis
from tunebook.analysis.wording import Scale, p_text
from tunebook.core.jobs import JobState

__all__ = ["Best", "Row", "Table", "best_runs", "comparisons", "job_table", "log_href", "run_table"]

_BEST = 5
_OPTIONS = 30  # more values than these are searched for, not chosen


@dataclass(frozen=True)
class Row:
    """A table's row; ``run`` is the run's number in the page's order, ``is_best`` marks it."""

    cells: tuple[Cell, ...]
    run: int = -1
    is_best: bool = False


@dataclass(frozen=True)
class Table:
    """Columns and rows."""

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Best:
    """The best configurations of a task; ``ties`` counts the runs that the best one was not told apart from."""

    task: TaskUse
    measure: str
    table: Table
    shown: int
    of: int
    ties: tuple[str, ...]
    has_comparisons: bool


def log_href(log: str) -> str:
    """The log's address from ``analysis/``; it starts with ``../``, so that no name can be read as a scheme."""
    return "../" + quote(log)


def run_table(analysis: Analysis) -> Table:
    """A row a run, with everything that one compares runs by."""
    tasks = [task for task in analysis.tasks if analysis.final_scores(task.name)]
    many = len(analysis.tasks) > 1
    columns = [
        Column("Run", css="name"),
        Column("State", options=_options([state.value for state in _states(analysis).values()])),
        Column("Type", options=_options([run.type.value for run in analysis.runs])),
        *(_factor_column(factor) for factor in analysis.factors),
    ]
    if _has_models(analysis):
        columns.insert(3, Column("Model", options=_options([run.model for run in analysis.runs])))
    for task in tasks:
        name = task.name if many else ScoreAxis.of(analysis, task).measure or task.name
        columns += [
            Column(f"{name}", "number", "descending"),
            Column(f"{name} − base" if many else "− base", "number", "descending"),
        ]
    columns += [Column("Loss", "number"), Column("Validation loss", "number")]
    columns += [Column("Time", "number"), Column("Memory", "number"), Column("Notes")]
    scores = [(ScoreAxis.of(analysis, task).words, analysis.final_scores(task.name)) for task in tasks]
    best = {score.evaluation.run for task in tasks if (score := analysis.best_score(task.name))}
    compared = comparisons(analysis, "base")
    states = _states(analysis)
    rows = tuple(
        Row(
            (*_about(analysis, run, states[run.name]), *_scored(run, scores, compared), *_trained(run)),
            number,
            run.name in best,
        )
        for number, run in enumerate(analysis.runs)
    )
    return _without_empty(Table(tuple(columns), rows))


def _has_models(analysis: Analysis) -> bool:
    """Whether the models differ, and no factor says so already."""
    return len({run.model for run in analysis.runs}) > 1 and all(factor.key != "model" for factor in analysis.factors)


def _without_empty(table: Table) -> Table:
    """The table without columns that hold nothing."""
    used = [index for index, _ in enumerate(table.columns) if any(row.cells[index].value for row in table.rows)]
    rows = tuple(replace(row, cells=tuple(row.cells[index] for index in used)) for row in table.rows)
    return Table(tuple(table.columns[index] for index in used), rows)


def _options(values: list[str]) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(value for value in values if value))
    return found if 1 < len(found) <= _OPTIONS else ()


def _factor_column(factor: FactorUse) -> Column:
    kind = "number" if all(map(is_number, factor.levels)) else "text"
    return Column(factor.label, kind, options=_options(list(factor.levels)))


def _about(analysis: Analysis, run: RunRecord, state: JobState) -> list[Cell]:
    row = [cells.text(run.name), Cell(state.value, state.value, css=state.value), cells.text(run.type.value, "nowrap")]
    row += [cells.text(run.model)] if _has_models(analysis) else []
    return row + _levels(analysis, run)


def _levels(analysis: Analysis, run: RunRecord) -> list[Cell]:
    return [
        cells.text(run.levels.get(factor.key, "") or (run.model if factor.key == "model" else ""))
        for factor in analysis.factors
    ]


def _scored(
    run: RunRecord, scores: list[tuple[Scale, dict[str, Score]]], compared: Mapping[EvaluationKey, Comparison]
) -> list[Cell]:
    row = []
    for scale, final in scores:
        score = final.get(run.name)
        row.append(cells.score(score.value, score.interval, scale) if score else cells.missing())
        row.append(_against_base(compared.get(score.evaluation) if score else None, scale))
    return row


def _trained(run: RunRecord) -> list[Cell]:
    training = run.training or Training(JobState.UNKNOWN)
    memory = cells.number(training.peak_memory_gb, ".2f")
    return [
        cells.number(training.tail_loss, ".4f"),
        cells.number(training.final_validation_loss, ".4f"),
        cells.duration(training.elapsed_s),
        replace(memory, text=f"{memory.text} GB") if memory.value else memory,
        cells.text("; ".join(filter(None, [training.reason, run.notes])), "long"),
    ]


def comparisons(analysis: Analysis, against: str) -> dict[EvaluationKey, Comparison]:
    """The comparisons of the tasks' headline measures, by the evaluation that was compared."""
    headline = {task.name: task.measures[0] for task in analysis.tasks if task.measures}
    return {
        EvaluationKey(each.run, each.task, each.epoch): each
        for each in analysis.comparisons
        if each.against == against and each.measure == headline.get(each.task)
    }


def _against_base(comparison: Comparison | None, scale: Scale) -> Cell:
    if comparison is None:
        return cells.missing()
    return cells.difference(comparison.difference, comparison.interval, scale, p_text(comparison.p_holm))


def _states(analysis: Analysis) -> dict[str, JobState]:
    """Of each run, the least finished of its jobs."""
    found: dict[str, list[JobState]] = {run.name: [] for run in analysis.runs}
    for run in analysis.runs:
        found[run.name] += [run.training.state] if run.training else []
    for each in analysis.evaluations:
        found.get(each.key.run, []).append(each.state)
    order = (JobState.FAILED, JobState.RUNNING, JobState.PENDING, JobState.UNKNOWN, JobState.COMPLETED)
    return {name: min(states, key=order.index, default=JobState.UNKNOWN) for name, states in found.items()}


def best_runs(analysis: Analysis, task: TaskUse) -> Best | None:
    """The best runs of a task with what is uncertain about them; ``None`` without scores."""
    scores = analysis.final_scores(task.name)
    ranked = sorted(scores, key=lambda name: -(scores[name].value or 0.0))
    if not ranked:
        return None
    scale = ScoreAxis.of(analysis, task)
    columns = (
        Column("Run", css="name"),
        *(Column(factor.label) for factor in analysis.factors),
        Column(scale.measure, "number"),
        Column("Against its base model", "number"),
        Column("p (Holm)", "number"),
        Column("Against the best run", "number"),
        Column("p (Holm)", "number"),
    )
    base, best = comparisons(analysis, "base"), comparisons(analysis, "best")
    rows = tuple(_best_row(analysis, scores[name], scale, base, best) for name in ranked[:_BEST])
    ties = tuple(
        name for name in ranked if scores[name].evaluation in best and not best[scores[name].evaluation].significant
    )
    has_comparisons = any(score.evaluation in best for score in scores.values())
    table = _without_empty(Table(columns, rows))
    return Best(task, scale.measure, table, len(rows), len(ranked), ties, has_comparisons)


def _best_row(analysis: Analysis, score: Score, scale: ScoreAxis, *compared: Mapping[EvaluationKey, Comparison]) -> Row:
    run = analysis.run(score.evaluation.run)
    row = [cells.text(run.name), *_levels(analysis, run)]
    row.append(cells.score(score.value, score.interval, scale.words))
    for found in (of.get(score.evaluation) for of in compared):
        if found is None:
            row += [cells.missing(), cells.missing()]
        else:
            row.append(cells.difference(found.difference, found.interval, scale.words))
            row.append(cells.p_value(found.p_holm))
    return Row(tuple(row))


def job_table(analysis: Analysis) -> Table:
    """A row a job, as it stands, with its log."""
    columns = (
        Column("Job", css="name"),
        Column("Stage", options=("training", "evaluation")),
        Column("Epoch", "number"),
        Column("State", options=_options([state.value for state in JobState])),
        Column("Time", "number"),
        Column("Attempts", "number"),
        Column("Why", css="long"),
        Column("Log"),
    )
    numbers = {run.name: number for number, run in enumerate(analysis.runs)}
    rows = [_training_row(run, numbers[run.name]) for run in analysis.runs if run.training]
    rows += [_evaluation_row(each, numbers.get(each.key.run, -1)) for each in analysis.evaluations]
    used = _options([row.cells[3].value for row in rows])
    return _without_empty(
        Table(tuple(replace(c, options=used) if c.title == "State" else c for c in columns), tuple(rows))
    )


def _training_row(run: RunRecord, number: int) -> Row:
    training = run.training or Training(JobState.UNKNOWN)
    steps = f"step {training.steps} of {training.total_steps}" if training.total_steps else ""
    why = training.reason or (steps if training.state is not JobState.COMPLETED and training.steps else "")
    return Row(
        (
            cells.text(run.name),
            cells.text("training"),
            cells.missing(),
            Cell(training.state.value, training.state.value, css=training.state.value),
            cells.duration(training.elapsed_s),
            cells.number(training.attempts or None, "d"),
            cells.text(why),
            cells.missing(),
        ),
        number,
    )


def _evaluation_row(record: EvaluationRecord, number: int) -> Row:
    state = record.state.value
    log = Cell("open", record.log, href=log_href(record.log)) if record.log else cells.missing()
    return Row(
        (
            cells.text(f"{record.key.run}: {record.key.task}"),
            cells.text("evaluation"),
            cells.number(record.key.epoch, "d") if record.key.epoch >= 0 else cells.missing(),
            Cell(state, state, css=state),
            cells.duration(record.elapsed_s),
            cells.number(record.attempts or None, "d"),
            cells.text(record.reason),
            log,
        ),
        number,
    )
