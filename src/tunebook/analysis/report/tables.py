"""The report's tables: runs, scores, settings over seeds, and jobs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from tunebook.analysis.charts.task_scores import TaskScores
from tunebook.analysis.formatting import Scale, is_number, p_text
from tunebook.analysis.records import EvaluationKey, EvaluationRecord, RunRecord, Score, TaskUse, Training
from tunebook.analysis.report import cells
from tunebook.analysis.report.content import Cell, Column, Table
from tunebook.analysis.report.logged_columns import logged_columns, repetition_note
from tunebook.analysis.statistics.pairwise import Comparison
from tunebook.analysis.statistics.seeds import Replicates
from tunebook.analysis.values import Analysis
from tunebook.core.jobs import JobState
from tunebook.slurm.accounting import SlurmUse

__all__ = ["job_table", "run_table", "score_tables", "seed_table"]

_LEAST_FINISHED_FIRST = (JobState.FAILED, JobState.RUNNING, JobState.PENDING, JobState.UNKNOWN, JobState.COMPLETED)
_NOT_TRAINED, _NOT_COUNTED = Training(JobState.UNKNOWN), SlurmUse()
_HOLM = "p-values are corrected for the number of tests by Holm's method."

_Job = tuple[EvaluationKey, Training | EvaluationRecord]  # the key of a training names no task


def _factor_columns(analysis: Analysis, run_of: Callable[[Any], RunRecord]) -> Iterator[Column]:
    """One column per factor; the model is known of base models too."""
    for factor in analysis.factors:

        def level(item: Any, key: str = factor.key) -> Cell:
            run = run_of(item)
            text = run.levels.get(key, "")
            if key == "model":
                text = text or run.model
            return cells.text(text)

        has_numbers = all(map(is_number, factor.levels))
        yield Column(f"factor:{factor.key}", factor.label, level, is_number=has_numbers, has_filter=True)


def run_table(analysis: Analysis, tasks: Sequence[TaskScores]) -> Table:
    """One row per run, with everything that one compares runs by."""
    labels, states = analysis.labels, _states(analysis)
    columns = [
        Column("run", "Run", lambda run: cells.name(labels[run.name], run.name)),
        Column("state", "State", lambda run: cells.state(*states[run.name]), has_filter=True),
        Column("type", "Type", lambda run: cells.text(run.type.value), has_filter=True),
        Column("model", "Model", lambda run: cells.text(run.model), has_filter=True),
        *_factor_columns(analysis, lambda run: run),
    ]
    for task in tasks:
        columns += _final_columns(analysis, task)
    columns += _training_columns()
    best = set()
    for task in tasks:
        score = analysis.best_score(task.task.name)
        if score is not None:
            best.add(task.numbers[score.evaluation.run])
    table = Table.of(
        "runs", "All runs", columns, analysis.runs, file="runs.csv", best=frozenset(best), is_interactive=True
    )
    has_one_model = len({run.model for run in analysis.runs}) == 1
    if has_one_model or any(factor.key == "model" for factor in analysis.factors):
        return table.without("model")
    return table


def _final_columns(analysis: Analysis, task: TaskScores) -> tuple[Column, Column]:
    """Each run's final score of a task, and its difference from the base model."""
    name, interval = task.task.name, analysis.interval_title
    compared = analysis.comparisons_with("base")

    def score(run: RunRecord) -> Cell:
        found = task.final.get(run.name)
        if found is None:
            return Cell()
        return cells.score(found.value, found.interval, task.scale)

    def difference(run: RunRecord) -> Cell:
        final = task.final.get(run.name)
        if final is None or (final.evaluation, final.measure) not in compared:
            return Cell()
        found = compared[final.evaluation, final.measure]
        return cells.difference(found.difference, found.interval, task.scale, note=p_text(found.p_holm))

    score_note = f"Scores are those after the last evaluated epoch, with their {interval}s."
    base_note = (
        "“− base” is the difference from the base model on the same samples, with its interval and its p-value, "
        "corrected for the number of tests by Holm's method."
    )
    title, base = name, f"{name} − base"
    if len(analysis.tasks) == 1:
        title, base = task.measure or name, "− base"
    looks: dict[str, Any] = {"is_number": True, "highest_first": True}
    return (
        Column(f"score:{name}", title, score, note=score_note, detail=interval, **looks),
        Column(f"base:{name}", base, difference, note=base_note, **looks),
    )


