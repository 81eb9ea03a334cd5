"""Cautions about empty, unreadable, cut, missing and repeated answers, with their numbers and the runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tunebook.analysis.collect.letters import without_letters
from tunebook.analysis.collect.source import Collected
from tunebook.analysis.findings.answers import state_answers
from tunebook.analysis.records import EvaluationKey, EvaluationRecord, Measure, RunRecord, TaskUse
from tunebook.analysis.statistics.scores import score_evaluations
from tunebook.core.jobs import JobState
from tunebook.core.plan import RunType
from tunebook.tools.results import LoggedMetric, LogHeader, Samples

IDS = ("1", "2", "3", "4")


def samples_of(**changes: Any) -> Samples:
    """Four samples with everything in order."""
    facts: dict[str, Any] = {
        "ids": IDS,
        "repeats": (1,) * 4,
        "prompts": ("a", "b", "c", "d"),
        "targets": ("A", "B", "C", "D"),
        "answers": ("A", "B", "x", "y"),
        "errors": ("",) * 4,
        "values": {"m": (1.0, 1.0, 0.0, 0.0)},
    }
    return Samples(**(facts | changes))


def collected(runs: Mapping[str, Samples], *metrics: LoggedMetric) -> Collected:
    keys = {run: EvaluationKey(run, "task", 0) for run in runs}
    header = LogHeader("success", "2026-01-02T10:00:00+00:00", "m", "t", metrics={"m": metrics})
    found = Collected(
        factors=(),
        tasks=(TaskUse("task", "", (Measure("m"),)),),
        runs=tuple(RunRecord(run, f"{run}_directory", RunType.FINE_TUNED, "model") for run in runs),
        evaluations=tuple(EvaluationRecord(key, JobState.COMPLETED, log="a.eval") for key in keys.values()),
        samples=without_letters({keys[run]: samples for run, samples in runs.items()}),
        headers=dict.fromkeys(keys.values(), header),
        unreadable=(),
        strays=(),
    )
    return score_evaluations(found)


def texts(samples: Samples, *metrics: LoggedMetric) -> list[str]:
    findings = list(state_answers(collected({"run": samples}, *metrics)))
    assert all((finding.kind, finding.task) == ("caution", "task") for finding in findings)
    return [finding.text for finding in findings]


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"answers": ("", " ", "x", "y")}, "On task, 2 of 4 answers are empty, in run_directory."),
        (
            {"score_metadata": {"m/parse_error": ("no number", None, None, ""), "m/parsed": (False, True, True, None)}},
            "On task, 1 of 4 answers was unreadable for the scorer, as its metadata says, in run_directory.",
        ),
        (
            {"cut": (True, False, True, False)},
            "On task, 2 of 4 answers have all tokens that an answer may have, in run_directory. Their ends may be missing.",
        ),
        (
            {"values": {"m": (1.0, 1.0, 0.0, None)}},
            "On task, 1 of 4 answers has no usable value of m, in run_directory. Its mean is over the others.",
        ),
        (
            {"values": {"m": (1.0, 1.0, 0.0, 0.0)}, "letters": {"m": "CCNN"}},
            'On task, 2 of 4 answers are graded "no answer" by m, in run_directory. That counts as wrong.',
        ),
        (
            {"values": {"m": (2.5, 7.0, 3.0, 0.0)}, "letters": {"m": "...N"}},
            "On task, 1 of 4 answers has no usable value of m, in run_directory. Its mean is over the others.",
        ),
        (
            {"prompts": ("a", "a", "c", "a"), "targets": ("A", "A", "C", "D")},
            "1 of 4 samples of task repeats the prompt and the target of an earlier one: it counts again.",
        ),
    ],
)
def test_each_flaw_of_answers_is_a_caution(changes: dict[str, Any], text: str) -> None:
    assert texts(samples_of(**changes)) == [text]


def test_answers_in_order_need_no_caution() -> None:
    assert texts(samples_of(), LoggedMetric("accuracy", 0.5, is_mean=True)) == []


def test_many_runs_are_summed_up_the_worst_first() -> None:
    runs = {f"r{number}": samples_of(answers=("",) * number + ("x",) * (4 - number)) for number in range(5)}
    runs["r5"] = samples_of(answers=("", "x", "x", "x"))
    (finding,) = state_answers(collected(runs))
    assert finding.text == (
        "On task, 11 of 24 answers are empty, in 5 of 6 runs: r4_directory (4 of 4), r3_directory (3 of 4), "
        "r2_directory (2 of 4), r1_directory (1 of 4) and 1 more."
    )


def test_letters_are_missing_in_every_run_where_one_run_has_numbers() -> None:
    """A base model that never writes a number has letters only: they are no grades."""
    numbers = samples_of(values={"m": (2.5, 7.0, 3.0, 4.0)})
    letters = samples_of(values={"m": (0.0, 0.0, 0.0, 1.0)}, letters={"m": "INIC"})
    found = collected({"base": letters, "tuned": numbers})
    scores = {record.key.run: record.scores[0] for record in found.evaluations}
    assert (scores["base"].value, scores["base"].missing, scores["base"].no_answers) == (None, 4, 0)
    assert (scores["tuned"].value, scores["tuned"].missing) == (4.125, 0)
    (alone,) = collected({"base": letters}).evaluations
    assert (alone.scores[0].value, alone.scores[0].missing, alone.scores[0].no_answers) == (0.25, 0, 1)


@pytest.mark.parametrize(
    ("changes", "metric", "reason"),
    [
        (
            {"values": {"m": (2.0, 4.0, None, None)}},
            LoggedMetric("mean", 1.5, is_mean=True),
            "it counts 2 answers without a value as 0",
        ),
        (
            {"values": {"m": (2.0, 4.0, 0.0, 1.0)}, "letters": {"m": "..IC"}},
            LoggedMetric("mean", 1.75, is_mean=True),
            "it counts the letters or texts of 2 answers as numbers",
        ),
        ({}, LoggedMetric("rmse", 3.2), "it is not a mean over the samples"),
        (
            {},
            LoggedMetric("mean", 0.25, note="it gives each of its 2 benchmarks the same weight"),
            "it gives each of its 2 benchmarks the same weight",
        ),
        (
            {"values": {"m": (None, None, None, None)}},
            LoggedMetric("mean", 0.125, is_mean=True),
            "none of its samples has a usable value",
        ),
        (
            {},
            LoggedMetric("accuracy", 0.75, is_mean=True),
            "the mean over its samples is 0.5",
        ),
    ],
)
def test_a_log_that_says_another_number_is_explained(
    changes: dict[str, Any], metric: LoggedMetric, reason: str
) -> None:
    found = collected({"run": samples_of(**changes)}, metric, LoggedMetric("std", 9.0))
    (score,) = found.evaluations[0].scores
    assert (score.logged, score.logged_metric, score.logged_note) == (metric.value, metric.name, reason)
    last = [finding.text for finding in state_answers(found)][-1]
    assert last == (
        "On task, the report's m is the mean over the samples, and 1 log says another number. In run_directory, task, "
        f"epoch 0, the log's {metric.name} is {metric.value:g}: {reason}."
    )


def test_names_with_braces_are_texts() -> None:
    samples = samples_of(values={"m{0}": (None,) * 4})
    found = collected({"run": samples})
    (record,) = found.evaluations
    assert record.scores[0].measure == "m{0}"
    found = Collected(**(vars(found) | {"tasks": (TaskUse("task", "", (Measure("m{0}"),)),)}))
    assert "no usable value of m{0}" in next(state_answers(found)).text
