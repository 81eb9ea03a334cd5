"""Reads the samples of inspect-ai's logs through its ``samples_df``, and remembers those of unchanged files."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from tunebook.analysis.eval_logs import LogHeader, UnreadableLog, first_line, opened, quiet
from tunebook.analysis.records import Samples
from tunebook.core.paths import STATE_DIRECTORY

__all__ = ["SAMPLE_CACHE", "as_number", "read_samples"]

SAMPLE_CACHE = f"{STATE_DIRECTORY}/analysis/samples.parquet"
_LETTERS = {"C": 1.0, "I": 0.0, "P": 0.5, "N": 0.0}
_WORDS = {"yes": 1.0, "no": 0.0, "true": 1.0, "false": 0.0}
_AT_ONCE = 100  # a process may have 1,024 files open
_COLUMNS = ("log", "stamp", "id", "repeat", "prompt", "target", "error", "tokens", "scores", "answer")


def as_number(value: Any) -> float | None:
    """A scorer's value as a number: ``C`` is 1, ``P`` 0.5, ``I`` and ``N`` (no answer) 0, as inspect-ai has it.

    What is none is ``None``, where inspect-ai's own ``value_to_float`` makes it 0 with a warning.
    """
    if isinstance(value, str):
        if value in _LETTERS:
            return _LETTERS[value]
        if value.lower() in _WORDS:
            return _WORDS[value.lower()]
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, int | float) and math.isfinite(value):
        return float(value)
    return None


def read_samples(
    experiment: Path, headers: Sequence[LogHeader], *, use_cache: bool = True
) -> tuple[dict[str, Samples], tuple[UnreadableLog, ...]]:
    """The samples of each log by the log's path; prompts, targets and answers of at most 1,000 characters each."""
    wanted = {header.path: _stamp(header) for header in headers}
    rows = _cached(experiment, wanted) if use_cache else {}
    fresh = [header for header in headers if header.path not in rows]
    read, bad = _read(experiment, fresh) if fresh else ({}, ())
    rows |= read
    if read and use_cache:
        _remember(experiment, rows, wanted)
    return {path: _samples(rows[path]) for path in wanted if path in rows}, bad


def _stamp(header: LogHeader) -> str:
    return f"{header.size}.{header.mtime_ns}"


_Row = dict[str, Any]


def _cached(experiment: Path, wanted: Mapping[str, str]) -> dict[str, list[_Row]]:
    path = experiment / SAMPLE_CACHE
    if not path.is_file():
        return {}
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException):
        return {}
    if set(table.column_names) != set(_COLUMNS):  # of another version
        return {}
    found: dict[str, list[_Row]] = {}
    for row in table.to_pylist():
        if wanted.get(row["log"]) == row["stamp"]:
            found.setdefault(row["log"], []).append(row)
    return found


def _remember(experiment: Path, rows: Mapping[str, list[_Row]], stamps: Mapping[str, str]) -> None:
    import pyarrow as pa

    from tunebook.analysis.data_files import write_parquet

    flat = [row | {"log": path, "stamp": stamps[path]} for path in sorted(rows) for row in rows[path]]
    write_parquet(experiment / SAMPLE_CACHE, pa.Table.from_pylist(flat))


def _read(experiment: Path, headers: Sequence[LogHeader]) -> tuple[dict[str, list[_Row]], tuple[UnreadableLog, ...]]:
    bad: list[UnreadableLog] = []
    logs: dict[str, Any] = {}
    found: dict[str, list[_Row]] = {}
    with quiet():
        for header in headers:
            try:
                log = opened(experiment / header.path)
            except Exception as error:  # noqa: BLE001  it was replaced or torn since its header was read
                bad.append(UnreadableLog(header.path, first_line(error)))
            else:
                logs[log.location] = log
                found[header.path] = []
        names = dict(zip(logs, found, strict=True))
        for location, row in _many(list(logs.values())):
            found[names[location]].append(row)
        left = {location: log for location, log in logs.items() if not found[names[location]]}
        for location, row in _one_by_one(left, names, bad):  # torn, or a copy, which the common frame leaves out
            found[names[location]].append(row)
        _add_answers(experiment, found)
    unreadable = {log.path for log in bad}
    return {path: items for path, items in found.items() if path not in unreadable}, tuple(bad)


def _many(logs: Sequence[Any]) -> Iterator[tuple[str, _Row]]:
    """The rows of logs, some at a time, since inspect-ai opens all that it is given at once; none if one is torn."""
    for start in range(0, len(logs), _AT_ONCE):
        with suppress(Exception):  # zip, JSON and pydantic each fail in their own way; who is torn is found out later
            yield from _frame_rows(logs[start : start + _AT_ONCE])