def _training_columns() -> Iterator[Column]:
    """The columns of a run's training, and its notes."""

    def column(key: str, title: str, cell: Callable[[Training], Cell], note: str = "") -> Column:
        return Column(key, title, lambda run: cell(run.training or _NOT_TRAINED), is_number=True, note=note)

    def gpu_use(training: Training) -> Cell:
        return cells.number((training.slurm or _NOT_COUNTED).gpu_utilization_percent, ".0f", unit="%")

    def notes(run: RunRecord) -> Cell:
        return cells.text("; ".join(filter(None, [(run.training or _NOT_TRAINED).reason, run.notes])))

    loss_note = "Loss is the mean over the last tenth of the steps."
    yield column("loss", "Loss", lambda each: cells.number(each.tail_loss, ".4g"), loss_note)
    yield column("validation_loss", "Validation loss", lambda each: cells.number(each.final_validation_loss, ".4g"))
    yield column("time", "Time", lambda each: cells.duration(each.elapsed_s), "Time is the training's duration.")
    yield column("gpu_hours", "GPU hours", lambda each: cells.number(each.gpu_hours, ".3g"))
    yield column("gpu_use", "GPU use", gpu_use, "GPU use is the mean utilization that SLURM reports.")
    peak_note = "Memory is the training's peak."
    yield column("memory", "Memory", lambda each: cells.number(each.peak_memory_gb, ".3g", unit="GB"), peak_note)
    yield Column("notes", "Notes", notes, is_long=True)


def _jobs(analysis: Analysis) -> Iterator[_Job]:
    for run in analysis.runs:
        if run.training is not None:
            yield EvaluationKey(run.name, ""), run.training
    for record in analysis.evaluations:
        yield record.key, record


def _states(analysis: Analysis) -> dict[str, tuple[JobState, bool]]:
    """The state of each run's least finished job, and whether that job has results."""
    found = dict.fromkeys(analysis.run_of, (JobState.UNKNOWN, False))
    ranked = sorted(_jobs(analysis), key=lambda item: (_LEAST_FINISHED_FIRST.index(item[1].state), item[1].is_done))
    for key, job in reversed(ranked):
        found[key.run] = job.state, job.is_done
    for record in analysis.evaluations:
        if record.is_done and found[record.key.run][0] is JobState.UNKNOWN:
            found[record.key.run] = JobState.UNKNOWN, True  # what was evaluated was trained, here or elsewhere
    return found


def job_table(analysis: Analysis) -> Table:
    """One row per training and evaluation, with its log."""
    labels = analysis.labels
    columns = (
        Column("run", "Run", lambda item: cells.text(labels[item[0].run])),
        Column(
            "stage", "Stage", lambda item: cells.text("evaluation" if item[0].task else "training"), has_filter=True
        ),
        Column("task", "Task", lambda item: cells.text(item[0].task), has_filter=True),
        Column("epoch", "Epoch", lambda item: cells.number(item[0].trained_epoch), is_number=True),
        Column("state", "State", lambda item: cells.state(item[1].state, item[1].is_done), has_filter=True),
        Column("time", "Time", lambda item: cells.duration(item[1].elapsed_s), is_number=True),
        Column("attempts", "Attempts", lambda item: cells.number(item[1].attempts or None), is_number=True),
        Column("why", "Why", _why, is_long=True),
        Column("log", "Log", lambda item: cells.log(getattr(item[1], "log", None))),
    )
    return Table.of("jobs", "Jobs and logs", columns, _jobs(analysis), is_interactive=True)


def _why(item: _Job) -> Cell:
    """Why a job is not completed; without a reason how far a training is."""
    job = item[1]
    if isinstance(job, Training) and job.state is not JobState.COMPLETED and job.steps and job.total_steps:
        return cells.text(job.reason or f"step {job.steps} of {job.total_steps}")
    return cells.text(job.reason)


def score_tables(analysis: Analysis, task: TaskUse) -> Iterator[Table]:
    """One table per measure of a task: every score with its interval and comparisons, the best first."""
    number = sum(len(other.measures) for other in analysis.tasks[: analysis.tasks.index(task)])
    for measure in task.measures:
        number += 1
        scores = [score for score in analysis.scores(task.name, measure.name) if score.value is not None]
        if scores:
            scores.sort(key=lambda score: measure.goodness(score.value), reverse=True)
            label, note = f"{task.name}, {measure.name} ({measure.reading})", _methods(analysis, scores)
            columns = _score_columns(analysis, scores)
            yield Table.of(
                f"scores-{number}", label, columns, scores, note=note, file="evaluations.csv", is_folded=True
            )


