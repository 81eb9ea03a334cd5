"""Any plan in YAML has the same runs, settings and evaluations after it is taken over."""

from __future__ import annotations

from typing import Any

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.plans import parse_plan
from tunebook.core.plan import PlanDetails, RunType, write_plan
from tunebook.core.plan.settings import effective, evaluations
from tunebook.design.build_plan import build_plan
from tunebook.design.check import design_problems
from tunebook.design.yaml_plan import read_yaml_plan

PRINTABLE = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z"), include_characters=" \n"), max_size=15)
PROMPTS = st.tuples(PRINTABLE, PRINTABLE).map("{input}".join)
NAMES = st.from_regex(r"[a-z][a-z0-9_.=+-]{0,8}", fullmatch=True)
PARAMETERS = st.fixed_dictionaries(
    {"lora_rank": st.integers(1, 256), "lr": st.floats(1e-7, 1, allow_nan=False)},
    optional={"prompt": PROMPTS, "seed": st.integers(0, 2**31), "batch_size": st.integers(1, 64)},
)


@st.composite
def plans(draw: st.DrawFn) -> dict[str, Any]:
    names = draw(st.lists(NAMES, min_size=2, max_size=5, unique=True))
    epochs = draw(st.integers(1, 4))
    runs = [{"name": name, "type": "fine-tuned", "model": "m", "parameters": draw(PARAMETERS)} for name in names[1:]]
    runs.append({"name": names[0], "type": "control", "model": "m"})
    wanted = st.one_of(st.just("last"), st.just("all"), st.sets(st.integers(0, epochs - 1), min_size=1).map(sorted))
    matrix = [
        {"run": run["name"], "tasks": draw(st.lists(st.sampled_from(["a", "b"]), min_size=1, unique=True))}
        | ({"epochs": draw(wanted)} if run["type"] == "fine-tuned" else {})
        for run in runs
        if draw(st.booleans())
    ]
    return {
        "experiment": {"name": "x", "question": "why?"},
        "controls": {"epochs": epochs, "batch_size": 4, "prompt": draw(PROMPTS), "system_prompt": draw(PRINTABLE)},
        "models": {"base": [{"name": "m", "path": "/m"}]},
        "data": {"training": {"path": "/d.json"}},
        "runs": runs,
        "evaluation": {
            "tasks": [{"name": "a", "script": "/t.py"}, {"name": "b", "script": "/t.py@b"}],
            "matrix": matrix,
        },
    }


def epochs_of(entry: dict[str, Any], total: int) -> list[int | None]:
    known: dict[object, list[int | None]] = {None: [None], "last": [total - 1], "all": [*range(total)]}
    wanted = entry.get("epochs")
    return [*wanted] if isinstance(wanted, list) else known[wanted]


@given(plans(), st.booleans())
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
def test_runs_settings_and_evaluations_are_kept(source: dict[str, Any], wide: bool) -> None:
    read = read_yaml_plan(yaml.safe_dump(source, allow_unicode=wide, sort_keys=False), file="/x/plan.yaml")
    assert design_problems(read) == ()
    assert read.warnings == ()
    parsed = parse_plan(write_plan(build_plan(read.design, name="x"), PlanDetails()))
    assert parsed.problems == ()
    plan = parsed.plan
    assert [(run.name, run.type is RunType.FINE_TUNED) for run in plan.runs] == [
        (run["name"], run["type"] == "fine-tuned") for run in source["runs"]
    ]
    common = source["controls"]
    for run, given_run in zip(plan.fine_tuned, source["runs"], strict=False):
        values = {**common, **given_run["parameters"]}
        assert {key: effective(plan, run, key) for key in values} == values
    control = next(run for run in plan.runs if run.type is RunType.CONTROL)
    assert effective(plan, control, "prompt") == common["prompt"]
    asked = {(item.run, item.task, item.epoch) for item in evaluations(plan)}
    assert asked == {
        (entry["run"], task, epoch)
        for entry in source["evaluation"]["matrix"]
        for task in entry["tasks"]
        for epoch in epochs_of(entry, common["epochs"])
    }
