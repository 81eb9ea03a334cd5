"""What the sides of a hypothesis stand for in a plan, and what a plan cannot decide."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from support.plans import plan_of, problems_of
from tunebook.core.contrasts import Contrast, resolve

Edit = Callable[..., str]

MODEL = "Llama-3.2-1B-Instruct"


def contrast(page: str, text: str, *edits: tuple[str, str]) -> Contrast:
    plan = plan_of(with_hypothesis(page, text, *edits))
    return resolve(plan, plan.hypotheses[0])


def with_hypothesis(page: str, text: str, *edits: tuple[str, str]) -> str:
    for old, new in (("## Tools\n", f"## Hypotheses\n- {text}\n\n## Tools\n"), *edits):
        assert old in page
        page = page.replace(old, new)
    return page


def cells(found: Contrast) -> list[tuple[list[str], list[str]]]:
    def short(names: tuple[str, ...]) -> list[str]:
        return [name.removeprefix(f"{MODEL}_") for name in names]

    return [(short(cell.left), short(cell.right)) for cell in found.cells]


SEEDS = (
    ("| LoRA Rank | 8, 16, 32, 64 |", "| LoRA Rank | 8, 16, 32, 64 |\n| Seed | 1, 2 |"),
    ("Learning Rate | Batch Size |", "Learning Rate | Seed | Batch Size |"),
    ("|---------------|------------|", "|---------------|---|------------|"),
    ("| 1e-5 | 4 | Fine-tuned", "| 1e-5 | 1 | 4 | Fine-tuned"),
    ("| 5e-5 | 4 | Fine-tuned", "| 1e-5 | 2 | 4 | Fine-tuned"),
    ("| - | - | - | Control", "| - | - | - | - | Control"),
    ("\n| Learning Rate | 1e-5, 5e-5 |", ""),
    ("- **Seed:** 14\n", ""),
)


def test_settings_are_compared_within_the_levels_of_the_other_factors(page: str) -> None:
    found = contrast(page, "lora_rank = 64 > lora_rank = 8")
    expected = [(["rank64_lr1e-5"], ["rank8_lr1e-5"]), (["rank64_lr5e-5"], ["rank8_lr5e-5"])]
    assert cells(found) == expected
    assert cells(contrast(page, "rank64 > rank8")) == expected
    assert cells(contrast(page, "64 > LoRA Rank = 8")) == expected
    assert (found.task, found.other_task, found.left_out, found.confounded) == ("capitalization",) * 2 + ((), ())
    one = contrast(page, "lora_rank = 64 > lora_rank = 8 for lr = 5e-5")
    assert cells(one) == expected[1:]
    partly = contrast(page, "lora_rank = 64, lr = 1e-5 > rank8")
    assert cells(partly) == expected[:1]
    assert partly.left_out == (f"{MODEL}_rank8_lr5e-5",)


def test_the_base_model_is_that_of_each_side(page: str) -> None:
    found = cells(contrast(page, "base < lora_rank = 8"))
    assert found == [(["base"], ["rank8_lr1e-5"]), (["base"], ["rank8_lr5e-5"])]
    named = cells(contrast(page, f"lr = 1e-5, rank8 > run {MODEL}_base"))
    assert named == [(["rank8_lr1e-5"], ["base"])]


def test_runs_are_found_by_name_and_by_directory(page: str) -> None:
    text = f"rank8_lr1e-5 ≠ run {MODEL}_rank64_lr5e-5"
    assert cells(contrast(page, text)) == [(["rank8_lr1e-5"], ["rank64_lr5e-5"])]


def test_runs_that_differ_in_their_seed_only_are_one_side(page: str) -> None:
    found = contrast(page, "rank64 > rank8", *SEEDS)
    assert cells(found) == [(["rank64_lr1e-5", "rank64_lr5e-5"], ["rank8_lr1e-5", "rank8_lr5e-5"])]


def test_settings_that_go_with_the_compared_one_are_named(page: str) -> None:
    edits = [
        (f"| {MODEL} | {rank} | {rate} | 4 |", f"| {MODEL} | {rank} | {rate} | {rank // 8} |")
        for rank in (8, 16, 32, 64)
        for rate in ("1e-5", "5e-5")
    ]
    found = contrast(page, "rank64 > rank8", *edits, ("- **Batch sizes:** 4\n", ""))
    assert found.confounded == ("Batch Size",)
    assert len(found.cells) == 2


TASK = ("\n\n## Evaluation Plan", "\n| recall | `/scratch/gpfs/LAB/tasks/cap_task.py` | - | |\n\n## Evaluation Plan")
SEVERAL = (
    TASK,
    ("| Run Name | capitalization |", "| Run Name | capitalization | recall |"),
    ("|----------|----------------|-------|", "|----------|----------------|---|-------|"),
    ("| ✓ epoch 0 | |", "| ✓ epoch 0 | ✓ epoch 0 | |"),
    ("| ✓ | Base", "| ✓ | - | Base"),
    ("**Total evaluations:** 9", "**Total evaluations:** 17"),
)


def test_two_tasks_are_compared_for_the_same_runs(page: str) -> None:
    found = contrast(page, "task recall < capitalization for rank8", *SEVERAL)
    assert (found.task, found.other_task, found.is_of_tasks) == ("recall", "capitalization", True)
    assert cells(found) == [(["rank8_lr1e-5"],) * 2, (["rank8_lr5e-5"],) * 2]
    assert len(contrast(page, "task recall < task capitalization", *SEVERAL).cells) == 8


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("rank63 > rank8", "the plan has no run, model, level or task `rank63`", "rank64"),
        ("lora_rank = 63 > rank8", "no fine-tuned run has LoRA Rank 63", "8, 16, 32, 64"),
        ("lora_rank = many > rank8", "LoRA Rank is `many`; it must be a whole number", "lora_rank = VALUE"),
        ("lora_rink = 64 > rank8", "unknown setting `lora_rink`", "did you mean `LoRA Rank`?"),
        ("run x > rank8", "the plan has no run `x`", "known"),
        ("model Lama-3.2 > rank8", "no run has the model `Lama-3.2`", "known"),
        ("rank64 > rank8 on caps", "the plan has no task `caps`", "capitalization"),
        ("rank64 > lora_rank = 64", "are the same runs", "different sides"),
        ("rank64 > lr = 1e-5", "have runs in common", "without a common run"),
        ("base > base", "both sides are the base model", "different"),
        (f"run {MODEL}_base > base", "is the base model itself", "different"),
        ("rank64, lr = 1e-5 > rank8, lr = 5e-5 for rank8", "leaves no run of", "both sides"),
        ("rank64 > rank8 for rank16", "leaves no run of", "both sides"),
        ("rank64, rank8 > rank16", "no run is `rank64, rank8`", "the plan has"),
        ("task capitalization > rank8", "one side is a task", "two tasks"),
        ("task capitalization > capitalization", "both sides are the same task", "different"),
        ("rank64, capitalization > rank8", "a task and something else", "task A > task B"),
        ("rank64 = rank8 within 5 points with mae", "`mae` is a number and not a share", "without `points`"),
        ("rank64 = rank8 within 5 with accuracy", "`accuracy` is a share", "`5 points`"),
    ],
)  # fmt: skip
def test_what_the_plan_cannot_decide_is_an_error_with_its_line(page: str, text: str, message: str, hint: str) -> None:
    found = problems_of(with_hypothesis(page, f"**H1:** {text}"))
    assert [(problem.line, problem.file) for problem in found] == [(10, "experiment_summary.md")]
    assert found[0].message.startswith("hypothesis `H1`: ")
    assert message in found[0].message
    assert hint in found[0].hint


def test_a_name_that_may_mean_two_things_is_an_error(page: str) -> None:
    text = with_hypothesis(
        page, "64 > rank8", ("| 64 | 1e-5 | 4 |", "| 64 | 1e-5 | 64 |"), ("- **Batch sizes:** 4\n", "")
    )
    found = [problem for problem in problems_of(text) if "hypothesis" in problem.message]
    assert "`64` may mean several things" in found[0].message
    assert found[0].hint == "write `lora_rank = 64` or `batch_size = 64`"


def test_a_run_that_is_not_evaluated_in_the_task_is_an_error(page: str) -> None:
    row = f"| {MODEL}_rank64_lr5e-5 | "
    text = with_hypothesis(
        page, "rank64 > rank8", (row + "✓ epoch 0", row + "-"), ("evaluations:** 9", "evaluations:** 8")
    )
    assert [
        f"`{MODEL}_rank64_lr5e-5` is not evaluated in task `capitalization`" in str(each) for each in problems_of(text)
    ] == [True]
    several = with_hypothesis(page, "rank64 > rank8", *SEVERAL)
    assert ["it names no task, and the plan has several" in str(each) for each in problems_of(several)] == [True]
