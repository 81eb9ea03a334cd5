"""The analysis as data frames: one row a run, an evaluation's measure, a sample, a comparison, an effect."""

from __future__ import annotations

from typing import Any

from tunebook.analysis.records import EvaluationKey, EvaluationRecord, Interval, RunRecord, Score
from tunebook.analysis.values import Analysis

__all__ = ["comparisons_frame", "curves_frame", "effects_frame", "evaluations_frame", "runs_frame", "samples_frame"]

_TRAINING = (
    "state",
    "reason",
    "steps",
    "total_steps",
    "first_loss",
    "final_loss",
    "tail_loss",
    "final_validation_loss",
    "best_validation_loss",
    "best_validation_step",
    "diverged_steps",
    "tokens_per_second",
    "peak_memory_gb",
    "elapsed_s",
    "gpus",
    "gpu_hours",
    "attempts",
    "started",
    "ended",
    "host",
    "source",
)


def runs_frame(analysis: Analysis) -> Any:
    """A row a run: what it was given, how it trained, and its last score on each task with the interval.

    Parameters have the keys of ``setup_finetune.yaml``; losses are nats a token, times are seconds, memory is GB.
    """
    finals = {task.name: analysis.final_scores(task.name) for task in analysis.tasks}
    keys = list(dict.fromkeys(key for run in analysis.runs for key in run.parameters))
    rows = [_run_row(analysis, run, keys, finals) for run in analysis.runs]
    return _frame(rows, ["run", "directory", "type", "model"])


def _run_row(
    analysis: Analysis, run: RunRecord, keys: list[str], finals: dict[str, dict[str, Score]]
) -> dict[str, Any]:
    row: dict[str, Any] = {
        "run": run.name,
        "directory": run.directory,
        "type": run.type.value,
        "model": run.model,
        "base": run.base,
        **{key: run.parameters.get(key) for key in keys},
    }
    for name in _TRAINING:
        value = getattr(run.training, name) if run.training is not None else None
        row[f"training_{name}"] = getattr(value, "value", value)
    slurm = run.training.slurm if run.training is not None else None
    for name in ("memory_gb", "gpu_utilization_percent", "gpu_memory_gb"):
        row[f"slurm_{name}"] = getattr(slurm, name) if slurm is not None else None
    for task in analysis.tasks:
        score = finals[task.name].get(run.name)
        name = (
            task.name if not {task.name, f"{task.name}_low", f"{task.name}_high"} & row.keys() else f"task {task.name}"
        )
        row |= {name: score.value if score else None, **_interval(score.interval if score else None, f"{name}_")}
    return row


def _interval(interval: Interval | None, prefix: str = "") -> dict[str, float | None]:
    return {f"{prefix}low": interval.low if interval else None, f"{prefix}high": interval.high if interval else None}


def _frame(rows: list[dict[str, Any]], columns: list[str]) -> Any:
    """A frame that has these columns even without a row."""
    import pandas as pd

    return pd.DataFrame(rows).convert_dtypes() if rows else pd.DataFrame(columns=columns)


def evaluations_frame(analysis: Analysis) -> Any:
    """A row a measure of an evaluation, with its interval and its comparison with the base model.

    Evaluations without a log that counts have one row without a score. Epochs are zero-based, empty for base models.
    """
    against = {
        (item.run, item.task, item.epoch, item.measure): item for item in analysis.comparisons if item.against == "base"
    }
    rows = []
    for evaluation in analysis.evaluations:
        for score in evaluation.scores or (None,):
            row = _evaluation_row(analysis, evaluation, score)
            key = evaluation.key
            comparison = against.get((key.run, key.task, key.epoch, score.measure)) if score else None
            row |= {
                "base": comparison.other if comparison else None,
                "difference": comparison.difference if comparison else None,
                **_interval(comparison.interval if comparison else None, "difference_"),
                "p": comparison.p if comparison else None,
                "p_holm": comparison.p_holm if comparison else None,
                "significant": comparison.significant if comparison else None,
            }
            rows.append(row)
    return _frame(rows, ["run", "task", "epoch", "measure", "score"])


