"""Authors and license of a plan: as people write them, and back without a loss."""

from __future__ import annotations

import pytest

from support.plans import parse_plan
from tunebook.core.authorship import Author, read_authors, read_license
from tunebook.core.plan import PlanDetails, write_plan
from tunebook.design.preserve import with_own_text

PLAN = """# Experiment: x

## Overview
- **Scientific Question:** Does it help?
{bullets}

## All Runs
| Run Name | Model | Type |
|---|---|---|
| a | m | Control |
"""
ADA = Author("Ada Lovelace", "0000-0002-1825-0097", "University of London")


@pytest.mark.parametrize(
    ("bullets", "authors"),
    [
        ("- **Authors:** Ada Lovelace (0000-0002-1825-0097, University of London); Bob", (ADA, Author("Bob"))),
        ("- **Authors:** Bob, Eve and Ada Lovelace", (Author("Bob"), Author("Eve"), Author("Ada Lovelace"))),
        ("- **Author:** Lovelace, Ada; Bob", (Author("Lovelace, Ada"), Author("Bob"))),
        ("- **Authors:**\n  - Ada Lovelace (https://orcid.org/0000-0002-1825-0097, University of London)\n  - Bob",
         (ADA, Author("Bob"))),
        ("- **Authors:** [Bob](https://orcid.org/0000-0002-1825-009X)", (Author("Bob", "0000-0002-1825-009X"),)),
    ],
)  # fmt: skip
def test_authors_are_read_and_written_back(bullets: str, authors: tuple[Author, ...]) -> None:
    plan = parse_plan(PLAN.format(bullets=bullets)).plan
    assert plan.authors is not None
    assert plan.authors.line == 5
    assert read_authors(plan.authors.text) == authors
    again = parse_plan(write_plan(plan, PlanDetails())).plan
    assert again.authors is not None
    assert again.authors.text == plan.authors.text


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("CC-BY-4.0", "https://spdx.org/licenses/CC-BY-4.0"),
        ("cc by 4.0", "https://spdx.org/licenses/CC-BY-4.0"),
        ("[CC BY](https://creativecommons.org/licenses/by/4.0/)", "https://creativecommons.org/licenses/by/4.0/"),
        ("`MIT`", "https://spdx.org/licenses/MIT"),
        ("ask me", ""),
    ],
)
def test_a_license_is_known_by_its_identifier_or_its_address(text: str, address: str) -> None:
    plan = parse_plan(PLAN.format(bullets=f"- **License:** {text}")).plan
    assert plan.license is not None
    assert read_license(plan.license.text).address == address
    again = parse_plan(write_plan(plan, PlanDetails())).plan
    assert again.license is not None
    assert again.license.text == plan.license.text


@pytest.mark.parametrize("bullets", ["", "- **Authors:** -\n- **License:** n/a"])
def test_a_plan_without_them_has_none(bullets: str) -> None:
    parsed = parse_plan(PLAN.format(bullets=bullets))
    assert (parsed.plan.authors, parsed.plan.license, parsed.problems) == (None, None, ())


def test_two_licenses_are_a_problem_with_its_line() -> None:
    parsed = parse_plan(PLAN.format(bullets="- **License:** MIT\n- **Licence:** CC0-1.0"))
    assert [(problem.line, problem.message) for problem in parsed.problems] == [
        (6, "`Licence` is given twice: `MIT` on line 5, and `CC0-1.0`")
    ]


def test_design_keeps_them_when_it_writes_the_plan_again() -> None:
    bullets = "- **Authors:**\n  - Ada Lovelace (0000-0002-1825-0097)\n  - Bob\n- **License:** CC-BY-4.0"
    before = PLAN.format(bullets=bullets)
    again = with_own_text(before, write_plan(parse_plan(PLAN.format(bullets="")).plan, PlanDetails()))
    plan = parse_plan(again).plan
    assert plan.authors is not None
    assert [author.name for author in read_authors(plan.authors.text)] == ["Ada Lovelace", "Bob"]
    assert plan.license is not None
    assert plan.license.text == "CC-BY-4.0"
