"""Reads the samples of inspect-ai's logs through its ``samples_df``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from string import ascii_uppercase
from typing import Any

from tunebook.core.json_text import parse_json
from tunebook.core.numbers import digits
from tunebook.tools.inspect.log_completions import completions
from tunebook.tools.inspect.log_headers import first_line, open_log, quiet_inspect
from tunebook.tools.inspect.log_reductions import reduced_samples
from tunebook.tools.inspect.score_values import columns_of, flat_scores
from tunebook.tools.results import LogReadings, Samples
from tunebook.tools.sample_metadata import metadata_columns, score_metadata_columns

__all__ = ["read_log_samples"]

_LOGS_AT_ONCE = 100  # inspect-ai opens all logs that it is given, and a process may have 1,024 files open
_LONGEST_TEXT = 1000  # as inspect-ai's sample summaries keep them

_REMOVED = "Key removed from summary"

_Row = dict[str, Any]


def read_log_samples(paths: Sequence[Path]) -> LogReadings[Samples]:
    """Reads the samples of each log."""
    unreadable: dict[Path, str] = {}
    with quiet_inspect():
        logs, path_of = _opened(paths, unreadable)
        rows = _rows_of_many(list(logs.values()))
        for location, log in logs.items():
            path = path_of[location]
            problem = "" if location in rows else _read_alone(log, rows)
            problem = problem or _add_answers(path, rows[location])
            if problem:
                unreadable[path] = problem
    found = {}
    for location, log in logs.items():
        if path_of[location] not in unreadable:
            found[path_of[location]] = reduced_samples(log, _samples(rows[location], _most_tokens(log)))
    return LogReadings(found, unreadable)


def _opened(paths: Sequence[Path], unreadable: dict[Path, str]) -> tuple[dict[str, Any], dict[str, Path]]:
    """The logs and their paths by the location that data frames name; adds why others cannot be opened."""
    logs: dict[str, Any] = {}
    path_of: dict[str, Path] = {}
    for path in paths:
        try:
            log = open_log(path)
        except Exception as error:  # noqa: BLE001  it was replaced or torn since its header was read
            unreadable[path] = first_line(error)
        else:
            logs[log.location] = log
            path_of[log.location] = path
    return logs, path_of


def _read_alone(log: Any, rows: dict[str, list[_Row]]) -> str:
    """Adds the rows of a log that is torn, or a copy, which a common frame leaves out; returns why it has none."""
    try:
        rows |= _rows([log])
    except Exception as error:  # noqa: BLE001  zip, JSON and pydantic each fail in their own way
        return first_line(error)
    return "" if log.location in rows else "it has no samples, but its header names some"


def _rows_of_many(logs: Sequence[Any]) -> dict[str, list[_Row]]:
    """The rows of logs by their location, some logs at a time; a torn log also loses those read together with it."""
    rows: dict[str, list[_Row]] = {}
    for start in range(0, len(logs), _LOGS_AT_ONCE):
        with suppress(Exception):  # zip, JSON and pydantic each fail in their own way; reading one by one finds the log
            rows |= _rows(logs[start : start + _LOGS_AT_ONCE])
    return rows


def _rows(logs: Sequence[Any]) -> dict[str, list[_Row]]:
    """The rows of logs by their location, from a single column, which is quick to make."""
    from inspect_ai.analysis import SampleColumn, samples_df

    columns = [SampleColumn("row", path=_row, required=True, type=str)]
    frame = samples_df(logs, columns, quiet=True)  # its own parallel reading is slower on a few cores
    rows: dict[str, list[_Row]] = {}
    for location, row in zip(frame["log"], frame["row"], strict=True):
        rows.setdefault(location, []).append(parse_json(row))
    return rows


def _row(sample: Any) -> str:
    scores = sample.scores or {}
    answers = (str(score.answer) for score in scores.values() if score.answer is not None)
    target = sample.target
    row = {
        "id": str(sample.id),
        "repeat": sample.epoch,
        "prompt": _prompt(sample.input) + _choices(sample.choices or ()),
        "target": target if isinstance(target, str) else ", ".join(map(str, target)),
        "error": str(sample.error or ""),
        "turns": sample.turn_count or 1,
        "written": sum(usage.output_tokens for usage in sample.model_usage.values()),
        "tokens": sum(usage.total_tokens for usage in sample.model_usage.values()),
        "scores": {name: score.value for name, score in scores.items()},
        "metadata": _json_values(sample.metadata),
        "score_metadata": {name: _json_values(score.metadata) for name, score in scores.items() if score.metadata},
        "answer": next(answers, None),
    }
    return json.dumps(row, default=str)


def _json_values(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The values that JSON can hold, without what inspect-ai left out of its summary for its size."""
    values = {}
    for name, value in metadata.items():
        if isinstance(value, str) and value.startswith(_REMOVED):
            continue
        if value is None or isinstance(value, str | bool | int | float | list | tuple | dict):
            values[str(name)] = value
    return values


