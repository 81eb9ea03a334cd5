"""Any design, its plan read back and its stored form: the same runs and settings, whatever the texts contain."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from support.plans import parse_plan
from tunebook.core.check import check_plan
from tunebook.core.markdown import literal, quoted
from tunebook.core.measures import Direction
from tunebook.core.naming import run_directories
from tunebook.core.plan import EvaluationTask, Model, Plan, PlanDetails, write_plan
from tunebook.core.plan.settings import evaluation_settings, evaluations, run_settings
from tunebook.core.units import minutes, spoken_minutes
from tunebook.design.build_plan import build_plan, trained_runs
from tunebook.design.check import design_problems
from tunebook.design.compare_plans import lost_edits, plan_differences
from tunebook.design.factors import level_value
from tunebook.design.replan import keep_from, updated_text
from tunebook.design.stored import design_from_json, design_to_json
from tunebook.design.values import (
    MODEL,
    Combine,
    Design,
    DesignInputs,
    EvalOnly,
    Factor,
    ListedRun,
    MatrixRule,
)

HOSTILE = [
    'a | b, `c` and "d"',
    "$(rm -rf /) ${oc.env:HOME} \\${x} \\\\",
    "line one\nline two\r\n\n# Heading\n| x | y |",
    "***bold*** _it_ <b>html</b> &amp; [link](x) ![i](y) ~~s~~ <https://a.b>",
    "✓ verified",
    "  spaces around  ",
    "\ttab \x00 \x1b[31m \u2028 😀 é",
    "- N/A",
    '"',
    "`",
    "``` \\| |",
    ": colon",
    "# heading",
    "1. > ``` <!-- ",
    "none",
]
LEVELS = {
    "lora_rank": ["8", "16", "64"],
    "lr": ["1e-5", "5e-5", "0.0003", "1E-4"],
    "batch_size": ["1", "4"],
    "lora_alpha": ["48", "2 × rank", "1*rank"],
    "lora_dropout": ["0", "0.05"],
    "epochs": ["1", "3"],
    "max_seq_len": ["128", "2048"],
    "dataset": ["/data/a.json", "/other/a.json", "/data/b c.json"],
    "weight_decay": ["0.01", "0.1"],
}
texts = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=40))
prompts = texts.map(lambda text: text + "{input}")
NEEDED = {"lora_rank": "8", "lr": "1e-4", "batch_size": "4", "epochs": "2"}


@st.composite
def designs(draw: st.DrawFn) -> Design:
    """Designs without problems, of every shape."""
    keys = draw(st.lists(st.sampled_from(sorted(LEVELS)), unique=True, max_size=3))
    factors = [
        Factor(
            key, tuple(draw(st.lists(st.sampled_from(LEVELS[key]), unique_by=value_of(key), min_size=1, max_size=3)))
        )
        for key in keys
    ]
    if draw(st.booleans()):
        levels = draw(st.lists(prompts, unique=True, min_size=1, max_size=2))
        factors.append(Factor("prompt", tuple(levels)))
    models = draw(st.lists(st.sampled_from(["m", "n-Instruct", "n", "org/Big_model-1.0"]), unique=True, min_size=1))
    given = {factor.key for factor in factors}
    fixed = {key: text for key, text in NEEDED.items() if key not in given}
    fixed |= {"system_prompt": draw(texts), "eval_max_tokens": "12"} | ({"packed": "no"} if draw(st.booleans()) else {})
    fixed |= {} if "prompt" in given else {"prompt": draw(prompts)}
    listed = draw(st.booleans())
    tasks = draw(st.lists(st.sampled_from(["cap", "reverse", "a.b"]), unique=True, min_size=1))
    return Design(
        question=draw(texts) + "?",
        models=tuple(Model(name, f"/models/{name}") for name in models),
        dataset="/data/it's `a` | b.json",
        tasks=tuple(
            EvaluationTask(
                name,
                f"/t@x/{name}.py",
                function=name.partition(".")[0],
                description=draw(texts),
                measure=draw(st.sampled_from(["", "scorer/mae", "a_b|c"])),
                direction=draw(st.sampled_from([None, *Direction])),
            )
            for name in tasks
        ),
        factors=tuple(factors),
        combine=draw(st.sampled_from(Combine)) if factors else Combine.FACTORIAL,
        listed=(ListedRun({**fixed_levels(factors), MODEL: models[0], "seed": "99"}, "own"),) if listed else (),
        sample=draw(st.one_of(st.none(), st.integers(1, 5))),
        replicates=draw(st.integers(1, 3)),
        eval_only=(EvalOnly("old", "/ck pt/`x`|y", ""),) if draw(st.booleans()) else (),
        controls=draw(st.sampled_from([None, ()])),
        settings=MappingProxyType(fixed),
        epochs=draw(st.sampled_from(["last", "all", "0"])),
        matrix=draw(st.sampled_from([(), (MatrixRule("*8*", "cap", "-"), MatrixRule("*", "rev*", "0"))])),
        notes=(draw(texts),),
    )


def value_of(key: str) -> Any:
    return lambda text: level_value(key, text)


def fixed_levels(factors: list[Factor]) -> dict[str, str]:
    return {factor.key: factor.levels[-1] for factor in factors}


def wanted(value: Design) -> Plan:
    assert [str(problem) for problem in design_problems(DesignInputs(design=value))] == []
    return build_plan(value, name="exp_2026-01-01")


@settings(deadline=None, max_examples=60)
@given(designs())
def test_the_plan_reads_as_the_design(value: Design) -> None:
    plan = wanted(value)
    text = write_plan(plan, PlanDetails(notes=value.notes, directory="/x"))
    read = parse_plan(text)
    assert [str(problem) for problem in plan_differences(plan, text)] == []
    assert [run_settings(plan, run) for run in plan.runs] == [run_settings(read.plan, run) for run in read.plan.runs]
    assert evaluation_settings(plan) == evaluation_settings(read.plan)
    assert [(task.measure, task.direction) for task in plan.tasks] == [
        (task.measure, task.direction) for task in read.plan.tasks
    ]
    assert [vars(item) | {"line": 0} for item in evaluations(plan)] == [
        vars(item) | {"line": 0} for item in evaluations(read.plan)
    ]
    assert check_plan(read.plan, preparation_tools=["torchtune"], evaluation_tools=["inspect-ai"]) == ()


@settings(deadline=None, max_examples=40)
@given(designs())
def test_no_two_runs_share_a_name_or_a_directory(value: Design) -> None:
    plan = wanted(value)
    names = [run.name.lower() for run in plan.runs]
    assert len(set(names)) == len(names)
    directories = [name.lower() for name in run_directories(plan).values()]
    assert len(set(directories)) == len(directories)
    assert len(plan.fine_tuned) == len(trained_runs(value))


@settings(deadline=None, max_examples=60)
@given(designs())
def test_a_stored_design_is_read_as_it_was(value: Design) -> None:
    stored = design_to_json(value)
    again = design_from_json(stored)
    assert design_to_json(again) == stored
    assert replace(again, notes=value.notes, combine=value.combine) == value


@settings(deadline=None, max_examples=40)
@given(designs())
def test_a_plan_that_is_updated_without_a_change_stays_as_it_is(value: Design) -> None:
    plan = wanted(value)
    text = write_plan(plan, PlanDetails(notes=value.notes, directory="/x", created="2026-01-01 00:00"))
    read = parse_plan(text).plan
    stored, previous = design_from_json(design_to_json(value)), keep_from(text, read)
    again = build_plan(stored, name=plan.name, previous=previous)
    assert replace(again, file=plan.file) == plan
    assert lost_edits(read, stored=again, updated=again) == ()
    details = PlanDetails(directory="/x", created="2026-01-01 00:00")
    assert updated_text(previous, write_plan(plan, details), plan) == text


@given(st.integers(1, 10**7))
def test_a_duration_is_written_as_it_is_read(seconds: int) -> None:
    assert minutes(spoken_minutes(seconds / 60)) == pytest.approx(seconds / 60)


@given(st.one_of(texts, st.text()))
@example("\\")
@example("`a`")
def test_a_quoted_text_is_read_unchanged(text: str) -> None:
    assert literal(quoted(text)) == text


@pytest.mark.parametrize("text", ["{input}", 'say "x": {input}', "a\nb", "*{input}*"])
def test_a_prompt_is_written_so_that_people_can_read_it(text: str) -> None:
    assert (
        quoted(text)
        == {
            "{input}": '"{input}"',
            'say "x": {input}': '`say "x": {input}`',
            "a\nb": '"a\\nb"',
            "*{input}*": "`*{input}*`",
        }[text]
    )
