"""Settings in every spelling and place: read as what they mean, or an error on their line, and never anything else."""

from __future__ import annotations

import re
from dataclasses import fields, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.plans import EXAMPLE, parse_plan, problems_in, problems_of
from support.spellings import HEADINGS, INSERTIONS, NUMBERS, SPELLINGS, TEXTS, Spelling, rewritten
from tunebook.core.check import plan_warnings
from tunebook.core.parameters import Written
from tunebook.core.plan import Plan
from tunebook.core.plan.document import SECTIONS
from tunebook.core.plan.values import Run

PLAN = """\
# Experiment: tiny

## Overview
- **Scientific Question:** Does the rank matter?

## Tools
- **Model Preparation:** torchtune
- **Evaluation:** inspect-ai

## Variables
| Factor | Levels |
|---|---|
| LoRA Rank | 4, 16 |

## All Runs
| Run Name | Model | LoRA Rank | Type | Est. Time |
|---|---|---|---|---|
| rank4 | m | 4 | Fine-tuned | 8 min |
| rank16 | m | 16 | Fine-tuned | 9 min |
| base | m | - | Control | - |

## Resources

### Models
- m: `models/m`

### Dataset
- **Path:** `words.json`
- **Splits:** train (80), validation (10), test (10)

### Evaluation Tasks
| Task Name | Script | Dataset | Description |
|---|---|---|---|
| capitalization | `cap_task.py` | `words.json` | Exact match |

## Evaluation Plan
- **Epochs to evaluate:** all

### Evaluation Matrix
| Run Name | capitalization |
|---|---|
| rank4 | ✓ epoch 0 |
| rank16 | - |
| base | ✓ |

## Configuration
- **Learning Rate:** 3e-4
- **Epochs:** 2
- **Batch Size:** 4
- **LoRA Alpha:** 48
- **Weight Decay:** 0.125
- **Seed:** 7
- **Evaluation Seed:** 8
- **Evaluation Temperature:** 0.75
- **Evaluation Max Tokens:** 12
- **Scheduler:** linear
- **Dataset Packing:** no
- **System Prompt:** "Capitalize it"
- **Prompt:** "Word {input}"

## Compute Estimates

### Training
- **m:** ~10 min per run

### Evaluation
- **Per evaluation:** ~5 min
"""
BULLETS = re.findall(
    r"^- \*\*(.+?):\*\* (.+)$", PLAN.partition("## Configuration")[2].partition("\n## ")[0], re.MULTILINE
)
NUMBER_BULLETS = [(name, value) for name, value in BULLETS if re.fullmatch(r"[\d.e-]+", value)]
TEXT_BULLETS = [(name, value.strip('"')) for name, value in BULLETS if value.startswith('"')]
DECIDING = [section.title for section in SECTIONS if section.decides]


def _value(item: Written) -> Written:
    return Written(item.value, str(item.value))


def _run(run: Run) -> Run:
    return replace(run, line=0, parameters={key: _value(item) for key, item in run.parameters.items()})


def values_of(plan: Plan) -> Plan:
    """The plan without its lines."""
    return replace(
        plan,
        line=0,
        tools=replace(plan.tools, line=None, evaluation_line=None),
        total_runs=plan.total_runs and _value(plan.total_runs),
        total_evaluations=plan.total_evaluations and _value(plan.total_evaluations),
        factors=tuple(replace(factor, line=0) for factor in plan.factors),
        runs=tuple(map(_run, plan.runs)),
        runs_line=None,
        models=tuple(replace(model, line=0) for model in plan.models),
        dataset=plan.dataset and replace(plan.dataset, line=0, splits_line=None),
        tasks=tuple(replace(task, line=0) for task in plan.tasks),
        matrix=plan.matrix and tuple(replace(entry, line=0) for entry in plan.matrix),
        matrix_runs=tuple(Written(row.value, "") for row in plan.matrix_runs),
        epochs_line=None,
        configuration={key: _value(item) for key, item in plan.configuration.items()},
        listed={key: tuple(map(_value, items)) for key, items in plan.listed.items()},
    )


EXPECTED = values_of(parse_plan(PLAN).plan)


def difference(plan: Plan) -> list[object]:
    """The values that are not those of the plan that was rewritten."""
    now = values_of(plan)
    names = [item.name for item in fields(Plan) if getattr(now, item.name) != getattr(EXPECTED, item.name)]
    return [(name, getattr(now, name)) for name in names]


def assert_equal_or_error(page: str, text: str) -> None:
    """The plan means the same as before, or one of the lines of the text has an error."""
    parsed = parse_plan(page)
    problems = problems_in(parsed)
    if not problems:
        assert difference(parsed.plan) == [], page
        return
    first = page[: page.index(text)].count("\n") + 1
    lines = set(range(first, first + text.count("\n") + 1))
    assert lines & {problem.line for problem in problems}, [str(problem) for problem in problems]


def test_the_plan_that_is_rewritten_has_no_problem() -> None:
    assert [str(problem) for problem in problems_of(PLAN)] == []
    assert len(BULLETS) == len(EXPECTED.configuration) == 13


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS)
def test_every_setting_in_every_spelling_is_read_or_is_an_error_on_its_line(spelling: Spelling) -> None:
    for name, value in BULLETS:
        text = spelling.write(name, value)
        page = rewritten(PLAN, "Configuration", f"- **{name}:** {value}", text, spelling.place)
        assert_equal_or_error(page, text)