def _methods(analysis: Analysis, scores: Sequence[Score]) -> str:
    """How the intervals and the tests of one task were made."""
    methods = {score.interval.method for score in scores if score.interval}
    tests = {each.test for each in analysis.comparisons if each.task == scores[0].evaluation.task}
    notes = []
    repetitions = repetition_note(analysis.task(scores[0].evaluation.task).measure(scores[0].measure))
    if repetitions:
        notes.append(repetitions)
    if methods:
        notes.append(f"Method of the intervals: {', '.join(sorted(methods))}.")
    if tests:
        notes.append(f"Tests on the same samples: {', '.join(sorted(tests))}; {_HOLM}")
    return " ".join(notes)


def _score_columns(analysis: Analysis, scores: Sequence[Score]) -> Iterator[Column]:
    scale = analysis.scale(scores[0].evaluation.task, scores[0].measure)
    interval, labels = analysis.interval_title, analysis.labels
    logs = {evaluation.key: evaluation.log for evaluation in analysis.evaluations}
    n_note = "n is the number of samples."
    yield Column("run", "Run", lambda score: cells.text(labels[score.evaluation.run]))
    yield from _factor_columns(analysis, lambda score: analysis.run_of[score.evaluation.run])
    yield Column("epoch", "Epoch", lambda score: cells.number(score.evaluation.trained_epoch), is_number=True)
    yield Column(
        "score", "Score", lambda score: cells.score(score.value, score.interval, scale), is_number=True, detail=interval
    )
    yield Column("n", "n", lambda score: cells.number(score.n), is_number=True, note=n_note)
    yield from logged_columns()
    yield from _comparison_columns(analysis, "base", "Against its base model", scale)
    yield from _comparison_columns(analysis, "best", "Against the best run", scale)
    yield Column("log", "Log", lambda score: cells.log(logs[score.evaluation]))


def _comparison_columns(analysis: Analysis, against: str, title: str, scale: Scale) -> tuple[Column, Column]:
    """Each score's difference from another one, and its p-value."""
    compared = analysis.comparisons_with(against)

    def of(show: Callable[[Comparison], Cell]) -> Callable[[Score], Cell]:
        def cell(score: Score) -> Cell:
            found = compared.get((score.evaluation, score.measure))
            if found is None:
                return Cell()
            return show(found)

        return cell

    difference = of(lambda found: cells.difference(found.difference, found.interval, scale))
    p = of(lambda found: cells.p_value(found.p_holm, found.significant))
    return (
        Column(against, title, difference, is_number=True, detail=analysis.interval_title),
        Column(f"p:{against}", "p", p, is_number=True, detail="verdict"),
    )


def seed_table(analysis: Analysis) -> Table:
    """Settings over their seeds, the best mean first, each with its spread and its difference from the base model."""
    mean_note = "Means and standard deviations (n − 1) are over runs that differ in their seed only."
    base_note = (
        f"The difference from the base model is tested over the samples, each with its mean over the seeds; {_HOLM}"
    )

    def scale(item: Replicates) -> Scale:
        return analysis.scale(item.task, item.measure)

    def deviation(item: Replicates) -> Cell:
        if item.sd is None:
            return Cell()
        own = scale(item)
        return Cell(own.amount(item.sd), repr(item.sd), unit=own.difference_unit)

    def base(item: Replicates) -> Cell:
        return cells.difference(item.difference, item.difference_interval, scale(item))

    columns = (
        Column("setting", "Setting", lambda item: cells.text(item.setting), is_long=True),
        Column("measure", "Measure", lambda item: cells.text(item.measure)),
        Column("seeds", "Seeds", lambda item: cells.number(len(item.runs)), is_number=True),
        Column("mean", "Mean", lambda item: cells.score(item.mean, None, scale(item)), is_number=True, note=mean_note),
        Column("deviation", "Standard deviation", deviation, is_number=True),
        Column("base", "Against the base model", base, is_number=True, note=base_note, detail=analysis.interval_title),
        Column("p", "p", lambda item: cells.p_value(item.p_holm, item.significant), is_number=True, detail="verdict"),
    )
    items = sorted(analysis.replicates, key=lambda item: _goodness(analysis, item))
    return Table.of("seeds", "Settings over seeds", columns, items)


def _goodness(analysis: Analysis, item: Replicates) -> tuple[str, str, float]:
    measure = analysis.task(item.task).measure(item.measure)
    return item.task, item.measure, -measure.goodness(item.mean)
