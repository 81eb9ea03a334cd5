"""Several experiments as one: which tasks and samples they share, and what they are told apart by; nothing is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from support.plans import parse_plan
from support.sweeps import Sweep, SweepRun
from tunebook.analysis.collect.experiment import factors_of, levels_of
from tunebook.analysis.collect.join import Part, join
from tunebook.analysis.collect.source import Collected
from tunebook.analysis.records import EvaluationKey, EvaluationRecord, Measure, RunRecord, TaskUse
from tunebook.core.jobs import JobState
from tunebook.core.measures import Direction
from tunebook.core.plan import RunType
from tunebook.errors import UsageError
from tunebook.tools.results import Samples

TASK = "capitalization"
EXACT = Measure("exact", Direction.HIGHER, is_share=True)


def part(
    label: str,
    *ranks: str,
    ids: Sequence[str] = ("1", "2", "3", "4"),
    targets: Mapping[str, str] | None = None,
    measure: Measure = EXACT,
    page: Sequence[tuple[str, str]] = (),
) -> Part:
    """An experiment with a run for each rank, of which every one has the same samples."""
    rows = tuple(SweepRun(f"run{rank}", {"LoRA Rank": rank}, {0: []}) for rank in ranks)
    text = Sweep(rows, base=[]).page()
    for old, new in page:
        text = text.replace(old, new)
    plan = parse_plan(text).plan
    factors = factors_of(plan)
    levels = levels_of(plan, factors)
    runs = [RunRecord("tiny_base", "tiny_base", RunType.CONTROL, "tiny")]
    for rank in ranks:
        name = f"run{rank}"
        runs.append(RunRecord(name, f"rank{rank}", RunType.FINE_TUNED, "tiny", "tiny_base", levels=levels[name]))
    own = Samples(
        ids=tuple(ids),
        repeats=(1,) * len(ids),
        prompts=("",) * len(ids),
        targets=tuple((targets or {}).get(name, f"target {name}") for name in ids),
        answers=("",) * len(ids),
        errors=("",) * len(ids),
        values={measure.name: (1.0,) * len(ids)},
    )
    keys = [EvaluationKey(run.name, TASK, -1 if run.base is None else 0) for run in runs]
    found = Collected(
        factors=factors,
        tasks=(TaskUse(TASK, measures=(measure,)),),
        runs=tuple(runs),
        evaluations=tuple(EvaluationRecord(key, JobState.COMPLETED, log="rank4/log") for key in keys),
        samples=dict.fromkeys(keys, own),
        headers={},
        unreadable=(),
        strays=(),
    )
    return Part(label, f"../{label}", plan, found)


def cautions(*parts: Part) -> list[str]:
    return [f"{item.subject}: {item.what}" for item in join(parts).cautions]


def test_the_experiment_is_a_factor_and_runs_with_one_name_are_told_apart() -> None:
    joined = join([part("a", "4", "16"), part("b", "16", "64")])
    assert [(factor.label, factor.levels) for factor in joined.found.factors] == [
        ("Experiment", ("a", "b")),
        ("LoRA Rank", ("4", "16", "64")),
    ]
    runs = {run.name: (run.directory, run.base, dict(run.levels)) for run in joined.found.runs}
    assert runs == {
        "a/tiny_base": ("a/tiny_base", None, {}),
        "run4": ("rank4", "a/tiny_base", {"experiment": "a", "lora_rank": "4"}),
        "a/run16": ("a/rank16", "a/tiny_base", {"experiment": "a", "lora_rank": "16"}),
        "b/tiny_base": ("b/tiny_base", None, {}),
        "b/run16": ("b/rank16", "b/tiny_base", {"experiment": "b", "lora_rank": "16"}),
        "run64": ("rank64", "b/tiny_base", {"experiment": "b", "lora_rank": "64"}),
    }
    assert {key.run for key in joined.found.samples} == set(runs)
    assert {item.log for item in joined.found.evaluations} == {"../a/rank4/log", "../b/rank4/log"}
    assert joined.cautions == ()


def test_a_parameter_that_one_experiment_varies_has_the_others_value_too() -> None:
    joined = join([part("a", "4", "16"), part("b", "8")])
    assert joined.found.factors[1].levels == ("4", "8", "16")
    assert {run.name: run.levels["lora_rank"] for run in joined.found.runs if run.levels}["run8"] == "8"


def test_samples_that_only_some_have_are_counted() -> None:
    other = part("b", "8", "32", ids=("3", "4", "5"), targets={"4": "other data"})
    (caution,) = cautions(part("a", "4", "16"), other)
    counts = "of its samples (4 in a and 3 in b), 2 have the same id and 1 of these the same target"
    assert caution == f"capitalization: {counts}: only these are paired"


def test_what_differs_between_the_experiments_besides_their_factors_is_named() -> None:
    slow = [("- **Learning Rate:** 1e-4", "- **Learning Rate:** 2e-5")]
    (caution,) = cautions(part("a", "4", "16"), part("b", "4", "16", page=slow))
    assert caution == "a difference between experiments may come from it: Learning Rate: 0.0001 in a, 2e-05 in b"


def test_a_direction_that_is_not_agreed_on_is_unknown() -> None:
    joined = join([part("a", "4"), part("b", "4", measure=replace(EXACT, direction=Direction.LOWER))])
    assert joined.found.tasks[0].headline.direction is Direction.UNKNOWN
    assert any("disagree on which values of exact are better" in item.what for item in joined.cautions)


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (part("b", "4", ids=("7", "8")), r"\(4 in a and 2 in b\), 0 have the same id"),
        (part("b", "4", measure=replace(EXACT, name="f1")), "the measures differ: exact in a, f1 in b"),
        (part("b", "4", page=[("cap_task.py", "other.py")]), "the scripts differ: cap_task.py in a, other.py in b"),
        (part("b", "4", page=[("| capitalization |", "| spelling |")]), "capitalization: only a has it"),
    ],
)
def test_experiments_without_a_common_task_are_refused(other: Part, why: str) -> None:
    if other.plan.tasks[0].name != TASK:
        uses = (TaskUse(other.plan.tasks[0].name, measures=(EXACT,)),)
        other = replace(other, found=replace(other.found, tasks=uses))
    with pytest.raises(UsageError, match=f"the experiments share no task: .*{why}"):
        join([part("a", "4"), other])
