"""The blocks that no section reads: errors where they may decide what runs, otherwise listed with line and text."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from support.plans import parse_plan, problems_of
from tunebook.core.plan import write_plan
from tunebook.core.plan.document import SECTIONS
from tunebook.core.plan.section import Section, SectionOfParts
from tunebook.core.plan.values import PlanDetails

Edit = Callable[..., str]
OTHER_BLOCKS = """\
A paragraph about Seed: 7.

- **Colour:** red
- a bullet without a name

| Colour | Taste |
|--------|-------|
| red | sweet |

```
Seed = 7
```

<div>html</div>

> - **Colour:** quoted

| a row | outside |
A harmless remark.
"""
ERRORS = {3, 5, 6, 8, 13, 16, 18, 20}
LISTED = {21: "A harmless remark."}
DECIDING = [section for section in SECTIONS if section.decides and not isinstance(section, SectionOfParts)]
# Each labelled line is a factor here, or a model; the rules report those that no run has.
READ = {"Variables": {3, 5}, "Models": {3, 5}}


def unread_lines(text: str) -> dict[int, str]:
    return {item.block.line: item.block.text for item in parse_plan(text).unread}


def problem_lines(text: str) -> set[int | None]:
    return {problem.line for problem in parse_plan(text).problems}


@pytest.mark.parametrize("section", DECIDING, ids=lambda section: section.title)
def test_a_block_that_may_decide_what_runs_is_an_error_with_its_line(section: Section) -> None:
    text = f"# x\n## {section.title}\n{OTHER_BLOCKS}"
    assert problem_lines(text) - {1, 2} == ERRORS - READ.get(section.title, set())
    assert unread_lines(text) == LISTED


@pytest.mark.parametrize(
    ("section", "part"),
    [
        (section, part)
        for section in SECTIONS
        if isinstance(section, SectionOfParts)
        for part in section.parts
        if part.decides
    ],
    ids=lambda section: section.title,
)
def test_so_is_a_block_of_a_subsection(section: Section, part: Section) -> None:
    text = f"## {section.title}\n### {part.title}\n{OTHER_BLOCKS}"
    assert problem_lines(text) - {1, 2} == ERRORS - READ.get(part.title, set())
    assert unread_lines(text) == LISTED


@pytest.mark.parametrize("title", ["Overview", "Quick Reference", "Status"])
def test_in_other_sections_blocks_are_listed(title: str) -> None:
    text = f"# x\n## {title}\n{OTHER_BLOCKS}"
    read = {3, 5} if title == "Quick Reference" else set()  # each labelled line is a path
    assert set(unread_lines(text)) == {*ERRORS - {13}, 12, *LISTED} - read
    assert not problem_lines(text) & ERRORS


@pytest.mark.parametrize("title", ["Prerequisites", "Naming Conventions", "Notes"])
def test_sections_for_people_may_contain_anything(title: str) -> None:
    assert unread_lines(f"# x\n## {title}\n{OTHER_BLOCKS}") == {}


def test_an_error_names_the_nearest_known_setting_and_how_to_write_a_remark() -> None:
    problem = parse_plan("# x\n## Evaluation Plan\n- **Epochs to evalute:** all\n").problems[-1]
    assert problem.message == "unknown `Epochs to evalute` in `Evaluation Plan`"
    assert "did you mean `Epochs to evaluate`?" in problem.hint
    assert "- **Notes:**" in problem.hint


@pytest.mark.parametrize(
    "text",
    [
        "All runs use seed 7.",
        "We train with a batch size of 8.",
        'The system prompt is "Capitalize".',
        "> The seed is 7, as in the paper.",
        "```\nseed: 7\n```",
        "```yaml\nbatch_size: 8\nweight decay: 0.1\n```",
        "1. Seed",
        "| Seed | 7 |",
        "<details>\n- **Seed:** 7\n</details>",
    ],
)
def test_a_setting_in_text_code_or_html_is_an_error(edited: Edit, text: str) -> None:
    page = edited(("- **Evaluation seed:** 14\n", f"- **Evaluation seed:** 14\n\n{text}\n\n"))
    lines = {problem.line for problem in problems_of(page)}
    assert lines & set(range(91, 95))


@pytest.mark.parametrize(
    "text", ["The seed was chosen before the first run.", "<!-- - **Seed:** 7 -->", "As in prior work."]
)
def test_a_text_that_gives_no_value_is_listed(edited: Edit, text: str) -> None:
    page = edited(("- **Evaluation seed:** 14\n", f"- **Evaluation seed:** 14\n\n{text}\n\n"))
    assert problems_of(page) == ()
    assert 91 in unread_lines(page)


def test_remarks_are_listed_unless_they_seem_to_give_a_setting(edited: Edit) -> None:
    seed = "- **Evaluation seed:** 14\n"
    page = edited((seed, f"{seed}- **Notes:** see\n  - **Place:** Princeton\n  - **Weight decay:** 0.1\n"))
    assert [problem.line for problem in problems_of(page)] == [92]
    assert {90: "Notes: see", 91: "Place: Princeton"}.items() <= unread_lines(page).items()


def test_a_row_with_more_cells_than_its_header_is_an_error(edited: Edit) -> None:
    page = edited(
        ("| capitalization | Notes |", "| capitalization |"), ("|----------|----------------|-------|", "|---|---|")
    )
    found = {problem.line: problem.message for problem in problems_of(page)}
    assert found[68] == "the row has 3 cells, but its table has 2 columns"


def test_a_persons_own_sections_are_listed_with_their_lines() -> None:
    parsed = parse_plan("# x\nFor a paper.\n\n## Thoughts\n- **Seed:** 7\n\n## Resources\n### Hardware\n- one GPU\n")
    assert [(own.title, own.line, own.end_line) for own in parsed.own] == [
        ("x", 1, 2),
        ("Thoughts", 4, 6),
        ("Hardware", 8, 10),
    ]


def test_the_example_is_read_except_for_the_remarks_in_its_tools_section(page: str) -> None:
    parsed = parse_plan(page)
    assert {item.section for item in parsed.unread} == {"Tools"}
    assert [(item.block.line, item.block.text) for item in parsed.unread[:2]] == [
        (11, "This experiment uses the following tools:"),
        (14, "Current status: Only option available"),
    ]
    assert parsed.own == ()


def test_a_block_inside_two_known_sections_belongs_to_the_inner_one() -> None:
    text = "# Tools\n- **Evaluation:** inspect-ai\n## Configuration\n- **Seed:** 7\n\nText.\n"
    (found,) = parse_plan(text).unread
    assert (found.section, found.block.line) == ("Configuration", 6)


def test_a_plan_that_tunebook_writes_has_no_unread_block(page: str) -> None:
    details = PlanDetails(
        design="sweep",
        created="2026-01-01 00:00",
        directory="/x",
        dataset=(("Size", "18 KiB"),),
        prerequisites=("get the model",),
        training=(("Total GPU hours", "1.4"), ("Basis", "none"), ("Memory of m", "batch 4 needs about 7 GB")),
        evaluation=(("Basis", "none"),),
        disk=(("Available", "2 TiB"),),
        naming=(("Experiment", "x"),),
        notes=("# one",),
    )
    assert unread_lines(write_plan(parse_plan(page).plan, details)) == {}
