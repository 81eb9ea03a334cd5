"""The tables of runs and of their jobs."""

from __future__ import annotations

from collections.abc import Sequence

from tunebook.analysis.charts.task_scores import TaskScores
from tunebook.analysis.formatting import is_number, p_text
from tunebook.analysis.records import EvaluationRecord, RunRecord, Score, Training
from tunebook.analysis.report import cells
from tunebook.analysis.report.content import Cell, Column, Table
from tunebook.analysis.statistics.pairwise import Comparison
from tunebook.analysis.values import Analysis
from tunebook.core.jobs import JobState
from tunebook.slurm.accounting import SlurmUse

__all__ = ["factor_cells", "factor_columns", "job_table", "run_table"]

_LEAST_FINISHED_FIRST = (JobState.FAILED, JobState.RUNNING, JobState.PENDING, JobState.UNKNOWN, JobState.COMPLETED)


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
    states, comparisons = _states(analysis), analysis.comparisons_with("base")
    rows = []
    for run in analysis.runs:
        label = analysis.labels[run.name]
        row = {
            "run": Cell(label, run.name, "" if label == run.name else run.name),
            "state": states[run.name],
            "type": cells.text(run.type.value),
            "model": cells.text(run.model),
        }
        row |= factor_cells(analysis, run)
        for task in tasks:
            if run.name in task.final:
                score = task.final[run.name]
                row |= _score_cells(task, score, comparisons.get((score.evaluation, score.measure)))
        rows.append(row | _training_cells(run))
    columns, best = _run_columns(analysis, tasks), _best_places(analysis, tasks)
    table = Table("runs", "All runs", columns, tuple(rows), file="runs.csv", best=best, is_interactive=True)
    has_one_model = len({run.model for run in analysis.runs}) == 1
    if has_one_model or any(factor.key == "model" for factor in analysis.factors):
        return table.without("model")
    return table


def _best_places(analysis: Analysis, tasks: Sequence[TaskScores]) -> frozenset[int]:
    """The rows of the runs that have the best score of a task."""
    scores = [analysis.best_score(task.task.name) for task in tasks]
    return frozenset(tasks[0].numbers[score.evaluation.run] for score in scores if score is not None)


def _run_columns(analysis: Analysis, tasks: Sequence[TaskScores]) -> tuple[Column, ...]:
    return (
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
    )


def _score_columns(analysis: Analysis, task: TaskScores) -> tuple[Column, Column]:
    name, has_one_task = task.task.name, len(analysis.tasks) == 1
    interval = analysis.interval_title
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


def _score_cells(task: TaskScores, score: Score, comparison: Comparison | None) -> dict[str, Cell]:
    found = {f"score:{task.task.name}": cells.score(score.value, score.interval, task.scale)}
    if comparison is not None:
        p = p_text(comparison.p_holm)
        cell = cells.difference(comparison.difference, comparison.interval, task.scale, note=p)
        found[f"base:{task.task.name}"] = cell
    return found


def _training_cells(run: RunRecord) -> dict[str, Cell]:
    training = run.training
    if training is None:
        return {"notes": cells.text(run.notes)}
    counted = training.slurm or SlurmUse()
    return {
        "loss": cells.number(training.tail_loss),
        "validation_loss": cells.number(training.final_validation_loss),
        "time": cells.duration(training.elapsed_s),
        "gpu_hours": cells.number(training.gpu_hours, ".3g"),
        "gpu_use": cells.number(counted.gpu_utilization_percent, ".0f", unit="%"),
        "memory": cells.number(training.peak_memory_gb, ".3g", unit="GB"),
        "notes": cells.text("; ".join(filter(None, [training.reason, run.notes]))),
    }


def _states(analysis: Analysis) -> dict[str, Cell]:
    """The state of each run's least finished job."""
    jobs: dict[str, list[tuple[int, bool]]] = {run.name: [] for run in analysis.runs}
    for run in analysis.runs:
        if run.training is not None:
            jobs[run.name].append((_LEAST_FINISHED_FIRST.index(run.training.state), run.training.is_done))
    for each in analysis.evaluations:
        jobs[each.key.run].append((_LEAST_FINISHED_FIRST.index(each.state), each.is_done))
    found = {}
    for name, own in jobs.items():
        place, has_results = min(own, default=(_LEAST_FINISHED_FIRST.index(JobState.UNKNOWN), False))
        found[name] = cells.state(_LEAST_FINISHED_FIRST[place], has_results=has_results)
    return found


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
    labels = analysis.labels
    rows = [_training_row(labels[run.name], run.training) for run in analysis.runs if run.training is not None]
    rows += [_evaluation_row(labels[each.key.run], each) for each in analysis.evaluations]
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
