"""The analysis as plain rows and as data frames of them: runs, scores, samples, steps, tests, levels, hypotheses."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from operator import itemgetter
from typing import Any

from tunebook.analysis.aggregate_rows import aggregate_rows, aggregates_frame, group_rows, groups_frame
from tunebook.analysis.effect_rows import EFFECT_COLUMNS, effect_rows, plain_effects
from tunebook.analysis.records import EvaluationRecord, Family, Score, Training
from tunebook.analysis.row_parts import bounds, epoch_number, family_parts, frame_of
from tunebook.analysis.statistics.hypotheses import HypothesisResult
from tunebook.analysis.statistics.pairwise import Comparison
from tunebook.analysis.values import Analysis

__all__ = ["FRAMES", "plain_rows"]

_SLURM = ("memory_gb", "gpu_utilization_percent", "gpu_memory_gb")
_PROOF = ("trained", "evaluated")
_IN_PARTS = {"curve", "proof", "slurm", "source"}
_CURVE = ("epoch", "loss", "learning_rate", "seconds")

_Row = dict[str, Any]


def _runs_frame(analysis: Analysis) -> Any:
    """One row per run: its parameters, its training, and its last score on each task with the interval.

    Parameters have the keys of ``setup_finetune.yaml``; losses are nats per token, times are seconds, memory is GB.
    ``proof_trained`` and ``proof_evaluated`` are the held-out losses of the last checkpoint.
    """
    keys = list(dict.fromkeys(key for run in analysis.runs for key in run.parameters))
    finals = {task.name: analysis.final_scores(task.name) for task in analysis.tasks}
    rows = []
    for run in analysis.runs:
        row: _Row = {
            "run": run.name,
            "directory": run.directory,
            "type": run.type.value,
            "model": run.model,
            "base": run.base,
            **{key: run.parameters.get(key) for key in keys},
            **_training(run.training),
        }
        for task, scores in finals.items():
            row |= _final_score(task, scores.get(run.name), row)
        rows.append(row)
    return frame_of(rows, ["run", "directory", "type", "model"])


def _training(training: Training | None) -> _Row:
    slurm = proof = None
    if training is not None:
        slurm = training.slurm
        proof = training.proof[-1] if training.proof else None
    names = [each.name for each in fields(Training) if each.name not in _IN_PARTS]
    row = _picked(training, {f"training_{name}": name for name in (*names, "source")})
    if training is not None:
        row["training_state"] = training.state.value
    row |= _picked(proof, {f"proof_{name}": name for name in _PROOF})
    return row | _picked(slurm, {f"slurm_{name}": name for name in _SLURM})


def _picked(value: Any, names: Mapping[str, str]) -> _Row:
    """Column to the attribute of a value that it shows; empty columns without a value."""
    return {column: None if value is None else getattr(value, name) for column, name in names.items()}


def _final_score(task: str, score: Score | None, row: _Row) -> _Row:
    """The score's columns; a task that is called like a column of the row has a prefix."""
    name = task
    if {name, f"{name}_low", f"{name}_high"} & row.keys():
        name = f"task {task}"
    if score is None:
        return {name: None, **bounds(None, f"{name}_")}
    return {name: score.value, **bounds(score.interval, f"{name}_")}


def _evaluations_frame(analysis: Analysis) -> Any:
    """One row per measure of an evaluation, with its interval and its comparison with the base model.

    Evaluations without a log that counts have one row without a score. Epochs are zero-based, empty for base models.
    """
    return frame_of(_evaluation_rows(analysis), ["run", "task", "epoch", "measure", "score"])


def _evaluation_rows(analysis: Analysis) -> list[_Row]:
    compared = analysis.comparisons_with("base")
    rows = []
    for evaluation in analysis.evaluations:
        for score in evaluation.scores or (None,):
            comparison = None
            if score is not None:
                comparison = compared.get((evaluation.key, score.measure))
            rows.append(_evaluation(analysis, evaluation, score) | _against_base(comparison))
    return rows


