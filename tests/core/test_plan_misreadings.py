"""Texts that were once read as something else than they say, or lost: now read, or an error on their line."""

from __future__ import annotations

import pytest

from core.test_plan_spellings import PLAN, difference
from support.plans import parse_plan, problems_of
from tunebook.core.plan.settings import evaluations

SYSTEM = '- **System Prompt:** "Capitalize it"'
QUESTION = "- **Scientific Question:** Does the rank matter?"
END = "\n## Compute Estimates"
ROWS = "| rank4 | ✓ epoch 0 |"
TASK = "| capitalization | `cap_task.py` | `words.json` | Exact match |"

ERRORS: dict[str, tuple[str, str, str]] = {
    "none is not the default of 0.01": ("- **Weight Decay:** 0.125", "- **Weight Decay:** none", "Weight Decay"),
    "none is no scheduler": ("- **Scheduler:** linear", "- **Scheduler:** none", "may mean the default"),
    "no seed": ("- **Seed:** 7", "- **Seed:** none", "may mean the default"),
    "alpha with another for a run": ("- **LoRA Alpha:** 48", "- **LoRA Alpha:** 16 (32 for rank16)", "LoRA Alpha is"),
    "alpha that contradicts its remark": ("- **LoRA Alpha:** 48", "- **LoRA Alpha:** 48 (2 × rank)", "LoRA Alpha is"),
    "a name with a run in parentheses": ("- **Seed:** 7", "- **Seed** (rank16): 7", "given for `rank16`"),
    "a name with the other stage": ("- **Seed:** 7", "- **Seed** (evaluation): 7", "given for `evaluation`"),
    "below a run": ("- **Seed:** 7", "- **rank16:**\n  - Seed: 7", "given for `rank16`"),
    "below a model": (END, f"\n### m\n- LoRA Dropout: 0.1\n{END}", "given for `m`"),
    "below a heading of a run": (END, f"\n### rank16\n- LoRA Dropout: 0.1\n{END}", "given for `rank16`"),
    "optional": (END, f"\n### Optional\n- LoRA Dropout: 0.1\n{END}", "is below `optional`"),
    "a later phase": (END, f"\n### Phase 2\n- LoRA Dropout: 0.1\n{END}", "is below `phase 2`"),
    "some runs only": (END, f"\n### Larger ranks only\n- LoRA Dropout: 0.1\n{END}", "is below `larger ranks only`"),
    "a link definition": ("- **Seed:** 7", "\n[Seed]: 7\n", "[Seed]"),
    "yaml in a fence": (END, f"\n```yaml\nlora_dropout: 0.1\n```\n{END}", "lora_dropout"),
    "a short name in a fence": (END, f"\n```yaml\nlr: 1e-5\n```\n{END}", "lr: 1e-5"),
    "a short name in a text": (END, f"\nLR 1e-5 for the larger ranks.\n{END}", "LR 1e-5"),
    "a fence below a heading": (SYSTEM, "\n### System Prompt\n```\nCapitalize it\n```\n", "Capitalize it"),
    "a text below a heading": (SYSTEM, "\n### System Prompt\nCapitalize it\n", "is below `system prompt`"),
    "a quotation below a heading": (SYSTEM, "\n### System Prompt\n> Capitalize it\n", "is below `system prompt`"),
    "a second fence": (SYSTEM, "- **System Prompt:**\n  ```\n  A\n  ```\n  ```\n  B\n  ```", "`B`"),
    "a second paragraph": (SYSTEM, "- **System Prompt:** Capitalize it\n\n  And be brief.\n", "And be brief."),
    "a fence below a sentence": (SYSTEM, "\nThe system prompt is:\n\n```\nBe nice\n```\n", "`Be nice`"),
    "a section named after a setting": (END, f'\n## System Prompt\n"X"\n{END}', "the name of a setting"),
    "a matrix in words": (
        "| Run Name | capitalization |\n|---|---|\n| rank4 | ✓ epoch 0 |\n| rank16 | - |\n| base | ✓ |",
        "Only rank4 is evaluated.",
        "has no table",
    ),
    "epochs in words": ("- **Epochs to evaluate:** all", "We evaluate all epochs.", "sets no epochs"),
    "time of an epoch": ("- **m:** ~10 min per run", "- **m:** 10 min per epoch", "is not a time"),
    "time of a step": ("- **m:** ~10 min per run", "- **m:** 10 s/step", "is not a time"),
    "times of two runs": ("- **m:** ~10 min per run", "- **m:** 10 min (rank4), 20 min (rank16)", "is not a time"),
    "a time times two": ("| Fine-tuned | 9 min |", "| Fine-tuned | 9 min × 2 |", "is not a time"),
    "two models": ("- m: `models/m`", "- m: `models/m` or `models/n`", "two code spans"),
    "two files": ("- **Path:** `words.json`", "- **Path:** `words.json`, `more.json`", "two code spans"),
    "a path with a remark": (
        "- **Path:** `words.json`",
        "- **Path:** words.json (train), test.json",
        "a remark may be",
    ),
    "a path as a link": ("- **Path:** `words.json`", "- **Path:** [words](data/words.json)", "Markdown hides"),
    "a path with underscores": ("- m: `models/m`", "- m: models/__m__", "Markdown hides"),
    "two scripts": (TASK, TASK.replace("`cap_task.py`", "`cap_task.py`, `b.py`"), "two code spans"),
    "the same data": (TASK, TASK.replace("`words.json`", "same"), "is not clear"),
    "no data": (TASK, TASK.replace("`words.json`", "none"), "is not clear"),
    "a split twice": ("test (10)", "test (10), train (9)", "a split twice"),
    "another data set": ("- **Seed:** 7", "- **Seed:** 7\n- **Dataset:** `other.json`", "given twice"),
    "another seed in the overview": (QUESTION, f"{QUESTION}\n- **Seed:** 99", "which no run has"),
    "a setting in the overview only": (QUESTION, f"{QUESTION}\n- **LoRA Dropout:** 0.1", "which no run has"),
    "a tick as a rank": ("| base | m | - |", "| base | m | ✓ |", "LoRA Rank is `✓`"),
}


