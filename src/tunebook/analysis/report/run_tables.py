"""The tables of runs and of their jobs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from tunebook.analysis.charts.task_scores import TaskScores
from tunebook.analysis.formatting import is_number, p_text, percent_text, run_labels
from tunebook.analysis.records import EvaluationKey, EvaluationRecord, RunRecord, Training
from tunebook.analysis.report import cells
from tunebook.analysis.report.content import Cell, Column, Table
from tunebook.analysis.statistics.pairwise import Comparison
from tunebook.analysis.values import Analysis
from tunebook.core.jobs import JobState

__all__ = ["comparisons_with", "factor_cells", "factor_columns", "job_table", "run_table"]

_LEAST_FINISHED_FIRST = (JobState.FAILED, JobState.RUNNING, JobState.PENDING, JobState.UNKNOWN, JobState.COMPLETED)


def comparisons_with(analysis: Analysis, against: str, measure: str) -> dict[EvaluationKey, Comparison]:
    """The comparisons with the base model (``base``) or the best run (``best``), by the evaluation compared."""
    found = {}
    for each in analysis.comparisons:
        if (each.against, each.measure) == (against, measure):
            found[EvaluationKey(each.run, each.task, each.epoch)] = each
    return found


def factor_columns(analysis: Analysis) -> list[Column]:
    """One column per factor."""
    columns = []
    for factor in analysis.factors:
        has_numbers = all(map(is_number, factor.levels))
        columns.append(Column(f"factor:{factor.key}", factor.label, is_number=has_numbers, has_filter=True))
    return columns


def factor_cells(analysis: Analysis, run: RunRecord) -> dict[str, Cell]:
    """The run's levels; the model is known of base models too."""
    found = {}
    for factor in analysis.factors:
        level = run.levels.get(factor.key, "")
        if factor.key == "model":
            level = level or run.model
        found[f"factor:{factor.key}"] = cells.text(level)
    return found


def run_table(analysis: Analysis, tasks: Sequence[TaskScores]) -> Table:
    """One row per run, with everything that one compares runs by."""
    columns = [
        Column("run", "Run"),
        Column("state", "State", has_filter=True),
        Column("type", "Type", has_filter=True),
        Column("model", "Model", has_filter=True),
        *factor_columns(analysis),
        *(column for task in tasks for column in _score_columns(analysis, task)),
        Column("loss", "Loss", is_number=True, note="Loss is the mean over the last tenth of the steps."),
        Column("validation_loss", "Validation loss", is_number=True),
        Column("time", "Time", is_number=True, note="Time is the training's duration."),
        Column("gpu_hours", "GPU hours", is_number=True),
        Column("gpu_use", "GPU use", is_number=True, note="GPU use is the mean utilization that SLURM reports."),
        Column("memory", "Memory", is_number=True, note="Memory is the training's peak."),
        Column("notes", "Notes", is_long=True),
    ]
    labels, states = run_labels(analysis.runs), _states(analysis)
    compared = [comparisons_with(analysis, "base", task.measure) for task in tasks]
    rows = []
    for run in analysis.runs:
        label = labels[run.name]
        row = {
            "run": Cell(label, run.name, "" if label == run.name else run.name),
            "state": states[run.name],
            "type": cells.text(run.type.value),
            "model": cells.text(run.model),
        }
        row |= factor_cells(analysis, run)
        for task, comparisons in zip(tasks, compared, strict=True):
            row |= _score_cells(task, run, comparisons)
        rows.append(row | _training_cells(run))
    is_same_model = len({run.model for run in analysis.runs}) == 1
    if is_same_model or any(factor.key == "model" for factor in analysis.factors):
        columns = [column for column in columns if column.key != "model"]
    finals = [analysis.best_score(task.task.name) for task in tasks]
    best = frozenset(tasks[0].numbers[score.evaluation.run] for score in finals if score is not None)
    return Table("runs", "All runs", tuple(columns), tuple(rows), file="runs.csv", best=best, is_interactive=True)


def _score_columns(analysis: Analysis, task: TaskScores) -> tuple[Column, Column]:
    name, has_one_task = task.task.name, len(analysis.tasks) == 1
    interval = f"{percent_text(analysis.level)} interval"
    score_note = f"Scores are those after the last evaluated epoch, with their {interval}s."
    base_note = (
        "“− base” is the difference from the base model on the same samples, with its interval and its p-value, "
        "corrected for the number of tests by Holm's method."
    )
    score_title, base_title = name, f"{name} − base"
    if has_one_task:
        score_title, base_title = task.measure or name, "− base"
    return (
        Column(f"score:{name}", score_title, is_number=True, note=score_note, detail=interval, highest_first=True),
        Column(f"base:{name}", base_title, is_number=True, note=base_note, highest_first=True),
    )