def _evaluation(analysis: Analysis, evaluation: EvaluationRecord, score: Score | None) -> _Row:
    key, interval = evaluation.key, None
    if score is not None:
        interval = score.interval
    levels = analysis.run_of[key.run].levels
    counts = ("samples", "completed", "elapsed_s", "total_tokens", "attempts", "log")
    return {
        "run": key.run,
        "task": key.task,
        "epoch": key.trained_epoch,
        **{factor.key: levels.get(factor.key) for factor in analysis.factors},
        "state": evaluation.state.value,
        "reason": evaluation.reason,
        **_picked(score, {"measure": "measure", "score": "value", "n": "n"}),
        **bounds(interval),
        **_picked(interval, {"interval": "method"}),
        **_picked(score, {name: name for name in ("stderr", "missing", "no_answers")}),
        **_picked(score, {name: name for name in ("logged", "logged_metric", "logged_note")}),
        **{name: getattr(evaluation, name) for name in counts},
    }


def _against_base(comparison: Comparison | None) -> _Row:
    interval = None
    if comparison is not None:
        interval = comparison.interval
    row = _picked(comparison, {"base": "other", "difference": "difference"}) | bounds(interval, "difference_")
    return row | _picked(comparison, {"p": "p", "p_holm": "p_holm", "significant": "significant"})


def _samples_frame(analysis: Analysis) -> Any:
    """One row per sample, repetition and measure: prompt, target, answer and value, of every evaluation that counts."""
    import pandas as pd

    names = ("run", "task", "epoch", "measure", "sample", "repeat", "value", "answer", "target", "prompt", "error")
    columns: dict[str, list[Any]] = {name: [] for name in names}
    for key, samples in analysis.samples.items():
        for measure, values in samples.values.items():  # noqa: PD011  not a frame
            same = [(value,) * len(values) for value in (key.run, key.task, key.trained_epoch, measure)]
            texts = (samples.answers, samples.targets, samples.prompts, samples.errors)
            own = (*same, samples.ids, samples.repeats, values, *texts)
            for name, added in zip(names, own, strict=True):
                columns[name] += added
    return pd.DataFrame(columns).astype({"epoch": "Int64", "value": "Float64"})


def _curves_frame(analysis: Analysis) -> Any:
    """One row per logged step of a training: run, step, epoch, loss, learning rate, and the validation loss if any.

    A validation after a step that was not logged has a row of its own.
    """
    names = ["run", "step", *_CURVE, "validation_loss"]
    columns: dict[str, list[Any]] = {name: [] for name in names}  # a long training has too many steps for a row each
    for run in analysis.runs:
        if run.training is None:
            continue
        curve = run.training.curve
        values = zip(curve.epochs, curve.losses, curve.learning_rates, curve.seconds, strict=True)
        logged = dict(zip(curve.steps, values, strict=True))
        validation = dict(zip(curve.validation_steps, curve.validation_losses, strict=True))
        for step in sorted(logged.keys() | validation.keys()):
            own = (run.name, step, *logged.get(step, (None,) * len(_CURVE)), validation.get(step))
            for name, value in zip(names, own, strict=True):
                columns[name].append(value)
    return frame_of(columns, names)


def _comparisons_frame(analysis: Analysis) -> Any:
    """One row per comparison of two runs on the same samples."""
    columns = ["against", "task", "measure", "run", "other", "difference", "p", "p_holm", "significant"]
    return frame_of([_comparison(item, "difference_") for item in analysis.comparisons], columns)


def _comparison(item: Comparison, prefix: str) -> _Row:
    row = vars(item) | {"epoch": epoch_number(item.epoch), "other_epoch": epoch_number(item.other_epoch)}
    del row["interval"], row["simultaneous"]
    row |= {"family": item.family.name, "family_size": item.family.size, "correction": item.family.correction}
    return row | bounds(item.interval, prefix) | bounds(item.simultaneous, f"{prefix}simultaneous_")


