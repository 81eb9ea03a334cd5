"""The grammar of hypotheses: what is read, what is an error with a way out, and the section of the plan."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.plans import parse_plan, plan_of, problems_of
from tunebook.core.hypotheses import Hypothesis, Relation
from tunebook.core.hypothesis_grammar import HypothesisError, parse_hypothesis
from tunebook.core.plan import PlanDetails, write_plan

Edit = Callable[..., str]


def read(text: str) -> tuple[str, str, str]:
    found = parse_hypothesis(text)
    left, right = (", ".join(map(str, side)) for side in (found.left, found.right))
    return left, found.relation.value, right


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("lora_rank = 64 > lora_rank = 4 on caps", ("lora_rank = 64", ">", "lora_rank = 4")),
        ("rank4 ≠ base", ("rank4", "≠", "base")),
        ("rank4 != its base model", ("rank4", "≠", "base")),
        ("rank4<rank64", ("rank4", "<", "rank64")),
        ("rank4 &lt; rank64", ("rank4", "<", "rank64")),
        (r"rank64 \> rank4", ("rank64", ">", "rank4")),
        ("lr = 1e-4, lora_rank=8 > base", ("lr = 1e-4, lora_rank = 8", ">", "base")),
        ("lr = 1e-4 and lora_rank = 8 > base", ("lr = 1e-4, lora_rank = 8", ">", "base")),
        ("model SmolLM2-360M > model = SmolLM2-135M", ("model SmolLM2-360M", ">", "model SmolLM2-135M")),
        ("run `my > run` is better than `base`", ("run my > run", "better than", "base")),
        ("task recall < task caps for rank4", ("task recall", "<", "task caps")),
        ("rank4 = rank64 within 5 points", ("rank4", "=", "rank64")),
        ("lr = 1 = lr = 2 within 5 points", ("lr = 1", "=", "lr = 2")),
        ("lr = 1, r = 2 = lr = 2, r = 2 within 5 pp", ("lr = 1, r = 2", "=", "lr = 2, r = 2")),
        ("lr = 1 equals base within 0.1", ("lr = 1", "=", "base")),
        ("LoRA Rank = 64 worse than LoRA Rank = 4", ("LoRA Rank = 64", "worse than", "LoRA Rank = 4")),
        ("model A, base > model B, base", ("model A, base", ">", "model B, base")),
    ],
)
def test_contrasts_mean_what_they_say(text: str, meaning: tuple[str, str, str]) -> None:
    assert read(text) == meaning


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("lora_rank 64", "compares nothing", "SIDE > SIDE"),
        ("rank4 = rank64", "`=` without a margin", "within 5 points"),
        ("rank4 ≈ rank64", "`=` has no margin", "no data can show"),
        ("lr = 1 = base within 5 points", "may be read in 2 ways", "`equals`"),
        ("a > b > c", "more than two sides", "each pair"),
        ("a >= b", "`>=` is not a relation", "by at least -2 points"),
        ("> b", "nothing is on the left side", "SIDE > SIDE"),
        ("a > b,, c", "a term is missing", "comma"),
        ("a > on caps", "nothing is on the right side", "SIDE > SIDE"),
        ("on caps a > b", "stands before the relation", "at the end"),
        ("a > b on caps on recall", "`on` is given twice", "backticks"),
        ("a > b on caps, recall", "`on caps, recall` is not one name", "backticks"),
        ("a > b because it is larger", "is not a run", "remarks follow a dash"),
        ("my run > other", "is not a run", "backticks"),
        ("a = b within 5 %", "part of the score or percentage points", "`5 points`"),
        ("a = b within 5 per cent", "part of the score or percentage points", "`5 points`"),
        ("a = b within few points", "`few points` is not a number", "5 points"),
        ("a = b within 0 points", "must be above 0", "5 points"),
        ("a = b within -2 points", "must be above 0", "5 points"),
        ("a = b by at least 2 points", "`=` has no margin", "within"),
        ("a > b within 2 points", "`within` does not fit `>`", "A = B within"),
        ("a ≠ b by at least 2 points", "does not fit `≠`", "needs a direction"),
        ("= 4 > lr = 5", "is not a setting", "lora_rank = 64"),
    ],
)
def test_every_error_says_what_is_wrong_and_what_to_write(text: str, message: str, hint: str) -> None:
    with pytest.raises(HypothesisError, match=r".") as caught:
        parse_hypothesis(text)
    assert message in str(caught.value)
    assert hint in caught.value.hint


def test_names_words_margins_and_qualifiers_are_read() -> None:
    text = "**H1:** rank64 > rank4 by at least 2 points on `a task` with exact — as in (earlier) work"
    found = parse_hypothesis(text, 7)
    assert (found.name, found.words, found.task, found.measure) == ("H1", "as in (earlier) work", "a task", "exact")
    assert found.margin is not None
    assert (found.margin.value, found.margin.in_points, found.line) == (0.02, True, 7)
    assert found.contrast == "rank64 > rank4 by at least 2 points on `a task` with exact"
    assert found.text == text
    plain = parse_hypothesis("Rank matters: mae < 3 by at least -0,5".replace("0,5", "0.5"))
    assert plain.margin is not None
    assert (plain.name, plain.margin.value, plain.margin.in_points) == ("Rank matters", -0.5, False)


_WORD = st.text("aBxyz09_+@-", min_size=1, max_size=9).map("w{}".format)
_QUOTED = st.text("aé ≠>=<,;_-|()", min_size=1, max_size=9)
_NAME = st.one_of(_WORD, _QUOTED.filter(str.strip).map(lambda text: f"`{' '.join(text.split())}`"))
_TERM = st.tuples(st.sampled_from(["{}", "model {}", "run {}", "key = {}"]), _NAME)
_SIDE = st.lists(_TERM, min_size=1, max_size=3)


def plain(name: str) -> str:
    return name.strip("`").strip()


@given(
    name=st.sampled_from(["", "H1", "A claim"]), left=_SIDE, right=_SIDE, task=_NAME, relation=st.sampled_from("><≠")
)
@settings(max_examples=60, deadline=None)
def test_every_contrast_of_the_grammar_reads_back(
    name: str, left: list[tuple[str, str]], right: list[tuple[str, str]], task: str, relation: str
) -> None:
    ours, theirs = (", ".join(form.format(each) for form, each in side) for side in (left, right))
    contrast = f"{ours} {relation} {theirs} on {task}"
    text = f"**{name}:** {contrast}" if name else contrast
    found = parse_hypothesis(text)
    assert (found.name, found.contrast, found.task) == (name, contrast, plain(task))
    assert found.relation is Relation(relation)
    for side, terms in ((left, found.left), (right, found.right)):
        assert list(map(str, terms)) == [form.format(plain(each)) for form, each in side]


# --- the section ---------------------------------------------------------------------------------------------------

SECTION = """\
## Hypotheses

