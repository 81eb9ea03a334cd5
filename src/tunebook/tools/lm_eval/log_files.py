"""Reads the files that lm-evaluation-harness writes about an evaluation: results, and the samples of each task."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean
from typing import Any

from tunebook.core.json_text import parse_json
from tunebook.disk.read import read_json
from tunebook.tools.lm_eval.log_metrics import logged_directions, logged_metrics, measure_name
from tunebook.tools.results import LogHeader, Samples
from tunebook.tools.runtime.lm_eval_log import samples_file
from tunebook.tools.sample_metadata import metadata_columns

__all__ = ["read_header", "read_task_samples"]

_LONGEST_TEXT = 1000
_PACKAGES = {"lm-eval": "lm_eval_version", "transformers": "transformers_version"}

_Row = dict[str, Any]


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
    values = read_json(file)
    if not isinstance(values, dict):
        raise ValueError("it holds no object")  # noqa: TRY004  a wrong file
    return values


def read_task_samples(file: Path) -> Samples:
    """The samples of an evaluation, which are in a file per task beside its results.

    Raises:
        ValueError: a file is torn; so are KeyError and TypeError. OSError: it is missing.
    """
    results = _read(file)
    tasks = list(results["configs"])
    rows: dict[str, _Row] = {}
    for task in tasks:
        lines = _lines(file, task)
        averaged = _averaged(lines, results["results"].get(task) or {})
        _add_rows(rows, lines, averaged, prefix=f"{task}/" if len(tasks) > 1 else "")
    ordered = [rows[name] for name in sorted(rows, key=_id_key)]
    measures = dict.fromkeys(measure for row in ordered for measure in row["values"])
    return Samples(
        ids=tuple(row["id"] for row in ordered),
        repeats=(1,) * len(ordered),
        prompts=tuple(row["prompt"] for row in ordered),
        targets=tuple(row["target"] for row in ordered),
        answers=tuple(row["answer"] for row in ordered),
        errors=("",) * len(ordered),
        values={measure: tuple(row["values"].get(measure) for row in ordered) for measure in measures},
        tokens=int(results.get("tunebook", {}).get("tokens", 0)),
        metadata=metadata_columns([row["metadata"] for row in ordered]),
    )


def _lines(results: Path, task: str) -> list[_Row]:
    with samples_file(results, task).open(encoding="utf-8", newline="\n") as lines:
        return [parse_json(line) for line in lines]


def _averaged(lines: Sequence[_Row], reported: Mapping[str, Any]) -> set[tuple[str, str]]:
    """The measures of a task, each with its filter, that are the mean of what lm-eval logs of each sample.

    Others, such as a perplexity or an F1 score, are computed of all samples together: a sample has no score of them.
    """
    numbers: dict[tuple[str, str], list[float]] = {}
    for line in lines:
        for metric in line["metrics"]:
            number = _number(line[metric])
            if number is not None:
                numbers.setdefault((metric, line["filter"]), []).append(number)
    found = set()
    for (metric, filtering), values in numbers.items():
        mean = _number(reported.get(f"{metric},{filtering}"))
        if mean is None or math.isclose(mean, fmean(values), rel_tol=1e-6, abs_tol=1e-9):
            found.add((metric, filtering))
    return found


def _add_rows(
    rows: dict[str, _Row], lines: Sequence[_Row], averaged: AbstractSet[tuple[str, str]], *, prefix: str
) -> None:
    """Adds a task's samples; a sample has a line per filter.

    Args:
        averaged: the measures that samples have, with their filters.
    """
    filters = {line["filter"] for line in lines}
    for line in lines:
        doc = line["doc"] if isinstance(line["doc"], dict) else {}
        is_ours = {"id", "input", "prompt", "target"} == doc.keys()
        name = prefix + (str(doc["id"]) if is_ours else str(line["doc_id"]))
        row = rows.setdefault(
            name,
            {
                "id": name,
                "prompt": (str(doc["input"]) if is_ours else _prompt(line))[:_LONGEST_TEXT],
                "target": _target(line)[:_LONGEST_TEXT],
                "answer": _answer(line)[:_LONGEST_TEXT],
                "values": {},
                "metadata": {} if is_ours else doc,
            },
        )
        for metric in line["metrics"]:
            if (metric, line["filter"]) not in averaged:
                continue
            row["values"][measure_name(metric, line["filter"], filters)] = _number(line[metric])


def _prompt(line: _Row) -> str:
    """The text that the model continued, without what it was asked to rate."""
    request = next(iter(line["arguments"].values()))
    return str(request["arg_0"])


def _target(line: _Row) -> str:
    """The right answer; for a number among choices the choice's text, as for the answer."""
    target = str(line["target"])
    requests = list(line["arguments"].values())
    if len(requests) > 1 and target.isdecimal() and int(target) < len(requests):
        return str(requests[int(target)].get("arg_1", "")).strip() or target
    return target


def _answer(line: _Row) -> str:
    """The text that the model wrote, or the choice that it found most probable."""
    answers = line["filtered_resps"]
    if len(answers) == 1:
        only = answers[0]
        return (only if isinstance(only, str) else json.dumps(only, ensure_ascii=False)).strip()
    if answers and all(isinstance(answer, list) and answer for answer in answers):
        likelihoods = [_number(answer[0]) for answer in answers]
        best = max(range(len(answers)), key=lambda place: _rank(likelihoods[place]))
        request = list(line["arguments"].values())[best]
        return str(request.get("arg_1", "")).strip()
    return json.dumps(answers, ensure_ascii=False)


def _rank(likelihood: float | None) -> float:
    return -math.inf if likelihood is None else likelihood


def _number(value: Any) -> float | None:
    """A measure of one sample; measures of whole tasks, such as perplexity, log parts of a sum instead."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _id_key(name: str) -> tuple[str, int, str]:
    """Orders by task, and by number where ids are numbers."""
    task, _, number = name.rpartition("/")
    if number.isdecimal() and number.isascii():
        return task, int(number), ""
    return task, -1, number