READ = {
    "bold", "bold, colon outside", "bold, equals sign", "underscores", "italics", "code", "plain", "equals sign",
    "all bold", "upper case", "snake case", "key", "task list", "done task", "numbered", "nested", "nested twice",
    "line", "bold line", "italic line", "equals line", "line after text", "table", "bold table", "table with notes",
    "below Training", "below Prompts", "below Output", "deep", "label Training", "second section",
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(READ))
def test_the_usual_spellings_of_a_setting_are_read(name: str) -> None:
    spelling = SPELLINGS[name]
    text = spelling.write("Weight Decay", "0.125")
    page = rewritten(PLAN, "Configuration", "- **Weight Decay:** 0.125", text, spelling.place)
    assert problems_of(page) == ()
    assert values_of(parse_plan(page).plan) == EXPECTED


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_several_settings_in_any_spellings_are_read_or_are_errors(data: st.DataObject) -> None:
    page = PLAN
    texts = []
    for name, value in data.draw(st.lists(st.sampled_from(BULLETS), min_size=2, max_size=5, unique=True)):
        spelling = SPELLINGS[data.draw(st.sampled_from(sorted(SPELLINGS)))]
        text = spelling.write(name, value)
        page = rewritten(page, "Configuration", f"- **{name}:** {value}", text, spelling.place)
        texts.append(text)
    parsed = parse_plan(page)
    if not problems_in(parsed):
        assert difference(parsed.plan) == [], page


@pytest.mark.parametrize("write", NUMBERS.values(), ids=NUMBERS)
def test_a_number_is_read_whole_or_is_an_error(write: object) -> None:
    assert callable(write)
    for name, value in NUMBER_BULLETS:
        text = f"- **{name}:** {write(value)}"
        assert_equal_or_error(PLAN.replace(f"- **{name}:** {value}", text), text)


@pytest.mark.parametrize("write", TEXTS.values(), ids=TEXTS)
def test_a_prompt_is_read_to_its_closing_quote_or_is_an_error(write: object) -> None:
    assert callable(write)
    for name, value in TEXT_BULLETS:
        text = f"- **{name}:** {write(value)}"
        assert_equal_or_error(PLAN.replace(f'- **{name}:** "{value}"', text), text)


@pytest.mark.parametrize("write", HEADINGS.values(), ids=HEADINGS)
def test_a_heading_that_is_near_a_section_is_understood_or_is_an_error(write: object) -> None:
    assert callable(write)
    for title in DECIDING:
        heading = f"## {write(title)}\n"
        assert_equal_or_error(PLAN.replace(f"\n## {title}\n", f"\n{heading}"), heading)


@pytest.mark.parametrize("title", ["Evaluation Matrix", "Models", "Dataset", "Evaluation Tasks"])
@pytest.mark.parametrize("write", HEADINGS.values(), ids=HEADINGS)
def test_so_is_a_heading_of_a_subsection(title: str, write: object) -> None:
    assert callable(write)
    for level in ("##", "###"):
        heading = f"{level} {write(title)}\n"
        page = PLAN.replace(f"\n### {title}\n", f"\n{heading}")
        parsed = parse_plan(page)
        if not problems_in(parsed):
            assert difference(parsed.plan) == []


WORDS = st.sampled_from(["Colour", "Taste of it", "Seedling", "Extra", "Batch", "rank4", "m", "Epoch", "Ærø"])


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_content_that_no_section_knows_is_an_error_or_is_listed(data: st.DataObject) -> None:
    title = data.draw(st.sampled_from([*DECIDING, "Models", "Dataset", "Evaluation Tasks", "Evaluation Matrix"]))
    word, number = data.draw(WORDS), data.draw(st.integers(0, 99))
    text = data.draw(st.sampled_from(INSERTIONS)).format(word=word, number=number)
    heading = next(line for line in PLAN.split("\n") if line.lstrip("#") == f" {title}")
    body = PLAN.partition(f"{heading}\n")[2]
    end = len(PLAN) - len(body) + (re.search(r"\n(?=#)|\Z", body) or re.search("", body)).start()  # type: ignore[union-attr]
    page = f"{PLAN[:end]}\n{text}\n{PLAN[end:]}"
    first = PLAN[:end].count("\n") + 2
    lines = set(range(first, first + text.count("\n") + 1))
    parsed = parse_plan(page)
    listed = {item.block.line for item in parsed.unread} | {own.line for own in parsed.own}
    listed |= {warning.line or 0 for warning in plan_warnings(parsed.plan)}
    problems = {problem.line for problem in problems_in(parsed)}
    assert lines & (listed | problems), page


def test_the_example_may_have_numbered_headings() -> None:
    text = (EXAMPLE / "experiment_summary.md").read_text()
    numbers = iter(range(1, 99))
    numbered = re.sub(r"^## ", lambda _: f"## {next(numbers)}. ", text, flags=re.MULTILINE)
    assert problems_of(numbered) == ()
    assert values_of(parse_plan(numbered).plan) == values_of(parse_plan(text).plan)