Rank should matter more than the rate; we decided so before any data.

- **H1:** lora_rank = 64 > lora_rank = 8 — capacity
  - as in earlier work
- H2: lr = 5e-5 >
  lr = 1e-5
1. lora_rank = 8 ≠ base
- About equality:
  - **H4:** rank16 = rank32 within 5 points

## Tools
"""


def hypotheses_of(text: str) -> tuple[Hypothesis, ...]:
    return plan_of(text).hypotheses


def test_items_of_the_section_are_hypotheses_and_the_rest_is_words(edited: Edit) -> None:
    text = edited(("## Tools\n", SECTION))
    found = hypotheses_of(text)
    assert [item.contrast for item in found] == [
        "lora_rank = 64 > lora_rank = 8",
        "lr = 5e-5 > lr = 1e-5",
        "lora_rank = 8 ≠ base",
        "rank16 = rank32 within 5 points",
    ]
    assert [item.name for item in found] == ["H1", "H2", "", "H4"]
    lines = text.splitlines()
    assert [lines[item.line - 1][:8] for item in found] == ["- **H1:*", "- H2: lr", "1. lora_", "  - **H4"]


def test_a_written_plan_has_the_same_hypotheses(edited: Edit) -> None:
    plan = plan_of(edited(("## Tools\n", SECTION)))
    again = parse_plan(write_plan(plan, PlanDetails())).plan
    assert [replace(item, line=0) for item in again.hypotheses] == [replace(item, line=0) for item in plan.hypotheses]


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ("lora_rank = 64 > lora_rank = 8", "`lora_rank = 64 > lora_rank = 8` in `Hypotheses` is not read"),
        ("We say:\n\n```\nrank64 > rank8\n```", "`rank64 > rank8` in `Hypotheses` is not read"),
        ("> - rank64 ≠ rank8", "`rank64 ≠ rank8` in `Hypotheses` is not read"),
        ("| a | b |\n|---|---|\n| c | d |", "`a | b` in `Hypotheses` is not read"),
        ("- we expect a lot", "hypothesis: `we expect a lot` compares nothing"),
        ("- **H1:** rank8 ≠ base\n- **H1:** rank16 ≠ base", "hypothesis `H1` is given twice"),
    ],
)
def test_what_may_be_meant_as_a_hypothesis_is_never_left_out(edited: Edit, block: str, message: str) -> None:
    problems = problems_of(edited(("## Tools\n", f"## Hypotheses\n\n{block}\n\n## Tools\n")))
    assert any(message in problem.message and problem.hint and problem.line for problem in problems)