def _score_cells(task: TaskScores, run: RunRecord, compared: Mapping[EvaluationKey, Comparison]) -> dict[str, Cell]:
    score = task.final.get(run.name)
    if score is None:
        return {}
    found = {f"score:{task.task.name}": cells.score(score.value, score.interval, task.scale)}
    comparison = compared.get(score.evaluation)
    if comparison is not None:
        p = p_text(comparison.p_holm)
        cell = cells.difference(comparison.difference, comparison.interval, task.scale, note=p)
        found[f"base:{task.task.name}"] = cell
    return found


def _training_cells(run: RunRecord) -> dict[str, Cell]:
    training = run.training
    if training is None:
        return {"notes": cells.text(run.notes)}
    gpu_use = training.slurm.gpu_utilization_percent if training.slurm is not None else None
    return {
        "loss": cells.number(training.tail_loss),
        "validation_loss": cells.number(training.final_validation_loss),
        "time": cells.duration(training.elapsed_s),
        "gpu_hours": cells.number(training.gpu_hours, ".3g"),
        "gpu_use": cells.number(gpu_use, ".0f", unit="%"),
        "memory": cells.number(training.peak_memory_gb, ".3g", unit="GB"),
        "notes": cells.text("; ".join(filter(None, [training.reason, run.notes]))),
    }


def _states(analysis: Analysis) -> dict[str, Cell]:
    """The state of each run's least finished job."""
    found: dict[str, list[tuple[JobState, bool]]] = {run.name: [] for run in analysis.runs}
    for run in analysis.runs:
        if run.training is not None:
            found[run.name].append((run.training.state, run.training.is_done))
    for each in analysis.evaluations:
        if each.key.run in found:
            found[each.key.run].append((each.state, each.is_done))
    return {name: _least_finished(jobs) for name, jobs in found.items()}


def _least_finished(jobs: Iterable[tuple[JobState, bool]]) -> Cell:
    ordered = sorted(jobs, key=lambda job: (_LEAST_FINISHED_FIRST.index(job[0]), job[1]))
    state, has_result = ordered[0] if ordered else (JobState.UNKNOWN, False)
    return cells.state(state, has_results=has_result)


def job_table(analysis: Analysis) -> Table:
    """One row per training and evaluation, with its log."""
    columns = (
        Column("run", "Run"),
        Column("stage", "Stage", has_filter=True),
        Column("task", "Task", has_filter=True),
        Column("epoch", "Epoch", is_number=True),
        Column("state", "State", has_filter=True),
        Column("time", "Time", is_number=True),
        Column("attempts", "Attempts", is_number=True),
        Column("why", "Why", is_long=True),
        Column("log", "Log"),
    )
    labels = run_labels(analysis.runs)
    rows = [_training_row(labels[run.name], run.training) for run in analysis.runs if run.training is not None]
    rows += [_evaluation_row(labels.get(each.key.run, each.key.run), each) for each in analysis.evaluations]
    return Table("jobs", "Jobs and logs", columns, tuple(rows), is_interactive=True)


def _training_row(label: str, training: Training) -> dict[str, Cell]:
    why = training.reason
    if not why and training.state is not JobState.COMPLETED and training.steps and training.total_steps:
        why = f"step {training.steps} of {training.total_steps}"
    return {
        "run": cells.text(label),
        "stage": cells.text("training"),
        "state": cells.state(training.state, has_results=training.is_done),
        "time": cells.duration(training.elapsed_s),
        "attempts": cells.count(training.attempts or None),
        "why": cells.text(why),
    }


def _evaluation_row(label: str, record: EvaluationRecord) -> dict[str, Cell]:
    return {
        "run": cells.text(label),
        "stage": cells.text("evaluation"),
        "task": cells.text(record.key.task),
        "epoch": cells.epoch(record.key.epoch),
        "state": cells.state(record.state, has_results=record.is_done),
        "time": cells.duration(record.elapsed_s),
        "attempts": cells.count(record.attempts or None),
        "why": cells.text(record.reason),
        "log": cells.log(record.log),
    }