def _ranking_frame(analysis: Analysis) -> Any:
    """One row per setting, task and measure, the best first, with its difference from the best one."""
    rows = []
    for item in analysis.ranking:
        family = item.family or Family("", 0, "")
        row: _Row = {"task": item.task, "measure": item.measure, "setting": item.setting, "runs": len(item.runs)}
        row |= {"value": item.value} | bounds(item.interval) | {"corrected": item.corrected}
        row |= {"difference": item.difference} | bounds(item.difference_interval, "difference_")
        row |= bounds(item.simultaneous, "difference_simultaneous_")
        row |= {name: getattr(item, name) for name in ("test", "n", "p", "p_holm", "significant", "generalizes")}
        row |= family_parts(family)
        rows.append(row)
    return frame_of(rows, ["task", "measure", "setting", "runs", "value", "difference", "p", "p_holm", "significant"])


def _effects_frame(analysis: Analysis) -> Any:
    """One row per level of a main effect or cell of an interaction, per trend, and per simple effect."""
    return frame_of(effect_rows(analysis), list(EFFECT_COLUMNS))


_CONTRASTED = ("task", "other_task", "measure", "margin", "left", "right", "difference")
_JUDGED = ("test", "generalizes", "n", "runs", "p", "p_holm", "p_against", "p_against_holm", "significant")


def _hypotheses_frame(analysis: Analysis) -> Any:
    """One row per hypothesis of the plan; ``when`` and ``frozen`` say since when it is on the plan."""
    rows = [_hypothesis(item) for item in analysis.hypotheses]
    return frame_of(rows, ["hypothesis", "contrast", "verdict", "difference", "p", "p_holm"])


def _hypothesis(item: HypothesisResult) -> _Row:
    row: _Row = {
        "hypothesis": item.name,
        "contrast": item.contrast,
        "verdict": item.verdict.value,
        "reason": item.reason or None,
        "exploratory": item.is_exploratory,
        "frozen": item.frozen.time or None,
        "when": item.frozen.when.value if item.frozen.when is not None else None,
        "removed": item.frozen.removed or None,
    }
    row |= {name: getattr(item, name) for name in _CONTRASTED} | bounds(item.interval)
    row["interval"] = item.interval.level if item.interval is not None else None
    row |= {name: getattr(item, name) for name in _JUDGED}
    row["family"] = item.family.name
    return row | {"tests": item.family.size, "correction": item.family.correction}


FRAMES: Mapping[str, Callable[[Analysis], Any]] = {
    "runs": _runs_frame,
    "evaluations": _evaluations_frame,
    "comparisons": _comparisons_frame,
    "ranking": _ranking_frame,
    "effects": _effects_frame,
    "hypotheses": _hypotheses_frame,
    "aggregates": aggregates_frame,
    "groups": groups_frame,
    "curves": _curves_frame,
    "samples": _samples_frame,
}
"""The data frames by their names."""

_SCORE = ("run", "task", "epoch", "measure", "score", "n", "low", "high", "interval")
_COMPARED = ("run", "epoch", "against", "other", "task", "measure", "difference", "low", "high")
_TESTED = ("test", "n", "p", "p_holm", "significant", "family", "family_size", "correction")


def plain_rows(analysis: Analysis) -> dict[str, list[_Row]]:
    """Scores, comparisons and effects as plain values: scores are fractions, epochs ``None`` for base models."""
    scored = filter(itemgetter("measure"), _evaluation_rows(analysis))
    compared = [_comparison(item, "") for item in analysis.comparisons]
    return {
        "scores": _only(scored, _SCORE),
        "comparisons": _only(compared, (*_COMPARED, *_TESTED)),
        "effects": plain_effects(analysis),
        "hypotheses": [_hypothesis(item) for item in analysis.hypotheses],
        "aggregates": aggregate_rows(analysis),
        "groups": group_rows(analysis),
    }


def _only(rows: Iterable[_Row], names: Sequence[str]) -> list[_Row]:
    """The rows with only these columns."""
    return [{name: row[name] for name in names} for row in rows]