@pytest.mark.parametrize(("old", "new", "message"), ERRORS.values(), ids=ERRORS)
def test_what_is_not_clear_is_an_error_on_its_line(old: str, new: str, message: str) -> None:
    assert old in PLAN
    page = PLAN.replace(old, new, 1)
    first = page[: page.index(new)].count("\n") + 1
    lines = range(first - 1, first + new.count("\n") + 1)
    assert any(message in problem.message and problem.line in lines for problem in problems_of(page))


PROMPTS = [
    "None (no system prompt)",
    "no system prompt",
    "no",
    "False",
    "default",
    "TBD",
    "same as before",
    "see below",
    "✓",
    "Capitalize it ✓",
    "Capitalize it (final)",
    "Capitalize it <!-- old -->",
    "Capitalize<br>it",
    "Capitalize it\n  and be brief",
    "Capitalize it\u200b",
    '"Capitalize it\u200b"',
]


@pytest.mark.parametrize("text", PROMPTS)
def test_a_prompt_that_may_be_a_remark_is_an_error(text: str) -> None:
    problems = problems_of(PLAN.replace(SYSTEM, f"- **System Prompt:** {text}"))
    assert any("is not clear" in problem.message for problem in problems)


SAME: dict[str, tuple[str, str]] = {
    "a harmless remark": ("- **Seed:** 7", "- **Seed:** 7 (fixed for all runs)"),
    "the same number twice": ("- **Learning Rate:** 3e-4", "- **Learning Rate:** 3e-4 (0.0003)"),
    "a choice with a remark": ("- **Scheduler:** linear", "- **Scheduler:** Linear (default)"),
    "a flag with a remark": ("- **Dataset Packing:** no", "- **Dataset Packing:** no (default)"),
    "disabled": ("- **Dataset Packing:** no", "- **Dataset Packing:** disabled"),
    "a cross": ("- **Dataset Packing:** no", "- **Dataset Packing:** ✗"),
    "an abbreviation": ("- **Learning Rate:**", "- **LR:**"),
    "a name and its abbreviation": ("- **Learning Rate:**", "- **Learning rate (LR):**"),
    "number of epochs": ("- **Epochs:** 2", "- **Number of epochs:** 2"),
    "random seed": ("- **Seed:** 7", "- **Random seed:** 7"),
    "a name for the stage it is of": ("- **Seed:** 7", "- **Seed** (training): 7"),
    "a column with its letter": ("| LoRA Rank | Type", "| LoRA rank (r) | Type"),
    "a unit": ("- **Evaluation Max Tokens:** 12", "- **Evaluation Max Tokens:** 12 tokens"),
    "a path in quotes": ("- **Path:** `words.json`", '- **Path:** "words.json"'),
    "epochs without a tick": (ROWS, "| rank4 | epoch 0 |"),
    "a bold tick": (ROWS, "| rank4 | **✓** epoch 0 |"),
    "a tick as an emoji": (ROWS, "| rank4 | ✔️ epoch 0 |"),
    "a cross in the matrix": ("| rank16 | - |", "| rank16 | ❌ |"),
    "settings repeated in the overview": (QUESTION, f"{QUESTION}\n- **Seed:** 7\n- **LoRA Rank:** 4, 16"),
    "every epoch": ("- **Epochs to evaluate:** all", "- **Epochs to evaluate:** every epoch"),
}


@pytest.mark.parametrize(("old", "new"), SAME.values(), ids=SAME)
def test_what_is_beyond_doubt_is_read(old: str, new: str) -> None:
    assert old in PLAN
    page = PLAN.replace(old, new, 1)
    assert [str(problem) for problem in problems_of(page)] == []
    assert difference(parse_plan(page).plan) == []


def test_a_tick_says_yes() -> None:
    plan = parse_plan(PLAN.replace("- **Dataset Packing:** no", "- **Dataset Packing:** ✓")).plan
    assert plan.value("packed") is True


@pytest.mark.parametrize("dash", ["-", "–", "—", "n/a"])
def test_any_dash_says_that_a_task_has_its_own_data(dash: str) -> None:
    (task,) = parse_plan(PLAN.replace(TASK, TASK.replace("`words.json`", dash))).plan.tasks
    assert (task.has_own_data, task.dataset) == (True, None)


@pytest.mark.parametrize("cell", ["all", "every epoch", "✅ all epochs", "✓ epochs 0 and 1"])
def test_all_epochs_of_a_cell(cell: str) -> None:
    plan = parse_plan(PLAN.replace(ROWS, f"| rank4 | {cell} |")).plan
    assert [item.epoch for item in evaluations(plan) if item.run == "rank4"] == [0, 1]


def test_the_name_of_the_runs_data_without_its_ending_is_the_runs_data() -> None:
    """As an older template writes it; between backticks, and any other name, it is a path."""
    for cell, expected in (("words", None), ("`words`", "words"), ("word", "word"), ("words.json", "words.json")):
        (task,) = parse_plan(PLAN.replace(TASK, TASK.replace("`words.json`", cell))).plan.tasks
        assert (task.has_own_data, task.dataset) == (False, expected)
