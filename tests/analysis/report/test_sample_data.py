"""The samples that the page carries: all values, texts as long as they fit, and a sentence on what is left out."""

from __future__ import annotations

import json
from dataclasses import replace

from support.analyses import hundreds, made_up
from tunebook.analysis.report.sample_data import sample_browser


def test_every_runs_value_and_answer_is_there() -> None:
    analysis = made_up()
    browser = sample_browser(analysis)
    assert browser is not None
    (task,) = browser.tasks
    assert browser.note == ""
    for run in task["runs"]:
        name = next(name for name, label in analysis.labels.items() if label == run["name"])
        samples = analysis.samples[analysis.final_scores("capitalization")[name].evaluation]
        assert run["values"] == list(samples.values["exact"])
        assert [task["texts"][number] for number in run["answers"]] == list(samples.answers)
    left, right = task["pair"]
    assert [task["runs"][left]["name"], task["runs"][right]["name"]] == ["SmolLM2-135M_base", "rank64"]


def test_hundreds_of_runs_with_long_answers_stay_within_the_budget_and_say_what_is_left_out() -> None:
    analysis = hundreds()
    long = {
        key: replace(own, answers=tuple(f"{key.run} {number} " + "word " * 200 for number in range(len(own.ids))))
        for key, own in analysis.samples.items()
    }
    browser = sample_browser(replace(analysis, samples=long), 600_000)
    assert browser is not None
    assert len(json.dumps(browser.tasks)) < 1.2 * 600_000 + 60 * 202 * 100
    assert "the first 60 letters of each text" in browser.note
    few = sample_browser(replace(analysis, samples=long), 100_000)
    assert few is not None
    assert "the first 24 of 100 samples" in few.note
    assert len(few.tasks[0]["ids"]) == 24


def test_a_sample_with_another_target_is_another_sample() -> None:
    analysis = made_up()
    key = analysis.final_scores("capitalization")["SmolLM2-135M-Instruct_rank4"].evaluation
    own = analysis.samples[key]
    changed = replace(own, targets=("another", *own.targets[1:]))
    browser = sample_browser(replace(analysis, samples={**analysis.samples, key: changed}))
    assert browser is not None
    run = next(run for run in browser.tasks[0]["runs"] if run["name"] == "rank4")
    assert (run["values"][0], run["answers"][0]) == (None, -1)


def test_columns_of_the_data_set_with_few_values_group_the_samples() -> None:
    analysis = made_up()
    groups = tuple("short" if number < 10 else "long" for number in range(40))
    ids = tuple(map(str, range(40)))
    samples = {key: replace(own, metadata={"length": groups, "row": ids}) for key, own in analysis.samples.items()}
    browser = sample_browser(replace(analysis, samples=samples))
    assert browser is not None
    assert browser.tasks[0]["groups"] == {"length": list(groups)}