def _prompt(content: Any) -> str:
    """A conversation as text: only the user's words if there are no others."""
    if isinstance(content, str):
        return content
    if len(content) == 1:
        return str(content[0].text)
    return "\n".join(f"{message.role}: {message.text}" for message in content)


def _choices(choices: Sequence[str]) -> str:
    """The choices below a question, without which two questions may look alike."""
    return "".join(f"\n{letter}) {choice}" for letter, choice in zip(ascii_uppercase, choices, strict=False))


def _add_answers(log: Path, rows: Sequence[_Row]) -> str:
    """Adds the models' completions where the scorers logged no answer: only the full samples have them.

    Returns why they cannot be read.
    """
    without = {(row["id"], row["repeat"]): row for row in rows if row["answer"] is None}
    if not without:
        return ""
    try:
        for key, answer in completions(log):
            if key in without:
                without[key]["answer"] = answer[:_LONGEST_TEXT]
    except Exception as error:  # noqa: BLE001  zip, JSON and pydantic each fail in their own way
        return first_line(error)
    return ""


def _samples(rows: Sequence[_Row], limit: int | None) -> Samples:
    """Rows as columns, ordered by sample id (as numbers where they are numbers) and repetition.

    Args:
        limit: the most tokens of one answer.
    """
    ordered = sorted(rows, key=lambda row: (_id_key(row["id"]), row["repeat"]))
    values, letters = columns_of([flat_scores(row["scores"]) for row in ordered])

    def column(name: str) -> tuple[Any, ...]:
        return tuple(row[name] for row in ordered)

    return Samples(
        ids=column("id"),
        repeats=column("repeat"),
        prompts=column("prompt"),
        targets=column("target"),
        answers=tuple(answer or "" for answer in column("answer")),
        errors=column("error"),
        values=values,
        letters=letters,
        cut=_cut(ordered, limit),
        tokens=sum(column("tokens")),
        metadata=metadata_columns(column("metadata")),
        score_metadata=score_metadata_columns(column("score_metadata")),
    )


def _most_tokens(log: Any) -> int | None:
    """The most tokens of one answer; ``None`` if the log sets no limit."""
    limit = log.eval.model_generate_config.max_tokens or log.plan.config.max_tokens
    return limit if isinstance(limit, int) else None


def _cut(rows: Sequence[_Row], limit: int | None) -> tuple[bool, ...]:
    """Whether each answer has as many tokens as it may have; only of samples with a single answer."""
    if limit is None or limit == 1:  # a task that asks for one token wants no more
        return ()
    return tuple(row["turns"] <= 1 and row["written"] >= limit for row in rows)


def _id_key(text: str) -> tuple[int, int, str]:
    number = digits(text)
    if number is not None:
        return 0, number, ""
    return 1, 0, text