def _evaluation_row(analysis: Analysis, evaluation: EvaluationRecord, score: Score | None) -> dict[str, Any]:
    levels = analysis.run(evaluation.key.run).levels
    return {
        "run": evaluation.key.run,
        "task": evaluation.key.task,
        "epoch": _epoch(evaluation.key),
        **{factor.key: levels.get(factor.key) for factor in analysis.factors},
        "state": evaluation.state.value,
        "reason": evaluation.reason,
        "measure": score.measure if score else None,
        "score": score.value if score else None,
        "n": score.n if score else None,
        **_interval(score.interval if score else None),
        "interval": score.interval.method if score and score.interval else None,
        "stderr": score.stderr if score else None,
        "logged": score.logged if score else None,
        "samples": evaluation.samples,
        "completed": evaluation.completed,
        "elapsed_s": evaluation.elapsed_s,
        "total_tokens": evaluation.total_tokens,
        "attempts": evaluation.attempts,
        "log": evaluation.log,
    }


def _epoch(key: EvaluationKey) -> int | None:
    return key.epoch if key.epoch >= 0 else None


def samples_frame(analysis: Analysis) -> Any:
    """A row a sample, repetition and measure: prompt, target, answer and value, of every evaluation that counts."""
    import pandas as pd

    names = ("run", "task", "epoch", "measure", "sample", "repeat", "value", "answer", "target", "prompt", "error")
    columns: dict[str, list[Any]] = {name: [] for name in names}
    for key, samples in analysis.samples.items():
        for measure, values in samples.values.items():  # noqa: PD011  not a frame
            count = len(values)
            same = {"run": key.run, "task": key.task, "epoch": _epoch(key), "measure": measure}
            for name, value in same.items():
                columns[name] += [value] * count
            columns["sample"] += samples.ids
            columns["repeat"] += samples.repeats
            columns["value"] += values
            columns["answer"] += samples.answers
            columns["target"] += samples.targets
            columns["prompt"] += samples.prompts
            columns["error"] += samples.errors
    return pd.DataFrame(columns).astype({"epoch": "Int64", "value": "Float64"})


def curves_frame(analysis: Analysis) -> Any:
    """A row a logged step of a training: run, step, epoch, loss, learning rate, and the validation loss where it is.

    A validation after a step that was not logged has a row of its own.
    """
    rows = []
    for run in analysis.runs:
        if run.training is None:
            continue
        curve = run.training.curve
        names = ("epoch", "loss", "learning_rate", "seconds")
        columns = zip(curve.epochs, curve.losses, curve.learning_rates, curve.seconds, strict=True)
        logged = dict(zip(curve.steps, columns, strict=True))
        validation = dict(zip(curve.validation_steps, curve.validation_losses, strict=True))
        for step in sorted(logged.keys() | validation.keys()):
            values = dict(zip(names, logged.get(step, (None,) * len(names)), strict=True))
            rows.append({"run": run.name, "step": step, **values, "validation_loss": validation.get(step)})
    return _frame(rows, ["run", "step", "epoch", "loss", "learning_rate", "seconds", "validation_loss"])


def comparisons_frame(analysis: Analysis) -> Any:
    """A row a comparison of two runs on the same samples."""
    rows = []
    for item in analysis.comparisons:
        row = {name: value for name, value in vars(item).items() if name != "interval"}
        row |= {
            "epoch": item.epoch if item.epoch >= 0 else None,
            "other_epoch": item.other_epoch if item.other_epoch >= 0 else None,
        }
        rows.append(row | _interval(item.interval, "difference_"))
    return _frame(rows, ["against", "task", "measure", "run", "other", "difference", "p", "p_holm", "significant"])


def effects_frame(analysis: Analysis) -> Any:
    """A row a level of a main effect or a cell of an interaction, with the effect's test."""
    rows: list[dict[str, Any]] = []
    for effect in analysis.effects:
        test = {
            "task": effect.task,
            "measure": effect.measure,
            "effect": " × ".join(effect.labels),
            "test": effect.test or None,
            "f": effect.statistic,
            "df": effect.df[0] if effect.df else None,
            "df_error": effect.df[1] if effect.df else None,
            "p": effect.p,
            "p_holm": effect.p_holm,
            "significant": effect.significant,
            "generalizes": effect.generalizes or None,
            "partial_eta_squared": effect.partial_eta_squared,
            "note": effect.note or None,
        }
        rows += [
            test | {"level": level.level, "runs": level.runs, "mean": level.mean, **_interval(level.interval)}
            for level in effect.levels
        ]
        rows += [
            test | {"level": f"{cell.first} × {cell.second}", "runs": cell.runs, "mean": cell.mean}
            for cell in effect.cells
        ]
    return _frame(rows, ["task", "measure", "effect", "level", "runs", "mean", "p", "p_holm", "significant"])