def _one_by_one(
    logs: Mapping[str, Any], names: Mapping[str, str], bad: list[UnreadableLog]
) -> Iterable[tuple[str, _Row]]:
    rows: list[tuple[str, _Row]] = []
    for location, log in logs.items():
        try:
            own = _frame_rows([log])
        except Exception as error:  # noqa: BLE001  zip, JSON and pydantic each fail in their own way
            bad.append(UnreadableLog(names[location], first_line(error)))
            continue
        if own:
            rows += own
        else:
            bad.append(UnreadableLog(names[location], "it has no samples, though its header says so"))
    return rows


def _frame_rows(logs: Sequence[Any]) -> list[tuple[str, _Row]]:
    """One row a sample, out of a single column that is quick to make: the data frame has one row a sample anyway."""
    from inspect_ai.analysis import SampleColumn, samples_df

    if not logs:
        return []
    columns = [SampleColumn("row", path=_row, required=True, type=str)]
    frame = samples_df(logs, columns, quiet=True)  # its own parallel reading is slower on a few cores
    return [(location, json.loads(row)) for location, row in zip(frame["log"], frame["row"], strict=True)]


def _row(sample: Any) -> str:
    scores = sample.scores or {}
    answers = [str(score.answer) for score in scores.values() if score.answer is not None]
    target = sample.target
    row = {
        "id": str(sample.id),
        "repeat": sample.epoch,
        "prompt": _prompt(sample.input),
        "target": target if isinstance(target, str) else ", ".join(map(str, target)),
        "error": str(sample.error or ""),
        "tokens": sum(usage.total_tokens for usage in sample.model_usage.values()),
        "scores": json.dumps({name: score.value for name, score in scores.items()}),
        "answer": answers[0] if answers else None,
    }
    return json.dumps(row)


def _prompt(content: Any) -> str:
    """A conversation as text: only the user's words if there are no others."""
    if isinstance(content, str):
        return content
    if len(content) == 1:
        return str(content[0].text)
    return "\n".join(f"{message.role}: {message.text}" for message in content)


def _add_answers(experiment: Path, found: Mapping[str, list[_Row]]) -> None:
    """The models' completions, where no scorer logged an answer: they stand in the full samples only."""
    from inspect_ai.analysis import SampleColumn, samples_df

    for path, rows in found.items():
        if not rows or any(row["answer"] is not None for row in rows):
            continue
        columns = [
            SampleColumn("id", path="id", type=str),
            SampleColumn("epoch", path="epoch"),
            SampleColumn("completion", path=_completion, full=True),
        ]
        frame, _ = samples_df(str(experiment / path), columns, strict=False, quiet=True)
        if "completion" in frame:
            keys = zip(frame["id"], frame["epoch"], strict=True)
            answers = dict(zip(keys, frame["completion"].fillna(""), strict=True))
            for row in rows:
                row["answer"] = answers.get((row["id"], row["repeat"]))


def _completion(sample: Any) -> str:
    output = getattr(sample, "output", None)
    return str(output.completion)[:1000] if output is not None else ""


def _samples(rows: list[_Row]) -> Samples:
    """Rows as columns, ordered by sample id (as numbers where they are numbers) and repetition."""
    ordered = sorted(rows, key=lambda row: (_id_key(row["id"]), row["repeat"]))
    scores = [_flat(json.loads(row["scores"])) for row in ordered]
    measures = list(dict.fromkeys(name for score in scores for name in score))
    return Samples(
        ids=tuple(row["id"] for row in ordered),
        repeats=tuple(row["repeat"] for row in ordered),
        prompts=tuple(row["prompt"] for row in ordered),
        targets=tuple(row["target"] for row in ordered),
        answers=tuple(row["answer"] or "" for row in ordered),
        errors=tuple(row["error"] for row in ordered),
        values={measure: tuple(score.get(measure) for score in scores) for measure in measures},
        tokens=sum(row["tokens"] for row in ordered),
    )


def _id_key(text: str) -> tuple[int, int, str]:
    return (0, int(text), "") if text.isdecimal() and text.isascii() else (1, 0, text)


def _flat(scores: Mapping[str, Any]) -> dict[str, float | None]:
    """Scorer, or ``scorer/key`` where a scorer gives several values, to the number."""
    flat: dict[str, float | None] = {}
    for scorer, value in scores.items():
        if isinstance(value, dict):
            flat |= {f"{scorer}/{key}": as_number(item) for key, item in value.items()}
        elif isinstance(value, list):
            flat |= {f"{scorer}/{index}": as_number(item) for index, item in enumerate(value)}
        else:
            flat[scorer] = as_number(value)
    return flat
