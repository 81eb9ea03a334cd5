"""The samples that the page carries for its browser of any two runs: every run's value and answer, within 5 MB."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tunebook.analysis.charts import marks
from tunebook.analysis.formatting import plural
from tunebook.analysis.records import EvaluationKey, TaskUse
from tunebook.analysis.report.content import Browser
from tunebook.analysis.statistics.scores import sample_values
from tunebook.analysis.values import Analysis
from tunebook.tools.results import Samples

__all__ = ["sample_browser"]

_BUDGET = 5_000_000  # letters of all tasks together
_CELL = 10  # letters of one run's value and of its answer's number
_LENGTHS = (1000, 400, 160, 60)  # letters of a prompt, target or answer; the first that fits
_LEAST_RUNS = 2
_MOST_GROUPS, _MOST_VALUES = 4, 30  # columns to choose samples by, and values of such a column

_Columns = dict[str, tuple[Samples, dict[str, int]]]  # run to its samples, and where each id's last repetition is


def sample_browser(analysis: Analysis, budget: int = _BUDGET) -> Browser | None:
    """The samples of each task with two runs or more; ``None`` if no task has them.

    Args:
        budget: the most letters that the page may carry.
    """
    tasks: list[dict[str, Any]] = []
    notes: list[str] = []
    share = budget // max(1, len(analysis.tasks))
    for task in analysis.tasks:
        columns = _columns(analysis, task)
        if len(columns) >= _LEAST_RUNS:
            data, note = _task_data(analysis, task, columns, share)
            tasks.append(data)
            notes += filter(None, [note])
    if not tasks:
        return None
    return Browser(tuple(tasks), " ".join(notes))


def _columns(analysis: Analysis, task: TaskUse) -> _Columns:
    """The samples of each run's last evaluated epoch."""
    found: _Columns = {}
    for run, score in analysis.final_scores(task.name).items():
        samples = analysis.samples.get(score.evaluation)
        if samples is not None and samples.ids:
            found[run] = samples, {sample: place for place, sample in enumerate(samples.ids)}
    return found


def _task_data(analysis: Analysis, task: TaskUse, columns: _Columns, budget: int) -> tuple[dict[str, Any], str]:
    """A task as JSON, and the sentence on what is left out."""
    known: dict[str, tuple[Samples, int]] = {}  # id to its data: that of the first run which has it
    for samples, places in columns.values():
        for sample, place in places.items():
            known.setdefault(sample, (samples, place))
    most = max(1, budget // 2 // (_CELL * len(columns)))
    ids = list(known)[:most]
    length = _length(columns, known, ids, budget - _CELL * len(ids) * len(columns))
    texts: dict[str, int] = {}
    runs = list(_runs(analysis, task, columns, known, ids, length, texts))
    measure = task.headline
    shown = [known[sample] for sample in ids]
    data = {
        "name": task.name,
        "measure": measure.name,
        "direction": measure.direction.value,
        "percent": measure.is_share,
        "ids": ids,
        "prompts": [samples.prompts[place][:length] for samples, place in shown],
        "targets": [samples.targets[place][:length] for samples, place in shown],
        "groups": _groups(shown),
        "texts": list(texts),
        "runs": runs,
        "pair": _first_pair(analysis, task, list(columns)),
    }
    return data, _note(task, len(ids), len(known), length, _is_cut(columns, length))


def _length(columns: _Columns, known: Mapping[str, tuple[Samples, int]], ids: Sequence[str], budget: int) -> int:
    """How many letters of each text fit."""
    for length in _LENGTHS[:-1]:
        answers: set[str] = set()
        size = 0
        for samples, place in map(known.__getitem__, ids):
            size += len(samples.prompts[place][:length]) + len(samples.targets[place][:length])
        for samples, places in columns.values():
            answers |= {samples.answers[places[sample]][:length] for sample in ids if sample in places}
        if size + sum(map(len, answers)) <= budget:
            return length
    return _LENGTHS[-1]


def _runs(
    analysis: Analysis,
    task: TaskUse,
    columns: _Columns,
    known: Mapping[str, tuple[Samples, int]],
    ids: Sequence[str],
    length: int,
    texts: dict[str, int],
) -> Iterator[dict[str, Any]]:
    """Each run's values and answers, in the order of the ids; an answer is its number among the different texts."""
    for run, (samples, places) in columns.items():
        values = sample_values(samples, task.headline.name)
        own: list[float | None] = []
        answers: list[int] = []
        for sample in ids:
            first, at = known[sample]
            place = places.get(sample)
            if place is None or samples.targets[place] != first.targets[at]:
                own.append(None)  # it has no such sample, or another one with this id
                answers.append(-1)
                continue
            own.append(marks.compact(values.get(sample), 4))
            answers.append(texts.setdefault(samples.answers[place][:length], len(texts)))
        yield {"name": analysis.labels[run], "values": own, "answers": answers}


def _groups(shown: Sequence[tuple[Samples, int]]) -> dict[str, list[str]]:
    """The data set's columns with few values, by which readers choose samples."""
    found: dict[str, list[str]] = {}
    names = dict.fromkeys(name for samples, _ in shown for name in samples.metadata)
    for name in names:
        values = []
        for samples, place in shown:
            column = samples.metadata.get(name)
            values.append(str(column[place] or "") if column is not None else "")
        if 1 < len(set(values)) <= _MOST_VALUES and len(found) < _MOST_GROUPS:
            found[name] = values
    return found


def _first_pair(analysis: Analysis, task: TaskUse, runs: Sequence[str]) -> list[int]:
    """The runs that are shown first: the best one beside its base model."""
    best = analysis.best_score(task.name)
    if best is None:
        return [0, 1]
    key: EvaluationKey = best.evaluation
    base = analysis.run_of[key.run].base
    if key.run not in runs or base not in runs:
        return [0, 1]
    return [runs.index(base), runs.index(key.run)]


def _is_cut(columns: _Columns, length: int) -> bool:
    return length < _LENGTHS[0] and any(
        len(text) > length for samples, _ in columns.values() for text in (*samples.answers, *samples.prompts)
    )


def _note(task: TaskUse, shown: int, total: int, length: int, is_cut: bool) -> str:  # noqa: FBT001
    parts = []
    if shown < total:
        parts.append(f"the first {shown} of {plural(total, 'sample')}")
    if is_cut:
        parts.append(f"the first {length} letters of each text")
    if not parts:
        return ""
    return f"Of {task.name} this page has {' and '.join(parts)}."
