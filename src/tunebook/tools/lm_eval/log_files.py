"""Reads the files that lm-evaluation-harness writes about an evaluation: results, and the samples of each task."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean
from typing import Any

from tunebook.core.json_text import parse_json
from tunebook.core.numbers import digits
from tunebook.disk.read import open_regular, read_json
from tunebook.tools.lm_eval.log_metrics import logged_directions, logged_metrics, measure_name
from tunebook.tools.results import LogHeader, Samples
from tunebook.tools.runtime.lm_eval_answers import is_question, logged_answer, logged_prompt, logged_target
from tunebook.tools.runtime.lm_eval_log import samples_file
from tunebook.tools.sample_metadata import metadata_columns

__all__ = ["read_header", "read_task_samples"]

_LONGEST_TEXT = 1000
_PACKAGES = {"lm-eval": "lm_eval_version", "transformers": "transformers_version"}

_LONGEST_LINE = 1 << 25  # bytes of one sample
_MOST_RESULTS_BYTES = 1 << 25
_SCALARS = (bool, int, float)

_Row = dict[str, Any]
_Measure = tuple[str, str]
"""A metric and a filter."""


def read_header(file: Path) -> LogHeader:
    """The header of an evaluation: lm-eval writes no results of one that failed.

    Raises:
        ValueError: the file is not what lm-eval writes; so are KeyError and TypeError.
    """
    results = _read(file)
    own = results.get("tunebook", {})
    samples = sum(int(numbers["effective"]) for numbers in results["n-samples"].values())
    versions = {name: str(results[key]) for name, key in _PACKAGES.items() if results.get(key)}
    return LogHeader(
        status="success",
        created=datetime.fromtimestamp(float(results["date"]), UTC).isoformat(),
        model=str(results["model_name"]),
        task=str(own.get("task") or next(iter(results["results"]))),
        task_file=str(own.get("script") or ""),
        dataset=str(own.get("dataset") or ""),
        samples=samples,
        completed=samples,
        packages=versions,
        metrics=logged_metrics(results),
        directions=logged_directions(results),
    )


def _read(file: Path) -> Mapping[str, Any]:
    values = read_json(file, most=_MOST_RESULTS_BYTES)
    if not isinstance(values, dict):
        raise ValueError("it holds no object")  # noqa: TRY004  a wrong file
    return values


def read_task_samples(file: Path) -> Samples:
    """The samples of an evaluation, which are in a file per task beside its results.

    Raises:
        ValueError: a file is torn; so are KeyError and TypeError. OSError: it is missing.
    """
    results = _read(file)
    rows = _rows(file, results)
    measures = dict.fromkeys(measure for row in rows for measure in row["values"])
    values = {}
    for measure in measures:
        values[measure] = tuple(row["values"].get(measure) for row in rows)
    return Samples(
        ids=_column(rows, "id"),
        repeats=(1,) * len(rows),
        prompts=_column(rows, "prompt"),
        targets=_column(rows, "target"),
        answers=_column(rows, "answer"),
        errors=("",) * len(rows),
        values=values,
        tokens=int(results.get("tunebook", {}).get("tokens", 0)),
        metadata=metadata_columns(_column(rows, "metadata")),
    )


def _rows(file: Path, results: Mapping[str, Any]) -> list[_Row]:
    """The samples of all tasks, in the order of tasks and ids."""
    tasks = list(results["configs"])
    rows: dict[str, _Row] = {}
    for task in tasks:
        found = _TaskSamples()
        for line in _lines(file, task):
            found.add(line)
        averaged = found.averaged(results["results"].get(task) or {})
        found.add_rows(rows, averaged, prefix=f"{task}/" if len(tasks) > 1 else "")
    return [rows[name] for name in sorted(rows, key=_id_key)]


def _column(rows: Sequence[_Row], name: str) -> tuple[Any, ...]:
    return tuple(row[name] for row in rows)


def _lines(results: Path, task: str) -> Iterator[_Row]:
    """The samples of a task, one after the other: a file may have gigabytes of prompts."""
    file = samples_file(results, task)
    with open_regular(file) as stream:
        number = 0
        while line := stream.readline(_LONGEST_LINE):
            number += 1
            if len(line) == _LONGEST_LINE:
                raise ValueError(f"{file.name}:{number} has more than {_LONGEST_LINE:,} bytes, and no more are read")
            yield parse_json(line)


class _TaskSamples:
    """The parts of a task's samples that are kept; whether a measure has values of samples is known at the end."""

    def __init__(self) -> None:
        self._rows: dict[str, _Row] = {}
        self._numbers: dict[_Measure, list[float]] = {}
        self._filters: set[str] = set()

    def add(self, line: _Row) -> None:
        """Adds a line; a sample has one per filter."""
        self._filters.add(line["filter"])
        doc = line["doc"] if isinstance(line["doc"], dict) else {}
        name = str(doc["id"]) if is_question(doc) else str(line["doc_id"])
        if name not in self._rows:
            self._rows[name] = _new_row(line, doc)
        values = self._rows[name]["values"]
        for metric in line["metrics"]:
            number = _number(line[metric])
            values[metric, line["filter"]] = number
            numbers = self._numbers.setdefault((metric, line["filter"]), [])
            if number is not None:
                numbers.append(number)

    def averaged(self, reported: Mapping[str, Any]) -> set[_Measure]:
        """The measures, each with its filter, that are the mean of what lm-eval logs of each sample.

        Others, such as a perplexity or an F1 score, are computed of all samples together: a sample has no score.
        """
        found = set()
        for (metric, filtering), values in self._numbers.items():
            mean = _number(reported.get(f"{metric},{filtering}"))
            if values and (mean is None or math.isclose(mean, fmean(values), rel_tol=1e-6, abs_tol=1e-9)):
                found.add((metric, filtering))
        return found

    def add_rows(self, rows: dict[str, _Row], averaged: AbstractSet[_Measure], *, prefix: str) -> None:
        """Hands the samples over with the values of these measures."""
        for name, row in self._rows.items():
            values = {}
            for (metric, filtering), value in row["values"].items():
                if (metric, filtering) in averaged:
                    values[measure_name(metric, filtering, self._filters)] = value
            rows[f"{prefix}{name}"] = row | {"id": f"{prefix}{name}", "values": values}


def _new_row(line: _Row, doc: Mapping[Any, Any]) -> _Row:
    """A sample without its values; a question that tunebook wrote has no columns beside its text."""
    is_ours = is_question(doc)
    prompt = str(doc["input"]) if is_ours else logged_prompt(line)
    metadata = {} if is_ours else {str(key): _short(value) for key, value in doc.items()}
    return {
        "prompt": prompt[:_LONGEST_TEXT],
        "target": logged_target(line)[:_LONGEST_TEXT],
        "answer": logged_answer(line).strip()[:_LONGEST_TEXT],
        "values": {},
        "metadata": metadata,
    }


def _short(value: Any) -> Any:
    """A column's value as far as metadata can use it: the rest of a long text tells no groups apart."""
    if isinstance(value, str):
        return value[:_LONGEST_TEXT]
    return value if isinstance(value, _SCALARS) else None


def _number(value: Any) -> float | None:
    """A measure of one sample; measures of whole tasks, such as perplexity, log parts of a sum instead."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _id_key(name: str) -> tuple[str, int, str]:
    """Orders by task, and by number where ids are numbers."""
    task, _, number = name.rpartition("/")
    whole = digits(number)
    if whole is not None:
        return task, whole, ""
    return task, -1, number
