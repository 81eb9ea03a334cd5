"""The blocks of known sections that nothing reads: each is listed with its line and its text."""

from __future__ import annotations

import pytest

from support.plans import parse_plan
from tunebook.core.plan import write_plan
from tunebook.core.plan.document import SECTIONS
from tunebook.core.plan.values import PlanDetails

OTHER_BLOCKS = """\
A paragraph about Seed: 7.

- **Colour:** red
- a bullet without a name

| Colour | Taste |
|--------|-------|
| red | sweet |

| A second | table |
|----------|-------|
| of | values |

```
code
```

<b>html</b>

### Training notes
- **Taste:** sweet
"""
UNREAD = {
    3: "A paragraph about Seed: 7.",
    5: "Colour: red",
    6: "a bullet without a name",
    8: "Colour | Taste",
    12: "A second | table",
    16: "code",
    20: "<b>html</b>",
    23: "Taste: sweet",
}
READ = {
    "Variables": {8},  # the first table is read, and its columns are problems
    "All Runs": {8},
    "Configuration": {5},  # an unknown setting is a problem
    "Quick Reference": {5},  # each bullet is a path
    "Prerequisites": set(UNREAD),  # these three are for people
    "Naming Conventions": set(UNREAD),
    "Notes": set(UNREAD),
}


def unread_lines(text: str) -> dict[int, str]:
    return {item.block.line: item.block.text for item in parse_plan(text).unread}


@pytest.mark.parametrize("title", [section.title for section in SECTIONS])
def test_each_section_lists_the_blocks_that_it_does_not_read(title: str) -> None:
    text = f"# x\n## {title}\n{OTHER_BLOCKS}"
    wanted = {line: text for line, text in UNREAD.items() if line not in READ.get(title, set())}
    assert unread_lines(text) == wanted
    assert {item.section for item in parse_plan(text).unread} <= {title}


@pytest.mark.parametrize(
    ("section", "part", "read"),
    [
        ("Resources", "Models", {5}),  # each bullet is a model
        ("Resources", "Dataset", set()),
        ("Resources", "Evaluation Tasks", {8}),
        ("Evaluation Plan", "Configuration", set()),
        ("Evaluation Plan", "Evaluation Matrix", {8}),
        ("Compute Estimates", "Training", set()),
        ("Compute Estimates", "Evaluation", set()),
        ("Compute Estimates", "Disk Space", {line for line in UNREAD if line != 23}),
        ("Status", "Fine-tuning", {8}),
        ("Status", "Evaluations", {8}),
    ],
)
def test_each_subsection_lists_the_blocks_that_it_does_not_read(section: str, part: str, read: set[int]) -> None:
    found = parse_plan(f"## {section}\n### {part}\n{OTHER_BLOCKS}").unread
    assert {item.block.line: item.block.text for item in found} == {
        line: text for line, text in UNREAD.items() if line not in read
    }
    assert {item.heading for item in found} <= {part, "Training notes"}


def test_the_example_is_read_except_for_the_remarks_in_its_tools_section(page: str) -> None:
    found = parse_plan(page).unread
    assert {item.section for item in found} == {"Tools"}
    assert [(item.block.line, item.block.text) for item in found[:2]] == [
        (11, "This experiment uses the following tools:"),
        (14, "Current status: Only option available"),
    ]


def test_a_second_section_of_the_same_name_is_unread() -> None:
    text = "# x\n## Configuration\n- **Seed:** 7\n\n## Notes\n\n## Configuration\n- **Epochs:** 2\n"
    assert unread_lines(text) == {8: "Epochs: 2"}


def test_settings_below_another_heading_or_nested_are_unread() -> None:
    text = "# x\n## Configuration\n- **Seed:** 7\n  - Epochs: 2\n### Training\n- **Batch Size:** 4\n"
    assert unread_lines(text) == {4: "Epochs: 2", 6: "Batch Size: 4"}


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
